//! Why the state could not be read or written.

use std::fmt;
use std::io;

use rustix::io::Errno;

/// Something about the state went wrong; what was there before is there still.
#[derive(Debug)]
pub struct StoreError {
    /// What was about to happen, as in "write requests/7/key.pem".
    pub(super) doing: String,
    /// What came of it.
    pub trouble: Trouble,
}

/// Who is to blame, and for what.
#[derive(Debug)]
pub enum Trouble {
    /// Somebody else changed it meanwhile.
    Changed,
    /// Another process has the folder.
    InUse,
    /// A later version wrote the folder: its number, and the highest that this one knows.
    TooNew(u64, u64),
    /// What lies there is not what we wrote.
    Damaged(&'static str),
    /// The disk is full.
    Full,
    /// The file system or the folder cannot be written.
    ReadOnly,
    /// Nothing can be made there.
    Unusable(io::Error),
    /// The system said no for another reason.
    System(io::Error),
}

impl StoreError {
    pub(super) fn new(doing: impl Into<String>, trouble: Trouble) -> Self {
        Self { doing: doing.into(), trouble }
    }

    /// Whether somebody else changed what was to be changed.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.trouble, Trouble::Changed)
    }
}

impl Trouble {
    pub(super) fn of(error: io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::Full,
            Some(Errno::ROFS | Errno::ACCESS | Errno::PERM) => Self::ReadOnly,
            _ => Self::System(error),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: ", self.doing)?;
        match &self.trouble {
            Trouble::Changed => f.write_str("it was changed meanwhile; look at it again"),
            Trouble::InUse => f.write_str("another process uses the state folder; stop it, or name another folder"),
            Trouble::TooNew(found, known) => write!(
                f,
                "it has the layout {found} of a later version, and this one knows up to {known}; run that version, or restore a \
                 backup made by this one"
            ),
            Trouble::Damaged(what) => write!(f, "{what}; restore it from a backup"),
            Trouble::Full => f.write_str("the disk is full; make room, what was there before is untouched"),
            Trouble::ReadOnly => f.write_str(
                "the state folder cannot be written; give it to the user that runs vitrine, on a writable disk",
            ),
            Trouble::Unusable(error) => write!(f, "{error}; choose a folder that can be written"),
            Trouble::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StoreError {}
