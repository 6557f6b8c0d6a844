//! *Add certificate*: files or text in any form, judged before anything goes live.

use askama::Template;
use http::Method;
use serde::Deserialize;

use super::done::Done;
use super::drafts::Taken;
use super::frame::Frame;
use super::moment::day;
use super::page::{FORM_TOKEN, Page, Visit, document, path, query, read, shown, shown_as};
use super::said::FlawView;
use super::trouble::Told;
use crate::admin::answers::{Site, SiteHost};
use crate::admin::api::{Content, Form};
use crate::admin::problem::{Answer, Kind, Problem, see};
use crate::overview::Said;
use crate::words::panel::{AddWords, PanelWords};

/// `certificates/add`
pub(super) static PAGES: &[Page] = &[
    Page::get("certificates/add", |visit| Box::pin(ask(visit))),
    Page::post("certificates/add", FIELDS, |visit| Box::pin(judge(visit))),
    Page::get("certificates/add/{draft}", |visit| Box::pin(judgement(visit))),
    Page::post("certificates/add/{draft}", &[FORM_TOKEN, "site"], |visit| Box::pin(confirm(visit))),
    Page::post("certificates/add/{draft}/discard", &[FORM_TOKEN], |visit| Box::pin(discard(visit))),
];

/// What the form holds: files of any kind, one for each kind, or text.
const FIELDS: &[&str] = &[
    FORM_TOKEN,
    "site",
    "file",
    "certificate",
    "key",
    "chain",
    "text",
    "text_certificate",
    "text_key",
    "text_chain",
    "password",
];

#[derive(Template)]
#[template(path = "add.html")]
struct Add {
    frame: Frame,
    words: &'static AddWords,
    site: String,
    trouble: Option<Said>,
    flaws: Vec<Told>,
}

async fn ask(visit: Visit) -> Result<Answer, Problem> {
    visit.demand(&Method::POST, "certificates")?;
    let words = &visit.words().add;
    let site = visit.asked("site").to_owned();
    shown(&Add { frame: visit.frame(words.title), words, site, trouble: None, flaws: Vec::new() })
}

async fn judge(visit: Visit) -> Result<Answer, Problem> {
    let words = &visit.words().add;
    let form = pieces(&visit.form, words)?;
    let site = visit.field("site")?.to_owned();
    let judged = visit.order(Method::POST, "certificates", "dry_run=true", Content::Form(form.again())).await;
    match judged {
        Ok(_) => {
            let id = visit.drafts.keep(visit.caller.name(), form, None)?;
            Ok(see(&format!("/certificates/add/{id}?{}", query(&[("site", &site)]))))
        }
        // What is wrong is told beside the form, to be mended there.
        Err(problem) if matches!(problem.kind(), Kind::Rejected | Kind::Malformed | Kind::Conflict) => {
            let (flaws, status) = (Told::of(&problem, visit.language), problem.kind().status());
            let own = Said::own(words.rejected);
            let trouble = Some(if flaws.is_empty() { problem.said(visit.language) } else { own });
            shown_as(status, &Add { frame: visit.frame(words.title), words, site, trouble, flaws })
        }
        Err(problem) => Err(problem),
    }
}

/// What was sent, as the API takes it; each piece by the name that the sender knows.
pub(super) fn pieces(sent: &Form, words: &'static AddWords) -> Result<Form, Problem> {
    let mut parts = Vec::new();
    for (field, name) in [
        ("file", words.file),
        ("certificate", words.certificate),
        ("key", words.key),
        ("chain", words.chain),
        ("text", words.text),
        ("text_certificate", words.certificate),
        ("text_key", words.key),
        ("text_chain", words.chain),
    ] {
        let is_there = |content: &[u8]| !content.trim_ascii().is_empty();
        let found = sent.files(field).filter(|file| is_there(file.content));
        parts.extend(found.map(|file| {
            let own = file.name.filter(|name| !name.is_empty());
            ("file", Some(own.unwrap_or(name)), file.content)
        }));
    }
    if let Some(password) = sent.text("password")?.filter(|password| !password.is_empty()) {
        parts.push(("password", None, password.as_bytes()));
    }
    Ok(Form::of(&parts))
}

#[derive(Template)]
#[template(path = "judgement.html")]
struct Judgement {
    frame: Frame,
    words: &'static AddWords,
    all: &'static PanelWords,
    draft: String,
    is_answer: bool,
    certificates: Vec<Arrived>,
    completed: Vec<String>,
    left_over: Vec<FlawView>,
    sites: Vec<Offered>,
}

#[derive(Deserialize)]
struct Judged {
    certificates: Vec<Arrived>,
    completed: Vec<String>,
    left_over: Vec<FlawView>,
}

#[derive(Deserialize)]
struct Arrived {
    certificate: Certificate,
    serves: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Certificate {
    pub(super) fingerprint: String,
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) names: Vec<String>,
    key_type: String,
    not_before: String,
    not_after: String,
    days_left: i64,
    band: String,
    level: Option<String>,
    verdict: String,
    pub(super) warnings: Vec<FlawView>,
}

impl Certificate {
    pub(super) fn ends(&self) -> String {
        day(&self.not_after)
    }

    pub(super) fn begins(&self) -> String {
        day(&self.not_before)
    }

    fn is_for(&self, host: &SiteHost) -> bool {
        let above = host.host.split_once('.').map(|(_, above)| format!("*.{above}"));
        self.names.iter().any(|name| *name == host.host || above.as_deref() == Some(name))
    }
}

/// A site that could be served.
struct Offered {
    site: Site,
    is_ticked: bool,
}

async fn judgement(visit: Visit) -> Result<Answer, Problem> {
    let all = visit.words();
    let draft = visit.parameter("draft").to_owned();
    let Taken { form, request } = visit.drafts.look(&visit.caller.name(), &draft)?;
    let judged = visit.order(Method::POST, "certificates", "dry_run=true", Content::Form(form)).await?;
    let Judged { certificates, completed, left_over } = read(judged).await?;
    let (wanted, reach) = (visit.asked("site"), visit.reach());
    let mut sites: Vec<Offered> = Vec::new();
    let names = certificates.iter().flat_map(|arrived| &arrived.certificate.names).take(MOST_NAMES);
    for name in names {
        let text = name.trim_start_matches("*.");
        let found: Vec<Site> = visit.ask("sites", &query(&[("q", text), ("limit", MOST_SITES)])).await?;
        for site in found {
            let is_for = |host: &SiteHost| certificates.iter().any(|arrived| arrived.certificate.is_for(host));
            if reach.changes(&site.name)
                && site.hosts.iter().any(is_for)
                && !sites.iter().any(|known| known.site.name == site.name)
            {
                // Where uploaded certificates serve, the best does by itself.
                let is_ticked = site.name == wanted && site.certificate.effective != "uploaded";
                sites.push(Offered { site, is_ticked });
            }
        }
    }
    let frame = visit.frame(all.add.judgement);
    let is_answer = request.is_some();
    shown(&Judgement { frame, words: &all.add, all, draft, is_answer, certificates, completed, left_over, sites })
}

async fn confirm(visit: Visit) -> Result<Answer, Problem> {
    let (who, draft) = (visit.caller.name(), visit.parameter("draft"));
    let Taken { form, request } = visit.drafts.look(&who, draft)?;
    if let Some(request) = request {
        let parts: Vec<_> = form.files("file").map(|file| ("certificate", file.name, file.content)).collect();
        let place = format!("requests/{}", path(&[&request]));
        visit.order(Method::POST, &format!("{place}/complete"), "", Content::Form(Form::of(&parts))).await?;
        visit.drafts.discard(&who, draft);
        return Ok(Done::Completed.at(&format!("/{place}")));
    }
    let answer = visit.order(Method::POST, "certificates", "", Content::Form(form)).await?;
    visit.drafts.discard(&who, draft);
    let Judged { certificates, completed, .. } = read(answer).await?;
    for name in visit.fields("site").filter(|name| !name.is_empty()) {
        let site: Site = visit.ask(&format!("sites/{}", path(&[name])), "").await?;
        let fitting = certificates.iter().map(|arrived| &arrived.certificate);
        let fitting = fitting.filter(|certificate| site.hosts.iter().any(|host| certificate.is_for(host)));
        let pinned: Vec<_> = fitting.map(|certificate| certificate.fingerprint.as_str()).collect();
        let order = document(&serde_json::json!({ "certificate": "uploaded", "pinned": pinned }));
        visit.order(Method::POST, &format!("sites/{}/choice", path(&[name])), "", order).await?;
    }
    Ok(match (certificates.first(), completed.first()) {
        (Some(arrived), _) => Done::Added.at(&format!("/certificates/{}", arrived.certificate.fingerprint)),
        (None, Some(request)) => Done::Completed.at(&format!("/requests/{}", path(&[request]))),
        (None, None) => Done::Added.at("/certificates"),
    })
}

async fn discard(visit: Visit) -> Result<Answer, Problem> {
    visit.drafts.discard(&visit.caller.name(), visit.parameter("draft"));
    Ok(see("/certificates/add"))
}

/// As many of a certificate's names as sites are looked for by.
const MOST_NAMES: usize = 20;
const MOST_SITES: &str = "20";
