//! A file that the configuration names, with what is in it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A file that the configuration names, as it was when that was read: what is in it is for others to judge.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub content: Arc<Zeroizing<Vec<u8>>>,
}

impl Hash for NamedFile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.path.hash(state);
    }
}

impl fmt::Debug for NamedFile {
    // Whoever names the wrong file may have named one with a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedFile").field("path", &self.path).finish_non_exhaustive()
    }
}
