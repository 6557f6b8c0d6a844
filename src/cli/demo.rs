//! `vitrine demo`: to come.

use std::process::ExitCode;

pub(super) fn demo() -> ExitCode {
    super::exit::FAILURE
}
