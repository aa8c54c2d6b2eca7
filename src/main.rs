//! The `noctule` binary: everything is in the library.

/// Planning a fleet makes and gives back much memory, on several threads: a sixth less work than with the system's own.
#[cfg(all(target_os = "linux", feature = "orchestrator"))]
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    noctule::cli::main()
}
