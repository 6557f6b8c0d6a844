//! The little that the demo writes, in a folder that goes with it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A folder of the demo's own; dropped, it is removed with all that is in it.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder and writes the authority's certificate into it. Private keys stay in memory.
    ///
    /// # Errors
    /// When the system's temporary folder cannot be written.
    pub(super) fn new(root_pem: &str) -> io::Result<Self> {
        Self::within(&std::env::temp_dir(), root_pem)
    }

    fn within(place: &Path, root_pem: &str) -> io::Result<Self> {
        let pid = std::process::id();
        let mut path = place.join(format!("vitrine-demo-{pid}"));
        let mut turn = 1;
        // Others write into the temporary folder too: only a folder that is new, and ours alone, will do. One that is there
        // already was left by a demo that was killed.
        while let Err(error) = DirBuilder::new().mode(0o700).create(&path) {
            if error.kind() != io::ErrorKind::AlreadyExists || turn == TURNS {
                return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
            }
            path = place.join(format!("vitrine-demo-{pid}-{turn}"));
            turn += 1;
        }
        let folder = Self(path);
        fs::write(folder.root(), root_pem)?;
        Ok(folder)
    }

    /// The authority's certificate, for `curl --cacert`.
    pub(super) fn root(&self) -> PathBuf {
        self.0.join("root.pem")
    }

    /// Where the edge keeps its state.
    pub(super) fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// The command line's way into the edge.
    pub(super) fn socket(&self) -> PathBuf {
        self.state().join("admin.sock")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the demo's folder could not be removed");
        }
    }
}

/// Folders that were left behind by demos with the same process id.
const TURNS: u32 = 100;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_takes_nobody_elses_folder_and_leaves_nothing_behind() {
        let place = tempfile::tempdir().expect("a folder");
        let first = Folder::within(place.path(), "root").expect("a folder");
        let second = Folder::within(place.path(), "another").expect("a folder");
        assert_eq!(fs::read_to_string(first.root()).expect("the certificate"), "root");
        assert_eq!(fs::read_to_string(second.root()).expect("the certificate"), "another");
        assert_eq!(fs::metadata(&first.0).expect("the folder").permissions().mode() & 0o777, 0o700);
        fs::create_dir(first.state()).expect("the state folder");
        drop((first, second));
        assert_eq!(fs::read_dir(place.path()).expect("the place").count(), 0);
    }
}
