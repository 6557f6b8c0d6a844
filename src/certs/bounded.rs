//! Reads a file that somebody else may be writing, replacing, or have made a pipe of.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::flaw::Flaw;
use super::folders::leads_outside;
use super::walk::{Stamp, plain, unfit};
use super::well_known::beneath;

/// Where files are read into, one after the other. Wiped at the end, and before it becomes larger: what grows in place leaves
/// copies of a key behind.
#[derive(Default)]
pub(super) struct Room(Zeroizing<Vec<u8>>);

impl Room {
    fn of(&mut self, length: usize) -> &mut [u8] {
        if self.0.len() < length {
            self.0 = Zeroizing::new(vec![0; length.next_power_of_two()]);
        }
        &mut self.0[..length]
    }
}

/// A whole file of at most 1 MiB, its metadata, and whether it stayed the same meanwhile.
pub(super) fn bounded_read<'r>(path: &Path, room: &'r mut Room) -> Result<(&'r [u8], Metadata, bool), Flaw> {
    whole(rustix::fs::open(path, HOW | OFlags::CLOEXEC, Mode::empty()).map(File::from), room)
}

/// The same of a file that must not lie outside of a folder, wherever links lead.
pub(super) fn bounded_read_beneath<'r>(
    folder: &Path,
    path: &Path,
    room: &'r mut Room,
) -> Result<(&'r [u8], Metadata, bool), Flaw> {
    let through = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let below = path.strip_prefix(folder).unwrap_or(path);
    match rustix::fs::open(folder, through, Mode::empty()).and_then(|folder| beneath(folder.as_fd(), below, HOW)) {
        Err(Errno::XDEV) => Err(leads_outside()),
        opened => whole(opened, room),
    }
}

fn whole(opened: Result<File, Errno>, room: &mut Room) -> Result<(&[u8], Metadata, bool), Flaw> {
    let failed = |error: io::Error| unreadable(&error);
    let mut file = opened.map_err(|error| failed(error.into()))?;
    let before = file.metadata().map_err(failed)?;
    if let Some(flaw) = unfit(&before) {
        return Err(flaw);
    }
    let length = usize::try_from(before.len()).unwrap_or(0);
    let content = room.of(length + 1);
    let mut filled = 0;
    // That there is no more is what the size says afterwards: nobody need ask for the end.
    loop {
        match file.read(&mut content[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        }
        if filled >= length {
            break;
        }
    }
    let content = &content[..filled];
    let after = file.metadata().map_err(failed)?;
    let stable = Stamp::of(&before) == Stamp::of(&after) && content.len() as u64 == before.len();
    Ok((content, before, stable))
}

fn unreadable(error: &io::Error) -> Flaw {
    Flaw::new(
        "unreadable",
        format!("it cannot be read: {}", plain(error)),
        "let the user that runs vitrine read it (chown, chmod 0600)",
    )
}

/// What was a file at `stat` may be a pipe by now: never wait in open.
const HOW: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_whatever_its_size() {
        let (home, mut room) = (tempfile::tempdir().expect("a folder"), Room::default());
        for size in [0, 100_000, 1, 4_096] {
            let (file, content) = (home.path().join("a.pem"), vec![b'x'; size]);
            std::fs::write(&file, &content).expect("written");
            let (read, before, is_stable) = bounded_read(&file, &mut room).expect("read");
            assert_eq!((read, before.len(), is_stable), (&*content, size as u64, true));
        }
    }
}
