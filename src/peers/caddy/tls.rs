//! `tls`: where a site's certificates come from.

use std::path::PathBuf;

use super::Reading;
use super::grammar::Segment;
use crate::live::OrderedKey;
use crate::peers::issuers::{LETS_ENCRYPT, ZEROSSL};
use crate::peers::keys;
use crate::peers::plan::Place;

/// Where certificates come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Keys {
    /// An authority that is asked for them, as is usual.
    #[default]
    Acme,
    /// Caddy's own authority.
    Internal,
    /// Files.
    Files(Vec<PathBuf>, Place),
}

impl Reading<'_> {
    pub(super) fn tls(&mut self, line: &Segment, keys: &mut Keys, site: &mut keys::Keys) {
        match line.rest() {
            [] => {}
            [one] if one == "internal" => *keys = Keys::Internal,
            [one] if one.contains('@') => self.plan.add_contact(one),
            [chain, key] => {
                *keys = Keys::Files([chain, key].map(|file| self.folder.join(file)).into(), line.place.clone());
            }
            _ => {
                self.plan.left_out(&line.place, format!("{:?} is not understood", line.shown()), "see site.certificate")
            }
        }
        for inner in line.inner() {
            self.tls_option(inner, keys, site);
        }
    }

    fn tls_option(&mut self, line: &Segment, keys: &mut Keys, site: &mut keys::Keys) {
        let (value, place) = (line.word(1), &line.place);
        match (line.word(0), value) {
            ("protocols", least) => {
                if least == "tls1.3" {
                    site.text("tls", "min_version", "1.3");
                }
            }
            ("issuer", "internal") => *keys = Keys::Internal,
            ("issuer", "acme") => {
                let directory = match line.word(2) {
                    "" => line
                        .inner()
                        .iter()
                        .find(|inner| matches!(inner.word(0), "ca" | "dir"))
                        .map(|inner| inner.word(1)),
                    directory => Some(directory),
                };
                let root = line
                    .inner()
                    .iter()
                    .find(|inner| inner.word(0) == "trusted_roots")
                    .map(|inner| self.folder.join(inner.word(1)));
                let email = line.inner().iter().find(|inner| inner.word(0) == "email");
                email.iter().for_each(|email| self.plan.add_contact(email.word(1)));
                let profile = line.inner().iter().find(|inner| inner.word(0) == "profile");
                let directory = directory.or(profile.map(|_| LETS_ENCRYPT));
                if let Some(directory) = directory {
                    self.plan.add_authority(directory, root.as_deref());
                }
                if let (Some(directory), Some(profile)) = (directory, profile) {
                    self.plan.ask_profile(directory, profile.word(1), &profile.place);
                }
            }
            ("issuer", "zerossl") => self.plan.add_authority(ZEROSSL, None),
            ("ca", directory) => {
                let root = self.root.clone();
                self.plan.add_authority(directory, root.as_deref());
            }
            ("ca_root", file) => self.root = Some(self.folder.join(file)),
            (
                "dns"
                | "propagation_delay"
                | "propagation_timeout"
                | "resolvers"
                | "dns_ttl"
                | "dns_challenge_override_domain",
                _,
            ) => {
                let text = format!(
                    "{:?}: names are shown by DNS, and where its records are written is not carried over",
                    line.shown()
                );
                self.plan.note(
                    place,
                    text,
                    "say in [[acme.dns]] how records are written, or let each name lead to this edge",
                );
            }
            ("client_auth", _) if self.clients(line, site) => {}
            ("client_auth", _) => {
                let text = "clients are asked for certificates, which is not carried over";
                self.plan.left_out(place, text, "see [site.tls]; until it is set, these names are open to everybody");
            }
            ("on_demand", _) => {
                let text = "certificates for names that come up in handshakes are not carried over";
                self.plan.left_out(place, text, "see site.on_demand and site.ask, or name each host in a [[site]]");
            }
            ("load", folder) => {
                let text = format!("certificates in the folder {folder:?} are not told apart by site");
                self.plan.left_out(place, text, "copy them into the drop folder: they are recognised by their content");
            }
            ("key_type", word) => {
                let text = format!("the keys of this site are {word}, and which are ordered is not carried over");
                self.plan.note(place, text, "say site.key_types = [\"rsa\"] if clients need RSA");
            }
            ("ciphers" | "curves" | "alpn" | "insecure_secrets_log" | "eab", _) => {
                self.plan.note(place, format!("{:?} is not carried over", line.shown()), "");
            }
            _ => self.plan.left_out(place, format!("{:?} is not carried over", line.shown()), "see site.certificate"),
        }
    }

    /// `key_type` for all sites.
    pub(super) fn key_type(&mut self, word: &str, place: &Place) {
        let (made, as_asked) = match word {
            "rsa2048" | "rsa4096" => (OrderedKey::Rsa, word == "rsa2048"),
            _ => (OrderedKey::Ecdsa, word == "p256"),
        };
        if made == OrderedKey::Rsa {
            self.plan.set("acme", "key_types", "[\"rsa\"]");
        }
        if !as_asked {
            self.plan.note_key(place, word, made);
        }
    }

    /// Whom Caddy asks: those that are named, or the two that it asks by itself.
    pub(super) fn authorities(&mut self) {
        let managed = self.plan.sites.iter().any(|site| site.provision == crate::peers::plan::Provision::Managed);
        if !managed {
            return;
        }
        // Caddy orders without being asked, which is to agree.
        self.plan.terms_agreed = true;
        let root = self.root.clone();
        match self.directory.clone() {
            Some(directory) => self.plan.add_authority(&directory, root.as_deref()),
            None if self.plan.authorities.is_empty() => self.plan.add_authority(LETS_ENCRYPT, None),
            None => {}
        }
    }
}
