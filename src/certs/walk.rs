//! Finds the files of the drop folder, without reading any.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use hashbrown::HashSet;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::flaw::Flaw;
use super::folders::{Folders, MAIN, leads_outside};
use super::found::{Found, PasswordFile};
use super::password;
use super::scan::{Files, Root};
use super::trails::Trails;
use super::well_known::beneath;

/// One walk through all folders.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) found: Vec<Found>,
    /// Where the walk could not go on.
    pub(super) lost: Vec<(PathBuf, Flaw)>,
    pub(super) trails: Trails,
    /// All that were walked through.
    pub(super) folders: HashSet<PathBuf>,
    /// Whether what a file is hangs on other files: there are links or passwords.
    pub(super) is_entangled: bool,
    /// The folder, where nothing may be read from outside of it.
    confines: Option<Arc<Path>>,
    /// Folders with rules of their own, which the main one's links do not lead into.
    others: Vec<PathBuf>,
    /// Opens what is encrypted and has no password beside it.
    password: Option<PasswordFile>,
    seen: HashSet<(u64, u64)>,
    /// What was found before.
    known: Arc<Files>,
}

impl Walk {
    /// One through the folder at this place, where `known` was found before.
    pub(super) fn of(folders: &Folders, place: usize, known: &Arc<Files>) -> Self {
        let mut walk = Self { known: Arc::clone(known), ..Self::default() };
        if place == MAIN {
            walk.others = folders.all()[1..].iter().flat_map(|folder| folder.directory.canonicalize()).collect();
        } else {
            let folder = &folders.all()[place];
            // The password decides what the files are.
            walk.is_entangled = folder.password_file.is_some();
            walk.confines = Some(folder.directory.as_path().into());
            walk.password = folder.password_file.clone().and_then(PasswordFile::at);
        }
        if let Some(password) = &walk.password {
            walk.trails.follow(&password.path);
        }
        walk
    }

    /// Whether a link leads to where the folder's own rules do not hold.
    fn leads_astray(&self, link: &Path) -> bool {
        if let Some(folder) = &self.confines {
            let below = link.strip_prefix(folder).unwrap_or(link);
            let through = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened = rustix::fs::open(&**folder, through, Mode::empty());
            return opened.and_then(|folder| beneath(folder.as_fd(), below, OFlags::PATH)).err() == Some(Errno::XDEV);
        }
        !self.others.is_empty()
            && link.canonicalize().is_ok_and(|real| self.others.iter().any(|other| real.starts_with(other)))
    }

    pub(super) fn root(&mut self, root: &Path) -> Result<Root, Root> {
        let metadata = fs::metadata(root).map_err(|error| unreachable_root(&error))?;
        if !metadata.is_dir() {
            return Err(Root::Unreadable("it is not a folder".into()));
        }
        self.folders(root, VecDeque::from([root.to_owned()]), VecDeque::new())?;
        Ok(Root::Readable(metadata.dev(), metadata.ino()))
    }

    /// Walks through these and all below them. Real folders first: one that is also reached through a link keeps its own name.
    fn folders(
        &mut self,
        root: &Path,
        mut folders: VecDeque<PathBuf>,
        mut links: VecDeque<PathBuf>,
    ) -> Result<(), Root> {
        let public = root.join(WELL_KNOWN).canonicalize().ok();
        let mut followed = Vec::new();
        while let Some(folder) = folders.pop_front().or_else(|| {
            let link = links.pop_front();
            followed.extend(link.clone());
            link
        }) {
            if !followed.is_empty()
                && let Ok(real) = folder.canonicalize()
            {
                if public.as_ref().is_some_and(|public| real.starts_with(public)) {
                    continue;
                }
                self.trails.enter(real);
            }
            if let Err(error) = self.folder(&folder, folder == root, &mut folders, &mut links) {
                if folder == root {
                    return Err(Root::Unreadable(plain(&error)));
                }
                if error.kind() != io::ErrorKind::NotFound {
                    self.lost.push((folder, folder_unreadable(&error)));
                }
            }
            if self.found.len() > MOST_FILES || self.seen.len() > MOST_FILES {
                return Err(Root::Unreadable(format!("it holds more than {MOST_FILES} files")));
            }
        }
        self.look_back(root, followed)
    }

    /// What went during the walk took all below it along, which reads as deleted there. A link that is still there was not.
    fn look_back(&mut self, root: &Path, followed: Vec<PathBuf>) -> Result<(), Root> {
        fs::metadata(root).map_err(|error| unreachable_root(&error))?;
        for link in followed {
            if let Err(error) = fs::metadata(&link)
                && fs::symlink_metadata(&link).is_ok()
                && !self.lost.iter().any(|(lost, _)| *lost == link)
            {
                self.lost.push((link, dangling(&error)));
            }
        }
        Ok(())
    }

    /// Only what is not found is gone. A folder whose entries cannot be looked at (mode r--, EIO, ESTALE) is an error as a whole:
    /// what was found in it before stays.
    fn folder(
        &mut self,
        folder: &Path,
        is_root: bool,
        folders: &mut VecDeque<PathBuf>,
        links: &mut VecDeque<PathBuf>,
    ) -> io::Result<()> {
        let metadata = fs::metadata(folder)?;
        if !self.seen.insert((metadata.dev(), metadata.ino())) {
            return Ok(());
        }
        self.folders.insert(folder.to_owned());
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder)? {
            entries.push(entry?);
        }
        entries.sort_by_cached_key(fs::DirEntry::file_name);
        let is_password =
            |entry: &&fs::DirEntry| entry.file_name().as_encoded_bytes().ends_with(password::EXTENSION.as_bytes());
        let passwords: HashSet<OsString> = entries.iter().filter(is_password).map(fs::DirEntry::file_name).collect();
        self.is_entangled |= !passwords.is_empty();
        self.found.reserve(entries.len());
        // Whether the folder may be entered, one file tells for all.
        let mut is_entered = false;
        for entry in entries {
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || is_root && name == WELL_KNOWN {
                continue;
            }
            let path = entry.path();
            let Some(kind) = unless_gone(entry.file_type())? else { continue };
            if kind.is_dir() {
                folders.push_back(path);
                continue;
            }
            let is_meant = is_meant(&path);
            if !kind.is_symlink() {
                if is_meant && is_entered && kind.is_file() && !self.known.contains_key(&*path) {
                    // Whoever reads it looks at it, and nobody has to know before.
                    self.file(path, None, &passwords);
                } else if is_meant && let Some(metadata) = unless_gone(entry.metadata())? {
                    is_entered = true;
                    self.file(path, Some(&metadata), &passwords);
                }
                continue;
            }
            self.is_entangled = true;
            if self.leads_astray(&path) {
                self.lost.push((path, leads_outside()));
                continue;
            }
            self.trails.follow(&path);
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => links.push_back(path),
                Ok(metadata) if is_meant => self.file(path, Some(&metadata), &passwords),
                Ok(_) => {}
                Err(error) => {
                    if unless_gone(fs::symlink_metadata(&path))?.is_some() {
                        self.lost.push((path, dangling(&error)));
                    }
                }
            }
        }
        Ok(())
    }

    /// `passwords` are the names of all password files of the folder.
    fn file(&mut self, path: PathBuf, metadata: Option<&Metadata>, passwords: &HashSet<OsString>) {
        let mut password = PasswordFile::beside(&path, passwords);
        match &password {
            Some(password) => self.trails.follow(&password.path),
            None => password.clone_from(&self.password),
        }
        let (path, confines, password) = (path.into(), self.confines.clone(), password.map(Box::new));
        let mut found = match metadata {
            Some(metadata) => Found::of(path, metadata, confines),
            None => Found::regular(path, confines),
        };
        found.password = password;
        self.found.push(found);
    }
}

fn unless_gone<T>(looked: io::Result<T>) -> io::Result<Option<T>> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// By what a file is known to be unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Changed so lately that another change could leave the same times: file systems count in ticks, some in seconds.
    pub(super) fn is_fresh(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_millis());
        let millis = |(seconds, nanos): (i64, i64)| i128::from(seconds) * 1000 + i128::from(nanos) / 1_000_000;
        let latest = millis(self.changed).max(millis(self.modified));
        i128::try_from(now).unwrap_or(i128::MAX) - latest < FRESH_MILLIS
    }
}

/// Why a file is not even opened.
pub(super) fn unfit(metadata: &Metadata) -> Option<Flaw> {
    if !metadata.is_file() {
        return Some(Flaw::new(
            "not-a-file",
            "it is a pipe, a socket or a device, and a regular file is expected",
            "put a regular file here, or a link to one",
        ));
    }
    (metadata.len() > LARGEST_FILE).then(|| {
        Flaw::new(
            "too-large",
            format!("it has {} octets, and certificates and keys have {LARGEST_FILE} at most", metadata.len()),
            "put only certificates and keys into this folder",
        )
    })
}

fn unreachable_root(error: &io::Error) -> Root {
    match error.kind() {
        io::ErrorKind::NotFound => Root::Missing,
        _ => Root::Unreadable(plain(error)),
    }
}

fn folder_unreadable(error: &io::Error) -> Flaw {
    Flaw::new(
        "folder-unreadable",
        format!("the folder cannot be read: {}; what was found in it before keeps serving", plain(error)),
        "let the user that runs vitrine list and enter it (chmod u+rx, chown)",
    )
}

fn dangling(error: &io::Error) -> Flaw {
    Flaw::new(
        "dangling-link",
        format!("the link leads nowhere: {}; what was found there before keeps serving", plain(error)),
        "point it to a file or folder, or take it away",
    )
}

/// Whether certificates and keys have such a name. What is in the file, its content says.
pub(super) fn is_meant(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// The system's words without "(os error 13)".
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

const EXTENSIONS: [&str; 8] = ["pem", "crt", "cer", "key", "der", "p7b", "pfx", "p12"];
/// Public content lies there; it is no certificate intake.
pub(super) const WELL_KNOWN: &str = "well-known";
/// The longest chain with its key has some 20 KiB.
pub(super) const LARGEST_FILE: u64 = 1024 * 1024;
/// Five times what a hundred thousand certificates with their keys are; a link to `/` must not be walked to its end.
pub(super) const MOST_FILES: usize = 1_000_000;
/// ext4 stamps in ticks of 4 ms, network file systems down to whole seconds.
const FRESH_MILLIS: i128 = 1_000;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with a link to another folder beside it, and a walk that has looked into the first alone.
    fn on_the_way() -> (tempfile::TempDir, PathBuf, Walk, [VecDeque<PathBuf>; 2]) {
        let home = tempfile::tempdir().expect("a folder");
        let root = home.path().join("certs");
        for folder in ["certs/sub", "volume/sub"] {
            fs::create_dir_all(home.path().join(folder)).expect("created");
            fs::write(home.path().join(folder).join("a.pem"), "").expect("written");
        }
        symlink("../volume", root.join("link")).expect("linked");
        let (mut walk, mut folders, mut links) = (Walk::default(), VecDeque::new(), VecDeque::new());
        walk.folder(&root, true, &mut folders, &mut links).expect("readable");
        (home, root, walk, [folders, links])
    }

    fn found(walk: &Walk, root: &Path) -> Vec<String> {
        let below = |found: &Found| found.path.strip_prefix(root).expect("below").display().to_string();
        walk.found.iter().map(below).collect()
    }

    fn lost(walk: &Walk, root: &Path) -> Vec<(String, &'static str)> {
        let below = |path: &PathBuf| path.strip_prefix(root).expect("below").display().to_string();
        walk.lost.iter().map(|(path, flaw)| (below(path), flaw.code)).collect()
    }

    #[test]
    fn a_link_whose_folder_goes_during_the_walk_leads_nowhere_and_is_not_deleted() {
        let (home, root, mut walk, [folders, links]) = on_the_way();
        fs::rename(home.path().join("volume"), home.path().join("gone")).expect("renamed");
        assert_eq!(walk.folders(&root, folders, links), Ok(()));
        assert_eq!(
            (found(&walk, &root), lost(&walk, &root)),
            (vec!["sub/a.pem".into()], vec![("link".into(), "dangling-link")])
        );
    }

    #[test]
    fn a_link_that_is_deleted_during_the_walk_is_gone() {
        let (_home, root, mut walk, [folders, links]) = on_the_way();
        fs::remove_file(root.join("link")).expect("removed");
        assert_eq!(walk.folders(&root, folders, links), Ok(()));
        assert_eq!((found(&walk, &root), lost(&walk, &root)), (vec!["sub/a.pem".into()], vec![]));
    }

    #[test]
    fn a_folder_that_goes_during_the_walk_is_missing_and_not_empty() {
        let (home, root, mut walk, [folders, links]) = on_the_way();
        fs::rename(&root, home.path().join("gone")).expect("renamed");
        assert_eq!(walk.folders(&root, folders, links), Err(Root::Missing));
    }
}
