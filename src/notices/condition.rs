//! What an overview has that somebody may want to hear of: conditions that last, and which certificate serves each site.

use std::collections::BTreeMap;

use super::event::EventKind;
use crate::elsewhere::Foreign;
use crate::live::Provision;
use crate::outbound::escaped;
use crate::overview::{Alert, AlertCode, Mend, Overview, Said, Served, SiteState};
use crate::words::Language;

/// Something that lasts until somebody does something about it, or it passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// What it is, in one text: the same as long as it lasts.
    pub(super) id: String,
    pub(super) kind: EventKind,
    /// What it happened to, as people call it.
    pub(super) subject: String,
    /// The name of the site it concerns.
    pub(super) site: Option<String>,
    /// The organisation whose it is, of what is no site's.
    pub(super) organisation: Option<String>,
    /// Of what ends soon: within how many days. A smaller number is told again.
    pub(super) step: Option<i64>,
    /// Of what ends, or ended: when, seconds since the Unix epoch.
    pub(super) not_after: Option<i64>,
    /// Of what is late: when it was due, seconds since the Unix epoch.
    pub(super) was_due: Option<i64>,
    /// What else there is to say.
    pub(super) detail: Option<Detail>,
    /// Where in the panel it is mended.
    pub(super) path: String,
    /// It is over with the certificate of this fingerprint, whatever the clock says meanwhile.
    pub(super) bound: Option<String>,
}

/// What else there is to say, in each language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Detail([String; Language::ALL.len()]);

impl Detail {
    fn of(alert: &Alert) -> Self {
        Self(Language::ALL.map(|language| {
            let Said { text, quote } = alert.said(language);
            Some(text).filter(|text| !text.is_empty()).into_iter().chain(quote).collect::<Vec<_>>().join(": ")
        }))
    }

    /// In a language.
    pub(super) fn of_language(&self, language: Language) -> &str {
        &self.0[language as usize]
    }
}

/// What serves a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Serving {
    pub(super) label: String,
    pub(super) fingerprint: Option<String>,
    pub(super) not_after: Option<i64>,
    pub(super) is_ordered: bool,
    /// Whether somebody else issued it.
    pub(super) is_news: bool,
}

/// What serves each site, by name.
pub(super) fn serving(overview: &Overview) -> BTreeMap<String, Serving> {
    let of_site = |site: &SiteState| {
        let serving = Serving {
            label: site.label.clone(),
            fingerprint: site.fingerprint.as_deref().map(str::to_owned),
            not_after: site.not_after,
            is_ordered: site.source == Provision::Managed,
            is_news: site.source != Provision::SelfSigned && site.served != Served::StandIn,
        };
        (site.name.to_string(), serving)
    };
    overview.sites.iter().map(of_site).collect()
}

/// All that last, by id.
pub(super) fn conditions(overview: &Overview) -> BTreeMap<String, Condition> {
    let sites: BTreeMap<&str, &SiteState> = overview.sites.iter().map(|site| (&*site.name, site)).collect();
    let ending = overview.sites.iter().filter_map(|site| ending(site, overview.at));
    let told = overview.alerts.iter().filter_map(|alert| told(alert, &sites, overview.owner_of(alert)));
    let mut all = BTreeMap::new();
    let elsewhere = overview.elsewhere.iter().filter_map(|url| ending_elsewhere(url, overview.at));
    for condition in ending.chain(elsewhere).chain(told) {
        all.entry(condition.id.clone()).or_insert(condition);
    }
    all
}

/// What nobody renews but people: they are told in time, and again as it comes nearer.
fn ending(site: &SiteState, now: i64) -> Option<Condition> {
    let (not_after, fingerprint) = (site.not_after?, site.fingerprint.as_deref()?);
    let left = not_after - now;
    if site.source != Provision::Uploaded || left < 0 {
        return None;
    }
    let step = STEPS.iter().copied().filter(|days| left <= days * DAY).min()?;
    Some(Condition {
        id: format!("expiring/{}/{fingerprint}", site.name),
        kind: EventKind::Expiring,
        subject: site.label.clone(),
        site: Some(site.name.to_string()),
        organisation: None,
        step: Some(step),
        not_after: Some(not_after),
        was_due: None,
        detail: None,
        path: at_site(&site.name),
        bound: Some(fingerprint.to_owned()),
    })
}

/// The same of what others serve.
fn ending_elsewhere(url: &Foreign, now: i64) -> Option<Condition> {
    let seen = url.seen.as_ref()?;
    let (not_after, fingerprint) = (seen.not_after?, seen.fingerprint.as_deref()?);
    let left = not_after - now;
    if left < 0 || url.unwatched.is_some() {
        return None;
    }
    let step = STEPS.iter().copied().filter(|days| left <= days * DAY).min()?;
    Some(Condition {
        id: format!("expiring/{}/{fingerprint}", url.address()),
        kind: EventKind::Expiring,
        subject: url.address(),
        site: None,
        organisation: url.organisation.clone(),
        step: Some(step),
        not_after: Some(not_after),
        was_due: None,
        detail: None,
        path: ELSEWHERE.into(),
        bound: Some(fingerprint.to_owned()),
    })
}

fn told(alert: &Alert, sites: &BTreeMap<&str, &SiteState>, owner: Option<&str>) -> Option<Condition> {
    let site = alert.site.as_deref().and_then(|name| sites.get(name).copied());
    let managed = site.is_some_and(|site| site.source == Provision::Managed);
    let kind = match alert.code {
        AlertCode::Expired => EventKind::Expired,
        AlertCode::NotYetValid | AlertCode::Revoked | AlertCode::NoCertificate => EventKind::Unusable,
        AlertCode::ServedOtherwise => EventKind::Mismatch,
        AlertCode::NotShown => EventKind::WellKnownMissing,
        AlertCode::RenewalLate => EventKind::RenewalLate,
        // Of what people bring, the steps tell.
        AlertCode::ExpiresNow if managed => EventKind::RenewalLate,
        AlertCode::ExpiresNow | AlertCode::ExpiresSoon => return None,
        AlertCode::OrdersFail => EventKind::RenewalFailing,
        AlertCode::FileRejected => EventKind::Rejected,
        AlertCode::HandedIn => EventKind::HandedIn,
        AlertCode::Unreachable => EventKind::Unusable,
        AlertCode::AuditUnwritten
        | AlertCode::Alarm
        | AlertCode::ConfigurationRefused
        | AlertCode::ConfigurationRejected
        | AlertCode::Remark => EventKind::Edge,
        // No mail tells that mails do not arrive.
        AlertCode::NoticesStuck => return None,
    };
    let fingerprint = site.and_then(|site| site.fingerprint.as_deref());
    let bound = fingerprint.filter(|_| alert.code == AlertCode::Expired).map(str::to_owned);
    let mut id = format!("{}/{}", alert.code.as_str(), alert.subject);
    if let Some(fingerprint) = &bound {
        id = format!("{id}/{fingerprint}");
    }
    if matches!(alert.code, AlertCode::ConfigurationRefused | AlertCode::ConfigurationRejected | AlertCode::HandedIn) {
        // Several lines have the same subject.
        id = format!("{id}/{}", alert.text.chars().take(LONGEST_TEXT_OF_ID).collect::<String>());
    }
    let ended = alert.code == AlertCode::Expired;
    Some(Condition {
        id,
        kind,
        subject: site.map_or_else(|| alert.subject.clone(), |site| site.label.clone()),
        site: alert.site.as_deref().map(str::to_owned),
        organisation: owner.map(str::to_owned),
        step: None,
        not_after: site.and_then(|site| site.not_after).filter(|_| ended),
        was_due: site.and_then(|site| site.renewal).filter(|_| kind == EventKind::RenewalLate),
        detail: (!ended || site.is_none()).then(|| Detail::of(alert)),
        path: match &alert.mend {
            Mend::Site(name) => at_site(name),
            Mend::Certificates => "/certificates".into(),
            Mend::Rejected => "/rejected".into(),
            Mend::Requests => "/requests".into(),
            Mend::Links => "/links".into(),
            Mend::Urls => ELSEWHERE.into(),
            Mend::Elsewhere => "/alerts".into(),
        },
        bound,
    })
}

pub(super) fn at_site(name: &str) -> String {
    format!("/sites/{}", escaped(name))
}

/// Where URLs that others serve are looked after.
const ELSEWHERE: &str = "/elsewhere";
/// Days before the end of what people bring at which they are told.
const STEPS: [i64; 7] = [45, 30, 14, 10, 7, 3, 1];
pub(super) const DAY: i64 = 86_400;
const LONGEST_TEXT_OF_ID: usize = 200;
