//! A backup: one tar file that holds the state at one moment, and the hash of every file in it.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, OFlags, RenameFlags, linkat, renameat_with};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::folder::{is_missing, read_file};
use super::snapshot::Snapshot;
use super::staging::{FILE_MODE, Owner, sync_folder};
use super::{KeyId, Revision, StoreError, Trouble, seal};

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// How many files.
    pub files: usize,
    /// How many of them are secrets that anybody who has the backup can read.
    pub plain_secrets: usize,
    /// With what the others are sealed.
    pub key: Option<KeyId>,
}

/// Writes the state as it is at this moment into a new file that nobody else can read; an edge that runs goes on. The file has
/// its name once it is whole.
///
/// # Errors
/// [`StoreError`] when there is a file of this name, when it would lie in the state folder, or when something cannot be read
/// or written.
pub fn back_up_to_file(root: &Path, to: &Path) -> Result<BackedUp, StoreError> {
    let failed = |trouble| StoreError::new(format!("write the backup {}", to.display()), trouble);
    if fs::symlink_metadata(to).is_ok() {
        return Err(failed(Trouble::Refused(EXISTS)));
    }
    if is_inside(parent(to), root).map_err(|error| failed(written(error)))? {
        return Err(failed(Trouble::Refused("it would become a part of the state; choose a place outside")));
    }
    make(root, to)
}

/// Writes it into the state folder itself, under a name that is no part of the state, unless it is there already. Gives where.
pub(super) fn back_up_beside(root: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let to = root.join(name);
    if fs::symlink_metadata(&to).is_err() {
        make(root, &to)?;
        let given = Owner::of(root).and_then(|owner| owner.give(&to));
        given.map_err(|error| StoreError::new(format!("write the backup {}", to.display()), Trouble::of(error)))?;
    }
    Ok(to)
}

fn make(root: &Path, to: &Path) -> Result<BackedUp, StoreError> {
    let failed = |trouble| StoreError::new(format!("write the backup {}", to.display()), trouble);
    let named = |error| failed(written(error));
    let name = to.file_name().ok_or_else(|| failed(Trouble::Refused("that is no name of a file")))?;
    let young = Young::beside(parent(to), name).map_err(named)?;
    let backed_up = back_up(root, &young.file)?;
    young.file.sync_all().map_err(named)?;
    match young.take_name(to) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(failed(Trouble::Refused(EXISTS))),
        taken => taken.map_err(named)?,
    }
    sync_folder(parent(to)).map_err(named)?;
    Ok(backed_up)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

/// Writes the state as it is at this moment to wherever it is to go.
///
/// # Errors
/// [`StoreError`] when something cannot be read or written.
pub fn back_up(root: &Path, to: impl Write) -> Result<BackedUp, StoreError> {
    match fs::metadata(root.join(SCHEMA)) {
        Err(error) if is_missing(&error) => {
            let doing = format!("back up {}", root.display());
            return Err(StoreError::new(
                doing,
                Trouble::Refused("there is no state yet; start the edge once, or name its folder"),
            ));
        }
        _ => {}
    }
    let snapshot = Snapshot::take(root)?;
    let failed = |error| StoreError::new("write the backup", written(error));
    // Fractions of a second tell nobody anything.
    let now = OffsetDateTime::now_utc().truncate_to_second();
    let mut tar = Tar { builder: tar::Builder::new(BufWriter::new(to)), sums: String::new(), taken: now };
    let head = Head { format: FORMAT, program: PROGRAM.to_owned(), taken: now.format(&Rfc3339).unwrap_or_default() };
    tar.add(HEAD, &serde_json::to_vec(&head).map_err(|error| failed(error.into()))?).map_err(failed)?;
    let mut backed_up = BackedUp { files: 0, plain_secrets: 0, key: None };
    for (key, path) in snapshot.files() {
        let content = read_file(&path).and_then(|content| content.ok_or(ErrorKind::NotFound.into()));
        let content = content.map_err(|error| StoreError::new(format!("back up {key}"), Trouble::of(error)))?;
        match seal::sealed_with(&content) {
            Some(Ok(id)) => backed_up.key = Some(id),
            Some(Err(trouble)) => return Err(StoreError::new(format!("back up {key}"), trouble)),
            None if key.is_secret() => backed_up.plain_secrets += 1,
            None => {}
        }
        tar.add(&format!("{STATE}{key}"), &content).map_err(failed)?;
        backed_up.files += 1;
    }
    tar.end().map_err(failed)?;
    Ok(backed_up)
}

/// A tar file under way.
struct Tar<W: Write> {
    builder: tar::Builder<BufWriter<W>>,
    sums: String,
    taken: OffsetDateTime,
}

impl<W: Write> Tar<W> {
    fn add(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.sums.push_str(&sum_line(path, Revision::of(content)));
        self.write(path, content)
    }

    fn write(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(FILE_MODE);
        header.set_size(content.len() as u64);
        header.set_mtime(u64::try_from(self.taken.unix_timestamp()).unwrap_or_default());
        self.builder.append_data(&mut header, path, content)
    }

    /// The hashes stand last: a file that was cut off has none.
    fn end(mut self) -> io::Result<()> {
        let sums = std::mem::take(&mut self.sums);
        self.write(SUMS, sums.as_bytes())?;
        self.builder.into_inner()?.flush()
    }
}

/// A file that has not got its name yet. Where the file system can, it has none at all, and goes with whoever is killed.
struct Young {
    file: File,
    name: Option<PathBuf>,
}

impl Young {
    fn beside(folder: &Path, name: &OsStr) -> io::Result<Self> {
        let nameless = OFlags::TMPFILE.bits().cast_signed();
        if let Ok(file) = OpenOptions::new().write(true).mode(FILE_MODE).custom_flags(nameless).open(folder) {
            return Ok(Self { file, name: None });
        }
        let path = folder.join(format!(".{}.{}", name.display(), std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path)?;
        Ok(Self { file, name: Some(path) })
    }

    /// Takes nobody's place.
    fn take_name(&self, to: &Path) -> io::Result<()> {
        match &self.name {
            Some(path) => match renameat_with(CWD, path, CWD, to, RenameFlags::NOREPLACE) {
                // A file system that cannot promise it.
                Err(Errno::INVAL | Errno::NOSYS) => fs::hard_link(path, to),
                taken => Ok(taken?),
            },
            None => {
                let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                Ok(linkat(CWD, path, CWD, to, AtFlags::SYMLINK_FOLLOW)?)
            }
        }
    }
}

impl Drop for Young {
    fn drop(&mut self) {
        if let Some(path) = &self.name {
            let _ = fs::remove_file(path);
        }
    }
}

/// A line as sha256sum reads it.
pub(super) fn sum_line(path: &str, sum: Revision) -> String {
    // It marks a line in which a backslash stands for one.
    let (mark, path) = if path.contains('\\') { ("\\", path.replace('\\', "\\\\")) } else { ("", path.to_owned()) };
    format!("{mark}{sum}  {path}\n")
}

/// The first file of a backup.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) format: u64,
    /// Which version wrote it.
    pub(super) program: String,
    /// When, in RFC 3339.
    pub(super) taken: String,
}

/// A full disk has its own words; those about the state folder are not meant for another place.
fn written(error: io::Error) -> Trouble {
    match Trouble::of(error) {
        Trouble::NotAllowed => Trouble::Refused("this user may not write there; choose another place"),
        trouble => trouble,
    }
}

fn is_inside(folder: &Path, root: &Path) -> io::Result<bool> {
    Ok(folder.canonicalize()?.starts_with(root.canonicalize()?))
}

pub(super) const FORMAT: u64 = 1;
pub(super) const HEAD: &str = "backup.json";
pub(super) const SUMS: &str = "SHA256SUMS";
/// Before the path of every file of the state.
pub(super) const STATE: &str = "state/";
pub(super) const SCHEMA: &str = "schema.json";
const PROGRAM: &str = concat!("vitrine ", env!("CARGO_PKG_VERSION"));
const EXISTS: &str = "there is a file of this name already; choose another name, or remove it";
