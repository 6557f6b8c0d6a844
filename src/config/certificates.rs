//! `[certificates]` and `[[certificates.drop]]`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::document::read_regular;
use super::reader::{Placed, Section};
use super::{CertificatesConfig, DropFolder, NamedFile, place, value};
use crate::name::HostName;

/// `[certificates]`
pub(super) fn certificates(section: &Section<'_>) -> CertificatesConfig {
    let drop_directory = section.value("drop_directory", value::path);
    let state = section.value("state_directory", value::path);
    let or_default = |given: Option<Placed<PathBuf>>, default: &str| {
        given.unwrap_or_else(|| Placed { value: default.into(), line: section.line })
    };
    let (drop_directory, state) = (or_default(drop_directory, DROP_DIRECTORY), or_default(state, STATE_DIRECTORY));
    let trusted_roots = section.list("trusted_roots", value::path).map(|list| list.value).unwrap_or_default();
    let trusted_roots =
        trusted_roots.into_iter().filter_map(|path| named_file(section, "certificates.trusted_roots", path)).collect();
    let suffixes = section.filled_list("local_ca_suffixes", place::suffix).map(|list| list.value);
    let local_ca_suffixes = match suffixes {
        Some(given) => given.into_iter().map(|suffix| suffix.value).collect(),
        None => LOCAL_CA_SUFFIXES.iter().filter_map(|suffix| HostName::parse(suffix).ok()).collect(),
    };
    let mut taken = vec![("certificates.drop_directory", drop_directory.value.clone())];
    // We write to the one and take in whatever lies in the other.
    keep_apart(section, "certificates.state_directory", &state, &taken);
    taken.push(("certificates.state_directory", state.value.clone()));
    let mut drops = Vec::new();
    for table in section.tables("drop") {
        if let Some((drop, line)) = drop_folder(section, table) {
            let directory = Placed { value: drop.directory.clone(), line };
            keep_apart(section, "certificates.drop.directory", &directory, &taken);
            taken.push(("another certificates.drop.directory", directory.value));
            drops.push(drop);
        }
    }
    let state_key_file = section.value("state_key_file", value::path);
    if let Some(file) = &state_key_file {
        let inside = |(_, folder): &&(&str, PathBuf)| plain(&file.value).starts_with(plain(folder));
        if let Some((key, _)) = taken.iter().find(inside) {
            let text = format!(
                "expected a file outside of {key}, found {:?}; beside what it seals it would go along in every backup",
                file.value
            );
            section.pad.mistake(file.line, "certificates.state_key_file", text);
        }
    }
    let state_key_file = state_key_file.map(|file| file.value);
    CertificatesConfig {
        drop_directory: drop_directory.value,
        state_directory: state.value,
        state_key_file,
        local_ca_suffixes,
        trusted_roots,
        drops,
    }
}

/// Gives the line of the folder too.
fn drop_folder<'a>(section: &Section<'a>, table: &'a Spanned<DeValue<'a>>) -> Option<(DropFolder, usize)> {
    let section = Section::one_of(section.pad, "certificates.drop", table);
    let directory = section.value("directory", value::path);
    let hosts = section.filled_list("hosts", place::pattern);
    let password_file = section.value("password_file", value::path);
    if table.get_ref().is_table() {
        let given = |key: &str| section.entries().any(|entry| entry.value == key);
        if !given("directory") {
            section.pad.missing(section.line, "certificates.drop.directory", "is needed: the folder");
        }
        if !given("hosts") {
            let text = "is needed: the names that certificates in this folder may have; what may have any name belongs in \
                        certificates.drop_directory";
            section.pad.missing(section.line, "certificates.drop.hosts", text);
        }
    }
    if let Some(file) = &password_file
        && fs::metadata(&file.value).is_ok_and(|facts| facts.mode() & 0o077 != 0)
    {
        let text = format!(
            "{}: may be read or written by others than its owner; chmod 0600, and if others may have read it, have new keys made",
            file.value.display()
        );
        section.pad.mistake(file.line, "certificates.drop.password_file", text);
    }
    let (directory, hosts) = (directory?, hosts?.value.into_iter().map(|host| host.value).collect());
    let password_file = password_file.map(|file| file.value);
    Some((DropFolder { directory: directory.value, hosts, password_file }, directory.line))
}

/// A folder must not lie in one of the others, nor one of them in it.
fn keep_apart(section: &Section<'_>, key: &str, folder: &Placed<PathBuf>, others: &[(&str, PathBuf)]) {
    let ways = |path: &Path| [Some(plain(path)), path.canonicalize().ok()].into_iter().flatten().collect::<Vec<_>>();
    let own = ways(&folder.value);
    for (other_key, other) in others {
        let theirs = ways(other);
        let overlap = |own: &PathBuf| theirs.iter().any(|other| own.starts_with(other) || other.starts_with(own));
        if own.iter().any(overlap) {
            let text = format!("expected a folder apart from {other_key}, found {:?} and {other:?}", folder.value);
            section.pad.mistake(folder.line, key, text);
        }
    }
}

/// A file that cannot be read is a mistake: who trusts less than was meant, or checks nothing, must not find it out from customers.
pub(super) fn named_file(section: &Section<'_>, key: &str, path: Placed<PathBuf>) -> Option<NamedFile> {
    match read_regular(&path.value) {
        Ok(content) => Some(NamedFile { path: path.value, content: Arc::new(content.into()) }),
        Err(why) => {
            section.pad.mistake(path.line, key, format!("{}: {why}", path.value.display()));
            None
        }
    }
}

/// The path without "." and with ".." taken back, as far as its text tells.
fn plain(path: &Path) -> PathBuf {
    let mut plain = std::env::current_dir().unwrap_or_default();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

/// Nobody has these on the internet (RFC 6761, and what ICANN keeps for private use).
const LOCAL_CA_SUFFIXES: [&str; 3] = ["test", "localhost", "internal"];
/// The folder of this repository made for it.
const DROP_DIRECTORY: &str = "certs";
/// Beside the drop folder, never in it.
const STATE_DIRECTORY: &str = "state";
