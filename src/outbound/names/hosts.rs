//! Hosts that a file of this machine names, hosts(5).

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file, which is read again when it is another.
#[derive(Debug)]
pub(super) struct Hosts {
    file: PathBuf,
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    /// What told the file from others when it was read.
    stamp: Option<[i64; 5]>,
    names: HashMap<String, Vec<IpAddr>>,
}

impl Hosts {
    pub(super) fn at(file: PathBuf) -> Self {
        Self { file, read: Mutex::default() }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The addresses of a host, in the order of the file; none where the file does not name it, or is not there.
    pub(super) fn find(&self, host: &str) -> Vec<IpAddr> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = fs::metadata(&self.file).ok().map(|now| {
            [now.dev().cast_signed(), now.ino().cast_signed(), now.size().cast_signed(), now.mtime(), now.mtime_nsec()]
        });
        if stamp.is_none() || read.stamp != stamp {
            let text = fs::read(&self.file).unwrap_or_default();
            *read = Read { stamp, names: names(&String::from_utf8_lossy(&text)) };
        }
        read.names.get(&key(host)).cloned().unwrap_or_default()
    }
}

fn names(text: &str) -> HashMap<String, Vec<IpAddr>> {
    let mut names: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(address) = words.next().and_then(|address| address.parse().ok()) else { continue };
        for name in words {
            names.entry(key(name)).or_default().push(address);
        }
    }
    names
}

fn key(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_as_the_c_library_reads_it_and_again_when_it_is_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("hosts");
        let hosts = Hosts::at(file.clone());
        let found = |host: &str| hosts.find(host).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found("shop"), Vec::<String>::new());
        let text = "# 10.0.0.9 shop\n10.0.0.1\tShop.Example shop # more: other\nnonsense shop\n  ::1 shop.\n10.0.0.2\n";
        fs::write(&file, text).expect("written");
        assert_eq!(found("shop"), ["10.0.0.1", "::1"]);
        assert_eq!(found("SHOP.example."), ["10.0.0.1"]);
        assert_eq!(found("other"), Vec::<String>::new());
        // Another file in its place, as editors do, and the same one in place.
        fs::write(folder.path().join("new"), "10.0.0.3 shop\n").expect("written");
        fs::rename(folder.path().join("new"), &file).expect("renamed");
        assert_eq!(found("shop"), ["10.0.0.3"]);
        fs::write(&file, "10.0.0.33 shop\n").expect("written");
        assert_eq!(found("shop"), ["10.0.0.33"]);
        fs::remove_file(&file).expect("removed");
        assert_eq!(found("shop"), Vec::<String>::new());
    }
}
