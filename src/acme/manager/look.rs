//! A look at every managed site: what serves, what is to be done next, and who comes first where not all can.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use tokio::task::{JoinSet, spawn_blocking};

use super::places::Places;
use super::{EXCHANGE, Ended, FARTHEST, MOST_CHECKED_AT_ONCE, Manager, now};
use crate::acme::order::Asked;
use crate::acme::partial;
use crate::acme::renewal_info::{Answer, RenewalInfo};
use crate::acme::schedule::Life;
use crate::acme::serving::{View, life};
use crate::acme::slot::Slot;
use crate::acme::standing::{Phase, SiteStanding};
use crate::acme::step::{Ground, Rank, Situation, Step, has_room, step};
use crate::acme::terms::{AcmeTerms, Issuer, ManagedSite};
use crate::live::{OrderedKey, ServedCert};
use crate::name::HostPattern;
use crate::outbound::HttpsClient;
use crate::words::wait::Wait;

/// What an authority answered to the question when a certificate is to be renewed.
pub(super) struct Heard {
    pub(super) slot: Slot,
    pub(super) fingerprint: Box<str>,
    pub(super) answer: Answer,
}

/// An order whose time has come.
struct Ready<'a> {
    site: &'a ManagedSite,
    slot: Slot,
    issuer: &'a Issuer,
    rank: Rank,
    asked: Asked,
}

impl Manager {
    /// Looks at every site, begins the orders whose time has come, and asks authorities when certificates are to be renewed. Says
    /// how soon to look again.
    pub(super) async fn look(
        &mut self,
        terms: &Arc<AcmeTerms>,
        at_work: &mut JoinSet<Ended>,
        asking: &mut JoinSet<Heard>,
    ) -> Duration {
        self.know_budgets(terms).await;
        terms.issuers.iter().for_each(|issuer| self.handle.tally().know(&issuer.name));
        if self.places.number != terms.at_once {
            self.places = Places::new(terms.at_once);
        }
        let now = now();
        let was_put_back = std::mem::replace(&mut self.looked, now) > now;
        let ledger = self.intake.ledger();
        let apple_pay: HashSet<&str> = ledger
            .objects
            .iter()
            .filter_map(|object| object.version())
            .flat_map(|version| version.sites.iter().map(String::as_str))
            .collect();
        let (mut sites, mut ready, mut soonest) = (BTreeMap::new(), Vec::new(), now + FARTHEST);
        let managed = terms.sites.iter().filter(|site| terms.terms_agreed && site.is_managed(&ledger.choices));
        for (site, slot) in managed.flat_map(|site| site.slots().map(move |slot| (site, slot))) {
            let mut standing = self.standing_of(site, &slot).await;
            if was_put_back {
                Arc::make_mut(&mut standing).settle(now);
            }
            let (index, partial_after) = (self.certificates.load(), terms.partial_after);
            let view = View { index: &index, site, slot: &slot, standing: &standing, partial_after, now };
            let serving = view.serving();
            if let Some(served) = serving.as_ref().filter(|served| standing.ends != Some(served.facts.not_after)) {
                Arc::make_mut(&mut standing).ends = Some(served.facts.not_after);
            }
            let is_wished = self.wished.contains(&slot);
            let (names, left_out) = partial::names(site, &standing, terms.partial_after, is_wished, now);
            let seen = serving.as_ref().map(|served| (life(served), &*served.facts.fingerprint));
            let seed = slot.seed();
            let situation = Situation {
                site: &seed,
                standing: &standing,
                serving: seen,
                names: &names,
                is_on_demand: site.allowed_by.is_some(),
                is_wished,
                now,
            };
            let at_work = self.at_work();
            let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
            let (issuers, budgets) = (&*terms.issuers, &self.orders.budgets);
            let mut step = step(situation, Ground { issuers, health: &health, budgets, at_work: &at_work });
            drop(health);
            if let Some(other) = self.claimed(&slot, &names) {
                (step.issuer, step.waits_for) = (None, Some(other));
            }
            let is_under_way = self.under_way.contains_key(&slot);
            if !is_under_way && step.at > now {
                soonest = soonest.min(step.at);
            }
            // What was just issued may serve before it is noted whose it is.
            if let Some(served) = serving.as_ref().filter(|_| !is_under_way) {
                soonest = soonest.min(self.ask(&slot, &standing, served, (terms, now), asking));
            }
            if let Some(issuer) = step.issuer.and_then(|place| terms.issuers.get(place)).filter(|_| !is_under_way) {
                let profile = profile(issuer, apple_pay.contains(&*site.name), &standing, seen.map(|(life, _)| life));
                let replaces = serving.filter(|_| standing.issuer.as_ref() == Some(&issuer.name));
                let asked = Asked { kind: step.kind, names, left_out, profile, replaces };
                ready.push(Ready { site, slot: slot.clone(), issuer, rank: step.rank, asked });
            }
            show(&mut standing, &step, is_under_way);
            self.tell_late(&slot, standing.is_late(now));
            sites.insert(slot, standing);
        }
        self.sites = sites;
        self.begin(ready, terms, at_work);
        self.handle.replace(self.sites.clone());
        Duration::from_secs(u64::try_from(soonest - now).unwrap_or(0).max(1))
    }

    /// Begins as many orders as may be under way, the most urgent first.
    fn begin(&mut self, mut ready: Vec<Ready<'_>>, terms: &Arc<AcmeTerms>, at_work: &mut JoinSet<Ended>) {
        ready.sort_by_key(|ready| ready.rank);
        for Ready { site, slot, issuer, rank, asked } in ready {
            let failed = self.under_way.values().filter(|order| order.has_failed).count();
            let has_failed = self.sites.get(&slot).is_some_and(|standing| standing.own_rest.is_some());
            if !has_room((at_work.len(), failed), has_failed, MOST_CHECKED_AT_ONCE)
                || self.claimed(&slot, &asked.names).is_some()
            {
                continue;
            }
            let is_alone = !self.under_way.values().any(|order| order.issuer == issuer.name);
            let is_wished = rank == Rank::Wished;
            let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
            if !is_wished && !health.lets(&issuer.name, is_alone, now()) {
                continue;
            }
            drop(health);
            let Some(standing) = self.sites.get_mut(&slot) else { continue };
            let phase = if standing.renewal.is_some() { Phase::Renewing } else { Phase::Ordering };
            let shown = Arc::make_mut(standing);
            (shown.phase, shown.next, shown.waits_for) = (phase, None, None);
            let standing = Arc::clone(standing);
            self.start((site, &slot, issuer), asked, (&standing, has_failed, is_wished), terms, at_work);
        }
    }

    /// Says once that the renewal of a site is late.
    fn tell_late(&mut self, slot: &Slot, is_late: bool) {
        if !is_late {
            self.late.remove(slot);
        } else if self.late.insert(slot.clone()) {
            let key = slot.key.word();
            tracing::warn!(site = %slot.site, key, "a managed certificate should have been renewed more than a day ago");
        }
    }

    /// Whose order is waited for, which has one of these names: that of the other type of key, for what is shown for a name must not
    /// be in another's way, or that of another site: a configuration that is read again may move one.
    fn claimed(&self, slot: &Slot, names: &[HostPattern]) -> Option<Wait> {
        self.under_way.iter().filter(|(other, _)| *other != slot).find_map(|(other, order)| {
            let name = order.names.iter().find(|name| names.contains(name))?.to_string();
            Some(match other.site == slot.site {
                true => Wait::OtherKey { name },
                false => Wait::OtherSite { name, site: other.site.clone() },
            })
        })
    }

    /// Asks when a certificate is to be renewed, if it is time to ask. Gives when it is.
    fn ask(
        &mut self,
        slot: &Slot,
        standing: &SiteStanding,
        served: &Arc<ServedCert>,
        (terms, now): (&AcmeTerms, i64),
        asking: &mut JoinSet<Heard>,
    ) -> i64 {
        let known = standing.renewal_info.as_ref().filter(|info| info.fingerprint == *served.facts.fingerprint);
        let again = known.map_or(now, |info| info.again);
        let issuer = terms.issuers.iter().find(|issuer| standing.issuer.as_ref() == Some(&issuer.name));
        let Some(issuer) = issuer.or(terms.issuers.first()) else { return i64::MAX };
        let Some(leaf) = served.certified.chain().first() else { return i64::MAX };
        if again > now || self.asked.contains(slot) || asking.len() >= MOST_QUESTIONS {
            return if again > now { again } else { i64::MAX };
        }
        self.asked.insert(slot.clone());
        let (asker, leaf, issuer) = (self.asker.clone(), CertificateDer::from(leaf.to_vec()), issuer.clone());
        let (slot, fingerprint) = (slot.clone(), served.facts.fingerprint.clone());
        asking.spawn(async move {
            let answer = match HttpsClient::new(issuer.roots.iter().cloned(), EXCHANGE) {
                Ok(https) => asker.ask(&issuer.directory, &leaf, &https).await,
                Err(error) => Answer::Failed { text: error.to_string(), again: None },
            };
            Heard { slot, fingerprint, answer }
        });
        i64::MAX
    }

    /// Takes in what an authority suggests.
    pub(super) async fn hear(&mut self, Heard { slot, fingerprint, answer }: Heard) {
        self.asked.remove(&slot);
        let Some(standing) = self.sites.get_mut(&slot) else { return };
        let known = standing.renewal_info.clone().filter(|info| info.fingerprint == *fingerprint);
        let known = known.unwrap_or_else(|| RenewalInfo { fingerprint: fingerprint.into(), ..RenewalInfo::default() });
        Arc::make_mut(standing).renewal_info = Some(known.heard(answer, &slot.seed(), now()));
        self.write_down(&slot).await;
    }

    async fn standing_of(&self, site: &ManagedSite, slot: &Slot) -> Arc<SiteStanding> {
        if let Some(known) = self.sites.get(slot) {
            return Arc::clone(known);
        }
        let (records, own) = (self.orders.records.clone(), slot.clone());
        let others = OrderedKey::ALL.into_iter().filter(|key| !site.key_types.contains(key));
        let others: Vec<Slot> = others.map(|key| Slot::new(&site.name, key)).collect();
        let read = move || {
            // What was ordered for a type of key that is not wanted any more comes to nothing.
            others.iter().try_for_each(|other| records.end(other))?;
            records.standing(&own).map(|known| SiteStanding { open: records.open_at(&own), ..known })
        };
        let mut standing = match spawn_blocking(read).await {
            Ok(Ok(standing)) => standing,
            Ok(Err(error)) => {
                tracing::error!(site = %slot.site, key = slot.key.word(), %error, "how the site was doing cannot be read");
                SiteStanding::default()
            }
            Err(_) => SiteStanding::default(),
        };
        standing.settle(now());
        Arc::new(standing)
    }

    /// Reads what was spent at issuers that are new, before anything more is.
    async fn know_budgets(&mut self, terms: &AcmeTerms) {
        let new = |issuer: &&Issuer| !self.budgets_known.contains(&issuer.name);
        let new: Vec<String> = terms.issuers.iter().filter(new).map(|issuer| issuer.name.clone()).collect();
        if new.is_empty() {
            return;
        }
        self.budgets_known.extend(new.iter().cloned());
        let budgets = self.orders.budgets.clone();
        let read = move || budgets.load(&new.iter().map(String::as_str).collect::<Vec<_>>());
        // Cancelled: the edge is stopping.
        let _ = spawn_blocking(read).await;
    }

    fn at_work(&self) -> HashMap<String, usize> {
        let mut at_work = HashMap::new();
        for order in self.under_way.values() {
            *at_work.entry(order.issuer.clone()).or_default() += 1;
        }
        at_work
    }
}

/// What is told of a site; a copy is only made when that is new.
fn show(standing: &mut Arc<SiteStanding>, step: &Step, is_under_way: bool) {
    let phase = match (is_under_way, step.due.is_some(), standing.has_failed()) {
        (true, true, _) => Phase::Renewing,
        (true, false, _) => Phase::Ordering,
        (false, _, true) => Phase::Failed,
        (false, true, false) => Phase::Issued,
        (false, false, false) => Phase::Waiting,
    };
    let next = (!is_under_way).then_some(step.at);
    let waits_for = step.waits_for.as_ref().filter(|_| !is_under_way);
    if (standing.phase, standing.next, standing.renewal) != (phase, next, step.due)
        || standing.waits_for.as_ref() != waits_for
    {
        let shown = Arc::make_mut(standing);
        (shown.phase, shown.next, shown.renewal, shown.waits_for) = (phase, next, step.due, waits_for.cloned());
    }
}

/// The profile an order asks for. Apple looks at a shop's certificate only now and then, and wants to find one that lasts: a site with
/// objects of Apple Pay's gets the issuer's own choice instead of certificates of less than thirty days.
fn profile(issuer: &Issuer, has_apple_pay: bool, standing: &SiteStanding, serving: Option<Life>) -> Option<String> {
    let profile = issuer.profile.clone()?;
    let was_asked_for = standing.issuer.as_ref() == Some(&issuer.name) && standing.profile.as_ref() == Some(&profile);
    let was_short = was_asked_for && serving.is_some_and(|life| life.length() < SHORTEST_FOR_APPLE_PAY);
    (!has_apple_pay || (profile != SHORT_LIVED && !was_short)).then_some(profile)
}

/// Questions that are asked together, of all authorities.
const MOST_QUESTIONS: usize = 4;
/// Let's Encrypt's word for certificates of six days.
const SHORT_LIVED: &str = "shortlived";
const SHORTEST_FOR_APPLE_PAY: i64 = 30 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Budgets;

    #[test]
    fn a_site_with_apple_pay_asks_for_nothing_that_ends_within_thirty_days() {
        let issuer = |profile: Option<&str>| Issuer {
            name: "le".into(),
            directory: "https://le.example/".into(),
            profile: profile.map(Into::into),
            roots: Vec::new(),
            external_account: None,
            budgets: Budgets::OTHERS,
        };
        let days = |days: i64| Some(Life { not_before: 0, not_after: days * 86_400 });
        let new = SiteStanding::default();
        let had = |name: &str| SiteStanding {
            issuer: Some("le".into()),
            profile: Some(name.into()),
            ..SiteStanding::default()
        };
        let cases = [
            ("shortlived", false, &new, None, Some("shortlived")),
            ("shortlived", true, &new, None, None),
            ("tlsserver", true, &had("tlsserver"), days(45), Some("tlsserver")),
            ("week", true, &new, None, Some("week")),
            ("week", true, &had("week"), days(7), None),
            ("week", false, &had("week"), days(7), Some("week")),
            ("week", true, &had("other"), days(7), Some("week")),
        ];
        for (name, has_apple_pay, standing, serving, expected) in cases {
            let found = profile(&issuer(Some(name)), has_apple_pay, standing, serving);
            assert_eq!(found.as_deref(), expected, "{name} {has_apple_pay} {serving:?}");
        }
        assert_eq!(profile(&issuer(None), true, &new, None), None);
    }
}
