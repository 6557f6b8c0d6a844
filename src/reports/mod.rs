//! Reports at regular times: which URLs end soon, which have ended, which have nothing. One goes out when there is nothing to say too,
//! so that silence means that something is broken.
//!
//! A report that was made is a file, named by its kind and its date: that file is the memory of what was done. Whatever fell due
//! while the edge was away, and whatever a clock that jumped has in store, is made when its file is not there, and never when it is.
//! The [`Notices`](crate::notices::Notices) keep whoever has it already from getting it again.

mod desk;
mod kind;
mod letter;
mod report;
#[cfg(test)]
mod tests;
mod watched;

pub use desk::{Reports, Unmade};
pub use kind::{ReportKind, ReportTerms, Term};
pub use letter::csv;
pub use report::{Line, LineState, Report};
pub use watched::Unwatched;
