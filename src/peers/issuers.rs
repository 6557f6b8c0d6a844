//! Authorities and the ACME clients that leave certificates behind.

use std::path::Path;

use super::plan::{Authority, Plan};

impl Plan {
    /// Notes that certificates come from the authority with this directory.
    pub(super) fn add_authority(&mut self, directory: &str, ca_file: Option<&Path>) {
        if self.authorities.iter().any(|known| known.directory == directory) {
            return;
        }
        let base = word_for(directory);
        let taken = |name: &str| self.authorities.iter().any(|known| known.name == name);
        let numbered = (2_usize..).map(|number| format!("{base}-{number}"));
        let Some(name) = std::iter::once(base.clone()).chain(numbered).find(|name| !taken(name)) else { return };
        let ca_file = ca_file.map(Path::to_owned);
        self.authorities.push(Authority { name, directory: directory.into(), ca_file });
    }
}

/// What an authority is called: those that everybody knows by their own name, others by their address.
fn word_for(directory: &str) -> String {
    if let Some((_, name)) = KNOWN.iter().find(|(known, _)| *known == directory) {
        return (*name).into();
    }
    let address = directory.strip_prefix("https://").unwrap_or(directory).to_ascii_lowercase();
    let host = address.split('/').next().unwrap_or_default();
    let word: String = host.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(LONGEST).collect();
    let word = word.trim_matches('-').to_owned();
    if word.is_empty() { "authority".into() } else { word }
}

/// Let's Encrypt's, which everybody uses who says nothing.
pub(super) const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Caddy's second.
pub(super) const ZEROSSL: &str = "https://acme.zerossl.com/v2/DV90";
const KNOWN: [(&str, &str); 6] = [
    (LETS_ENCRYPT, "letsencrypt"),
    ("https://acme-staging-v02.api.letsencrypt.org/directory", "letsencrypt-staging"),
    (ZEROSSL, "zerossl"),
    ("https://dv.acme-v02.api.pki.goog/directory", "google"),
    ("https://api.buypass.com/acme/directory", "buypass"),
    ("https://acme.ssl.com/sslcom-dv-rsa", "sslcom"),
];
/// With room for a number behind it within what `acme.issuer.name` takes.
const LONGEST: usize = 56;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_called_what_everybody_calls_it() {
        let mut plan = Plan::default();
        for directory in [LETS_ENCRYPT, "https://127.0.0.1:14000/dir", "https://127.0.0.1:14000/other", LETS_ENCRYPT] {
            plan.add_authority(directory, None);
        }
        let names: Vec<_> = plan.authorities.iter().map(|authority| authority.name.as_str()).collect();
        assert_eq!(names, ["letsencrypt", "127-0-0-1-14000", "127-0-0-1-14000-2"]);
    }
}
