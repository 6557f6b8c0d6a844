//! `vitrine run`: serve.

use std::path::Path;
use std::process::ExitCode;

use super::{exit, output};
use crate::config::Config;
use crate::edge::{Certificates, Edge, Ended, StartError, looked_into};
use crate::telemetry;

/// Serves what the configuration says until a signal ends it.
pub(super) fn run(path: &Path) -> ExitCode {
    let loaded = match Config::load_with(path, &looked_into()) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            output::complain(&mistakes.to_string());
            return exit::configuration();
        }
    };
    telemetry::install_logging(loaded.config.log.format, loaded.config.log.level);
    match Edge::start(Some(path), loaded, Certificates::Folder) {
        Ok(edge) => serve(edge),
        Err(error) => refused(&error),
    }
}

/// Serves with an edge that has started.
pub(super) fn serve(edge: Edge) -> ExitCode {
    match edge.run() {
        Ended::Drained => ExitCode::SUCCESS,
        Ended::AtOnce | Ended::Broken => exit::FAILURE,
    }
}

/// Says why the edge did not start.
pub(super) fn refused(error: &StartError) -> ExitCode {
    tracing::error!("{error}");
    match error {
        StartError::Configuration(_) => exit::configuration(),
        StartError::Runtime(_) => exit::FAILURE,
    }
}
