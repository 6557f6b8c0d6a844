//! URLs that others serve and that somebody here wants to hear of: which there are, and what was seen when they were looked at.
//!
//! They are looked at once a day from outside, as customers see them, and whenever somebody asks for it. What follows from what was
//! seen says [`overview`](crate::overview), as it does for the sites of the edge.

mod desk;
mod record;
#[cfg(test)]
mod tests;
mod url;

pub use desk::{Elsewhere, Looking, NotKept};
pub use record::{Foreign, ForeignState, Said, Seen};
pub use url::ForeignUrl;
