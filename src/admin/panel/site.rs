//! *Site*: one of them, where its certificates come from, and what becomes of it.

use askama::Template;
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::certificates::Object;
use super::contacts;
use super::done::Done;
use super::frame::Frame;
use super::minimum;
use super::moment::{day, minute};
use super::page::{FORM_TOKEN, Page, Visit, document, path, query, shown};
use super::standing::source_text;
use crate::admin::answers::{Contact, Site, SiteHost};
use crate::admin::api::Content;
use crate::admin::problem::{Answer, Kind, Problem};
use crate::live::Provision;
use crate::words::minimum::MinimumWords;
use crate::words::panel::{PanelWords, SiteWords};
use crate::words::refusal::{Expects, Refusal};

/// `sites/{name}`
pub(super) static PAGES: &[Page] = &[
    Page::get("sites/{name}", |visit| Box::pin(one(visit))),
    Page::get("sites/{name}/switch", |visit| Box::pin(preview(visit))),
    Page::post("sites/{name}/switch", &[FORM_TOKEN, "certificate", "pinned"], |visit| Box::pin(switch(visit))),
    Page::post("sites/{name}/unswitch", &[FORM_TOKEN], |visit| Box::pin(take_back(visit))),
    Page::post("sites/{name}/renew", &[FORM_TOKEN], |visit| Box::pin(renew(visit))),
    Page::post("sites/{name}/proof", &[FORM_TOKEN, "file", "expires"], |visit| Box::pin(bring_proof(visit))),
    Page::post("sites/{name}/proof/remove", &[FORM_TOKEN, "id"], |visit| Box::pin(remove_proof(visit))),
];

#[derive(Template)]
#[template(path = "site.html")]
struct SitePage {
    frame: Frame,
    words: &'static SiteWords,
    all: &'static PanelWords,
    site: Site,
    ways: Vec<Way>,
    minimum: &'static MinimumWords,
    /// What can be asked for, with its text.
    levels: Vec<(&'static str, &'static str)>,
    proofs: Vec<Object>,
    contacts: Vec<Contact>,
    /// Whether the visitor may change something of the site.
    may_change: bool,
    /// Whether the visitor may say who is told.
    may_tell: bool,
}

/// A way to certificates that a site can be switched to.
struct Way {
    word: &'static str,
    text: &'static str,
    about: &'static str,
    is_now: bool,
}

impl Site {
    fn decided(&self, words: &SiteWords) -> Option<String> {
        let (by, at) = self.certificate.decided_by.as_ref().zip(self.certificate.decided_at.as_ref())?;
        Some((words.decided)(by, &minute(at)))
    }

    fn minimum_decided(&self, words: &SiteWords) -> Option<String> {
        let (by, at) = self.minimum.decided_by.as_ref().zip(self.minimum.decided_at.as_ref())?;
        Some((words.decided)(by, &minute(at)))
    }

    fn asks_for(&self, level: &str) -> bool {
        self.minimum.effective.as_deref() == Some(level)
    }
}

async fn one(visit: Visit) -> Result<Answer, Problem> {
    let site = look(&visit).await?;
    let objects: Vec<Object> = visit.ask("objects", "").await?;
    let shows = |object: &Object| object.kind == IDENTITY_PROOF && object.sites.contains(&site.name);
    let proofs = objects.into_iter().filter(shows).collect();
    let mut contacts = contacts::known(&visit).await?;
    contacts.retain(|contact| contact.is_told_of(&site.name));
    let all = visit.words();
    let ways = ways(all, &site.certificate.effective);
    let frame = visit.frame(site.name.clone());
    let may_change = visit.may(Method::POST, &format!("sites/{}/choice", path(&[&site.name]))).await;
    let may_tell = visit.offers(&Method::POST, "contacts");
    let minimum = visit.language.minimum();
    let levels = minimum::choices(minimum);
    shown(&SitePage {
        frame,
        words: &all.site,
        all,
        site,
        ways,
        minimum,
        levels,
        proofs,
        contacts,
        may_change,
        may_tell,
    })
}

async fn look(visit: &Visit) -> Result<Site, Problem> {
    visit.ask(&format!("sites/{}", path(&[visit.parameter("name")])), "").await
}

fn ways(all: &'static PanelWords, now: &str) -> Vec<Way> {
    let way = |provision: Provision, about| {
        let word = provision.word();
        Way { word, text: source_text(word, &all.standing), about, is_now: word == now }
    };
    vec![
        way(Provision::Managed, all.site.about_managed),
        way(Provision::Uploaded, all.site.about_uploaded),
        way(Provision::SelfSigned, all.site.about_self_signed),
    ]
}

#[derive(Template)]
#[template(path = "switch.html")]
struct Preview {
    frame: Frame,
    words: &'static SiteWords,
    all: &'static PanelWords,
    site: Site,
    to: &'static str,
    to_text: &'static str,
    about: &'static str,
    hosts: Vec<Change>,
    candidates: Vec<Candidate>,
}

/// What becomes of a host.
struct Change {
    host: String,
    before: String,
    behind: String,
}

/// A certificate that is for hosts of the site.
#[derive(Deserialize)]
struct Candidate {
    fingerprint: String,
    subject: String,
    issuer: String,
    names: Vec<String>,
    key_type: String,
    not_after: String,
    state: String,
}

impl Candidate {
    fn told(&self) -> String {
        certificate_text([&self.subject, &self.issuer, &self.key_type], &self.not_after, &self.fingerprint)
    }

    /// How well it fits: by the very name, by a wildcard, or not at all.
    fn fit(&self, host: &str) -> Option<u8> {
        let above = host.split_once('.').map(|(_, above)| format!("*.{above}"));
        let has = |name: &str| self.names.iter().any(|own| own == name);
        if has(host) { Some(0) } else { above.filter(|above| has(above)).map(|_| 1) }
    }
}

/// What a certificate is told from others by, on one line.
pub(super) fn certificate_text([subject, issuer, key_type]: [&str; 3], not_after: &str, fingerprint: &str) -> String {
    let short = fingerprint.get(..12).unwrap_or_default();
    format!("{subject} · {issuer} · {key_type} · {} · {short}", day(not_after))
}

/// Shows what would be served; changes nothing.
async fn preview(visit: Visit) -> Result<Answer, Problem> {
    visit.demand(&Method::POST, "certificates")?;
    let site = look(&visit).await?;
    if !visit.reach().changes(&site.name) {
        return Err(Problem::new(Kind::NotAllowed, "your role for this site is to look").because(Refusal::MayNotChange));
    }
    let all = visit.words();
    let to = provision(visit.asked("to"))?;
    let mut candidates: Vec<Candidate> = Vec::new();
    for host in site.hosts.iter().take(MOST_HOSTS) {
        let found: Vec<Candidate> =
            visit.ask("certificates", &query(&[("host", &host.host), ("limit", MOST_CANDIDATES)])).await?;
        for candidate in found {
            if !candidates.iter().any(|known| known.fingerprint == candidate.fingerprint) {
                candidates.push(candidate);
            }
        }
    }
    let behind = |host: &str| match to {
        Provision::SelfSigned => all.site.by_own_authority.to_owned(),
        Provision::Managed | Provision::Uploaded => {
            // The API lists the best first.
            let valid = candidates.iter().filter(|candidate| candidate.state == "valid");
            let best =
                valid.filter_map(|candidate| Some((candidate.fit(host)?, candidate))).min_by_key(|(fit, _)| *fit);
            match (best, to) {
                (Some((_, best)), _) => best.told(),
                (None, Provision::Managed) => all.site.to_be_ordered.to_owned(),
                (None, _) => all.standing.nothing.to_owned(),
            }
        }
    };
    let change = |host: &SiteHost| Change {
        before: match host.certificates.first() {
            Some(serving) => format!("{} · {} · {}", serving.key_type, serving.ends(), serving.short()),
            None => all.standing.nothing.to_owned(),
        },
        behind: behind(&host.host),
        host: host.host.clone(),
    };
    let hosts = site.hosts.iter().map(change).collect();
    let way = ways(all, "").into_iter().find(|way| way.word == to.word());
    let (to_text, about) = way.map(|way| (way.text, way.about)).unwrap_or_default();
    if to != Provision::Uploaded {
        candidates.clear();
    }
    let frame = visit.frame((all.site.switch_title)(&site.name, to_text));
    let to = to.word();
    shown(&Preview { frame, words: &all.site, all, site, to, to_text, about, hosts, candidates })
}

async fn switch(visit: Visit) -> Result<Answer, Problem> {
    let name = visit.parameter("name");
    let certificate = provision(visit.field("certificate")?)?.word();
    let pinned: Vec<String> = visit.fields("pinned").filter(|pinned| !pinned.is_empty()).map(str::to_owned).collect();
    let order = document(&json!({ "certificate": certificate, "pinned": pinned }));
    visit.order(Method::POST, &format!("sites/{}/choice", path(&[name])), "", order).await?;
    Ok(Done::Switched.at(&format!("/sites/{}", path(&[name]))))
}

async fn take_back(visit: Visit) -> Result<Answer, Problem> {
    let name = path(&[visit.parameter("name")]);
    visit.order(Method::DELETE, &format!("sites/{name}/choice"), "", Content::None).await?;
    Ok(Done::Switched.at(&format!("/sites/{name}")))
}

async fn renew(visit: Visit) -> Result<Answer, Problem> {
    let name = path(&[visit.parameter("name")]);
    visit.order(Method::POST, &format!("sites/{name}/renew"), "", Content::None).await?;
    Ok(Done::Ordered.at(&format!("/sites/{name}")))
}

/// Has the site show the file by which Apple sees whose the domain is.
async fn bring_proof(visit: Visit) -> Result<Answer, Problem> {
    let name = visit.parameter("name");
    let objects: Vec<Object> = visit.ask("objects", "").await?;
    let known = objects.iter().find(|object| object.kind == IDENTITY_PROOF && object.sites.iter().any(|it| it == name));
    let id = known.map(|object| object.id.as_str()).unwrap_or_default();
    let expires = match visit.field("expires")? {
        "" => String::new(),
        day => format!("{day}T23:59:59Z"),
    };
    let mut parts = vec![("type", None, IDENTITY_PROOF.as_bytes()), ("site", None, name.as_bytes())];
    parts.extend(visit.form.files("file").map(|file| ("file", file.name, file.content)));
    parts.extend(
        [("id", id), ("expires", expires.as_str())]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(field, value)| (field, None, value.as_bytes())),
    );
    let form = crate::admin::api::Form::of(&parts);
    visit.order(Method::POST, "objects", "", Content::Form(form)).await?;
    Ok(Done::Shown.at(&format!("/sites/{}", path(&[name]))))
}

/// Has the site show it no more.
async fn remove_proof(visit: Visit) -> Result<Answer, Problem> {
    let object = format!("objects/{}", path(&[visit.field("id")?]));
    visit.order(Method::DELETE, &object, "", Content::None).await?;
    Ok(Done::Hidden.at(&format!("/sites/{}", path(&[visit.parameter("name")]))))
}

fn provision(word: &str) -> Result<Provision, Problem> {
    let all = [Provision::Managed, Provision::Uploaded, Provision::SelfSigned];
    all.into_iter().find(|provision| provision.word() == word).ok_or_else(|| {
        Problem::malformed(format!("certificate: expected {}, found {word:?}", all.map(Provision::word).join(", ")))
            .because(Refusal::field("certificate", Expects::Usual))
    })
}

const IDENTITY_PROOF: &str = "apple-pay-identity-proof";
/// Certificates have as many names at most.
const MOST_HOSTS: usize = 100;
const MOST_CANDIDATES: &str = "20";
