//! Reports at regular times: which URLs end soon, which have ended, which have nothing. One goes out when there is nothing to say too,
//! so that silence means that something is broken.
//!
//! A report that was made is a file, named by its kind and its date: that file is the memory of what was done. Whatever fell due
//! while the edge was away, and whatever a clock that jumped has in store, is made when its file is not there, and never when it is.
//! A week has one of its kind, whichever its day is, so that a change of the configuration brings neither a second one nor a gap.
//! The [`Notices`](crate::notices::Notices) keep whoever has it already from getting it again.

mod audience;
mod desk;
mod kind;
mod letter;
mod looking;
mod report;
#[cfg(test)]
mod tests;
mod watched;

pub use audience::Reader;
pub use desk::{Reports, Unmade};
pub use kind::{ReportKind, ReportTerms, Term};
pub use letter::csv;
pub use looking::NEXT;
pub use report::{Line, LineState, Report, Share, Told};
pub use watched::Unwatched;
