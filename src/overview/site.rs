//! Where in its life a site is, what serves it, and what is to be done.

use std::collections::HashMap;
use std::sync::Arc;

use super::Known;
use super::band::{Band, DAY};
use super::reason::{Reason, ReasonCode};
use crate::acme::{Phase, SiteStanding};
use crate::certs::{ListedRequest, RequestStatus};
use crate::live::{Provision, ServedCert, Site};
use crate::name::HostPattern;
use crate::words::instead::Shown;

/// Where in its life a site is. Each state has one action that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Somebody has to bring or to order a certificate.
    Configure,
    /// One is on its way, and none serves yet.
    InProgress,
    /// One serves.
    Completed,
    /// One serves, and the next is on its way.
    Renewing,
}

impl State {
    /// Every state there is.
    pub const ALL: [Self; 4] = [Self::Configure, Self::InProgress, Self::Completed, Self::Renewing];

    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::InProgress => "in progress",
            Self::Completed => "completed",
            Self::Renewing => "renewing",
        }
    }

    /// What goes with it.
    #[must_use]
    pub const fn action(self) -> Action {
        match self {
            Self::Configure => Action::Configure,
            Self::InProgress | Self::Renewing => Action::Continue,
            Self::Completed => Action::Renew,
        }
    }
}

/// What can be done next about a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Bring a certificate, or have one ordered.
    Configure,
    /// Go on with what was begun.
    Continue,
    /// See to the next certificate.
    Renew,
}

impl Action {
    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::Continue => "continue",
            Self::Renew => "renew",
        }
    }
}

/// What clients get; where hosts differ, the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Served {
    /// No handshake with any of its hosts.
    Nothing,
    /// No handshake with some of its hosts.
    Partly,
    /// Another certificate than the published one.
    Otherwise,
    /// One that has expired.
    Expired,
    /// One that is not valid yet.
    NotYetValid,
    /// One that was taken back.
    Revoked,
    /// One that the edge made itself until the first is issued.
    StandIn,
    /// A valid one.
    Valid,
}

impl Served {
    /// Every kind there is, the worst first.
    pub const ALL: [Self; 8] = [
        Self::Nothing,
        Self::Partly,
        Self::Otherwise,
        Self::Expired,
        Self::NotYetValid,
        Self::Revoked,
        Self::StandIn,
        Self::Valid,
    ];

    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Partly => "partly",
            Self::Otherwise => "otherwise",
            Self::Expired => "expired",
            Self::NotYetValid => "not yet valid",
            Self::Revoked => "revoked",
            Self::StandIn => "stand-in",
            Self::Valid => "valid",
        }
    }
}

/// What a site is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteState {
    /// Its stable identity.
    pub name: Box<str>,
    /// What metrics call it.
    pub label: String,
    /// Where its certificates come from, as it holds now.
    pub source: Provision,
    /// Where in its life it is.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// What clients get.
    pub served: Served,
    /// How near the end is of what serves.
    pub band: Band,
    /// When the first of the certificates ends that serve it, seconds since the Unix epoch; `None`: none does.
    pub not_after: Option<i64>,
    /// Whole days until then.
    pub days_left: Option<i64>,
    /// The SHA-256 of that certificate; `None`: none serves.
    pub fingerprint: Option<Box<str>>,
    /// When it is to be renewed by itself, seconds since the Unix epoch; `None`: nothing renews it.
    pub renewal: Option<i64>,
    /// Whether that should have been more than a day ago.
    pub is_late: bool,
    /// Orders and checks in a row that came to nothing.
    pub failures: u32,
    /// What went wrong last, if it has not come right since.
    pub last_error: Option<String>,
    /// What clients are shown instead of what is published, where the last error is about that.
    pub shown: Option<Shown>,
    /// The request that waits for its certificate.
    pub request: Option<Box<str>>,
    /// Its hosts that have to have a certificate and have none.
    pub uncovered: Vec<String>,
}

/// Whether a certificate should have been renewed more than a day before `now`, seconds since the Unix epoch.
#[must_use]
pub fn is_late(standing: &SiteStanding, now: i64) -> bool {
    standing.is_late(now)
}

impl SiteState {
    /// Since when its renewal is late, seconds since the Unix epoch; `None`: it is not.
    #[must_use]
    pub fn late_since(&self) -> Option<i64> {
        self.renewal.filter(|_| self.is_late).map(|at| at + DAY)
    }

    /// What can be done next.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.state.action()
    }
}

/// What is looked up for every site.
pub(super) struct Derivation<'a> {
    known: &'a Known<'a>,
    by_site: HashMap<&'a str, &'a ListedRequest>,
    by_name: HashMap<&'a HostPattern, &'a ListedRequest>,
}

impl<'a> Derivation<'a> {
    pub(super) fn of(known: &'a Known<'a>) -> Self {
        let (mut by_site, mut by_name) = (HashMap::new(), HashMap::new());
        let is_open = |listed: &&ListedRequest| {
            listed.request.details.kind.is_served()
                && matches!(listed.status, RequestStatus::Pending | RequestStatus::Renewing)
                // The one that renews it is the one to go on with.
                && listed.renewed_by.is_none()
        };
        for listed in known.requests.iter().filter(is_open) {
            for site in &listed.request.details.sites {
                by_site.entry(&**site).or_insert(listed);
            }
            for name in &listed.request.details.names {
                by_name.entry(name).or_insert(listed);
            }
        }
        Self { known, by_site, by_name }
    }

    pub(super) fn site(&self, site: &Site) -> SiteState {
        let (known, label) = (self.known, site.label());
        let source = known.ledger.choices.get(&*site.name).map_or(site.provision, |choice| choice.certificate);
        let standing = known.ordering.get(&*site.name).filter(|_| source == Provision::Managed);
        let serving = Serving::of(site, known);
        let mismatch = known.mismatches.get(&label);
        let served = match mismatch {
            Some(_) if serving.served > Served::Otherwise => Served::Otherwise,
            _ => serving.served,
        };
        let request = self.request(site).filter(|_| source == Provision::Uploaded);
        let is_late = standing.is_some_and(|standing| is_late(standing, known.now));
        let (state, reason) = derived((source, standing, is_late), request, &serving, served);
        let failing = standing.filter(|standing| standing.failures > 0 || standing.failed_checks > 0);
        let failed = failing.and_then(|standing| standing.last_failure.as_ref());
        let failed = failed.map(|last| format!("{} ({}): {}", last.issuer, last.reason.label(), last.text));
        let wrong = mismatch.or_else(|| known.not_shown.get(&label));
        let end = serving.first_to_end.as_ref().map(|served| &served.facts);
        let band = match end {
            None => Band::None,
            Some(facts) if source == Provision::Uploaded => Band::by_days(facts.not_after, known.now),
            Some(facts) => Band::by_share(facts.not_before, facts.not_after, is_late, known.now),
        };
        SiteState {
            name: site.name.clone(),
            label,
            source,
            state,
            reason,
            served,
            band,
            not_after: end.map(|facts| facts.not_after),
            days_left: end.map(|facts| (facts.not_after - known.now).div_euclid(DAY)),
            fingerprint: end.map(|facts| facts.fingerprint.clone()),
            renewal: standing.and_then(|standing| standing.renewal),
            is_late,
            failures: standing.map_or(0, |standing| standing.failures.saturating_add(standing.failed_checks)),
            last_error: wrong.map(|wrong| wrong.message.clone()).or(failed),
            shown: wrong.and_then(|wrong| wrong.shown.clone()),
            request: request.map(|listed| listed.request.id.clone()),
            uncovered: serving.uncovered,
        }
    }

    /// The request that is to bring the site its next certificate: one made for it, else one for a name of it.
    fn request(&self, site: &Site) -> Option<&'a ListedRequest> {
        let for_name = || site.hosts.iter().find_map(|host| self.by_name.get(host));
        self.by_site.get(&*site.name).or_else(for_name).copied()
    }
}

/// What serves a site.
struct Serving {
    served: Served,
    first_to_end: Option<Arc<ServedCert>>,
    uncovered: Vec<String>,
    /// Whether any certificate does that somebody issued.
    is_any: bool,
}

impl Serving {
    fn of(site: &Site, known: &Known<'_>) -> Self {
        let (mut served, mut first_to_end, mut uncovered) = (Served::Valid, None::<Arc<ServedCert>>, Vec::new());
        let (mut is_any, mut is_something) = (false, false);
        for host in &site.hosts {
            let Some(choice) = known.index.find_pattern(host) else {
                if site.awaits(host) {
                    uncovered.push(host.to_string());
                }
                continue;
            };
            is_something = true;
            for certificate in choice.iter() {
                // A client that knows one type of key alone gets just that one.
                served = served.min(judged(certificate, known.now));
                is_any |= !certificate.facts.stand_in;
                if first_to_end.as_ref().is_none_or(|first| certificate.facts.not_after < first.facts.not_after) {
                    first_to_end = Some(Arc::clone(certificate));
                }
            }
        }
        if !is_something {
            served = Served::Nothing;
        } else if !uncovered.is_empty() {
            served = Served::Partly;
        }
        Self { served, first_to_end, uncovered, is_any }
    }
}

fn judged(certificate: &ServedCert, now: i64) -> Served {
    let facts = &certificate.facts;
    match facts {
        _ if facts.not_after < now => Served::Expired,
        _ if facts.not_before > now => Served::NotYetValid,
        _ if facts.revoked => Served::Revoked,
        _ if facts.stand_in => Served::StandIn,
        _ => Served::Valid,
    }
}

fn derived(
    (source, standing, is_late): (Provision, Option<&Arc<SiteStanding>>, bool),
    request: Option<&ListedRequest>,
    serving: &Serving,
    served: Served,
) -> (State, Reason) {
    let (has_all, is_any) = (serving.is_any && serving.uncovered.is_empty(), serving.is_any);
    if let Some(listed) = request {
        let (state, code) = match has_all {
            true => (State::Renewing, ReasonCode::RenewalRequested),
            false => (State::InProgress, ReasonCode::Requested),
        };
        return (state, Reason::new(code, &*listed.request.id));
    }
    let phase = standing.map(|standing| standing.phase);
    if has_all {
        let failed = standing.filter(|standing| standing.phase == Phase::Failed);
        let failed = failed.and_then(|standing| standing.last_failure.as_ref()).map(|last| last.text.as_str());
        let under_way = phase.is_some_and(is_under_way);
        let state = if under_way { State::Renewing } else { State::Completed };
        return (state, of_served(served, is_late, under_way, failed));
    }
    match (source, standing) {
        (Provision::SelfSigned, _) => (State::InProgress, Reason::new(ReasonCode::Making, serving.uncovered.join(" "))),
        (Provision::Managed, Some(standing)) => {
            let failure = standing.last_failure.as_ref().filter(|_| standing.phase == Phase::Failed);
            let reason = match (failure, &standing.waits_for) {
                (Some(last), _) => Reason::new(ReasonCode::OrderFailed, &*last.text),
                (None, Some(why)) if !is_under_way(standing.phase) => {
                    Reason::new(ReasonCode::WaitsForOrder, why.to_string())
                }
                (None, _) if is_under_way(standing.phase) => Reason::new(ReasonCode::Ordering, ""),
                (None, _) => Reason::new(ReasonCode::WaitsForOrder, ""),
            };
            (State::InProgress, reason)
        }
        // It will be looked at in a moment.
        (Provision::Managed, None) => (State::InProgress, Reason::new(ReasonCode::WaitsForOrder, "")),
        (Provision::Uploaded, _) => {
            let code = if is_any { ReasonCode::Uncovered } else { ReasonCode::NoCertificate };
            (State::Configure, Reason::new(code, serving.uncovered.join(" ")))
        }
    }
}

/// Why a site that has its certificates is not simply well.
fn of_served(served: Served, is_late: bool, under_way: bool, failed: Option<&str>) -> Reason {
    match (served, failed) {
        (Served::Otherwise, _) => Reason::new(ReasonCode::ServedOtherwise, ""),
        (Served::Expired, _) => Reason::new(ReasonCode::Expired, failed.unwrap_or_default()),
        (Served::NotYetValid, _) => Reason::new(ReasonCode::NotYetValid, ""),
        (Served::Revoked, _) => Reason::new(ReasonCode::Revoked, ""),
        _ if is_late => Reason::new(ReasonCode::RenewalLate, failed.unwrap_or_default()),
        _ if under_way => Reason::new(ReasonCode::RenewalOrdering, ""),
        (_, Some(failed)) => Reason::new(ReasonCode::RenewalFailed, failed),
        (_, None) => Reason::new(ReasonCode::Serves, ""),
    }
}

const fn is_under_way(phase: Phase) -> bool {
    matches!(phase, Phase::Checking | Phase::Ordering | Phase::Validating | Phase::Renewing)
}
