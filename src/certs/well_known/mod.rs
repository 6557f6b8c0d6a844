//! The files below `well-known/<host>/` in the drop folder, which the edge shows to everybody.
//!
//! Who may write one host's folder must not be able to show another file of the machine: every path is resolved by the kernel
//! beneath this folder (openat2, RESOLVE_BENEATH). A secret that was dropped here by mistake is not shown either.

mod beneath;
mod judge;
mod listing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashSet;
use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::Errno;

use super::flaw::Flaw;
use super::folders::{Folders, name_not_allowed};
use super::objects::Objects as KeptObjects;
use super::terms::SiteTerms;
use super::walk::{LARGEST_FILE, Stamp, WELL_KNOWN};
use crate::live::{WellKnown, WellKnownObject};
use crate::name::HostName;
pub(super) use beneath::beneath;
use judge::{MOST_OBJECTS, address, flaw_of, not_a_file, secret, too_large, too_many};
pub(super) use judge::{fit_name, holds_secret};
use listing::{Listing, Proof};

/// The objects of the folder, read again only when they change.
pub(super) struct Objects {
    drop_folder: PathBuf,
    /// In which its writers may show something for some hosts only.
    folders: Folders,
    files: Files,
}

/// The objects of all drop folders, and those that lie in no file of theirs.
pub(super) struct AllObjects {
    folders: Vec<Objects>,
    others: Vec<Other>,
    /// Whether these are not in the table yet.
    is_stale: bool,
    /// What the operator gave to sites.
    kept: KeptObjects,
    /// What of it was shown last.
    shown: Vec<(HostName, Arc<WellKnownObject>)>,
    listing: Listing,
}

/// An object from elsewhere: at which host, and under which name.
pub(super) type Other = (HostName, Box<str>, Arc<WellKnownObject>);

impl AllObjects {
    pub(super) fn new(folders: &Folders, kept: KeptObjects) -> Self {
        let (folders, listing) = (Objects::of_all(folders), Listing::default());
        Self { folders, others: Vec::new(), is_stale: false, kept, shown: Vec::new(), listing }
    }

    /// Looks at the folders where nothing is shown.
    pub(super) fn look_once(folders: &Folders) -> Vec<Look> {
        Objects::of_all(folders).iter().map(Objects::look).collect()
    }

    /// What the operator gave to sites, to be changed.
    pub(super) const fn kept(&mut self) -> &mut KeptObjects {
        &mut self.kept
    }

    /// Looks at all of them.
    pub(super) fn look(&self) -> Vec<Look> {
        self.folders.iter().map(Objects::look).collect()
    }

    /// Shows these besides, and before a file of the same name: they were asked for just now.
    pub(super) fn show_also(&mut self, others: Vec<Other>) {
        self.is_stale |= self.others != others;
        self.others = others;
    }

    /// Makes looks the state; gives the new table when it is another one. Nothing goes from folders that `keep` names.
    pub(super) fn adopt(
        &mut self,
        looks: Vec<Look>,
        sites: &[SiteTerms],
        keep: impl Fn(usize) -> bool,
    ) -> Option<WellKnown> {
        let is_stale = std::mem::take(&mut self.is_stale);
        let adopted = self.folders.iter_mut().zip(looks).enumerate();
        let changed = adopted.fold(is_stale, |changed, (at, (objects, look))| objects.adopt(look, keep(at)) | changed);
        if changed {
            self.listing.forget();
        }
        let anew = self.shown_anew(sites);
        anew.or_else(|| changed.then(|| self.table()))
    }

    /// The new table when the sites show something else of what the operator gave them.
    pub(super) fn shown_anew(&mut self, sites: &[SiteTerms]) -> Option<WellKnown> {
        let shown = self.kept.shown(sites);
        let changed = shown != self.shown;
        self.shown = shown;
        changed.then(|| self.table())
    }

    fn table(&self) -> WellKnown {
        let mut table = WellKnown::default();
        // The last one of a name wins: the main folder's, and above all what the operator gave to this very site.
        self.folders.iter().rev().for_each(|objects| objects.put_into(&mut table));
        for (host, object) in &self.shown {
            for name in [APPLE_PAY, APPLE_PAY_TXT] {
                table.insert(host, name, Arc::clone(object));
            }
        }
        for (host, name, object) in &self.others {
            table.insert(host, name, Arc::clone(object));
        }
        table
    }
}

/// What one look found; nothing is replaced before [`AllObjects::adopt`].
pub(super) struct Look {
    files: Files,
    /// Whether nothing at all could be said: everything stays as it was.
    blind: bool,
    /// Where the look could not go on: what was below stays as it was.
    lost: Vec<PathBuf>,
    /// Files that are not shown.
    pub(super) refused: Vec<(Arc<Path>, Flaw)>,
}

/// By path below `well-known/`.
type Files = BTreeMap<PathBuf, Entry>;

#[derive(Clone)]
struct Entry {
    stamp: Option<Stamp>,
    host: HostName,
    name: Box<str>,
    object: Arc<WellKnownObject>,
    proof: Option<Box<Proof>>,
}

impl Objects {
    pub(super) fn new(folders: &Folders, drop_folder: PathBuf) -> Self {
        Self { drop_folder, folders: folders.clone(), files: Files::new() }
    }

    fn of_all(folders: &Folders) -> Vec<Self> {
        folders.directories().into_iter().map(|folder| Self::new(folders, folder)).collect()
    }

    /// Looks at the whole folder.
    pub(super) fn look(&self) -> Look {
        let mut look = Look { files: Files::new(), blind: false, lost: Vec::new(), refused: Vec::new() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(drop_folder) = rustix::fs::open(&self.drop_folder, flags, Mode::empty()) else {
            return Look { blind: true, ..look };
        };
        let folder = match beneath(drop_folder.as_fd(), Path::new(WELL_KNOWN), OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(folder) => OwnedFd::from(folder),
            Err(Errno::NOENT) => return look,
            Err(error) => {
                look.refused.push((self.path(Path::new("")), flaw_of(error)));
                return Look { blind: error != Errno::XDEV, ..look };
            }
        };
        let mut seen = HashSet::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(relative) = folders.pop() {
            if let Err(error) = self.folder(&folder, &relative, &mut folders, &mut seen, &mut look)
                && error != Errno::NOENT
            {
                look.refuse(self.path(&relative), flaw_of(error));
                look.lost.push(relative);
            }
        }
        look
    }

    /// Makes a look the state, and tells whether it is another one. With `keep`, nothing goes.
    fn adopt(&mut self, mut look: Look, keep: bool) -> bool {
        for (path, entry) in &self.files {
            if keep || look.blind || look.lost.iter().any(|lost| path.starts_with(lost)) {
                look.files.entry(path.clone()).or_insert_with(|| entry.clone());
            }
        }
        let same = self.files.len() == look.files.len()
            && self
                .files
                .iter()
                .zip(&look.files)
                .all(|((one, old), (other, new))| one == other && old.object == new.object);
        self.files = look.files;
        !same
    }

    fn put_into(&self, table: &mut WellKnown) {
        for entry in self.files.values() {
            // Apple asks for the name without ending, and has asked for it with one: a file under either name serves both.
            let twin = match &*entry.name {
                APPLE_PAY => Some(APPLE_PAY_TXT),
                APPLE_PAY_TXT => Some(APPLE_PAY),
                _ => None,
            };
            if let Some(twin) = twin
                && !self.files.values().any(|other| other.host == entry.host && &*other.name == twin)
            {
                table.insert(&entry.host, twin, Arc::clone(&entry.object));
            }
            table.insert(&entry.host, &entry.name, Arc::clone(&entry.object));
        }
    }

    fn folder(
        &self,
        root: &OwnedFd,
        relative: &Path,
        folders: &mut Vec<PathBuf>,
        seen: &mut HashSet<(u64, u64)>,
        look: &mut Look,
    ) -> Result<(), Errno> {
        let here = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let folder = beneath(root.as_fd(), here, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let metadata = folder.metadata().map_err(|_| Errno::IO)?;
        if !seen.insert((metadata.dev(), metadata.ino())) || relative.components().count() > DEEPEST {
            return Ok(());
        }
        for entry in Dir::read_from(&folder)? {
            let name = entry?.file_name().to_owned();
            if name.to_bytes().starts_with(b".") {
                continue;
            }
            let path = relative.join(OsStr::from_bytes(name.to_bytes()));
            match self.entry(root, &path) {
                Ok(Some(Kind::Folder)) => folders.push(path),
                Ok(Some(Kind::Object(entry))) if look.files.len() < MOST_OBJECTS => {
                    look.files.insert(path, entry);
                }
                Ok(Some(Kind::Object(_))) => look.refuse(self.path(&path), too_many()),
                Ok(None) => {}
                Err(Refusal::Final(flaw)) => look.refuse(self.path(&path), flaw),
                Err(Refusal::Lost(error)) => {
                    look.refuse(self.path(&path), flaw_of(error));
                    look.lost.push(path);
                }
            }
        }
        Ok(())
    }

    fn entry(&self, root: &OwnedFd, path: &Path) -> Result<Option<Kind>, Refusal> {
        // O_PATH neither waits for a pipe's other end nor wakes a device.
        let found = beneath(root.as_fd(), path, OFlags::PATH)?;
        let metadata = found.metadata().map_err(|_| Errno::IO)?;
        if metadata.is_dir() {
            return Ok(Some(Kind::Folder));
        }
        let Some((host, name)) = address(path)? else { return Ok(None) };
        if !self.folders.may_show(self.folders.place(&self.drop_folder), &host) {
            return Err(Refusal::Final(name_not_allowed(&[host.to_string()])));
        }
        if !metadata.is_file() {
            return Err(Refusal::Final(not_a_file()));
        }
        if metadata.len() > LARGEST_FILE {
            return Err(Refusal::Final(too_large(metadata.len())));
        }
        let stamp = Stamp::of(&metadata);
        if let Some(known) = self.files.get(path).filter(|known| known.stamp == Some(stamp)) {
            return Ok(Some(Kind::Object(known.clone())));
        }
        let mut file = beneath(root.as_fd(), path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        let opened = file.metadata().map_err(|_| Errno::IO)?;
        if !opened.is_file() {
            return Err(Refusal::Final(not_a_file()));
        }
        let mut content = Vec::new();
        file.by_ref().take(LARGEST_FILE + 1).read_to_end(&mut content).map_err(|_| Errno::IO)?;
        if content.len() as u64 > LARGEST_FILE {
            return Err(Refusal::Final(too_large(content.len() as u64)));
        }
        if holds_secret(&content) {
            return Err(Refusal::Final(secret()));
        }
        let stable = !stamp.is_fresh() && file.metadata().is_ok_and(|after| Stamp::of(&after) == stamp);
        let proof = Proof::of(&name, &content, opened.mtime());
        let object = Arc::new(WellKnownObject { content: Bytes::from(content) });
        Ok(Some(Kind::Object(Entry { stamp: stable.then_some(stamp), host, name, object, proof })))
    }

    fn path(&self, relative: &Path) -> Arc<Path> {
        self.drop_folder.join(WELL_KNOWN).join(relative).into()
    }
}

impl Look {
    fn refuse(&mut self, path: Arc<Path>, flaw: Flaw) {
        self.refused.push((path, flaw));
    }
}

enum Kind {
    Folder,
    Object(Entry),
}

enum Refusal {
    /// The file itself is at fault, and is not shown any more.
    Final(Flaw),
    /// It could not be read: what was read before stays.
    Lost(Errno),
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        match error {
            Errno::XDEV | Errno::LOOP => Self::Final(flaw_of(error)),
            error => Self::Lost(error),
        }
    }
}

impl From<Flaw> for Refusal {
    fn from(flaw: Flaw) -> Self {
        Self::Final(flaw)
    }
}

const APPLE_PAY: &str = "apple-developer-merchantid-domain-association";
const APPLE_PAY_TXT: &str = "apple-developer-merchantid-domain-association.txt";
/// `well-known/<host>/` and six more.
const DEEPEST: usize = 8;
