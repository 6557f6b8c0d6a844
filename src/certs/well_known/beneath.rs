//! Opens files below a folder and nowhere else.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Opens a path that does not lead out of `folder`, whatever links there are on the way.
pub(in crate::certs) fn beneath(folder: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<File, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..ATTEMPTS {
        match rustix::fs::openat2(folder, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Ok(opened) => return Ok(File::from(opened)),
            // A rename somewhere on the machine kept the kernel from being sure (openat2(2)).
            Err(Errno::AGAIN) => {}
            Err(Errno::NOSYS | Errno::PERM) => return without_links(folder, path, flags),
            Err(error) => return Err(error),
        }
    }
    Err(Errno::AGAIN)
}

/// The same where openat2 is missing (before Linux 5.6) or forbidden: no link is followed at all.
pub(super) fn without_links(folder: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<File, Errno> {
    let mut parts = path.components().filter(|part| *part != Component::CurDir).peekable();
    if parts.peek().is_none() {
        return rustix::fs::openat(folder, ".", flags | OFlags::CLOEXEC, Mode::empty()).map(File::from);
    }
    let mut here: Option<OwnedFd> = None;
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Err(Errno::XDEV) };
        let through = OFlags::PATH | OFlags::DIRECTORY;
        let flags = if parts.peek().is_some() { through } else { flags } | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let at = here.as_ref().map_or(folder, OwnedFd::as_fd);
        here = Some(rustix::fs::openat(at, name, flags, Mode::empty())?);
    }
    here.map(File::from).ok_or(Errno::NOENT)
}

/// openat2 asks to be called again when a rename interferes.
const ATTEMPTS: usize = 16;
