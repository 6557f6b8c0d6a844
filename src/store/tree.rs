//! All files of a state folder.

use std::fs;
use std::io;
use std::path::Path;

use super::Key;

/// The regular files below `root` that can be ours, in order. Locks, the staging folder and sockets are not.
pub(super) fn files(root: &Path) -> io::Result<Vec<Key>> {
    let mut files = Vec::new();
    visit(root, None, &mut files)?;
    files.sort_unstable();
    Ok(files)
}

fn visit(folder: &Path, above: Option<&Key>, files: &mut Vec<Key>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let key = name.to_str().and_then(|name| above.map_or_else(|| Key::of(&[name]), |above| above.below(name)));
        let Some(key) = key else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            visit(&entry.path(), Some(&key), files)?;
        } else if kind.is_file() {
            files.push(key);
        }
    }
    Ok(())
}
