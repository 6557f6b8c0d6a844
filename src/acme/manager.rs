//! Which site needs a certificate, and when: the one task that begins orders.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use super::account::Accounts;
use super::failure::{Failure, Reason};
use super::order::Orders;
use super::preflight::{Cleared, Preflight};
use super::records::Records;
use super::schedule;
use super::shown::Shown;
use super::standing::{AcmeHandle, LastFailure, Phase, SiteStanding};
use super::terms::{AcmeTerms, Issuer, ManagedSite};
use crate::certs::{IntakeHandle, NotReceived, Upload};
use crate::config::{Challenge, PreflightMode};
use crate::live::{CertIndex, Challenges, Live, Provision, Publisher};
use crate::name::HostPattern;
use crate::outbound::HttpsClient;
use crate::shutdown::Lifecycle;
use crate::store::Store;

/// Orders certificates for managed sites.
pub struct Manager {
    terms: watch::Receiver<Arc<AcmeTerms>>,
    certificates: Live<CertIndex>,
    intake: IntakeHandle,
    orders: Orders,
    preflight: Preflight,
    /// Orders that are made together.
    slots: Arc<Semaphore>,
    handle: AcmeHandle,
    wishes: mpsc::Receiver<String>,
    /// Sites that are to have a new certificate whenever their time is.
    wished: HashSet<String>,
    /// How each managed site is doing.
    sites: BTreeMap<String, SiteStanding>,
    /// What is checked or ordered now: sites, and the names in question.
    under_way: BTreeMap<String, Vec<HostPattern>>,
    /// Sites of which it was said that their renewal is late.
    late: HashSet<String>,
}

/// What became of a site's order.
struct Ended {
    site: String,
    issuer: String,
    /// What was found before the order, which was made all the same.
    warning: Option<Failure>,
    /// How control of the names was shown.
    result: Result<Challenge, Failure>,
}

impl Manager {
    /// A manager that shows authorities what they ask for in `challenges`, tells through the handle how sites are doing, and does what
    /// is wished for through it.
    #[must_use]
    pub fn new(
        terms: watch::Receiver<Arc<AcmeTerms>>,
        certificates: Live<CertIndex>,
        intake: IntakeHandle,
        store: Store,
        challenges: Publisher<Challenges>,
        (handle, wishes): (AcmeHandle, mpsc::Receiver<String>),
    ) -> Self {
        let (accounts, shown) = (Accounts::new(store.clone()), Shown::new(challenges));
        let preflight = Preflight::new(shown.clone(), accounts.clone(), handle.progress().clone());
        let orders = Orders { accounts, records: Records::new(store), shown, progress: handle.progress().clone() };
        Self {
            terms,
            certificates,
            intake,
            orders,
            preflight,
            slots: Arc::new(Semaphore::new(MOST_AT_ONCE)),
            handle,
            wishes,
            wished: HashSet::new(),
            sites: BTreeMap::new(),
            under_way: BTreeMap::new(),
            late: HashSet::new(),
        }
    }

    /// Orders until the edge drains.
    pub async fn run(mut self, mut lifecycle: Lifecycle) {
        tokio::select! {
            _ = lifecycle.draining() => {}
            () = self.go() => {}
        }
    }

    async fn go(&mut self) {
        // What is there already is not ordered.
        self.intake.first_scan().await;
        let mut at_work: JoinSet<Ended> = JoinSet::new();
        loop {
            let terms = self.terms.borrow_and_update().clone();
            let next = self.begin(&terms, &mut at_work).await;
            let ended = tokio::select! {
                changed = self.terms.changed() => if changed.is_ok() { None } else { return },
                () = self.intake.next_look() => None,
                Some(wish) = self.wishes.recv() => {
                    self.wished.insert(wish);
                    None
                }
                Some(ended) = at_work.join_next() => ended.ok(),
                () = sleep(next) => None,
            };
            if let Some(ended) = ended {
                self.note(ended).await;
            }
        }
    }

    /// Begins the orders whose time has come. Says how soon to look again.
    async fn begin(&mut self, terms: &Arc<AcmeTerms>, at_work: &mut JoinSet<Ended>) -> Duration {
        terms.issuers.iter().for_each(|issuer| self.handle.tally().know(&issuer.name));
        let (now, choices) = (now(), Arc::clone(&self.intake.ledger().choices));
        let mut sites = BTreeMap::new();
        let mut soonest = now + FARTHEST;
        for site in &terms.sites {
            let provision = choices.get(&site.name).map_or(site.provision, |choice| choice.certificate);
            if provision != Provision::Managed || !terms.terms_agreed || site.hosts.is_empty() {
                continue;
            }
            let mut standing = self.standing_of(&site.name).await;
            let due = self.due(site);
            let is_under_way = self.under_way.contains_key(&site.name);
            let planned = standing.next.filter(|_| standing.has_failed()).unwrap_or(0).max(due.unwrap_or(now));
            let at = if self.wished.contains(&site.name) { now } else { planned };
            standing.waits_for = if is_under_way { None } else { self.claimed(site) };
            if at <= now && !is_under_way && standing.waits_for.is_none() && at_work.len() < MOST_CHECKED_AT_ONCE {
                self.start(site.clone(), &standing, Arc::clone(terms), at_work);
            }
            let is_under_way = self.under_way.contains_key(&site.name);
            standing.phase = match (is_under_way, due.is_some(), standing.has_failed()) {
                (true, true, _) => Phase::Renewing,
                (true, false, _) => Phase::Ordering,
                (false, _, true) => Phase::Failed,
                (false, true, false) => Phase::Issued,
                (false, false, false) => Phase::Waiting,
            };
            standing.next = (!is_under_way).then_some(at);
            standing.renewal = due;
            self.tell_late(&site.name, standing.is_late(now));
            if !is_under_way && at > now {
                soonest = soonest.min(at);
            }
            sites.insert(site.name.clone(), standing);
        }
        self.handle.replace(sites.clone());
        self.sites = sites;
        Duration::from_secs(u64::try_from(soonest - now).unwrap_or(0).max(1))
    }

    /// Says once that the renewal of a site is late.
    fn tell_late(&mut self, site: &str, is_late: bool) {
        if !is_late {
            self.late.remove(site);
        } else if self.late.insert(site.to_owned()) {
            tracing::warn!(%site, "a managed certificate should have been renewed more than a day ago");
        }
    }

    /// When a site's certificate is to be renewed; `None`: one of its hosts has none.
    fn due(&self, site: &ManagedSite) -> Option<i64> {
        self.soonest(site, |not_before, not_after| schedule::renewal(not_before, not_after, &site.name))
    }

    /// The soonest of the moments that follow from the lives of a site's certificates; `None`: one of its hosts has none.
    fn soonest(&self, site: &ManagedSite, moment: impl Fn(i64, i64) -> i64) -> Option<i64> {
        let (index, now) = (self.certificates.load(), now());
        let mut soonest = i64::MAX;
        for host in &site.hosts {
            let choice = index.find_pattern(host)?;
            let good = choice.iter().map(|served| &served.facts).filter(|facts| {
                (facts.not_before..=facts.not_after).contains(&now) && !facts.in_grace && !facts.traits.self_signed
            });
            let last = good.max_by_key(|facts| facts.not_after)?;
            soonest = soonest.min(moment(last.not_before, last.not_after));
        }
        Some(soonest)
    }

    /// Whose order a site waits for, which has one of its names: a configuration that is read again may move one.
    fn claimed(&self, site: &ManagedSite) -> Option<String> {
        self.under_way.iter().find_map(|(other, names)| {
            let name = names.iter().find(|name| site.hosts.contains(name))?;
            Some(format!("{name} is in the order of the site {other:?}, which has not ended"))
        })
    }

    /// How strictly the names are looked at: no check may cost the certificate that serves.
    fn strictness(&self, site: &ManagedSite, mode: PreflightMode) -> PreflightMode {
        let is_last_chance = self.soonest(site, schedule::last_chance).is_some_and(|last| last <= now());
        match mode {
            PreflightMode::Enforce if is_last_chance => PreflightMode::Warn,
            mode => mode,
        }
    }

    async fn standing_of(&self, site: &str) -> SiteStanding {
        if let Some(known) = self.sites.get(site) {
            return known.clone();
        }
        let (records, name) = (self.orders.records.clone(), site.to_owned());
        let read = spawn_blocking(move || records.standing(&name)).await;
        match read {
            Ok(Ok(standing)) => standing,
            Ok(Err(error)) => {
                tracing::error!(%site, %error, "how the site was doing cannot be read");
                SiteStanding::default()
            }
            Err(_) => SiteStanding::default(),
        }
    }

    fn start(
        &mut self,
        site: ManagedSite,
        standing: &SiteStanding,
        terms: Arc<AcmeTerms>,
        at_work: &mut JoinSet<Ended>,
    ) {
        // After a failure that is the issuer's own the next one has its turn.
        let turn = standing.last_failure.as_ref().filter(|last| last.reason.is_the_issuers());
        let last = turn.and_then(|last| terms.issuers.iter().position(|issuer| issuer.name == last.issuer));
        let Some(issuer) = terms.issuers.get(last.map_or(0, |last| (last + 1) % terms.issuers.len())).cloned() else {
            return;
        };
        self.under_way.insert(site.name.clone(), site.hosts.clone());
        self.wished.remove(&site.name);
        let (orders, intake, slots) = (self.orders.clone(), self.intake.clone(), Arc::clone(&self.slots));
        let preflight = self.preflight.clone();
        let mode = self.strictness(&site, terms.preflight.mode);
        // First as it is due, then in all other ways.
        let challenge = standing.challenge(&terms.challenges);
        let others = terms.challenges.iter().copied().filter(|other| *other != challenge);
        let ways: Vec<Challenge> = std::iter::once(challenge).chain(others).collect();
        at_work.spawn(async move {
            let (name, issuer_name) = (site.name.clone(), issuer.name.clone());
            let progress = orders.progress.clone();
            let work = async move {
                let Cleared { way, warning } = match preflight.clear(&terms, mode, (&site, &issuer), &ways).await {
                    Ok(cleared) => cleared,
                    Err(failure) => return (None, Err(failure)),
                };
                // The semaphore is never closed.
                let _slot = slots.acquire_owned().await;
                tracing::info!(site = %site.name, issuer = %issuer.name, challenge = way.word(), "orders a certificate");
                let done = order(&orders, &intake, &site, (&issuer, way), &terms).await;
                (warning, done.map(|()| way))
            };
            // A mistake of ours in one order must not keep its site waiting for an end that never comes.
            let failed = |_| {
                (None, Err(Failure::new(Reason::State, "the order failed in a way that was not foreseen; see the log")))
            };
            let (warning, result) = tokio::spawn(work).await.unwrap_or_else(failed);
            progress.enter(&name, None);
            Ended { site: name, issuer: issuer_name, warning, result }
        });
    }

    async fn note(&mut self, Ended { site, issuer, warning, result }: Ended) {
        self.under_way.remove(&site);
        self.handle.tally().count(&issuer, &result);
        let now = now();
        let Some(standing) = self.sites.get_mut(&site) else { return };
        standing.warning = warning.map(|warning| LastFailure::of(&issuer, &warning, now));
        match result {
            Ok(challenge) => {
                standing.succeed(&issuer, challenge, now);
                tracing::info!(%site, %issuer, "a certificate is issued");
            }
            Err(failure) => {
                standing.fail(&site, &issuer, &failure, now);
                let (reason, failures) = (failure.reason.label(), standing.failures);
                let again = standing.next.map_or(0, |next| next - now);
                if failure.is_beforehand {
                    let checks = standing.failed_checks;
                    tracing::error!(%site, %reason, checks, "nothing is ordered: {}; looked at again in {again} s", failure.text);
                } else {
                    tracing::error!(
                        %site, %issuer, %reason, failures, "no certificate: {}; tried again in {again} s", failure.text
                    );
                }
            }
        }
        let (records, standing) = (self.orders.records.clone(), standing.clone());
        let written = spawn_blocking(move || records.stand(&site, &standing)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "how a site is doing cannot be written down");
        }
    }
}

/// Orders a certificate for a site, or goes on with the order that is open, and has it served.
async fn order(
    orders: &Orders,
    intake: &IntakeHandle,
    site: &ManagedSite,
    (issuer, challenge): (&Issuer, Challenge),
    terms: &AcmeTerms,
) -> Result<(), Failure> {
    let https = HttpsClient::new(issuer.roots.iter().cloned(), EXCHANGE)
        .map_err(|error| Failure::new(Reason::State, error.to_string()))?;
    let names: Vec<String> = site.hosts.iter().map(ToString::to_string).collect();
    let (records, own, wanted) = (orders.records.clone(), site.clone(), issuer.name.clone());
    let record = aside(move || {
        let open = records.open_order(&own.name)?;
        match open.filter(|open| open.order.names == names && open.order.issuer == wanted) {
            Some(open) => Ok(open),
            None => records.begin(&own.name, &wanted, &own.hosts, now()),
        }
    });
    let mut record = record.await?;
    let chain = orders.fulfil(&mut record, (issuer, challenge), &terms.contact, https).await;
    let chain = match chain {
        Ok(chain) => chain,
        Err(failure) => {
            // What the authority may still be working on is asked for again.
            let goes_on = record.order.url.is_some() && matches!(failure.reason, Reason::Unreachable | Reason::State);
            if !goes_on {
                end(orders, &site.name).await;
            }
            return Err(failure);
        }
    };
    let (key, by) = (record.key.clone(), format!("acme {}", issuer.name));
    let upload = aside(move || Upload::issued(&chain, &key, by).map_err(|flaws| unusable(&flaws))).await?;
    intake.receive(upload, false).await.map_err(|why| match why {
        NotReceived::Flawed(flaws) => unusable(&flaws),
        NotReceived::NotKept(error) => error.into(),
        NotReceived::NotCompleted(error) => Failure::new(Reason::State, error.to_string()),
        NotReceived::Stopping => Failure::new(Reason::State, "the edge is stopping"),
    })?;
    end(orders, &site.name).await;
    Ok(())
}

/// The order is over. A record that cannot be deleted is found again and leads to the same certificate.
async fn end(orders: &Orders, site: &str) {
    let (records, name) = (orders.records.clone(), site.to_owned());
    if let Ok(Err(error)) = spawn_blocking(move || records.end(&name)).await {
        tracing::warn!(%site, %error, "the record of an order cannot be deleted");
    }
}

fn unusable(flaws: &[(String, crate::certs::Flaw)]) -> Failure {
    let told: Vec<String> = flaws.iter().map(|(piece, flaw)| format!("{piece}: {flaw}")).collect();
    Failure::new(Reason::Unusable, format!("what was issued cannot be served: {}", told.join("; ")))
}

/// Does what waits for the disk, or takes long, where nobody else waits.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    spawn_blocking(work).await.unwrap_or_else(|_| Err(Failure::new(Reason::State, "the edge is stopping")))
}

/// Seconds since the Unix epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// Orders that are made together.
const MOST_AT_ONCE: usize = 8;
/// Sites that are under way together, most of which only wait for name servers, or for whoever answers for their names.
const MOST_CHECKED_AT_ONCE: usize = 64;
/// One request and its answer.
const EXCHANGE: Duration = Duration::from_secs(30);
/// The calendar may be set meanwhile; look again after an hour.
const FARTHEST: i64 = 3600;
