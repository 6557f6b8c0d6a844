//! What may be shown below `/.well-known/`, and what is wrong with the rest.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::certs::flaw::Flaw;
use crate::certs::formats::{Der, contains};
use crate::certs::walk::LARGEST_FILE;
use crate::name::HostName;

/// Under which host and name a file is shown; `None` for what is not meant to be.
pub(super) fn address(path: &Path) -> Result<Option<(HostName, Box<str>)>, Flaw> {
    let mut parts = path.iter();
    let host = parts.next().unwrap_or_default();
    let name: PathBuf = parts.collect();
    if name.as_os_str().is_empty() {
        if host.eq_ignore_ascii_case("README.md") {
            return Ok(None);
        }
        return Err(Flaw::new(
            "no-host",
            "the file lies beside the hosts' folders, not in one",
            "move it to well-known/<host>/<name>",
        ));
    }
    let Some(Ok(host)) = host.to_str().map(HostName::parse) else {
        return Err(Flaw::new(
            "no-host",
            "the folder is not named like a host",
            "name it like the host that shows the file: well-known/shop.example/<name>",
        ));
    };
    let name = name.to_str().ok_or_else(bad_name)?;
    fit_name(name)?;
    Ok(Some((host, name.into())))
}

/// Whether something may be shown under this name.
pub(in crate::certs) fn fit_name(name: &str) -> Result<(), Flaw> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte)) {
        return Err(bad_name());
    }
    let lower = name.to_ascii_lowercase();
    if lower == "acme-challenge" || lower.starts_with("acme-challenge/") {
        return Err(Flaw::new(
            "acme-challenge",
            "answers to an authority's questions are given by vitrine itself, never from a file",
            "take the file away",
        ));
    }
    if [".password", ".key", ".pfx", ".p12"].iter().any(|ending| lower.ends_with(ending)) {
        return Err(secret());
    }
    Ok(())
}

/// Whether the content is a private key or a PKCS#12 file, in any of the forms that they come in.
pub(in crate::certs) fn holds_secret(content: &[u8]) -> bool {
    // UTF-16 is ASCII with a zero octet in each pair.
    let text: Vec<u8> = content.iter().copied().filter(|byte| *byte != 0).collect();
    contains(&text, b"PRIVATE KEY-----")
        || contains(&text, b"-----BEGIN PKCS12")
        || matches!(Der::of(content), Some(Der::Pkcs12(_) | Der::Key(_) | Der::EncryptedKey(_)))
}

fn bad_name() -> Flaw {
    Flaw::new(
        "bad-name",
        "the name has characters that a URL would have to encode",
        "use letters, digits, '-', '.', '_' and '~' only",
    )
}

pub(super) fn secret() -> Flaw {
    Flaw::new(
        "secret",
        "the file is, or is named like, a private key, a PKCS#12 file or a password, and everything here is public",
        "move it out of well-known/ at once; if others could have read it, replace the key",
    )
}

pub(super) fn not_a_file() -> Flaw {
    Flaw::new(
        "not-a-file",
        "it is a pipe, a socket, a device or a link that may not be followed, and a regular file is expected",
        "put a regular file here",
    )
}

pub(super) fn too_large(size: u64) -> Flaw {
    Flaw::new(
        "too-large",
        format!("it has {size} octets, and well-known files have {LARGEST_FILE} at most"),
        "serve larger files from the shop itself",
    )
}

pub(super) fn too_many() -> Flaw {
    Flaw::new(
        "too-many",
        format!("there are more than {MOST_OBJECTS} well-known files, and all are held in memory"),
        "take away what is not needed, or serve it from the shop itself",
    )
}

pub(super) fn flaw_of(error: Errno) -> Flaw {
    match error {
        Errno::XDEV => Flaw::new(
            "outside",
            "it leads out of the well-known folder, and everything here is public",
            "put the file itself here instead of a link",
        ),
        Errno::LOOP => Flaw::new("link-loop", "the link leads to itself", "put the file itself here"),
        Errno::NOENT => Flaw::new("dangling-link", "the link leads nowhere", "point it to a file, or take it away"),
        error => {
            let error = io::Error::from(error).to_string();
            let words = error.split(" (os error").next().unwrap_or_default().to_lowercase();
            Flaw::new(
                "unreadable",
                format!("it cannot be read: {words}; what was shown before is shown on"),
                "let the user that runs vitrine read it (chmod, chown)",
            )
        }
    }
}

/// All of them are in memory, a MiB each at worst.
pub(super) const MOST_OBJECTS: usize = 10_000;
