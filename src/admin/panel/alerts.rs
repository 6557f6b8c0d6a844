//! The bar on every page, and *Alerts*: what needs somebody, with the way to the mend.

use std::sync::Arc;

use askama::Template;

use super::frame::{Bar, Frame};
use super::moment::written;
use super::page::{Page, Visit, path, query, shown};
use crate::admin::Sources;
use crate::admin::api;
use crate::admin::problem::{Answer, Problem};
use crate::admin::rights::Caller;
use crate::overview::{Alert, AlertCode, Band, Mend, Severity, State};
use crate::words::Language;
use crate::words::panel::AlertWords;

/// `alerts`
pub(super) static PAGES: &[Page] = &[Page::get("alerts", |visit| Box::pin(list(visit)))];

#[derive(Template)]
#[template(path = "alerts.html")]
struct Alerts {
    frame: Frame,
    words: &'static AlertWords,
    alerts: Vec<Line>,
}

/// One alert as it is shown.
struct Line {
    class: &'static str,
    severity: &'static str,
    subject: String,
    text: String,
    quote: Option<String>,
    since: String,
    mend: Option<(String, &'static str)>,
}

async fn list(visit: Visit) -> Result<Answer, Problem> {
    let (words, language) = (&visit.words().alerts, visit.language);
    let alerts = aside(&visit.caller, &visit.sources, move |alerts| {
        alerts.iter().take(MOST).map(|alert| line(alert, language)).collect()
    });
    shown(&Alerts { frame: visit.frame(words.title), words, alerts: alerts.await })
}

fn line(alert: &Alert, language: Language) -> Line {
    let (words, said) = (&language.panel().alerts, alert.said(language));
    let (class, severity) = match alert.severity() {
        Severity::Critical => ("bad", words.critical),
        Severity::Warning => ("soon", words.warning),
        Severity::Info => ("plain", words.info),
    };
    let mend = match &alert.mend {
        Mend::Site(_) => Some(words.to_site),
        Mend::Certificates => Some(words.to_certificates),
        Mend::Requests => Some(words.to_requests),
        Mend::Links => Some(words.to_links),
        Mend::Urls => Some(words.to_urls),
        Mend::Rejected => Some(words.to_rejected),
        Mend::Elsewhere => None,
    };
    Line {
        class,
        severity,
        subject: alert.subject.clone(),
        text: said.text,
        quote: said.quote,
        since: alert.since.map(written).unwrap_or_default(),
        mend: mend.map(|text| (link(&alert.mend), text)),
    }
}

/// What is shown on every page: a line for each sort of trouble.
pub(super) async fn bars(caller: &Caller, sources: &Arc<Sources>, language: Language) -> Vec<Bar> {
    let words = &language.panel().alerts;
    aside(caller, sources, move |alerts| {
        // They come sorted by their codes.
        let alike = alerts.chunk_by(|one, other| one.code == other.code);
        alike.filter(|alike| alike[0].severity() != Severity::Info).map(|alike| bar(alike, words)).collect()
    })
    .await
}

/// One line for all of a code; never none.
fn bar(alike: &[&Alert], words: &AlertWords) -> Bar {
    let (code, count) = (alike[0].code, alike.len());
    let text = told(code, words)(count);
    match alike {
        [one] => {
            let about = matches!(one.mend, Mend::Site(_) | Mend::Rejected | Mend::Links | Mend::Urls);
            let link = if one.mend == Mend::Elsewhere { "/alerts".to_owned() } else { link(&one.mend) };
            let text = if about { format!("{text}: {}", one.subject) } else { text };
            Bar { severity: code.severity().word(), text, link }
        }
        // Lists of sites do not have what others serve.
        _ if alike.iter().any(|alert| alert.mend == Mend::Urls) => {
            Bar { severity: code.severity().word(), text, link: "/alerts".into() }
        }
        _ => Bar { severity: code.severity().word(), text, link: link_to_all(code) },
    }
}

fn link_to_all(code: AlertCode) -> String {
    let band = |band: Band| format!("/sites?{}", query(&[("band", band.word())]));
    match code {
        AlertCode::Expired => band(Band::Expired),
        AlertCode::ExpiresNow => band(Band::Now),
        AlertCode::NoCertificate => format!("/sites?{}", query(&[("state", State::Configure.word())])),
        AlertCode::FileRejected => "/rejected".into(),
        AlertCode::HandedIn => "/links".into(),
        _ => "/alerts".into(),
    }
}

fn link(mend: &Mend) -> String {
    match mend {
        Mend::Site(name) => format!("/sites/{}", path(&[name])),
        Mend::Certificates => "/certificates".into(),
        Mend::Rejected => "/rejected".into(),
        Mend::Requests => "/requests".into(),
        Mend::Links => "/links".into(),
        Mend::Urls => "/elsewhere".into(),
        Mend::Elsewhere => "/alerts".into(),
    }
}

fn told(code: AlertCode, words: &AlertWords) -> fn(usize) -> String {
    match code {
        AlertCode::Expired => words.expired,
        AlertCode::NotYetValid => words.not_yet_valid,
        AlertCode::Revoked => words.revoked,
        AlertCode::ServedOtherwise => words.served_otherwise,
        AlertCode::NotShown => words.not_shown,
        AlertCode::RenewalLate => words.renewal_late,
        AlertCode::ExpiresNow => words.expires_now,
        AlertCode::AuditUnwritten => words.audit,
        AlertCode::Alarm => words.alarms,
        AlertCode::NoCertificate => words.no_certificate,
        AlertCode::Unreachable => words.unreachable,
        AlertCode::OrdersFail => words.orders_fail,
        AlertCode::NoticesStuck => words.notices_stuck,
        AlertCode::HandedIn => words.handed_in,
        AlertCode::FileRejected => words.file_rejected,
        AlertCode::ConfigurationRefused | AlertCode::ConfigurationRejected => words.configuration,
        AlertCode::Remark => words.remarks,
        AlertCode::ExpiresSoon => words.expires_soon,
    }
}

/// Looks where blocking is allowed.
async fn aside<T: Send + 'static>(
    caller: &Caller,
    sources: &Arc<Sources>,
    make: impl FnOnce(&[&Alert]) -> Vec<T> + Send + 'static,
) -> Vec<T> {
    let (scope, sources) = (api::Scope::of(caller, sources), Arc::clone(sources));
    let made = tokio::task::spawn_blocking(move || {
        let overview = sources.lookout.look();
        make(&api::visible_alerts(&overview, scope.as_ref()).collect::<Vec<_>>())
    });
    let made = made.await;
    made.unwrap_or_else(|error| {
        tracing::error!(%error, "the alerts could not be looked up for a page");
        Vec::new()
    })
}

/// More than anybody reads; the API has all.
const MOST: usize = 500;
