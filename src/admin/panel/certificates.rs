//! *Certificates*: all there are, with their ends, and one of them with its versions.

use askama::Template;
use http::Method;
use http::header::{self, HeaderValue};
use serde::{Deserialize, Serialize};

use super::done::Done;
use super::frame::Frame;
use super::moment::{day, minute};
use super::page::{FORM_TOKEN, Page, Visit, path, query, read_counted, secret_document, shown};
use super::said::FlawView;
use super::sites::{A_PAGE, Pages};
use super::standing::band_class;
use crate::admin::answers::Version;
use crate::admin::api::Content;
use crate::admin::problem::{Answer, Kind, Problem};
use crate::overview::Band;
use crate::words::panel::{CertificatesWords, PanelWords};
use crate::words::refusal::Refusal;

/// `certificates`
pub(super) static PAGES: &[Page] = &[
    Page::get("certificates", |visit| Box::pin(list(visit))),
    Page::get("certificates/{fingerprint}", |visit| Box::pin(one(visit))),
    Page::post("certificates/{fingerprint}/rollback", &[FORM_TOKEN], |visit| Box::pin(roll_back(visit))),
    Page::post("certificates/{fingerprint}/delete", &[FORM_TOKEN, "last_good"], |visit| Box::pin(delete(visit))),
    Page::post("certificates/{fingerprint}/export", &[FORM_TOKEN, "password", "again"], |visit| {
        Box::pin(export(visit))
    }),
];

#[derive(Template)]
#[template(path = "certificates.html")]
struct Certificates {
    frame: Frame,
    words: &'static CertificatesWords,
    all: &'static PanelWords,
    text: String,
    band: String,
    certificates: Vec<Certificate>,
    told: String,
    pages: Pages,
    objects: Vec<Object>,
    may_add: bool,
}

#[derive(Deserialize)]
struct Certificate {
    fingerprint: String,
    subject: String,
    issuer: String,
    serial: String,
    #[serde(rename = "type")]
    kind: String,
    names: Vec<String>,
    key_type: String,
    not_before: String,
    not_after: String,
    days_left: i64,
    file: String,
    state: String,
    band: String,
    level: Option<String>,
    verdict: String,
    warnings: Vec<FlawView>,
    sites: Vec<String>,
}

impl Certificate {
    fn ends(&self) -> String {
        day(&self.not_after)
    }

    fn begins(&self) -> String {
        day(&self.not_before)
    }

    fn class(&self) -> &'static str {
        if self.state == "not_yet_valid" { "bad" } else { band_class(&self.band) }
    }

    /// What to call it by that has no common name.
    fn title(&self) -> &str {
        match self.subject.as_str() {
            "" => self.names.first().map_or(self.fingerprint.as_str(), String::as_str),
            subject => subject,
        }
    }
}

/// What is kept and is no certificate of a server.
#[derive(Deserialize)]
pub(super) struct Object {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) sites: Vec<String>,
    pub(super) not_after: Option<String>,
    state: String,
    pub(super) version: u32,
}

impl Object {
    pub(super) fn ends(&self) -> String {
        self.not_after.as_deref().map(day).unwrap_or_default()
    }

    fn class(&self) -> &'static str {
        match self.state.as_str() {
            "valid" => "good",
            "expired" | "not_yet_valid" => "bad",
            _ => "plain",
        }
    }

    fn kind_text(&self, words: &CertificatesWords) -> &'static str {
        match self.kind.as_str() {
            "apple-pay-certificate" => words.apple_certificate,
            _ => words.apple_proof,
        }
    }
}

async fn list(visit: Visit) -> Result<Answer, Problem> {
    let (text, band) = (visit.asked("q").trim().to_owned(), visit.asked("band").to_owned());
    let offset: usize = visit.asked("offset").parse().unwrap_or(0);
    let asked = [("q", text.as_str()), ("band", &band)];
    let (from, limit) = (offset.to_string(), A_PAGE.to_string());
    let paged: Vec<_> = asked.into_iter().chain([("offset", &*from), ("limit", &*limit)]).collect();
    let found = visit.ask_whole("certificates", &query(&paged)).await?;
    let (certificates, total): (Vec<Certificate>, usize) = read_counted(found).await?;
    let objects = if offset == 0 && text.is_empty() { visit.ask("objects", "").await? } else { Vec::new() };
    let pages = Pages::of("/certificates", &asked, offset, certificates.len(), total);
    let all = visit.words();
    let told = match certificates.is_empty() {
        true => all.certificates.none.to_owned(),
        false => (all.frame.shown_of)(pages.first, pages.last, total),
    };
    let (frame, words) = (visit.frame(all.certificates.title), &all.certificates);
    let may_add = visit.offers(&Method::POST, "certificates");
    shown(&Certificates { frame, words, all, text, band, certificates, told, pages, objects, may_add })
}

#[derive(Template)]
#[template(path = "certificate.html")]
struct One {
    frame: Frame,
    words: &'static CertificatesWords,
    certificate: Certificate,
    versions: Vec<Version>,
    may_export: bool,
    may_change: bool,
}

impl Version {
    fn ends(&self) -> String {
        day(&self.not_after)
    }

    fn begins(&self) -> String {
        day(&self.not_before)
    }

    fn added(&self) -> String {
        minute(&self.added)
    }

    fn short(&self) -> &str {
        self.fingerprint.get(..12).unwrap_or(&self.fingerprint)
    }

    fn can_serve(&self) -> bool {
        !self.current && self.state == "valid" && self.revoked.is_none()
    }
}

async fn one(visit: Visit) -> Result<Answer, Problem> {
    let place = place(&visit);
    let certificate: Certificate = visit.ask(&place, "").await?;
    let versions = match visit.ask(&format!("{place}/history"), "").await {
        Ok(versions) => versions,
        // A certificate that was never kept has none.
        Err(problem) if matches!(problem.kind(), Kind::NotFound | Kind::Conflict) => Vec::new(),
        Err(problem) => return Err(problem),
    };
    let words = &visit.words().certificates;
    let may_export = visit.may(Method::POST, &format!("{place}/export")).await;
    let may_change = visit.may(Method::DELETE, &place).await;
    let frame = visit.frame(certificate.title());
    shown(&One { frame, words, certificate, versions, may_export, may_change })
}

/// Where the API has it.
fn place(visit: &Visit) -> String {
    format!("certificates/{}", path(&[visit.parameter("fingerprint")]))
}

async fn roll_back(visit: Visit) -> Result<Answer, Problem> {
    let place = place(&visit);
    visit.order(Method::POST, &format!("{place}/rollback"), "", Content::None).await?;
    Ok(Done::WentBack.at(&format!("/{place}")))
}

async fn delete(visit: Visit) -> Result<Answer, Problem> {
    let even_last = query(&[("last_good", visit.field("last_good")?)]);
    visit.order(Method::DELETE, &place(&visit), &even_last, Content::None).await?;
    Ok(Done::Deleted.at("/certificates"))
}

/// Hands out the certificate with its key, as one file behind a password.
async fn export(visit: Visit) -> Result<Answer, Problem> {
    #[derive(Serialize)]
    struct Order<'a> {
        format: &'static str,
        password: &'a str,
    }
    let password = visit.form.text("password")?.unwrap_or_default();
    if visit.form.text("again")? != Some(password) {
        let text = visit.words().certificates.not_alike;
        return Err(Problem::malformed(text).because(Refusal::Own(text)));
    }
    let order = secret_document(&Order { format: "pfx", password })?;
    let place = format!("{}/export", place(&visit));
    let mut answer = visit.order(Method::POST, &place, "", order).await?;
    let named = visit.parameter("fingerprint").chars().filter(char::is_ascii_hexdigit).take(12).collect::<String>();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{named}.pfx\"")) {
        answer.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(answer)
}
