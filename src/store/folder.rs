//! State in a folder: plain files that openssl reads and tar saves.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, syncfs};
use zeroize::Zeroizing;

use super::staging::{FILE_MODE, FOLDER_MODE, Staged, Staging, make_folder, sync_folder, write_new};
use super::turn::{Turn, Turns, lock_file, take_lock};
use super::{Expected, Key, NewFolder, Storage, StoreError, Trouble, restore, snapshot, tree};

/// The state folder of this process.
pub(super) struct Folder {
    root: PathBuf,
    staging: Staging,
    turns: Turns,
    /// Keeps other processes out as long as it is open.
    _lock: File,
}

impl Folder {
    /// Takes a folder that is there, and was a state folder before, for this process.
    pub(super) fn existing(root: &Path) -> Result<Self, StoreError> {
        match fs::metadata(root.join("schema.json")) {
            Ok(_) => Self::open(root),
            Err(error) if is_missing(&error) => {
                let text = "there is no state folder; name the one that certificates.state_directory names";
                Err(StoreError::new(format!("open {}", root.display()), Trouble::System(io::Error::other(text))))
            }
            Err(error) => Err(StoreError::new(format!("open {}", root.display()), Trouble::of(error))),
        }
    }

    /// Makes the folder when it is missing, and takes it for this process.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        let doing = || format!("open the state folder {}", root.display());
        let failed = |error| match Trouble::of(error) {
            Trouble::System(error) => StoreError::new(doing(), Trouble::Unusable(error)),
            trouble => StoreError::new(doing(), trouble),
        };
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(root).map_err(failed)?;
        let lock = lock_file(root, ".lock").map_err(failed)?;
        // On a file system without locks the socket beside it keeps a second edge out.
        if !take_lock(&lock).map_err(failed)? {
            return Err(StoreError::new(doing(), Trouble::InUse));
        }
        if restore::is_under_way(root) {
            return Err(StoreError::new(doing(), Trouble::HalfRestored));
        }
        snapshot::sweep(root).map_err(failed)?;
        let staging = Staging::open(root).map_err(failed)?;
        let turns = Turns::open(root).map_err(failed)?;
        Ok(Self { root: root.to_owned(), staging, turns, _lock: lock })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Every file there is.
    pub(super) fn files(&self) -> Result<Vec<Key>, StoreError> {
        tree::files(&self.root).map_err(|error| StoreError::new("list the state folder", Trouble::of(error)))
    }

    /// Replaces many files, each at once, for the price of a few. On an error some are replaced and the others are not.
    pub(super) fn replace(&self, files: &[(Key, Zeroizing<Vec<u8>>)]) -> io::Result<()> {
        let _turn = self.turn()?;
        let mut staged = Vec::new();
        for (key, content) in files {
            let new = self.staging.name();
            write_new(new.path(), content, false, self.staging.owner())?;
            staged.push((new, key.under(&self.root)));
        }
        self.sync_all()?;
        for (new, path) in &staged {
            fs::rename(new.path(), path)?;
        }
        self.sync_all()
    }

    fn turn(&self) -> io::Result<Turn<'_>> {
        self.turns.take()
    }

    /// Makes the folders above a path. `lasting`: they are on the disk when this returns.
    fn make_way(&self, path: &Path, lasting: bool) -> io::Result<PathBuf> {
        let parent = path.parent().unwrap_or(&self.root).to_owned();
        if parent.is_dir() {
            return Ok(parent);
        }
        let above = self.make_way(&parent, lasting)?;
        make_folder(&parent, self.staging.owner())?;
        if lasting {
            sync_folder(&above)?;
        }
        Ok(parent)
    }

    fn put_file(&self, key: &Key, content: &[u8], expected: Expected) -> Result<(), Trouble> {
        let path = key.under(&self.root);
        let _turn = self.turn().map_err(Trouble::of)?;
        if expected != Expected::Anything {
            let found = read_file(&path).map_err(Trouble::of)?;
            if !expected.admits(found.as_ref().map(|content| &content[..])) {
                return Err(Trouble::Changed);
            }
        }
        let staged = self.staging.name();
        let put = || {
            write_new(staged.path(), content, true, self.staging.owner())?;
            let parent = self.make_way(&path, true)?;
            fs::rename(staged.path(), &path)?;
            sync_folder(&parent)
        };
        put().map_err(Trouble::of)
    }

    /// Writes a folder's files beside its name. `lasting`: they are on the disk when this returns.
    fn stage(&self, folder: &NewFolder, lasting: bool) -> io::Result<Staged> {
        let staged = self.staging.name();
        make_folder(staged.path(), self.staging.owner())?;
        for (name, content) in &folder.files {
            write_new(&staged.path().join(name), content, lasting, self.staging.owner())?;
        }
        if lasting {
            sync_folder(staged.path())?;
        }
        Ok(staged)
    }

    /// Gives a staged folder its name. `lasting`: the folders above it are on the disk when this returns, and its name is not yet.
    fn install(&self, staged: &Staged, key: &Key, lasting: bool) -> Result<PathBuf, Trouble> {
        let path = key.under(&self.root);
        let parent = self.make_way(&path, lasting).map_err(Trouble::of)?;
        match fs::rename(staged.path(), &path) {
            Ok(()) => Ok(parent),
            Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
                Err(Trouble::Changed)
            }
            Err(error) => Err(Trouble::of(error)),
        }
    }

    fn put_one(&self, folder: &NewFolder) -> Result<(), Trouble> {
        let _turn = self.turn().map_err(Trouble::of)?;
        let staged = self.stage(folder, true).map_err(Trouble::of)?;
        let parent = self.install(&staged, &folder.key, true)?;
        sync_folder(&parent).map_err(Trouble::of)
    }

    /// All content on the disk, then all names: two waits for the disk instead of five for each folder.
    fn put_many(&self, folders: &[&NewFolder]) -> Vec<Result<(), Trouble>> {
        let _turn = match self.turn() {
            Ok(turn) => turn,
            Err(error) => return all_failed(folders, &error),
        };
        let staged: Vec<_> = folders.iter().map(|folder| self.stage(folder, false).map_err(Trouble::of)).collect();
        if let Err(trouble) = self.sync_all() {
            return all_failed(folders, &trouble);
        }
        let named = staged.into_iter().zip(folders).map(|(staged, folder)| self.install(&staged?, &folder.key, false));
        let named: Vec<Result<(), Trouble>> = named.map(|installed| installed.map(drop)).collect();
        match self.sync_all() {
            Ok(()) => named,
            Err(trouble) => all_failed(folders, &trouble),
        }
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(syncfs(File::open(&self.root)?)?)
    }

    fn delete_named(&self, key: &Key) -> io::Result<bool> {
        let path = key.under(&self.root);
        let _turn = self.turn()?;
        let staged = self.staging.name();
        match fs::rename(&path, staged.path()) {
            Ok(()) => sync_folder(path.parent().unwrap_or(&self.root)).map(|()| true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn append_to(&self, key: &Key, content: &[u8]) -> io::Result<()> {
        let path = key.under(&self.root);
        let _turn = self.turn()?;
        let parent = self.make_way(&path, true)?;
        let is_new = !path.exists();
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(FILE_MODE)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)?;
        let before = file.metadata()?.len();
        if let Err(error) = file.write_all(content).and_then(|()| file.sync_data()) {
            // Half a line at the end of a full disk would spoil the next one.
            let _ = file.set_len(before);
            return Err(error);
        }
        if is_new {
            self.staging.owner().give(&path)?;
            sync_folder(&parent)?;
        }
        Ok(())
    }
}

impl Storage for Folder {
    fn read(&self, key: &Key) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        read_file(&key.under(&self.root)).map_err(|error| StoreError::new(format!("read {key}"), Trouble::of(error)))
    }

    fn names(&self, folder: &Key) -> Result<Vec<String>, StoreError> {
        names_in(&folder.under(&self.root))
            .map_err(|error| StoreError::new(format!("list {folder}"), Trouble::of(error)))
    }

    fn put(&self, key: &Key, content: &[u8], expected: Expected) -> Result<(), StoreError> {
        self.put_file(key, content, expected).map_err(|trouble| StoreError::new(format!("write {key}"), trouble))
    }

    fn put_folders(&self, folders: &[&NewFolder]) -> Vec<Result<(), StoreError>> {
        let put = match folders {
            [one] => vec![self.put_one(one)],
            many => self.put_many(many),
        };
        let named = |(put, folder): (Result<(), Trouble>, &&NewFolder)| {
            put.map_err(|trouble| StoreError::new(format!("write {}", folder.key), trouble))
        };
        put.into_iter().zip(folders).map(named).collect()
    }

    fn append(&self, key: &Key, content: &[u8]) -> Result<(), StoreError> {
        self.append_to(key, content).map_err(|error| StoreError::new(format!("write {key}"), Trouble::of(error)))
    }

    fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.delete_named(key).map_err(|error| StoreError::new(format!("delete {key}"), Trouble::of(error)))
    }
}

fn all_failed(folders: &[&NewFolder], error: &io::Error) -> Vec<Result<(), Trouble>> {
    let again = || error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
    folders.iter().map(|_| Err(Trouble::of(again()))).collect()
}

/// A regular file of ours; what somebody put in its place is not followed.
pub(super) fn read_file(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidData, "something that is no regular file lies there"));
    }
    // Of this size from the start: a buffer that grows leaves copies behind.
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX).min(LARGEST_FILE);
    let mut content = Zeroizing::new(Vec::with_capacity(size + 1));
    file.take(LARGEST_FILE as u64 + 1).read_to_end(&mut content)?;
    if content.len() > LARGEST_FILE {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is larger than anything that is kept there"));
    }
    Ok(Some(content))
}

pub(super) fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        // What has another name than ours can have is not ours.
        names.extend(entry?.file_name().into_string().ok().filter(|name| Key::of(&[name]).is_some()));
    }
    names.sort_unstable();
    Ok(names)
}

pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Years of an audit trail; certificates and keys have some kilobytes.
pub(super) const LARGEST_FILE: usize = 256 * 1024 * 1024;
