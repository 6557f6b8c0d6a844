//! `vitrine certs export`: a certificate with its key, from a running edge into a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;
use zeroize::Zeroizing;

use super::import::password;
use super::pick::pick;
use crate::outbound::{CallError, EdgeSocket};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// chain and key as PEM
    Pem,
    /// PKCS#12
    Pfx,
}

/// What is to be taken, and where to.
pub(super) struct Taking {
    format: Format,
    password: Option<Zeroizing<Vec<u8>>>,
    out: PathBuf,
}

#[derive(Serialize)]
struct Order<'a> {
    format: Format,
    password: Option<&'a str>,
    plain: bool,
}

impl Taking {
    /// Looks at everything before a key leaves.
    ///
    /// # Errors
    /// The words for what is in the way.
    pub(super) fn new(format: Format, password_file: Option<&Path>, out: &Path) -> Result<Self, String> {
        if out == Path::new("-") {
            return Err("a private key is not printed; name a file with --out".into());
        }
        if out.symlink_metadata().is_ok() {
            return Err(is_there(out));
        }
        if format == Format::Pfx && password_file.is_none() {
            return Err(
                "--format pfx needs a password; write one into a file and name that with --password-file".into()
            );
        }
        Ok(Self { format, password: password_file.map(password).transpose()?, out: out.to_owned() })
    }

    /// Makes the file, whole or not at all. Nobody else can read it at any time, and none that is there is written over.
    fn write(&self, content: &[u8]) -> Result<(), String> {
        let failed = |error: io::Error| format!("{}: {error}", self.out.display());
        let mut name = self.out.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let new = self.out.with_file_name(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(failed)?;
        let written = file.write_all(content).and_then(|()| file.sync_all());
        // A rename would write over what has come meanwhile; a second name does not.
        let linked = written.and_then(|()| fs::hard_link(&new, &self.out));
        let removed = fs::remove_file(&new);
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(is_there(&self.out)),
            linked => linked.and(removed).map_err(failed)?,
        }
        let folder = self.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// Takes a certificate out with its key.
pub(super) async fn export(edge: &EdgeSocket, wanted: &str, taking: &Taking) -> Result<String, CallError> {
    let fingerprint = pick(edge, wanted).await?;
    let password = taking.password.as_ref().map(|password| str::from_utf8(password)).transpose();
    let password = password.map_err(|_| CallError::NotFound("the password file is no text in UTF-8".into()))?;
    let order = Order { format: taking.format, password, plain: password.is_none() };
    let target = format!("/api/v1/certificates/{fingerprint}/export");
    let content = edge.post_for_file(&target, &order).await?;
    taking.write(&content).map_err(CallError::NotFound)?;
    Ok(format!("exported {fingerprint} with its private key to {}", taking.out.display()))
}

fn is_there(out: &Path) -> String {
    format!("{} is there already, and a file is not written over; name another with --out", out.display())
}
