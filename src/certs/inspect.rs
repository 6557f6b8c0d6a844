//! What files are, and what would become of them in the drop folder, without an edge.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bounded::{Room, bounded_read};
use super::bundle::Bundle;
use super::certificate::Certificate;
use super::fate;
use super::flaw::Flaw;
use super::folders::MAIN;
use super::known::Known;
use super::pairing::{FileParts, Pair, Pairing, Problem, pair_trusting};
use super::parts::Parts;
use super::password::Password;
use super::terms::Terms;
use crate::live::ServedCert;
use crate::name::HostPattern;

/// What some files hold together.
pub struct Inspection {
    /// Each file in the order in which they were given.
    pub files: Vec<InspectedFile>,
    /// What would be served, in order of the fingerprint.
    pub certificates: Vec<Arc<ServedCert>>,
    /// What would wait or be rejected, in order of the files.
    pub flaws: Vec<(PathBuf, Flaw)>,
    /// The authorities' certificates that came along, each once.
    pub authorities: Vec<Authority>,
}

/// How much there is in a file.
pub struct InspectedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its certificates, those of authorities included.
    pub certificates: usize,
    /// Its private keys.
    pub keys: usize,
    /// The names of its certificates for the end of a chain, whether or not they could be served.
    pub names: Vec<HostPattern>,
}

/// An authority's certificate.
pub struct Authority {
    /// Common name of its subject.
    pub subject: Box<str>,
    /// Common name of its issuer.
    pub issuer: Box<str>,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: i64,
    /// Whether it stands behind none of the certificates that would be served.
    pub is_stray: bool,
}

/// Looks at files as if they lay in one folder. `password_file` opens what is encrypted in any of them; without one, each file's
/// password lies beside it. `now` is in seconds since the Unix epoch.
#[must_use]
pub fn inspect(paths: &[PathBuf], password_file: Option<&Path>, terms: &Terms, now: i64) -> Inspection {
    let known = Known::default();
    let (mut files, mut flaws, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        let parts = read(path, password_file, &known).unwrap_or_else(|flaw| {
            flaws.push((path.clone(), flaw));
            Parts::default()
        });
        files.push(InspectedFile {
            path: path.clone(),
            certificates: parts.certificates.len(),
            keys: parts.keys.len(),
            names: names(&parts),
        });
        all.push((Arc::<Path>::from(path.as_path()), parts));
    }
    let all: Vec<FileParts<'_>> = all.iter().map(|(path, parts)| FileParts { path, parts, folder: MAIN }).collect();
    let Pairing { pairs, problems } = pair_trusting(&all, &[], &terms.roots, now);
    let mut certificates = Vec::new();
    for pair in &pairs {
        let file = &pair.certificate_files[0];
        match Bundle::new(pair) {
            Ok(bundle) => certificates.push(bundle.served(Arc::clone(file), pair.key_files.contains(file))),
            Err(flaw) => flaws.push((file.to_path_buf(), flaw)),
        }
    }
    flaws.extend(problems.into_iter().map(|(file, problem)| (file.to_path_buf(), of(problem))));
    flaws.sort_by(|(one, _), (other, _)| one.cmp(other));
    Inspection { files, certificates, flaws, authorities: authorities(&all, &pairs) }
}

fn names(parts: &Parts) -> Vec<HostPattern> {
    let leaves = parts.certificates.iter().filter(|certificate| certificate.may_be_leaf());
    leaves.filter_map(|leaf| leaf.names.as_ref().ok()).flat_map(|names| names.iter()).cloned().collect()
}

fn read(path: &Path, password_file: Option<&Path>, known: &Known) -> Result<Parts, Flaw> {
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => return Err(folder()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing()),
        _ => {}
    }
    let mut room = Room::default();
    let (content, ..) = bounded_read(path, &mut room)?;
    let password = match password_file {
        Some(file) => Password::read(file),
        None => Password::beside(path),
    };
    Parts::read(content, &password, known)
}

fn of(problem: Problem) -> Flaw {
    match problem {
        Problem::NoKey(_) => fate::waits_for_key(),
        Problem::NoCertificate(_) => fate::waits_for_certificate(),
        Problem::Unfit(flaw) => flaw,
    }
}

fn authorities(files: &[FileParts<'_>], pairs: &[Pair]) -> Vec<Authority> {
    let served = pairs.iter().flat_map(|pair| std::iter::once(&pair.leaf).chain(&pair.chain));
    let stands_behind = |authority: &Certificate| served.clone().any(|child| child.may_come_from(authority));

    let mut found: Vec<&Arc<Certificate>> = Vec::new();
    for certificate in files.iter().flat_map(|file| &file.parts.certificates) {
        let is_new = !found.iter().any(|known| known.fingerprint == certificate.fingerprint);
        if is_new && !certificate.may_be_leaf() {
            found.push(certificate);
        }
    }
    let authority = |certificate: &Arc<Certificate>| Authority {
        subject: certificate.subject_cn.clone(),
        issuer: certificate.issuer_cn.clone(),
        not_after: certificate.not_after,
        is_stray: !stands_behind(certificate),
    };
    found.into_iter().map(authority).collect()
}

fn missing() -> Flaw {
    Flaw::new("unreadable", "there is no such file", "look at the path")
}

fn folder() -> Flaw {
    Flaw::new("not-a-file", "it is a folder", "name the files in it; vitrine check looks at a whole drop folder")
}
