//! The `vitrine` command.

use std::process::ExitCode;
use std::time::Duration;

/// Thousands of small buffers come and go with every second of traffic; mimalloc keeps them per thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let code = vitrine::cli::main();
    vitrine::telemetry::flush_log(LAST_MOMENT);
    code
}

/// What was logged is written by a thread that ends with the process; a log that nobody reads does not keep it alive.
const LAST_MOMENT: Duration = Duration::from_secs(1);
