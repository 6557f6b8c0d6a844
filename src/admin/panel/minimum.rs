//! *Minimum validation*: what the authority of a site's certificates must have checked, after a look at what would serve.

use askama::Template;
use http::Method;
use serde_json::json;

use super::done::Done;
use super::frame::Frame;
use super::page::{FORM_TOKEN, Page, Visit, document, path, query, shown};
use super::site::certificate_text;
use crate::admin::answers::{MinimumEffect, Validated};
use crate::admin::api::Content;
use crate::admin::problem::{Answer, Kind, Problem};
use crate::certs::LEVELS;
use crate::live::ValidationLevel;
use crate::words::minimum::MinimumWords;
use crate::words::panel::{PanelWords, SiteWords};

/// `sites/{name}/minimum`
pub(super) static PAGES: &[Page] = &[
    Page::get("sites/{name}/minimum", |visit| Box::pin(preview(visit))),
    Page::post("sites/{name}/minimum", &[FORM_TOKEN, "level"], |visit| Box::pin(decide(visit))),
];

#[derive(Template)]
#[template(path = "minimum.html")]
struct Preview {
    frame: Frame,
    words: &'static MinimumWords,
    site_words: &'static SiteWords,
    all: &'static PanelWords,
    link: String,
    level: String,
    level_text: &'static str,
    effect: MinimumEffect,
}

/// What can be asked for, the least first.
pub(super) fn choices(words: &MinimumWords) -> Vec<(&'static str, &'static str)> {
    let levels = LEVELS.into_iter().map(|level| level.label());
    [NOTHING].into_iter().chain(levels).map(|word| (word, level_text(Some(word), words))).collect()
}

/// What was checked of a certificate, or is asked for.
pub(super) fn level_text(level: Option<&str>, words: &MinimumWords) -> &'static str {
    let is = |known: ValidationLevel| level == Some(known.label());
    match level {
        None | Some(NOTHING) => words.nothing,
        Some(_) if is(ValidationLevel::Domain) => words.dv,
        Some(_) if is(ValidationLevel::Individual) => words.iv,
        Some(_) if is(ValidationLevel::Organisation) => words.ov,
        Some(_) => words.ev,
    }
}

impl Validated {
    fn checked(&self, words: &MinimumWords) -> &'static str {
        self.level.as_deref().map_or(words.unknown, |level| level_text(Some(level), words))
    }

    fn told(&self) -> String {
        certificate_text([&self.subject, &self.issuer, &self.key_type], &self.not_after, &self.fingerprint)
    }
}

/// Shows what would be served; changes nothing.
async fn preview(visit: Visit) -> Result<Answer, Problem> {
    visit.demand(&Method::POST, "certificates")?;
    let (site, level) = (visit.parameter("name"), visit.asked("level"));
    let place = format!("sites/{}/minimum", path(&[site]));
    let effect: MinimumEffect = visit.ask(&place, &query(&[("level", level)])).await?;
    if !visit.reach().changes(site) {
        return Err(Problem::new(Kind::NotAllowed, "your role for this site is to look"));
    }
    let (all, words) = (visit.words(), visit.language.minimum());
    let level_text = level_text(effect.minimum.effective.as_deref(), words);
    let (link, level) = (format!("/sites/{}", path(&[site])), level.to_owned());
    let frame = visit.frame((words.page)(site, level_text));
    shown(&Preview { frame, words, site_words: &all.site, all, link, level, level_text, effect })
}

async fn decide(visit: Visit) -> Result<Answer, Problem> {
    let name = path(&[visit.parameter("name")]);
    let place = format!("sites/{name}/minimum");
    match visit.field("level")? {
        CONFIGURED => visit.order(Method::DELETE, &place, "", Content::None).await?,
        level => {
            let level = Some(level).filter(|level| *level != NOTHING);
            visit.order(Method::POST, &place, "", document(&json!({ "level": level }))).await?
        }
    };
    Ok(Done::Demanded.at(&format!("/sites/{name}")))
}

const NOTHING: &str = "none";
const CONFIGURED: &str = "configured";
