//! What is to be carried over, and what cannot be.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::keys::{Keys, agreed};
use super::redirect::{Elsewhere, Redirect};
use super::shown::ShownFile;
use super::upstream::Upstream;
use crate::live::OrderedKey;
use crate::name::HostPattern;
use crate::telemetry::printable;

/// Everything that was found at a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order of the peer's configuration.
    pub sites: Vec<Site>,
    /// Pairs that are to be copied, each once.
    pub certificates: Vec<Certificate>,
    /// At most one for each authority.
    pub accounts: Vec<Account>,
    /// Authorities in the peer's order of preference.
    pub authorities: Vec<Authority>,
    /// What belongs into the main file.
    pub settings: Vec<Setting>,
    /// Files below `/.well-known/`.
    pub shown: Vec<ShownFile>,
    /// Whom an authority writes to, as `mailto:`.
    pub contact: Vec<String>,
    /// Whether the peer has agreed to the terms of its authorities: it has an account there, or orders without being asked.
    pub terms_agreed: bool,
    /// What was not carried over, or means something else here.
    pub remarks: Vec<Remark>,
    /// Which of the sites each host is of.
    sites_of: HashMap<HostPattern, usize>,
}

/// The names of one shop and what is behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// At least one, and no other site has it.
    pub hosts: Vec<HostPattern>,
    /// Empty when the routes are all there is, or when the peer does not say.
    pub upstreams: Vec<Upstream>,
    /// Paths that go elsewhere.
    pub routes: Vec<Route>,
    /// Requests that are sent elsewhere.
    pub redirects: Vec<Redirect>,
    /// What else its file says.
    pub keys: Keys,
    /// Where its certificates come from.
    pub provision: Provision,
    /// The type of key that they are ordered for; `None`: the peer does not say, or as for all.
    pub key_type: Option<OrderedKey>,
    /// Where the peer has it.
    pub place: Place,
}

/// A path prefix, and where its requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Begins with a slash.
    pub path: String,
    /// At least one.
    pub upstreams: Vec<Upstream>,
    /// What else the route says.
    pub keys: Keys,
}

/// Where a site's certificates came from, and will come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provision {
    /// An ACME client had it issued.
    Managed,
    /// The operator brought it.
    #[default]
    Uploaded,
    /// The peer's own authority.
    SelfSigned,
}

/// The files of a certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// What its folder is to be called.
    pub name: String,
    /// One file with everything, or the chain and the key.
    pub files: Vec<PathBuf>,
    /// One line that opens the key.
    pub password_file: Option<PathBuf>,
    /// Where the peer names it.
    pub place: Place,
}

/// An account at an authority.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The authority's directory.
    pub directory: String,
    /// Where the authority has it; `None`: the key alone is known.
    pub url: Option<String>,
    /// What signs its orders.
    pub key: AccountKey,
    /// Whom the authority writes to, as far as is known.
    pub contact: Vec<String>,
    /// Where it lies.
    pub place: Place,
}

/// The file of an account's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountKey {
    /// A JSON Web Key (RFC 7517).
    Jwk(PathBuf),
    /// PEM.
    Pem(PathBuf),
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("directory", &self.directory)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// Who issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// A word for it, which is the name of a folder too.
    pub name: String,
    /// Where it says what it can do.
    pub directory: String,
    /// Roots that its server is known by.
    pub ca_file: Option<PathBuf>,
    /// Which of its kinds of certificate is asked for.
    pub profile: Option<String>,
}

/// A key of the main file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// `"limits"`
    pub section: &'static str,
    /// `"body_size"`
    pub key: &'static str,
    /// As TOML writes it.
    pub value: String,
}

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Where it stands at the peer; `None`: it follows from what is not there.
    pub place: Option<Place>,
    /// What it is, in one sentence.
    pub text: String,
    /// What to do about it.
    pub mend: String,
    /// Whether visitors or renewals miss it.
    pub weight: Weight,
}

/// Whether something is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Visitors, shops or renewals meet something else than before.
    LeftOut,
    /// Worth knowing, and nothing is missed.
    Note,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// As the peer names it.
    pub file: Arc<std::path::Path>,
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
}

impl Place {
    /// The whole of a file.
    #[must_use]
    pub fn whole(file: &std::path::Path) -> Self {
        Self { file: file.into(), line: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.file.to_string_lossy()))?;
        if self.line > 0 { write!(f, ":{}", self.line) } else { Ok(()) }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&printable(&self.text))?;
        if self.mend.is_empty() { Ok(()) } else { write!(f, "; {}", printable(&self.mend)) }
    }
}

impl Plan {
    /// Notes what is missed.
    pub(super) fn left_out(&mut self, place: &Place, text: impl Into<String>, mend: impl Into<String>) {
        self.remark(Some(place.clone()), Weight::LeftOut, text.into(), mend.into());
    }

    /// Notes what is worth knowing.
    pub(super) fn note(&mut self, place: &Place, text: impl Into<String>, mend: impl Into<String>) {
        self.remark(Some(place.clone()), Weight::Note, text.into(), mend.into());
    }

    /// Notes what follows from what is not there.
    pub(super) fn note_overall(&mut self, text: impl Into<String>, mend: impl Into<String>) {
        self.remark(None, Weight::Note, text.into(), mend.into());
    }

    /// What all groups of servers of a site say alike, each with whether it has one server alone; what they do not is left out.
    pub(super) fn agree<'a>(&mut self, place: &Place, groups: impl IntoIterator<Item = (&'a Keys, bool)>) -> Keys {
        let (keys, differing) = agreed(groups);
        for table in differing {
            let text =
                format!("its upstreams differ in what [site.{table}] says, which a site has once for all of them");
            self.left_out(place, text, format!("see [site.{table}]"));
        }
        keys
    }

    /// Each is said once, however often it is met.
    fn remark(&mut self, place: Option<Place>, weight: Weight, text: String, mend: String) {
        let remark = Remark { place, text, mend, weight };
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    /// Reads names as a peer writes them; what is none is remarked on.
    pub(super) fn hosts<'a>(&mut self, place: &Place, names: impl IntoIterator<Item = &'a str>) -> Vec<HostPattern> {
        let (mut hosts, mut known) = (Vec::new(), HashSet::new());
        for name in names {
            match HostPattern::parse(name) {
                Ok(host) if known.insert(host.clone()) => hosts.push(host),
                Ok(_) => {}
                Err(error) => self.left_out(place, format!("{error}"), "name each host of the shop in its site file"),
            }
        }
        hosts
    }

    /// Adds a site. A host that another has already stays with that one; who has none left is not added.
    pub(super) fn add_site(&mut self, mut site: Site) {
        let mut doubled = Vec::new();
        site.hosts.retain(|host| {
            let taken = self.sites_of.get(host).and_then(|place| self.sites.get(*place));
            doubled.extend(taken.map(|known| (host.to_string(), known.place.clone())));
            taken.is_none()
        });
        // What a host that stays elsewhere leads to, it leads to there.
        let Site { hosts, redirects, .. } = &mut site;
        redirects.retain(|redirect| redirect.is_of(hosts));
        for (host, first) in doubled {
            let text = format!("{host} is served at {first} already, and a host has one site");
            self.left_out(&site.place.clone(), text, "see which of the two is meant, and edit its site file");
        }
        let wildcard = site.hosts.iter().find(|host| matches!(host, HostPattern::Wildcard(_)));
        if let Some(wildcard) = wildcard.filter(|_| site.provision == Provision::Managed) {
            let text =
                format!("{wildcard} is a wildcard, whose renewal takes access to its DNS: its site is \"uploaded\"");
            self.left_out(
                &site.place.clone(),
                text,
                "name each host and make it \"managed\", or bring the next certificate in time",
            );
            site.provision = Provision::Uploaded;
        }
        if !site.hosts.is_empty() {
            self.sites_of.extend(site.hosts.iter().map(|host| (host.clone(), self.sites.len())));
            self.sites.push(site);
        }
    }

    /// Adds names to the site that they lead to, if it has its certificates from where they have theirs.
    pub(super) fn add_elsewhere(&mut self, elsewhere: Elsewhere) {
        let Elsewhere { mut hosts, redirects, provision, place } = elsewhere;
        hosts.retain(|host| !self.sites_of.contains_key(host));
        if hosts.is_empty() {
            return;
        }
        let to = redirects.iter().find(|redirect| redirect.path == "/").map(|redirect| redirect.to.as_str());
        let to = to.and_then(|to| to.strip_prefix("https://")).map(|rest| rest.split('/').next().unwrap_or_default());
        let at = to.and_then(|to| self.sites_of.get(&HostPattern::parse(to).ok()?)).copied();
        let site = at.and_then(|at| self.sites.get_mut(at)).filter(|site| site.provision == provision);
        let (Some(site), Some(at)) = (site, at) else {
            let names: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            let text = format!("{} only leads elsewhere, and to no site that was found here", names.join(", "));
            return self.left_out(&place, text, "add it to the hosts of a site, with a [[site.redirect]]");
        };
        let shares = site.keys.has("hsts", "max_age") || site.keys.has("tls", "client_certificates");
        let own = redirects.into_iter().map(|redirect| Redirect { hosts: hosts.clone(), ..redirect });
        site.redirects.extend(own);
        self.sites_of.extend(hosts.iter().map(|host| (host.clone(), at)));
        site.hosts.extend(hosts);
        if shares {
            let text =
                "names that only lead to a site are names of that site here, and share its [site.hsts] and [site.tls]";
            self.note(&place, text, "give them a [[site]] of their own if they must not");
        }
    }

    /// Adds a certificate, unless its files are there already. Names of folders are told apart.
    pub(super) fn add_certificate(&mut self, name: &str, files: Vec<PathBuf>, place: &Place) {
        self.add_certificate_with(name, files, None, place);
    }

    /// The same with what opens its key.
    pub(super) fn add_certificate_with(
        &mut self,
        name: &str,
        files: Vec<PathBuf>,
        password_file: Option<PathBuf>,
        place: &Place,
    ) {
        if self.certificates.iter().any(|known| known.files == files) {
            return;
        }
        let base = folder_name(name);
        let taken = |name: &str| self.certificates.iter().any(|known| known.name == name);
        let numbered = (2_usize..).map(|number| format!("{base}-{number}"));
        let Some(name) = std::iter::once(base.clone()).chain(numbered).find(|name| !taken(name)) else { return };
        self.certificates.push(Certificate { name, files, password_file, place: place.clone() });
    }

    /// Sets a key of the main file, once.
    pub(super) fn set(&mut self, section: &'static str, key: &'static str, value: impl Into<String>) {
        if !self.settings.iter().any(|known| (known.section, known.key) == (section, key)) {
            self.settings.push(Setting { section, key, value: value.into() });
        }
    }

    /// Adds somebody that authorities write to.
    pub(super) fn add_contact(&mut self, mail: &str) {
        let mail = format!("mailto:{}", mail.trim().trim_start_matches("mailto:"));
        if mail.contains('@') && !self.contact.contains(&mail) {
            self.contact.push(mail);
        }
    }
}

/// A name that is one part of a path and no pattern.
pub(super) fn folder_name(name: &str) -> String {
    let name = name.replace("*.", "wildcard.");
    let sound = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let name: String = name.chars().map(|letter| if sound(letter) { letter } else { '-' }).take(LONGEST).collect();
    let name = name.trim_matches(['.', '-']).to_owned();
    if name.is_empty() { "certificate".into() } else { name }
}

/// A line for a sentence, as far as it can hold no secret: its first words, without what they set.
pub(super) fn shown<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    let plain = |word: &str| word.chars().count() <= LONGEST_WORD && !word.contains(['@', ' ', '=', '?']);
    let tells = |word: &str| ["secret", "passw", "token", "md5", "auth", "eab"].iter().any(|sign| word.contains(sign));
    let most = match words.get(1).copied() {
        Some("set-header" | "add-header" | "del-header" | "replace-header" | "replace-value") => 3,
        Some(_) if words.first().is_some_and(|first| tells(first)) => 1,
        _ => 2,
    };
    let kept = words.iter().take(most).take_while(|word| plain(word)).count();
    let rest = if kept < words.len() { " …" } else { "" };
    words[..kept].join(" ") + rest
}

/// Longer words are hardly names.
const LONGEST_WORD: usize = 60;
/// With room for a number behind it in a name that file systems take.
const LONGEST: usize = 180;
