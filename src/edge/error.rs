//! Why an edge does not start.

use std::{fmt, io};

use crate::proxy::{BindError, TlsPolicyError};

/// The edge cannot start.
#[derive(Debug)]
pub enum StartError {
    /// The configuration asks for what this machine does not give: exit code 78.
    Configuration(String),
    /// Ours or the system's fault: exit code 1.
    Runtime(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(text) | Self::Runtime(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StartError {}

impl From<BindError> for StartError {
    fn from(error: BindError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<TlsPolicyError> for StartError {
    fn from(error: TlsPolicyError) -> Self {
        Self::Runtime(error.to_string())
    }
}

/// The configuration asks for what cannot be used, a line each.
pub(super) fn mistaken(lines: Vec<String>) -> StartError {
    StartError::Configuration(lines.join("\n"))
}

/// The system refused what every edge needs.
pub(super) fn system(what: &'static str) -> impl Fn(io::Error) -> StartError {
    move |error| StartError::Runtime(format!("cannot {what}: {error}"))
}
