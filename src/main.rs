//! The `vitrine` command.

use std::process::ExitCode;

/// Thousands of small buffers come and go with every second of traffic; mimalloc keeps them per thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    vitrine::cli::main()
}
