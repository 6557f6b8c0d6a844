//! Which site needs a certificate, and when: the one task that begins orders.

mod look;
mod places;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use self::look::Heard;
use self::places::Places;
use super::account::Accounts;
use super::budget::Budgets;
use super::dns01::Dns01;
use super::failure::{Failure, Reason};
use super::health::{Fitness, Health};
use super::order::{Asked, Orders};
use super::preflight::{Cleared, Preflight};
use super::records::Records;
use super::renewal_info::Asker;
use super::shown::Shown;
use super::standing::{AcmeHandle, LastFailure, SiteStanding, Success};
use super::terms::{AcmeTerms, Issuer, ManagedSite};
use crate::certs::{IntakeHandle, NotReceived, Upload};
use crate::config::Challenge;
use crate::live::{CertIndex, Challenges, Live, Publisher};
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
    places: Places,
    handle: AcmeHandle,
    wishes: mpsc::Receiver<String>,
    /// Sites that are to have a new certificate whenever their time is.
    wished: HashSet<String>,
    /// How each managed site is doing.
    sites: BTreeMap<String, Arc<SiteStanding>>,
    under_way: HashMap<String, UnderWay>,
    health: Arc<Mutex<Health>>,
    /// Sites of which it was said that their renewal is late.
    late: HashSet<String>,
    /// Issuers whose budgets were read.
    budgets_known: HashSet<String>,
    asker: Asker,
    /// Sites for which an authority is being asked when to renew.
    asked: HashSet<String>,
    /// When all sites were last looked at, seconds since the Unix epoch.
    looked: i64,
}

/// An order that has not ended, or the checks before it.
struct UnderWay {
    issuer: String,
    /// What is checked or ordered.
    names: Vec<HostPattern>,
    /// The site's last one came to nothing, for a reason of its own.
    has_failed: bool,
}

/// What became of a site's order.
struct Ended {
    site: String,
    issuer: String,
    /// What was found before the order, which was made all the same.
    warning: Option<Failure>,
    profile: Option<String>,
    names: Vec<String>,
    left_out: Vec<String>,
    /// At whom it is to be gone on with.
    open: Option<String>,
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
        let (records, budgets, dns) = (Records::new(store.clone()), Budgets::new(store.clone()), Dns01::new(store));
        let orders = Orders { accounts, records, shown, budgets, dns, progress: handle.progress().clone() };
        Self {
            terms,
            certificates,
            intake,
            orders,
            preflight,
            places: Places::new(1),
            handle,
            wishes,
            wished: HashSet::new(),
            sites: BTreeMap::new(),
            under_way: HashMap::new(),
            health: Arc::default(),
            late: HashSet::new(),
            budgets_known: HashSet::new(),
            asker: Asker::default(),
            asked: HashSet::new(),
            looked: 0,
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
        let mut asking: JoinSet<Heard> = JoinSet::new();
        let mut sweeping = JoinSet::new();
        sweeping.spawn(sweep(self.orders.dns.clone(), self.terms.clone()));
        loop {
            let terms = self.terms.borrow_and_update().clone();
            let next = self.look(&terms, &mut at_work, &mut asking).await;
            let (mut ended, mut heard) = (None, None);
            tokio::select! {
                changed = self.terms.changed() => if changed.is_err() { return },
                () = self.intake.next_look() => {}
                Some(wish) = self.wishes.recv() => drop(self.wished.insert(wish)),
                Some(order) = at_work.join_next() => ended = order.ok(),
                Some(answer) = asking.join_next() => heard = answer.ok(),
                () = sleep(next) => {}
            }
            if let Some(ended) = ended {
                self.note(ended).await;
            }
            if let Some(heard) = heard {
                self.hear(heard).await;
            }
        }
    }

    /// Begins an order of a site at an issuer, with the checks before it.
    fn start(
        &mut self,
        (site, issuer): (&ManagedSite, &Issuer),
        asked: Asked,
        (standing, has_failed, is_wished): (&SiteStanding, bool, bool),
        terms: &Arc<AcmeTerms>,
        at_work: &mut JoinSet<Ended>,
    ) {
        let under_way = UnderWay { issuer: issuer.name.clone(), names: asked.names.clone(), has_failed };
        self.under_way.insert(site.name.clone(), under_way);
        self.wished.remove(&site.name);
        let (orders, intake, terms) = (self.orders.clone(), self.intake.clone(), Arc::clone(terms));
        let (preflight, places, health) = (self.preflight.clone(), self.places.clone(), Arc::clone(&self.health));
        let mode = self.strictness(site, standing, &terms);
        let (site, issuer) = (ManagedSite { hosts: asked.names.clone(), ..site.clone() }, issuer.clone());
        // First as it is due, then in all other ways.
        let enough = terms.ways(&site);
        let challenge = standing.challenge(&enough);
        let others = enough.into_iter().filter(|other| *other != challenge);
        let ways: Vec<Challenge> = std::iter::once(challenge).chain(others).collect();
        at_work.spawn(async move {
            let (name, issuer_name) = (site.name.clone(), issuer.name.clone());
            let (progress, records, own) = (orders.progress.clone(), orders.records.clone(), name.clone());
            let profile = asked.profile.clone();
            let told = |names: &[HostPattern]| names.iter().map(ToString::to_string).collect();
            let (names, left_out) = (told(&asked.names), told(&asked.left_out));
            let work = async move {
                let Cleared { way, warning } = match preflight.clear(&terms, mode, (&site, &issuer), &ways).await {
                    Ok(cleared) => cleared,
                    Err(failure) => return (None, Err(failure)),
                };
                let _place = places.take(has_failed).await;
                // Others may have found out meanwhile.
                if !is_wished && let Some(away) = away(&health, &issuer.name) {
                    return (warning, Err(away));
                }
                tracing::info!(site = %site.name, issuer = %issuer.name, challenge = way.word(), "orders a certificate");
                let done = order(&orders, &intake, &site, (&issuer, way, &asked), &terms).await;
                (warning, done.map(|()| way))
            };
            // A mistake of ours in one order must not keep its site waiting for an end that never comes.
            let failed = |_| {
                (None, Err(Failure::new(Reason::State, "the order failed in a way that was not foreseen; see the log")))
            };
            let (warning, result) = tokio::spawn(work).await.unwrap_or_else(failed);
            progress.enter(&name, None);
            let open = spawn_blocking(move || records.open_at(&own)).await.unwrap_or_default();
            Ended { site: name, issuer: issuer_name, warning, profile, names, left_out, open, result }
        });
    }

    async fn note(&mut self, ended: Ended) {
        let Ended { site, issuer, warning, profile, names, left_out, open, result } = ended;
        self.under_way.remove(&site);
        self.handle.tally().count(&issuer, &result);
        let now = now();
        let Some(standing) = self.sites.get_mut(&site) else { return };
        let standing = Arc::make_mut(standing);
        standing.open = open;
        standing.warning = warning.map(|warning| LastFailure::of(&issuer, &warning, now));
        let mut is_there = false;
        match result {
            Ok(challenge) => {
                is_there = true;
                if left_out.is_empty() {
                    tracing::info!(%site, %issuer, "a certificate is issued");
                } else {
                    let left_out = left_out.join(", ");
                    tracing::warn!(%site, %issuer, %left_out, "a certificate is issued without the names that keep failing");
                }
                standing.succeed(Success { issuer: &issuer, challenge, profile, names, left_out }, now);
            }
            Err(failure) if failure.is_held => {
                tracing::info!(%site, %issuer, "no order is made yet: {}", failure.text);
                standing.hold(&issuer, &failure, now);
            }
            Err(failure) => {
                standing.fail(&issuer, &failure, now);
                let (reason, failures) = (failure.reason.label(), standing.failures);
                let rest = standing.resting.get(&issuer).filter(|_| failure.reason.is_the_issuers());
                let rest = rest.or(standing.own_rest.as_ref()).map_or(0, |rest| rest.until(&site, false) - now);
                if failure.is_beforehand {
                    let checks = standing.failed_checks;
                    tracing::error!(%site, %reason, checks, "nothing is ordered: {}; looked at again in {rest} s", failure.text);
                } else {
                    tracing::error!(
                        %site, %issuer, %reason, failures,
                        "no certificate: {}; {issuer} is asked again in {rest} s", failure.text
                    );
                    match failure.reason {
                        Reason::Validation | Reason::Dns | Reason::Caa | Reason::NameRefused => is_there = true,
                        _ => self
                            .health
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .failed(&issuer, &site, &failure, now),
                    }
                }
            }
        }
        let mut changed = vec![site];
        if is_there && self.health.lock().unwrap_or_else(PoisonError::into_inner).answered(&issuer) {
            for (site, standing) in &mut self.sites {
                if standing.resting.contains_key(&issuer) && Arc::make_mut(standing).forgive(&issuer) {
                    changed.push(site.clone());
                }
            }
        }
        for site in changed {
            self.write_down(&site).await;
        }
    }

    /// What must outlast a start.
    async fn write_down(&self, site: &str) {
        let Some(standing) = self.sites.get(site).map(Arc::clone) else { return };
        let (records, site) = (self.orders.records.clone(), site.to_owned());
        let written = spawn_blocking(move || records.stand(&site, &standing)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "how a site is doing cannot be written down");
        }
    }
}

/// Why an issuer is not asked now, which others found out.
fn away(health: &Mutex<Health>, issuer: &str) -> Option<Failure> {
    match health.lock().unwrap_or_else(PoisonError::into_inner).of(issuer, now()) {
        Fitness::Away(until, what) => Some(Failure::held(until, what)),
        Fitness::Well | Fitness::Doubtful => None,
    }
}

/// Removes what interrupted orders left in the DNS: at once, and again for what could not be removed.
async fn sweep(dns: Dns01, terms: watch::Receiver<Arc<AcmeTerms>>) {
    loop {
        let now = terms.borrow().clone();
        dns.sweep(&now).await;
        sleep(BETWEEN_SWEEPS).await;
    }
}

/// Orders a certificate for a site, or goes on with the order that is open, and has it served.
async fn order(
    orders: &Orders,
    intake: &IntakeHandle,
    site: &ManagedSite,
    (issuer, challenge, asked): (&Issuer, Challenge, &Asked),
    terms: &Arc<AcmeTerms>,
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
    let chain = orders.fulfil(&mut record, (issuer, challenge, asked), terms, https).await;
    let chain = match chain {
        Ok(chain) => chain,
        Err(failure) => {
            // What the authority may still be working on is asked for again.
            let is_pending = matches!(failure.reason, Reason::Unreachable | Reason::State | Reason::Record);
            let goes_on = (failure.is_held || is_pending) && record.order.url.is_some();
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

/// Sites that are under way together, most of which only wait for name servers, or for whoever answers for their names.
const MOST_CHECKED_AT_ONCE: usize = 64;
/// Servers that are away come back within minutes or within hours.
const BETWEEN_SWEEPS: Duration = Duration::from_hours(1);
/// One request and its answer.
const EXCHANGE: Duration = Duration::from_secs(30);
/// The calendar may be set meanwhile; look again after an hour.
const FARTHEST: i64 = 3600;
