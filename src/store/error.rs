//! Why the state could not be read or written.

use std::fmt;
use std::io;

use rustix::io::Errno;

use super::KeyId;

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
    /// What was to be written must not be written there.
    Refused(&'static str),
    /// A backup, or where it is to go, is not as it should be.
    Backup(String),
    /// It is sealed with this key, and none is given.
    NoKey(KeyId),
    /// It is sealed with the first key, and the second is given.
    OtherKey(KeyId, KeyId),
    /// It is sealed with this key, which is neither the old one nor the new one of a change.
    UnknownKey(KeyId),
    /// A change of keys was not ended.
    HalfRekeyed,
    /// A restore was not ended.
    HalfRestored,
    /// The disk is full.
    Full,
    /// The file system cannot be written.
    ReadOnly,
    /// Nothing can be made there.
    Unusable(io::Error),
    /// Owner or mode keep this user out.
    NotAllowed,
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
            Some(Errno::ROFS) => Self::ReadOnly,
            Some(Errno::ACCESS | Errno::PERM) => Self::NotAllowed,
            // What O_NOFOLLOW says.
            Some(Errno::LOOP) => Self::Damaged("a link lies there, which is nothing of ours"),
            Some(Errno::ISDIR | Errno::NOTDIR) => {
                Self::Damaged("a folder lies where a file belongs, or a file for a folder")
            }
            Some(Errno::IO) => Self::Damaged("the disk cannot read or write it (EIO); see the system's log"),
            _ => Self::System(error),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.doing, self.trouble)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("it was changed meanwhile; look at it again"),
            Self::InUse => f.write_str("another process uses the state folder; stop it, or name another folder"),
            Self::TooNew(found, known) => write!(
                f,
                "it has the layout {found} of a later version, and this one knows up to {known}; run that version, or restore a \
                 backup made by this one"
            ),
            Self::Damaged(what) => write!(f, "{what}; restore it from a backup"),
            Self::Refused(why) => f.write_str(why),
            Self::Backup(what) => f.write_str(what),
            Self::NoKey(id) => write!(
                f,
                "it is encrypted with the key {id}, and no key is given; name the file that holds it in certificates.state_key_file"
            ),
            Self::OtherKey(sealed, given) => write!(
                f,
                "it is encrypted with the key {sealed}, and the one given is {given}; name the right one in \
                 certificates.state_key_file, or change over with vitrine state rekey"
            ),
            Self::UnknownKey(sealed) => write!(
                f,
                "it is encrypted with the key {sealed}, which was not given; name the file that holds it with --old-key-file"
            ),
            Self::HalfRekeyed => f.write_str(
                "a change of its key was not ended; run the same vitrine state rekey again, it goes on where it was",
            ),
            Self::HalfRestored => {
                f.write_str("a restore into it was not ended; empty the folder and run vitrine restore again")
            }
            Self::Full => f.write_str("the disk is full; make room, what was there before is untouched"),
            Self::ReadOnly => f.write_str("the file system is read-only; mount it writable, or name another folder"),
            Self::NotAllowed => f.write_str(
                "this user may not; give the state folder with all that is in it to the user that runs vitrine (chown -R), and its \
                 folders the mode 0700",
            ),
            Self::Unusable(error) => write!(f, "{error}; choose a folder that can be written"),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StoreError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_told_with_its_mend() {
        let said = |errno: Errno| {
            StoreError::new("read a.json", Trouble::of(io::Error::from_raw_os_error(errno.raw_os_error()))).to_string()
        };
        for (errno, part) in [
            (Errno::NOSPC, "the disk is full; make room"),
            (Errno::DQUOT, "the disk is full; make room"),
            (Errno::ROFS, "the file system is read-only; mount it writable"),
            (Errno::ACCESS, "this user may not; give the state folder"),
            (Errno::PERM, "this user may not; give the state folder"),
            (Errno::LOOP, "a link lies there"),
            (Errno::MFILE, "Too many open files"),
        ] {
            let text = said(errno);
            assert!(text.starts_with(&format!("cannot read a.json: {part}")), "{text}");
            assert!(!text.contains("write") || part.contains("read-only"), "nothing was to be written: {text}");
        }
    }
}
