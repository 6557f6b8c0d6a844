//! What cargo tells a bench that judges, and how such a bench ends.

use std::io;
use std::process::ExitCode;

/// Arguments that come from cargo.
#[derive(clap::Args)]
pub(crate) struct Cargo {
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
    /// Whether everything works, in little time
    #[arg(long, hide = true)]
    test: bool,
    /// Benches of another name do nothing
    #[arg(hide = true)]
    filter: Option<String>,
}

impl Cargo {
    /// Whether this is a measurement; an unoptimised build (no `--bench`) need not meet any figure.
    pub(crate) fn is_real(&self) -> bool {
        self.bench && !self.test
    }

    /// Runs the bench called `name`, unless another is asked for. It tells whether every figure was met.
    pub(crate) fn run(&self, name: &str, bench: impl FnOnce() -> io::Result<bool>) -> ExitCode {
        if self.filter.as_ref().is_some_and(|filter| !name.contains(filter.as_str())) {
            return ExitCode::SUCCESS;
        }
        match bench() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("{name}: {error}");
                ExitCode::FAILURE
            }
        }
    }
}
