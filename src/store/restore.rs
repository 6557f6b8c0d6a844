//! The way back: a backup is read through, found whole, and becomes a state folder.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::syncfs;
use zeroize::Zeroizing;

use super::backup::{FORMAT, HEAD, Head, SCHEMA, STATE, SUMS, sum_line};
use super::encryption::{Encryption, Extent};
use super::folder::{LARGEST_FILE, is_missing};
use super::memory::Memory;
use super::staging::{FOLDER_MODE, Owner, make_folder, sync_folder, write_new};
use super::turn::{lock_file, take_lock};
use super::{Expected, Key, KeyId, Revision, StateKey, Storage, Store, StoreError, Trouble, schema, seal};

/// A backup that was found whole.
pub struct Backup {
    /// When it was taken, in RFC 3339.
    pub taken: String,
    /// Which version wrote it.
    pub program: String,
    /// How many files of the state it holds.
    pub files: usize,
    /// How many of them are secrets.
    pub secrets: usize,
    /// With which key secrets are sealed, if they are.
    pub key: Option<KeyId>,
    /// What it holds, in memory, for a closer look. Sealed secrets open when the key was given.
    pub state: Store,
}

/// Reads a backup through: it is whole, every file is what was written, its layout is known, and what is sealed opens, if
/// `key` is given. Nothing is written.
///
/// # Errors
/// [`StoreError`] with what is wrong.
pub fn check_backup(file: &Path, key: Option<StateKey>) -> Result<Backup, StoreError> {
    let memory = Memory::default();
    let head = read_through(file, |place, content| memory.put(place, &content, Expected::Nothing))?;
    schema::check(&memory)?;
    let places = memory.files();
    let mut backup = Backup {
        taken: head.taken,
        program: head.program,
        files: places.len(),
        secrets: places.iter().filter(|place| place.is_secret()).count(),
        key: None,
        state: Store { storage: Arc::new(memory), key: None, sealed: Extent::All },
    };
    if let Some(noted) = Encryption::read(&*backup.state.storage)? {
        backup.key = noted.key;
    }
    backup.state.key = key.map(Arc::new);
    for place in &places {
        let content = backup.state.storage.read(place)?.unwrap_or_default();
        if seal::sealed_with(&content).is_some() && backup.state.key.is_some() {
            backup.state.read(place)?;
        }
    }
    Ok(backup)
}

/// Makes a state folder of a backup, with all of it or nothing. The folder must be missing or empty; no edge opens it before
/// it is whole.
///
/// # Errors
/// [`StoreError`] when the backup is not whole, the folder is not empty, or it cannot be written.
pub fn restore(file: &Path, to: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::new(format!("restore into {}", to.display()), Trouble::of(error));
    let is_made = !to.exists();
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(to).map_err(failed)?;
    let lock = lock_file(to, ".lock").map_err(failed)?;
    if !take_lock(&lock).map_err(failed)? {
        return Err(StoreError::new(format!("restore into {}", to.display()), Trouble::InUse));
    }
    can_be_restored_to(to)?;
    let staging = to.join(RESTORING);
    let owner = Owner::of(to).map_err(failed)?;
    let filled = make_folder(&staging, owner).map_err(failed).and_then(|()| fill(file, &staging, owner));
    if let Err(error) = filled {
        let _ = fs::remove_dir_all(&staging);
        if is_made {
            let _ = fs::remove_file(to.join(".lock"));
            let _ = fs::remove_dir(to);
        }
        return Err(error);
    }
    // As long as the staging folder is there, no edge opens what is around it.
    let moved = || {
        syncfs(File::open(to)?)?;
        for entry in fs::read_dir(&staging)? {
            let entry = entry?;
            fs::rename(entry.path(), to.join(entry.file_name()))?;
        }
        sync_folder(to)?;
        fs::remove_dir(&staging)?;
        sync_folder(to)
    };
    moved().map_err(failed)
}

/// Whether a folder is missing or empty.
///
/// # Errors
/// [`StoreError`] when something lies there, or it cannot be listed.
pub fn can_be_restored_to(folder: &Path) -> Result<(), StoreError> {
    let failed = |trouble| StoreError::new(format!("restore into {}", folder.display()), trouble);
    match somebody(folder) {
        Ok(None) => Ok(()),
        Ok(Some(name)) => Err(failed(Trouble::Backup(format!(
            "{name:?} lies there; name a folder that is empty or missing, nothing is overwritten"
        )))),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(failed(Trouble::of(error))),
    }
}

/// Whether it is a folder that a restore has not filled yet.
pub(super) fn is_under_way(root: &Path) -> bool {
    fs::symlink_metadata(root.join(RESTORING)).is_ok()
}

fn fill(file: &Path, staging: &Path, owner: Owner) -> Result<(), StoreError> {
    read_through(file, |place, content| {
        let path = place.under(staging);
        let write = || {
            make_way(&path, owner)?;
            write_new(&path, &content, false, owner)
        };
        write().map_err(|error| StoreError::new(format!("restore {place}"), Trouble::of(error)))
    })
    .map(drop)
}

fn make_way(path: &Path, owner: Owner) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.is_dir() => {
            make_way(parent, owner)?;
            make_folder(parent, owner)
        }
        _ => Ok(()),
    }
}

/// What lies in a folder that should be empty. A disk of its own comes with one folder that is nobody's.
fn somebody(folder: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name != ".lock" && name != "lost+found" {
            return Ok(Some(name.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

/// Hands on every file of the state; then all of them were as they were written, and none is missing.
fn read_through(
    file: &Path,
    mut take: impl FnMut(&Key, Zeroizing<Vec<u8>>) -> Result<(), StoreError>,
) -> Result<Head, StoreError> {
    let wrong = |what: String| StoreError::new(format!("use the backup {}", file.display()), Trouble::Backup(what));
    let broken = |error: io::Error| wrong(format!("{error}; it was cut off, or is no backup: take another one"));
    let opened = File::open(file).map_err(|error| wrong(format!("{error}; name a file that vitrine backup wrote")))?;
    let mut archive = tar::Archive::new(BufReader::new(opened));
    let (mut head, mut sums, mut found) = (None, None, BTreeMap::new());
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        if entry.header().entry_type().is_dir() {
            continue;
        }
        let path = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| wrong("it holds a file whose name is no text; it is no backup of vitrine".into()))?;
        if !entry.header().entry_type().is_file() {
            return Err(wrong(format!("{path:?} in it is no regular file; it is no backup of vitrine")));
        }
        let content = content(&mut entry).map_err(broken)?;
        if path == SUMS {
            sums = Some(content);
            continue;
        }
        if found.insert(path.clone(), Revision::of(&content)).is_some() {
            return Err(wrong(format!("it holds {path:?} twice; it was changed: take another one")));
        }
        if path == HEAD {
            let read: Head = serde_json::from_slice(&content).map_err(|error| broken(error.into()))?;
            if read.format != FORMAT {
                let format = read.format;
                return Err(wrong(format!(
                    "it has the form {format}, and this version knows {FORMAT}; restore it with {}",
                    read.program
                )));
            }
            head = Some(read);
            continue;
        }
        match path.strip_prefix(STATE).and_then(Key::parse) {
            Some(key) => take(&key, content)?,
            None => return Err(wrong(format!("it holds {path:?}, which no backup has; it is no backup of vitrine"))),
        }
    }
    let sums = sums.ok_or_else(|| wrong(format!("it has no {SUMS} at its end; it was cut off: take another one")))?;
    let head = head.ok_or_else(|| wrong(format!("it has no {HEAD}; it is no backup of vitrine")))?;
    compare(&sums, &found).map_err(wrong)?;
    if !found.contains_key(&format!("{STATE}{SCHEMA}")) {
        return Err(wrong(format!("it has no {STATE}{SCHEMA}; it is no backup of vitrine")));
    }
    Ok(head)
}

fn content(entry: &mut impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(Vec::new());
    entry.take(LARGEST_FILE as u64 + 1).read_to_end(&mut content)?;
    if content.len() > LARGEST_FILE {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a file in it is larger than anything that is kept there",
        ));
    }
    Ok(content)
}

/// Each file has its line, and each line its file.
fn compare(sums: &[u8], found: &BTreeMap<String, Revision>) -> Result<(), String> {
    let sums = String::from_utf8_lossy(sums);
    let mut expected: BTreeMap<&str, &str> = BTreeMap::new();
    for line in sums.lines() {
        let (_, path) = line
            .split_once("  ")
            .ok_or_else(|| format!("a line of {SUMS} is none; it was changed: take another one"))?;
        expected.insert(path, line);
    }
    for (path, sum) in found {
        let line = sum_line(path, *sum);
        let line = line.trim_end_matches('\n');
        let name = line.split_once("  ").map_or("", |(_, name)| name);
        match expected.remove(name) {
            Some(written) if written == line => {}
            Some(_) => return Err(format!("{path:?} in it is not what was written; it was changed: take another one")),
            None => return Err(format!("{path:?} in it has no line in {SUMS}; it was changed: take another one")),
        }
    }
    match expected.keys().next() {
        Some(path) => Err(format!("{path:?} is missing in it; it was changed: take another one")),
        None => Ok(()),
    }
}

const RESTORING: &str = ".restoring";
