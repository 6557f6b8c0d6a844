//! Files that a peer shows below `/.well-known/` by itself.

use std::path::PathBuf;

use super::plan::Place;
use crate::name::HostName;

/// A file, and the hosts that show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownFile {
    /// At least one.
    pub hosts: Vec<HostName>,
    /// Behind `/.well-known/`.
    pub name: String,
    /// What is shown.
    pub content: Content,
    /// Where the peer has it.
    pub place: Place,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// What this one holds.
    File(PathBuf),
    /// This very text.
    Text(String),
}
