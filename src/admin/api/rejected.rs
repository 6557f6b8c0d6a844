//! Files that are not served and why, and what else asks for the operator.

use std::sync::Arc;

use serde::Serialize;

use super::realm::Realm;
use super::{Operation, Resource, aside, now, timestamp};
use crate::admin::Sources;
use crate::admin::problem::json;
use crate::certs::{IntakeHandle, Ledger, NoticeState};
use crate::overview::SiteState;

/// `rejected` and `alarms`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("rejected", |call| Box::pin(aside(call, |call| Ok(json(&list(&call.sources))))))
            .about(Realm::Edge),
        Operation::get("alarms", |call| Box::pin(aside(call, |call| Ok(json(&alarms(&call.sources))))))
            .about(Realm::Edge),
    ],
    description: include_str!("rejected.json"),
};

/// One file.
#[derive(Serialize)]
struct Rejected {
    file: String,
    state: &'static str,
    code: &'static str,
    reason: String,
    mend: String,
    about: Vec<String>,
    since: String,
}

/// Waiting and rejected files, in order of their path.
fn list(sources: &Sources) -> Vec<Rejected> {
    let entry = |notice: &crate::certs::Notice| Rejected {
        file: notice.file.clone(),
        state: match notice.state {
            NoticeState::Waiting => "waiting",
            NoticeState::Rejected => "rejected",
        },
        code: notice.code,
        reason: notice.reason.clone(),
        mend: notice.mend.clone(),
        about: notice.about.clone(),
        since: timestamp(notice.since),
    };
    ledger(sources).rejected.iter().map(entry).collect()
}

/// A condition that lasts until somebody does something about it.
#[derive(Serialize)]
struct Alarm {
    code: &'static str,
    message: String,
    since: String,
}

/// The alarms that are on: those of the configuration, those of the certificates, what is served otherwise, that of the audit
/// trail.
fn alarms(sources: &Sources) -> Vec<Alarm> {
    let alarm = |code, message: &str, since| Alarm { code, message: message.to_owned(), since: timestamp(since) };
    let standing = sources.configuration.borrow().clone();
    let refused = standing.refused.iter().map(|trouble| alarm(NOT_RELOADED, &trouble.text, trouble.since));
    let rejected = standing.rejected.iter().map(|trouble| alarm(LEFT_OUT, &trouble.text, trouble.since));
    let ledger = ledger(sources);
    let of_certificates = ledger.alarms.iter().map(|on| alarm(on.code.as_str(), &on.message, on.since));
    let contradictions = sources.truth.contradictions();
    let served = contradictions.iter().map(|served| alarm(SERVED_MISMATCH, &served.message, served.since));
    let audit = sources.audit.trouble().map(|trouble| alarm(UNRECORDED, &trouble.text, trouble.since));
    let hidden = sources.truth.not_shown();
    let hidden = hidden.iter().map(|hidden| alarm(NOT_SHOWN, &hidden.message, hidden.since));
    let overview = sources.lookout.look();
    let late = overview.sites.iter().filter_map(|site| Some((site, site.late_since()?)));
    let late = late.map(|(site, since)| alarm(RENEWAL_LATE, &lateness(site), since));
    let of_sites = served.chain(hidden).chain(late);
    let stuck = (sources.lookout.notices)(now());
    let stuck = stuck.map(|stuck| alarm(NOTICES_STUCK, &stuck.text, stuck.since));
    refused.chain(rejected).chain(of_certificates).chain(of_sites).chain(audit).chain(stuck).collect()
}

fn lateness(site: &SiteState) -> String {
    let why = site.last_error.as_deref().unwrap_or("no order has failed");
    format!("the certificate of {} should have been renewed more than a day ago: {why}", site.name)
}

fn ledger(sources: &Sources) -> Arc<Ledger> {
    sources.intake.as_ref().map(IntakeHandle::ledger).unwrap_or_default()
}

/// Nothing of the configuration as it is written now applies.
const NOT_RELOADED: &str = "config-not-reloaded";
/// What was done since could not be added to the audit trail.
const UNRECORDED: &str = "audit-unwritten";
/// Nobody hears of what happens by mail.
const NOTICES_STUCK: &str = "notices-stuck";
/// A managed site's certificate was not renewed in time.
const RENEWAL_LATE: &str = "renewal-late";
/// This part of an included file does not apply.
const LEFT_OUT: &str = "config-rejected";
/// A host is served another certificate than the published one.
const SERVED_MISMATCH: &str = "served-mismatch";
/// A site does not show what it should below `/.well-known/`.
const NOT_SHOWN: &str = "well-known-not-served";
