//! What a look at the whole drop folder leaves behind, so that the next may look at single files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::HashSet;

use super::password;
use super::scan::Root;
use super::walk::{WELL_KNOWN, Walk, is_meant};

/// One drop folder as it was walked through.
pub(super) struct Ground {
    /// By which paths events name what is below the folder.
    real: PathBuf,
    root: Root,
    /// All that were walked through.
    folders: HashSet<PathBuf>,
    tells_alone: bool,
}

impl Ground {
    pub(super) fn of(path: &Path, root: &Root, walk: &mut Walk) -> Option<Self> {
        let real = path.canonicalize().ok()?;
        let tells_alone = !walk.is_entangled && walk.lost.is_empty();
        Some(Self { real, root: root.clone(), folders: std::mem::take(&mut walk.folders), tells_alone })
    }

    /// Whether what happens to one file is told by that file alone: no links, no passwords, nothing that cannot be read.
    pub(super) const fn tells_alone(&self) -> bool {
        self.tells_alone
    }

    /// Whether the folder has what an event names.
    pub(super) fn has(&self, named: &Path) -> bool {
        named.starts_with(&self.real)
    }

    /// Where a file lies that an event names: `None` if such a one is never looked at.
    pub(super) fn place(&self, root: &Path, named: &Path) -> Result<Option<Arc<Path>>, NotAlone> {
        let below = named.strip_prefix(&self.real).map_err(|_| NotAlone)?;
        let mut steps = below.iter().map(OsStr::as_encoded_bytes);
        if below.starts_with(WELL_KNOWN) || steps.any(|step| step.starts_with(b".")) {
            return Ok(None);
        }
        let path = root.join(below);
        let is_password = path.as_os_str().as_encoded_bytes().ends_with(password::EXTENSION.as_bytes());
        if is_password || self.folders.contains(&path) || !path.parent().is_some_and(|at| self.folders.contains(at)) {
            return Err(NotAlone);
        }
        // A folder may be called anything, and may be new.
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir() || found.is_symlink());
        match (is_folder, is_meant(&path)) {
            (true, _) => Err(NotAlone),
            (false, meant) => Ok(meant.then(|| path.into())),
        }
    }

    /// The folder, if it is still the same one.
    pub(super) fn is_still_at(&self, path: &Path) -> Option<Root> {
        let now = fs::metadata(path).ok()?;
        (self.root == Root::Readable(now.dev(), now.ino())).then(|| self.root.clone())
    }
}

/// More than one file has to be looked at.
pub(super) struct NotAlone;
