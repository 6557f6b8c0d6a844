//! Which site needs a certificate, and when: the one task that begins orders.

mod look;
mod places;
mod wanted;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use self::look::Heard;
use self::places::{Place, Places};
use self::wanted::Wanted;
use super::account::Accounts;
use super::authorities::Authorities;
use super::budget::Budgets;
use super::dns01::Dns01;
use super::failure::{Failure, Reason};
use super::handle::{AcmeHandle, Wish};
use super::health::{Fitness, Health};
use super::on_demand::{Permission, Tenant};
use super::order::{Asked, Orders};
use super::preflight::{Cleared, Preflight};
use super::records::Records;
use super::renewal_info::Asker;
use super::schedule;
use super::serving::{View, life};
use super::shown::Shown;
use super::slot::Slot;
use super::standing::{LastFailure, Open, SiteStanding, Success};
use super::terms::{AcmeTerms, Issuer, ManagedSite};
use crate::certs::IntakeHandle;
use crate::config::{Challenge, PreflightMode};
use crate::live::{CertIndex, Challenges, Live, Publisher};
use crate::name::HostPattern;
use crate::shutdown::Lifecycle;
use crate::store::Store;

/// Orders certificates for managed sites.
pub struct Manager {
    terms: watch::Receiver<Arc<AcmeTerms>>,
    certificates: Live<CertIndex>,
    intake: IntakeHandle,
    orders: Orders,
    preflight: Preflight,
    permission: Permission,
    frozen: watch::Receiver<bool>,
    places: Places,
    handle: AcmeHandle,
    wishes: mpsc::Receiver<Wish>,
    /// What is to be ordered whenever its time is.
    wished: HashSet<Slot>,
    /// How each managed site is doing, for each type of key.
    sites: BTreeMap<Slot, Arc<SiteStanding>>,
    under_way: HashMap<Slot, UnderWay>,
    health: Arc<Mutex<Health>>,
    /// What it was said of that its renewal is late.
    late: HashSet<Slot>,
    /// Issuers whose budgets were read.
    budgets_known: HashSet<String>,
    asker: Asker,
    /// What an authority is being asked for when to renew it.
    asked: HashSet<Slot>,
    /// When all sites were last looked at, seconds since the Unix epoch.
    looked: i64,
}

/// An order that has not ended, or the checks before it.
struct UnderWay {
    issuer: String,
    /// What is checked or ordered.
    names: Vec<HostPattern>,
    /// The last one came to nothing, for a reason of its own.
    has_failed: bool,
}

/// What became of an order.
struct Ended {
    slot: Slot,
    issuer: String,
    /// What was found before the order, which was made all the same.
    warning: Option<Failure>,
    profile: Option<String>,
    names: Vec<String>,
    left_out: Vec<String>,
    /// What is to be gone on with.
    open: Option<Open>,
    /// How control of the names was shown.
    result: Result<Challenge, Failure>,
    /// Held until it is noted how it went: what others have found out counts for whoever gets it next.
    place: Option<Place>,
}

impl Manager {
    /// A manager that shows authorities what they ask for in `challenges`, tells through the handle how sites are doing, and does what
    /// is wished for through it. Sites on demand need permission for each further order. While it is `frozen` no order is begun; those
    /// under way go on.
    #[must_use]
    pub fn new(
        (terms, frozen): (watch::Receiver<Arc<AcmeTerms>>, watch::Receiver<bool>),
        certificates: Live<CertIndex>,
        intake: IntakeHandle,
        store: Store,
        challenges: Publisher<Challenges>,
        (handle, wishes): (AcmeHandle, mpsc::Receiver<Wish>),
        permission: Permission,
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
            permission,
            frozen,
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

    /// What the operator may ask of authorities beside orders.
    #[must_use]
    pub fn authorities(&self) -> Authorities {
        Authorities {
            terms: self.terms.clone(),
            accounts: self.orders.accounts.clone(),
            intake: self.intake.clone(),
            ordering: self.handle.clone(),
            certificates: self.certificates.clone(),
            records: self.orders.records.clone(),
            budgets: self.orders.budgets.clone(),
            health: Arc::clone(&self.health),
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
        self.forget_the_departed().await;
        let mut at_work: JoinSet<Ended> = JoinSet::new();
        let mut asking: JoinSet<Heard> = JoinSet::new();
        let mut sweeping = JoinSet::new();
        sweeping.spawn(sweep(self.orders.dns.clone(), self.terms.clone()));
        let mut attended: Option<Arc<AcmeTerms>> = None;
        loop {
            let terms = self.terms.borrow_and_update().clone();
            // Not where a change is waited for: one that comes while nobody waits is seen here alone.
            if attended.replace(Arc::clone(&terms)).is_none_or(|before| !Arc::ptr_eq(&before, &terms)) {
                self.authorities().attend();
            }
            let is_frozen = *self.frozen.borrow_and_update();
            let next = match is_frozen {
                true => Duration::from_secs(FARTHEST.unsigned_abs()),
                false => self.look(&terms, &mut at_work, &mut asking).await,
            };
            if !is_frozen {
                self.handle.has_looked();
            }
            let (mut ended, mut heard) = (None, None);
            tokio::select! {
                changed = self.terms.changed() => if changed.is_err() { return },
                Ok(()) = self.frozen.changed() => {}
                () = self.intake.next_look() => {}
                Some(wish) = self.wishes.recv() => {
                    self.wished.extend(self.sites.keys().filter(|slot| wish.is_for(slot)).cloned());
                }
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

    /// Ends the orders that were open when their sites were removed, renamed, or given certificates otherwise.
    async fn forget_the_departed(&self) {
        let (terms, ledger) = (self.terms.borrow().clone(), self.intake.ledger());
        let records = self.orders.records.clone();
        let forget = move || {
            let managed = terms.sites.iter().filter(|site| site.is_managed(&ledger.choices));
            records.end_all_but(&managed.map(|site| &*site.name).collect(), now())
        };
        if let Ok(Err(error)) = spawn_blocking(forget).await {
            tracing::warn!(%error, "the orders of sites that are gone cannot be deleted, and do no harm");
        }
    }

    /// Begins an order at an issuer, with the checks before it.
    fn start(
        &mut self,
        (site, slot, issuer): (&ManagedSite, &Slot, &Issuer),
        asked: Asked,
        (standing, has_failed, is_wished): (&SiteStanding, bool, bool),
        terms: &Arc<AcmeTerms>,
        at_work: &mut JoinSet<Ended>,
    ) {
        let under_way = UnderWay { issuer: issuer.name.clone(), names: asked.names.clone(), has_failed };
        self.under_way.insert(slot.clone(), under_way);
        self.wished.remove(slot);
        let (orders, intake, terms) = (self.orders.clone(), self.intake.clone(), Arc::clone(terms));
        let (preflight, places, health) = (self.preflight.clone(), self.places.clone(), Arc::clone(&self.health));
        let index = self.certificates.load();
        let view = View { index: &index, site, slot, standing, partial_after: terms.partial_after, now: now() };
        let tenant = if is_wished { None } else { Tenant::of(&view) };
        let permission = self.permission.clone();
        let mode = strictness(&view, terms.preflight.mode);
        let predecessor = site.reuse_key.then(|| view.predecessor()).flatten();
        let issuer = issuer.clone();
        // First as it is due, then in all other ways.
        let enough = terms.ways(&asked.names);
        let challenge = standing.challenge(&enough);
        let others = enough.into_iter().filter(|other| *other != challenge);
        let ways: Vec<Challenge> = std::iter::once(challenge).chain(others).collect();
        let slot = slot.clone();
        at_work.spawn(async move {
            let (progress, records, own, issuer_name) =
                (orders.progress.clone(), orders.records.clone(), slot.clone(), issuer.name.clone());
            let profile = asked.profile.clone();
            let told = |names: &[HostPattern]| names.iter().map(ToString::to_string).collect();
            let (names, left_out) = (told(&asked.names), told(&asked.left_out));
            let wanted = Wanted { slot: own.clone(), asked, predecessor };
            let work = async move {
                if let Some(tenant) = tenant
                    && let Err(failure) = permission.ask(&terms, &tenant).await
                {
                    return (None, None, Err(failure));
                }
                let about = (&wanted.slot, &*wanted.asked.names, &issuer);
                let Cleared { way, warning } = match preflight.clear(&terms, mode, about, &ways).await {
                    Ok(cleared) => cleared,
                    Err(failure) => return (None, None, Err(failure)),
                };
                let place = Some(places.take(has_failed).await);
                // Others may have found out meanwhile.
                if !is_wished && let Some(away) = away(&health, &issuer.name) {
                    return (place, warning, Err(away));
                }
                let (site, key) = (&wanted.slot.site, wanted.slot.key.word());
                tracing::info!(%site, key, issuer = %issuer.name, challenge = way.word(), "orders a certificate");
                let done = wanted.order(&orders, &intake, (&issuer, way), &terms).await;
                (place, warning, done.map(|()| way))
            };
            // A mistake of ours in one order must not keep its site waiting for an end that never comes.
            let failed = |_| (None, None, Err(Failure::new(Reason::State, UNFORESEEN)));
            let (place, warning, result) = tokio::spawn(work).await.unwrap_or_else(failed);
            progress.enter(&slot, None);
            let open = spawn_blocking(move || records.open_at(&own)).await.unwrap_or_default();
            Ended { slot, issuer: issuer_name, warning, profile, names, left_out, open, result, place }
        });
    }

    async fn note(&mut self, ended: Ended) {
        let Ended { slot, issuer, warning, profile, names, left_out, open, result, place: _place } = ended;
        self.under_way.remove(&slot);
        self.handle.tally().count(&issuer, &result);
        let now = now();
        let Some(standing) = self.sites.get_mut(&slot) else { return };
        let standing = Arc::make_mut(standing);
        let (site, key) = (&slot.site, slot.key.word());
        standing.open = open;
        standing.warning = warning.map(|warning| LastFailure::of(&issuer, &warning, now));
        let mut is_there = false;
        match result {
            Ok(challenge) => {
                is_there = true;
                if left_out.is_empty() {
                    tracing::info!(%site, key, %issuer, "a certificate is issued");
                } else {
                    let left_out = left_out.join(", ");
                    tracing::warn!(
                        %site, key, %issuer, %left_out, "a certificate is issued without the names that keep failing"
                    );
                }
                standing.succeed(Success { issuer: &issuer, challenge, profile, names, left_out }, now);
            }
            Err(failure) if failure.is_held() => {
                tracing::info!(%site, key, %issuer, "no order is made yet: {}", failure.text);
                standing.hold(&issuer, &failure, now);
            }
            Err(failure) => {
                standing.fail(&issuer, &failure, now);
                let (reason, failures) = (failure.reason.label(), standing.failures);
                let rest = standing.resting.get(&issuer).filter(|_| failure.reason.is_the_issuers());
                let rest = rest.or(standing.own_rest.as_ref()).map_or(0, |rest| rest.until(&slot.seed(), false) - now);
                if failure.is_beforehand {
                    let checks = standing.failed_checks;
                    tracing::error!(%site, key, %reason, checks, "nothing is ordered: {}; looked at again in {rest} s", failure.text);
                } else {
                    tracing::error!(
                        %site, key, %issuer, %reason, failures,
                        "no certificate: {}; {issuer} is asked again in {rest} s", failure.text
                    );
                    match failure.reason {
                        Reason::Validation | Reason::Dns | Reason::Caa | Reason::NameRefused => is_there = true,
                        _ => self
                            .health
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .failed(&issuer, site, &failure, now),
                    }
                }
            }
        }
        let mut changed = vec![slot];
        if is_there && self.health.lock().unwrap_or_else(PoisonError::into_inner).answered(&issuer) {
            for (slot, standing) in &mut self.sites {
                if standing.resting.contains_key(&issuer) && Arc::make_mut(standing).forgive(&issuer) {
                    changed.push(slot.clone());
                }
            }
        }
        for slot in changed {
            self.write_down(&slot).await;
        }
    }

    /// What must outlast a start.
    async fn write_down(&self, slot: &Slot) {
        let Some(standing) = self.sites.get(slot).map(Arc::clone) else { return };
        let (records, slot) = (self.orders.records.clone(), slot.clone());
        let written = spawn_blocking(move || records.stand(&slot, &standing)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "how a site is doing cannot be written down");
        }
    }
}

/// How strictly names are looked at: no check may cost the certificate that serves.
fn strictness(view: &View<'_>, mode: PreflightMode) -> PreflightMode {
    let is_last_chance = || view.serving().is_some_and(|served| schedule::last_chance(life(&served)) <= view.now);
    match mode {
        PreflightMode::Enforce if is_last_chance() => PreflightMode::Warn,
        mode => mode,
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

/// Seconds since the Unix epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// Sites that are under way together, most of which only wait for name servers, or for whoever answers for their names.
const MOST_CHECKED_AT_ONCE: usize = 64;
/// Servers that are away come back within minutes or within hours.
const BETWEEN_SWEEPS: Duration = Duration::from_hours(1);
const UNFORESEEN: &str = "the order failed in a way that was not foreseen; see the log";
/// One request and its answer.
const EXCHANGE: Duration = Duration::from_secs(30);
/// The calendar may be set meanwhile; look again after an hour.
const FARTHEST: i64 = 3600;
