//! Caddy's storage: `acme/<authority>/users/<mail>/`, `certificates/<authority>/<name>/` (certmagic's `FileStorage`).

use std::env;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Reading;
use crate::peers::issuers::{LETS_ENCRYPT, ZEROSSL};
use crate::peers::plan::{Account, AccountKey, Place, Provision};

/// `certificates/<authority>/<name>/<name>.json`
#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    issuer_data: Issued,
}

#[derive(Default, Deserialize)]
struct Issued {
    /// The authority's directory.
    #[serde(default)]
    ca: String,
}

/// `acme/<authority>/users/<mail>/<mail>.json`
#[derive(Deserialize)]
struct User {
    #[serde(default)]
    location: String,
    #[serde(default)]
    contact: Vec<String>,
}

impl Reading<'_> {
    /// Where it is, when nobody says.
    pub(super) fn storage_folder(&self) -> Option<PathBuf> {
        if let Some(storage) = &self.storage {
            return Some(storage.clone());
        }
        let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from);
        let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
        let package = Some(PathBuf::from("/var/lib/caddy/.local/share"));
        let places = [data, home, package].into_iter().flatten().map(|folder| folder.join("caddy"));
        places.into_iter().find(|folder| self.files.is_folder(&folder.join("certificates")))
    }

    /// Takes the certificates of sites, and accounts.
    pub(super) fn storage(&mut self, storage: &Path) {
        let mut directories: Vec<(String, String)> = Vec::new();
        for authority in self.files.list(&storage.join("certificates")) {
            let key = file_name(&authority);
            for folder in self.files.list(&authority) {
                let name = file_name(&folder);
                let file = |extension: &str| folder.join(format!("{name}.{extension}"));
                let resource = self.files.text(&file("json")).ok();
                let resource = resource.and_then(|text| serde_json::from_str::<Resource>(&text).ok());
                if let Some(ca) = resource.map(|resource| resource.issuer_data.ca).filter(|ca| !ca.is_empty()) {
                    directories.push((key.clone(), ca));
                }
                self.certificate(&key, &name, vec![file("crt"), file("key")]);
            }
        }
        for authority in self.files.list(&storage.join("acme")) {
            let key = file_name(&authority);
            let known = [LETS_ENCRYPT, ZEROSSL].into_iter().map(str::to_owned);
            let told = directories.iter().filter(|(known, _)| *known == key).map(|(_, directory)| directory.clone());
            let mut candidates = told.chain(self.plan.authorities.iter().map(|one| one.directory.clone())).chain(known);
            let fits = |directory: &String| storage_key(directory) == key;
            match candidates.find(fits) {
                Some(directory) => self.users(&authority, &directory),
                None => {
                    let place = Place::whole(&authority);
                    let text = "nothing says at which directory these accounts are";
                    self.plan.note(&place, text, "name it with acme_ca in the Caddyfile, and import again");
                }
            }
        }
    }

    /// Takes a certificate if a site needs it.
    fn certificate(&mut self, authority: &str, name: &str, files: Vec<PathBuf>) {
        let place = Place::whole(&files[0]);
        if authority == "local" {
            self.plan.note(&place, "certificates of Caddy's own authority are not carried over", "");
            return;
        }
        let names = self.files.names_in(&files, None);
        let is_wanted = |site: &crate::peers::plan::Site| {
            site.provision != Provision::SelfSigned
                && site.hosts.iter().any(|host| names.contains(host) || covers(&names, host))
        };
        if names.is_empty() {
            let text = "the certificate cannot be read with its key";
            self.plan.left_out(&place, text, "look at both with vitrine inspect, as root");
        } else if self.plan.sites.iter().any(is_wanted) {
            self.plan.add_certificate(name, files, &place);
        } else {
            self.plan.note(&place, "no site that was carried over needs this certificate", "");
        }
    }

    fn users(&mut self, authority: &Path, directory: &str) {
        let mut keys = Vec::new();
        for user in self.files.list(&authority.join("users")) {
            let files = self.files.list(&user);
            keys.extend(files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "key")));
        }
        for key in keys {
            let place = Place::whole(&key);
            if self.plan.accounts.iter().any(|known| known.directory == directory) {
                let text = format!("this is a second account at {directory}, and an authority has one here");
                self.plan.left_out(&place, text, "the first one orders for all sites");
                continue;
            }
            let user = self.files.text(&key.with_extension("json"));
            match user.ok().and_then(|text| serde_json::from_str::<User>(&text).ok()) {
                Some(User { location, contact }) => {
                    self.plan.add_authority(directory, None);
                    contact.iter().for_each(|contact| self.plan.add_contact(contact));
                    let (url, key) = ((!location.is_empty()).then_some(location), AccountKey::Pem(key));
                    self.plan.accounts.push(Account { directory: directory.into(), url, key, contact, place });
                }
                None => {
                    let text = "the account beside this key cannot be read";
                    self.plan.left_out(&place, text, "Vitrine opens a new account with its first order");
                }
            }
        }
    }
}

fn covers(names: &[crate::name::HostPattern], host: &crate::name::HostPattern) -> bool {
    match host {
        crate::name::HostPattern::Exact(name) => names.iter().any(|pattern| pattern.covers(name.as_str())),
        crate::name::HostPattern::Wildcard(_) => false,
    }
}

/// What certmagic calls the folders of an authority: host and path, made fit for a file's name (`ACMEIssuer.issuerKey`,
/// `KeyBuilder.Safe`).
fn storage_key(directory: &str) -> String {
    let rest = directory.split_once("://").map_or(directory, |(_, rest)| rest);
    let key = rest.trim_end_matches('/').replace('/', "-").to_ascii_lowercase();
    key.replace(' ', "_").replace('+', "_plus_").replace('*', "wildcard_").replace(':', "-").replace("..", "")
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
