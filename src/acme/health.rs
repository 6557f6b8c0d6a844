//! How issuers are doing, as the orders of all sites show it. An issuer that is away is asked by one site after the other, and not by
//! all, and is found again within a quarter of an hour. All moments are seconds since the Unix epoch.

use std::collections::{BTreeMap, BTreeSet};

use super::failure::{Failure, Reason};
use crate::words::wait::Wait;

/// How each issuer is doing that does not do well.
#[derive(Clone, Debug, Default)]
pub(super) struct Health(BTreeMap<String, Trouble>);

/// What went wrong since it last did what it is for.
#[derive(Clone, Debug, Default)]
struct Trouble {
    /// Whose orders it failed, as many as are needed to tell that it is not the sites' fault.
    sites: BTreeSet<String>,
    /// After that.
    failures: u32,
    since: i64,
    told: Option<i64>,
    /// What the last of them failed for.
    why: Option<(Reason, String)>,
}

/// Whether an issuer may be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    Well,
    /// By one order at a time: it may be there again.
    Doubtful,
    /// Not before this moment, for this reason.
    Away(i64, Wait),
}

impl Health {
    pub(super) fn of(&self, issuer: &str, now: i64) -> Fitness {
        let Some(trouble) = self.0.get(issuer).filter(|trouble| trouble.failures > 0) else { return Fitness::Well };
        let pause = SHORTEST_PAUSE.saturating_mul(1 << trouble.failures.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
        let until = (trouble.since.min(now) + pause).max(trouble.told.unwrap_or(i64::MIN));
        match &trouble.why {
            Some((reason, text)) if until > now => {
                let (issuer, reason, text) = (issuer.to_owned(), reason.label().to_owned(), text.clone());
                Fitness::Away(until, Wait::IssuerAway { issuer, reason, text })
            }
            _ => Fitness::Doubtful,
        }
    }

    /// Whether it may have one more order.
    pub(super) fn lets(&self, issuer: &str, is_the_only_one: bool, now: i64) -> bool {
        match self.of(issuer, now) {
            Fitness::Well => true,
            Fitness::Doubtful => is_the_only_one,
            Fitness::Away(..) => false,
        }
    }

    /// It failed an order for a reason of its own.
    pub(super) fn failed(&mut self, issuer: &str, site: &str, failure: &Failure, now: i64) {
        if !matches!(failure.reason, Reason::Unreachable | Reason::RateLimited | Reason::Account) {
            return;
        }
        let trouble = self.0.entry(issuer.to_owned()).or_default();
        if trouble.sites.len() < SITES {
            trouble.sites.insert(site.to_owned());
        }
        if trouble.sites.len() < SITES {
            return;
        }
        trouble.failures = trouble.failures.saturating_add(1);
        trouble.since = now;
        trouble.told = failure.told().map(|told| told.min(now + LONGEST_TOLD));
        trouble.why = Some((failure.reason, failure.text.clone()));
        if trouble.failures == 1 {
            let text = &failure.text;
            tracing::error!(%issuer, %text, "the issuer fails one site after the other, and is asked by one at a time");
        }
    }

    /// It did what it is for. Gives whether it had failed everybody.
    pub(super) fn answered(&mut self, issuer: &str) -> bool {
        let was_away = self.0.remove(issuer).is_some_and(|trouble| trouble.failures > 0);
        if was_away {
            tracing::info!(%issuer, "the issuer is there again");
        }
        was_away
    }
}

/// One site's trouble may be the site's; that of three in a row is the issuer's.
const SITES: usize = 3;
const SHORTEST_PAUSE: i64 = 60;
const LONGEST_PAUSE: i64 = 15 * 60;
const LONGEST_TOLD: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(health: &mut Health, site: &str, reason: Reason, now: i64) {
        health.failed("le", site, &Failure::new(reason, "gone"), now);
    }

    fn away(until: i64, reason: &str, text: &str) -> Fitness {
        Fitness::Away(until, Wait::IssuerAway { issuer: "le".into(), reason: reason.into(), text: text.into() })
    }

    #[test]
    fn an_issuer_is_away_when_three_sites_say_so_and_asked_again_soon() {
        let mut health = Health::default();
        for site in ["a", "a", "a", "b"] {
            failed(&mut health, site, Reason::Unreachable, 1000);
            assert_eq!(health.of("le", 1000), Fitness::Well);
        }
        failed(&mut health, "c", Reason::Unreachable, 1000);
        assert_eq!(health.of("le", 1059), away(1060, "unreachable", "gone"));
        assert_eq!((health.of("le", 1060), health.of("other", 1000)), (Fitness::Doubtful, Fitness::Well));
        for _ in 0..40 {
            failed(&mut health, "a", Reason::Unreachable, 2000);
        }
        assert_eq!(health.of("le", 2899), away(2900, "unreachable", "gone"));
        assert_eq!(health.of("le", 2900), Fitness::Doubtful);
        // The clock was put back.
        assert_eq!(health.of("le", 100), away(1000, "unreachable", "gone"));
        assert!(health.answered("le") && !health.answered("le"));
        assert_eq!(health.of("le", 2000), Fitness::Well);
    }

    #[test]
    fn what_an_issuer_has_against_one_site_is_no_reason_for_the_others() {
        let mut health = Health::default();
        for site in ["a", "b", "c", "d"] {
            failed(&mut health, site, Reason::Refused, 1000);
            failed(&mut health, "a", Reason::RateLimited, 1000);
        }
        assert_eq!(health.of("le", 1000), Fitness::Well);
        let told = Failure::held(1000 + 500, Wait::NoIssuer).come_again;
        let failure = Failure { come_again: told, ..Failure::new(Reason::RateLimited, "no more") };
        for site in ["b", "c"] {
            health.failed("le", site, &failure, 1000);
        }
        assert_eq!(health.of("le", 1000), away(1500, "rate-limited", "no more"));
    }
}
