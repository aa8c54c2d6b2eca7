//! The `noctule` binary: everything is in the library.

fn main() -> std::process::ExitCode {
    noctule::cli::main()
}
