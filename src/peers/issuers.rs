//! Authorities and the ACME clients that leave certificates behind.

use std::path::Path;

use super::plan::{Authority, Place, Plan};
use crate::live::OrderedKey;

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
        self.authorities.push(Authority { name, directory: directory.into(), ca_file, profile: None });
    }

    /// Notes which kind of certificate is asked for at the authority with this directory. There is one for all of its certificates.
    pub(super) fn ask_profile(&mut self, directory: &str, profile: &str, place: &Place) {
        let Some(authority) = self.authorities.iter_mut().find(|known| known.directory == directory) else { return };
        match &authority.profile {
            None => authority.profile = Some(profile.into()),
            Some(known) if known == profile => {}
            Some(known) => {
                let text =
                    format!("the profile {profile:?} is not carried over: others ask this authority for {known:?}");
                self.left_out(
                    place,
                    text,
                    "name the authority in a second [[acme.issuer]], or see acme.issuer.profile",
                );
            }
        }
    }

    /// Notes a key that is asked for otherwise than keys are made here.
    pub(super) fn note_key(&mut self, place: &Place, asked: &str, made: OrderedKey) {
        let made = match made {
            OrderedKey::Ecdsa => "ECDSA on P-256",
            OrderedKey::Rsa => "RSA of 2048 bits",
        };
        self.note(place, format!("keys are {asked}, and those that Vitrine makes are {made}"), "");
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

    #[test]
    fn an_authority_is_asked_for_one_profile_and_whoever_wants_another_is_told() {
        let (mut plan, place) = (Plan::default(), Place::whole(Path::new("x")));
        plan.add_authority(LETS_ENCRYPT, None);
        for profile in ["shortlived", "shortlived", "tlsserver"] {
            plan.ask_profile(LETS_ENCRYPT, profile, &place);
        }
        plan.ask_profile("https://nobody.example/", "x", &place);
        assert_eq!(plan.authorities[0].profile.as_deref(), Some("shortlived"));
        let told: Vec<_> = plan.remarks.iter().map(|remark| remark.text.as_str()).collect();
        assert_eq!(
            told,
            ["the profile \"tlsserver\" is not carried over: others ask this authority for \"shortlived\""]
        );
    }
}
