//! What the process tells the system when it ends, after sysexits.h.

use std::process::ExitCode;

/// Something failed while it ran.
pub(super) const FAILURE: ExitCode = ExitCode::FAILURE;

/// EX_USAGE: the arguments make no sense.
pub(super) fn usage() -> ExitCode {
    ExitCode::from(64)
}

/// EX_CONFIG: the configuration cannot be served; a start that fails this way fails again.
pub(super) fn configuration() -> ExitCode {
    ExitCode::from(78)
}
