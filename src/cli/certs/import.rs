//! `vitrine certs import`: files on the way to a running edge.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::list::Warning;
use crate::cli::output::complain;
use crate::outbound::{CallError, EdgeSocket, FormPart};

/// What is to be sent.
pub(in crate::cli) struct Pieces {
    files: Vec<(String, Zeroizing<Vec<u8>>)>,
    password: Option<Zeroizing<Vec<u8>>>,
}

impl Pieces {
    /// Reads the files, and the password beside one of them unless another file has it.
    ///
    /// # Errors
    /// The words for the first that cannot be read.
    pub(in crate::cli) fn read(files: &[PathBuf], password_file: Option<&Path>) -> Result<Self, String> {
        let named = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let read = |path: &PathBuf| Ok::<_, String>((named(path), read(path)?.0));
        let beside = files.iter().map(|file| {
            let mut name = file.clone().into_os_string();
            name.push(".password");
            PathBuf::from(name)
        });
        let password_file =
            password_file.map(Path::to_path_buf).or_else(|| beside.into_iter().find(|file| file.exists()));
        Ok(Self {
            files: files.iter().map(read).collect::<Result<_, _>>()?,
            password: password_file.as_deref().map(password).transpose()?,
        })
    }
}

impl Pieces {
    /// Them as parts of a form.
    pub(in crate::cli) fn parts(&self) -> Vec<FormPart> {
        let file = |(name, content): &(String, Zeroizing<Vec<u8>>)| FormPart {
            name: "file",
            file: Some(name.clone()),
            content: content.clone(),
        };
        let password = self.password.iter().cloned();
        let password = password.map(|content| FormPart { name: "password", file: None, content });
        self.files.iter().map(file).chain(password).collect()
    }
}

/// Brings files to the edge.
pub(super) async fn import(edge: &EdgeSocket, pieces: &Pieces, dry_run: bool, json: bool) -> Result<String, CallError> {
    let parts = pieces.parts();
    let target = format!("/api/v1/certificates?dry_run={dry_run}");
    let answer: Value = edge.post_form(&target, &parts).await?;
    if json {
        return Ok(format!("{answer:#}"));
    }
    let Received { certificates, completed, left_over } =
        serde_json::from_value(answer).map_err(|error| CallError::Broken(error.to_string()))?;
    left_over.iter().for_each(LeftOver::complain);
    if !dry_run {
        complain("the edge has kept them: the files, and the password file, may be deleted here");
    }
    let told = certificates.iter().map(|arrived| arrived.told(dry_run));
    let word = if dry_run { "would complete" } else { "completes" };
    let requests = completed.iter().map(|request| format!("{word} the request {request}"));
    Ok(told.chain(requests).collect::<Vec<_>>().join("\n"))
}

#[derive(Deserialize)]
struct Received {
    certificates: Vec<Arrived>,
    completed: Vec<String>,
    left_over: Vec<LeftOver>,
}

#[derive(Deserialize)]
pub(super) struct Arrived {
    id: String,
    certificate: Certificate,
    serves: Vec<String>,
}

#[derive(Deserialize)]
struct Certificate {
    fingerprint: String,
    names: Vec<String>,
    not_after: String,
    verdict: String,
    warnings: Vec<Warning>,
}

/// What came along and was not taken.
#[derive(Deserialize)]
pub(in crate::cli) struct LeftOver {
    file: String,
    code: String,
    reason: String,
    mend: String,
}

impl LeftOver {
    /// Says so, beside the result.
    pub(in crate::cli) fn complain(&self) {
        let Self { file, code, reason, mend } = self;
        complain(&format!("not taken: {file} ({code}): {reason}; {mend}"));
    }
}

impl Arrived {
    /// What is said of a certificate that has come, or would.
    pub(super) fn told(&self, dry_run: bool) -> String {
        let Certificate { fingerprint, names, not_after, verdict, warnings } = &self.certificate;
        let serves = match (self.serves.as_slice(), dry_run) {
            ([], false) => "serves nothing now: something else serves its names better".to_owned(),
            ([], true) => "would serve nothing: something else serves its names better".to_owned(),
            (names, false) => format!("serves {}", names.join(", ")),
            (names, true) => format!("would serve {}", names.join(", ")),
        };
        let mut lines = vec![
            format!("{verdict}: {}", names.join(", ")),
            format!("  {serves}"),
            format!("  valid until {not_after}, version of {}", self.id),
            format!("  fingerprint {fingerprint}"),
        ];
        lines.extend(warnings.iter().map(|Warning { code, reason, mend }| format!("  {code}: {reason}; {mend}")));
        lines.join("\n")
    }
}

/// One line; what ends it is no part of the password.
pub(super) fn password(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let (mut content, mode) = read(path)?;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{}: others may read the password (mode {:04o}), so it is not used; chmod 0600, and change it if they may have",
            path.display(),
            mode & 0o777
        ));
    }
    while matches!(content.last(), Some(b'\n' | b'\r')) {
        content.pop();
    }
    Ok(content)
}

/// A regular file's content and mode.
fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, u32), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("{}: expected a file, found something else", path.display()));
    }
    // At its size at once: a buffer that grows leaves copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(LARGEST_FILE + 1));
    file.take(LARGEST_FILE as u64 + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() > LARGEST_FILE {
        return Err(format!(
            "{}: expected at most 1 MiB, found more; certificates have some kilobytes",
            path.display()
        ));
    }
    Ok((content, metadata.mode()))
}

/// As the edge takes them.
const LARGEST_FILE: usize = 1024 * 1024;
