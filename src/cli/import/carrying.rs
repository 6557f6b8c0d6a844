//! The secrets of a plan, read before anything is written: what cannot be read, or cannot be used, is left out and said.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::laying::Ground;
use crate::acme::AdoptedKey;
use crate::certs::{self, Terms};
use crate::peers::{AccountKey, Certificate, Content, Place, Plan, Remark, ShownFile, Weight};

/// A plan with what goes along.
pub(super) struct Carried {
    pub(super) plan: Plan,
    /// In the order of the plan's certificates.
    pub(super) certificates: Vec<Copied>,
    pub(super) accounts: Vec<Adopted>,
    /// In the order of the plan's shown files.
    pub(super) shown: Vec<Vec<u8>>,
}

/// Files of a certificate, as they are to be called below the drop folder.
pub(super) struct Copied {
    pub(super) folder: String,
    pub(super) files: Contents,
}

/// Names of files, and what they hold.
type Contents = Vec<(&'static str, Zeroizing<Vec<u8>>)>;

/// An account that can go on.
pub(super) struct Adopted {
    pub(super) issuer: String,
    pub(super) directory: String,
    pub(super) url: Option<String>,
    pub(super) key: AdoptedKey,
    pub(super) contact: Vec<String>,
    pub(super) place: Place,
}

impl Carried {
    /// Reads everything that goes along.
    pub(super) fn of(mut plan: Plan, ground: &Ground) -> Self {
        let (mut remarks, mut copied) = (Vec::new(), Vec::new());
        plan.certificates.retain(|certificate| match read_certificate(certificate) {
            Ok(files) => {
                copied.push(Copied { folder: certificate.name.clone(), files });
                true
            }
            Err(remark) => {
                remarks.push(remark);
                false
            }
        });
        let mut accounts = Vec::new();
        plan.accounts.retain(|account| {
            let issuer = ground.issuer_at(&account.directory).or_else(|| {
                let known = plan.authorities.iter().find(|known| known.directory == account.directory);
                known.map(|known| known.name.clone())
            });
            let Some(issuer) = issuer else { return false };
            match read_key(&account.key) {
                Ok(key) => {
                    let (directory, url) = (account.directory.clone(), account.url.clone());
                    let (contact, place) = (account.contact.clone(), account.place.clone());
                    accounts.push(Adopted { issuer, directory, url, key, contact, place });
                    true
                }
                Err(why) => {
                    let text = format!("the account at {} is not carried over: {why}", account.directory);
                    remarks.push(left_out(&account.place, text, NEW_ACCOUNT));
                    false
                }
            }
        });
        let mut shown = Vec::new();
        plan.shown.retain(|file| match read_shown(file) {
            Ok(content) => {
                shown.push(content);
                true
            }
            Err(why) => {
                remarks.push(left_out(&file.place, why, "put the file into well-known/<host>/ of the drop folder"));
                false
            }
        });
        plan.remarks.extend(remarks);
        Self { plan, certificates: copied, accounts, shown }
    }
}

fn read_certificate(certificate: &Certificate) -> Result<Contents, Remark> {
    let place = &certificate.place;
    let mut files = Vec::new();
    let names: &[&str] = if certificate.files.len() == 1 { &["certificate.pem"] } else { &["chain.pem", "key.pem"] };
    for (file, name) in certificate.files.iter().zip(names) {
        let content =
            contents(file).map_err(|why| left_out(place, why, "run it as a user who may read it, as root"))?;
        files.push((*name, content));
    }
    if let Some(file) = &certificate.password_file {
        let content =
            contents(file).map_err(|why| left_out(place, why, "run it as a user who may read it, as root"))?;
        let lines = content.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()).count();
        if lines != 1 {
            let text = format!("{}: expected one password, found {lines}", file.display());
            return Err(left_out(place, text, "put certificate, key and password into the drop folder"));
        }
        files.push((if names.len() == 1 { "certificate.pem.password" } else { "key.pem.password" }, content));
    }
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let password = certificate.password_file.as_deref();
    let inspection = certs::inspect(&certificate.files, password, &Terms::default(), now);
    if inspection.certificates.is_empty() {
        let listed: Vec<String> = certificate.files.iter().map(|file: &PathBuf| file.display().to_string()).collect();
        let why = inspection.flaws.first().map_or_else(String::new, |(_, flaw)| format!(": {}", flaw.reason));
        let text = format!("{} would not be served{why}", listed.join(" with "));
        return Err(left_out(place, text, "vitrine inspect says what is wrong with it"));
    }
    Ok(files)
}

fn read_shown(file: &ShownFile) -> Result<Vec<u8>, String> {
    match &file.content {
        Content::Text(text) => Ok(text.clone().into_bytes()),
        Content::File(path) => Ok(contents(path)?.to_vec()),
    }
}

fn read_key(key: &AccountKey) -> Result<AdoptedKey, String> {
    let read = match key {
        AccountKey::Jwk(file) => AdoptedKey::from_jwk(&contents(file)?),
        AccountKey::Pem(file) => AdoptedKey::from_pem(&contents(file)?),
    };
    read.map_err(|why| why.to_string())
}

fn contents(file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", file.display());
    let opened = File::open(file).map_err(wrong)?;
    if !opened.metadata().is_ok_and(|facts| facts.is_file()) {
        return Err(format!("{}: expected a regular file", file.display()));
    }
    // Of this size from the start: a buffer that grows leaves copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(LARGEST + 1));
    opened.take(LARGEST as u64 + 1).read_to_end(&mut content).map_err(wrong)?;
    if content.len() > LARGEST {
        return Err(format!("{}: it is larger than a certificate can be", file.display()));
    }
    Ok(content)
}

pub(super) fn left_out(place: &Place, text: String, mend: &str) -> Remark {
    Remark { place: Some(place.clone()), text, mend: mend.into(), weight: Weight::LeftOut }
}

const NEW_ACCOUNT: &str = "Vitrine opens a new one with its first order; a CAA record that names the old account must name \
                           the new one by then";
/// As in the drop folder.
const LARGEST: usize = 1 << 20;
