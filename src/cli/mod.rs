//! temp
mod run;
mod exit {
    use std::process::ExitCode;
    pub(super) const CONFIGURATION: ExitCode = ExitCode::FAILURE;
    pub(super) const FAILURE: ExitCode = ExitCode::FAILURE;
}
/// x
pub fn main() -> std::process::ExitCode {
    run::run(std::path::Path::new(&std::env::args().nth(3).unwrap_or_default()))
}
