//! A month with ten thousand sites, through the functions that the manager asks, at an authority that keeps Let's Encrypt's published
//! limits. `cargo test --lib acme::month -- --nocapture` prints the figures.

mod authority;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use authority::{Authority, Said};

use super::budget::{Budgets, Claim, Kind};
use super::failure::{Failure, Reason};
use super::health::Health;
use super::schedule::{self, Life};
use super::standing::{SiteStanding, Success};
use super::step::{Ground, Rank, Situation, has_room, step};
use super::terms::Issuer;
use crate::config::{Budgets as Limits, Challenge};
use crate::name::HostPattern;
use crate::store::Store;

const DAY: i64 = 86_400;
const BEGIN: i64 = 1_800_000_000;
const SITES: usize = 10_000;
/// Of them for names of one registered domain.
const OF_THE_BRAND: usize = 150;
const LIFE: i64 = 45 * DAY;
const AT_ONCE: usize = 8;
/// From when until when the authority is away.
const OUTAGE: (i64, i64) = (BEGIN + 10 * DAY, BEGIN + 13 * DAY);

struct Site {
    name: String,
    names: Vec<HostPattern>,
    standing: SiteStanding,
    life: Life,
    /// Its name leads elsewhere.
    fails: bool,
    is_under_way: bool,
    is_paid: bool,
}

/// What happens next to a site.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ends,
    Looks,
}

struct Month {
    sites: Vec<Site>,
    issuers: Vec<Issuer>,
    health: Health,
    budgets: Budgets,
    authority: Authority,
    events: BinaryHeap<Reverse<(i64, Event, usize)>>,
    ready: BTreeSet<(Rank, usize)>,
    under_way: (usize, usize),
    /// From when a certificate should have been renewed until it was, and how much of its life was left then.
    renewed: Vec<(i64, i64)>,
    dark: BTreeSet<usize>,
}

fn month(limits: Limits) -> Month {
    let site = |number: usize| {
        let domain = if number < OF_THE_BRAND { "brand.co.uk".into() } else { format!("shop{number}.co.uk") };
        let name = format!("s{number}.{domain}");
        // They began one after the other: none is due yet, and some are so every minute.
        let age = i64::try_from(number % SITES).unwrap_or(0) * 7919 % SITES as i64 * (28 * DAY / SITES as i64);
        let life = Life { not_before: BEGIN - age, not_after: BEGIN - age + LIFE };
        let standing = SiteStanding {
            issuer: Some("le".into()),
            issued: Some(life.not_before),
            ends: Some(life.not_after),
            names: vec![name.clone()],
            ..SiteStanding::default()
        };
        let names = vec![HostPattern::parse(&name).expect("a name")];
        Site { name, names, standing, life, fails: number % 50 == 7, is_under_way: false, is_paid: false }
    };
    let issuer = Issuer {
        name: "le".into(),
        directory: "https://le.example/".into(),
        profile: None,
        roots: Vec::new(),
        external_account: None,
        budgets: limits,
    };
    let mut month = Month {
        sites: (0..SITES).map(site).collect(),
        issuers: vec![issuer],
        health: Health::default(),
        budgets: Budgets::new(Store::in_memory()),
        authority: Authority::new(OUTAGE),
        events: BinaryHeap::new(),
        ready: BTreeSet::new(),
        under_way: (0, 0),
        renewed: Vec::new(),
        dark: BTreeSet::new(),
    };
    month.events.extend((0..SITES).map(|site| Reverse((BEGIN, Event::Looks, site))));
    while let Some(Reverse((now, event, site))) = month.events.pop() {
        if now > BEGIN + 30 * DAY {
            break;
        }
        match event {
            Event::Looks => month.look(site, now),
            Event::Ends => month.end(site, now),
        }
        month.begin(now);
    }
    month
}

impl Month {
    fn step(&self, site: usize, now: i64) -> super::step::Step {
        let Site { name, names, standing, life, .. } = &self.sites[site];
        let serving = (now <= life.not_after).then_some((*life, "fingerprint"));
        let at_work = HashMap::from([("le".to_owned(), self.under_way.0)]);
        let (is_on_demand, is_wished) = (false, false);
        let situation = Situation { site: name, standing, serving, names, is_on_demand, is_wished, now };
        let Self { issuers, health, budgets, .. } = self;
        step(situation, Ground { issuers, health, budgets, at_work: &at_work })
    }

    fn look(&mut self, site: usize, now: i64) {
        if self.sites[site].is_under_way {
            return;
        }
        if now > self.sites[site].life.not_after && !self.sites[site].fails {
            self.dark.insert(site);
        }
        let step = self.step(site, now);
        match step.issuer {
            Some(_) => drop(self.ready.insert((step.rank, site))),
            None => self.events.push(Reverse((step.at, Event::Looks, site))),
        }
    }

    /// Begins what is ready while there is room.
    fn begin(&mut self, now: i64) {
        let mut passed = Vec::new();
        while self.under_way.0 < AT_ONCE
            && let Some((rank, site)) = self.ready.pop_first()
        {
            let has_failed = self.sites[site].standing.own_rest.is_some();
            if !has_room(self.under_way, has_failed, AT_ONCE) {
                passed.push((rank, site));
                continue;
            }
            let step = self.step(site, now);
            if step.issuer.is_none() || !self.health.lets("le", self.under_way.0 == 0, now) {
                self.events.push(Reverse((step.at.max(now + 1), Event::Looks, site)));
                continue;
            }
            let Site { names, standing, life, fails, is_under_way, is_paid, .. } = &mut self.sites[site];
            let replaces = now <= life.not_after;
            let claim = Claim { issuer: "le", limits: self.issuers[0].budgets, kind: step.kind, names, replaces };
            // Whoever does not give its directory gets no order.
            let is_away = self.authority.is_away(now);
            if !is_away && let Err(failure) = self.budgets.spend(&claim, now) {
                standing.hold("le", &failure, now);
                self.events.push(Reverse((now + 1, Event::Looks, site)));
                continue;
            }
            *is_paid = !claim.is_free();
            self.authority.asked_in_vain += usize::from(is_away);
            if !is_away {
                self.authority.order(claim.is_free(), &names[0], now);
            }
            *is_under_way = true;
            self.under_way.0 += 1;
            self.under_way.1 += usize::from(has_failed);
            // Who does not answer is waited for.
            let takes = if is_away || *fails { 30 } else { 12 };
            self.events.push(Reverse((now + takes, Event::Ends, site)));
        }
        self.ready.extend(passed);
    }

    fn end(&mut self, number: usize, now: i64) {
        let site = &mut self.sites[number];
        site.is_under_way = false;
        self.under_way.0 -= 1;
        self.under_way.1 -= usize::from(site.standing.own_rest.is_some());
        let said = if self.authority.is_away(now) {
            Said::Nothing
        } else {
            self.authority.look(site.fails, !site.is_paid, &site.name, now)
        };
        match said {
            Said::Issued => {
                let due = schedule::due(site.life, None, &site.name);
                self.renewed.push((now - due, site.life.not_after - now));
                site.life = Life { not_before: now - 3600, not_after: now - 3600 + LIFE };
                let names = vec![site.name.clone()];
                let (challenge, profile, left_out) = (Challenge::Http01, None, Vec::new());
                site.standing.succeed(Success { issuer: "le", challenge, profile, names, left_out }, now);
                site.standing.ends = Some(site.life.not_after);
                self.answered(now);
            }
            Said::Unseen => {
                if site.is_paid {
                    let (limits, kind) = (self.issuers[0].budgets, Kind::Renewal);
                    let claim = Claim { issuer: "le", limits, kind, names: &site.names, replaces: false };
                    self.budgets.give_back(&claim, now);
                }
                site.standing.fail("le", &Failure::new(Reason::Validation, "unseen"), now);
                self.answered(now);
            }
            Said::Nothing => {
                let failure = Failure::new(Reason::Unreachable, "no answer within 30 s");
                site.standing.fail("le", &failure, now);
                self.health.failed("le", &site.name, &failure, now);
            }
        }
        self.events.push(Reverse((now, Event::Looks, number)));
    }

    /// As the manager does: what was failed before is forgotten, and everybody is looked at.
    fn answered(&mut self, now: i64) {
        if self.health.answered("le") {
            for (number, site) in self.sites.iter_mut().enumerate() {
                site.standing.forgive("le");
                self.events.push(Reverse((now, Event::Looks, number)));
            }
        }
    }
}

/// What came of a month, in words and checked.
fn told(limits: Limits) {
    let month = month(limits);
    let day = |seconds: i64| seconds as f64 / DAY as f64;
    let (slowest, least) =
        (month.renewed.iter().map(|(late, _)| *late).max(), month.renewed.iter().map(|(_, left)| *left).min());
    let failing = month.sites.iter().filter(|site| site.fails).count();
    println!(
        "{SITES} sites, certificates of {} days, {failing} names that fail, {} days without an authority, orders that replace {}:\n\
         {:7} certificates renewed, the last {:.2} days after its time and {:.2} days before its end; {} sites dark\n\
         {:7} orders, at most {} in 3 hours; {} for one registered domain in 7 days; {} failed looks at one name in an hour\n\
         {:7} requests while the authority was away; {} refused for a limit",
        LIFE / DAY,
        day(OUTAGE.1 - OUTAGE.0),
        if limits.replacing_is_free { "free" } else { "not free" },
        month.renewed.len(),
        slowest.map_or(0.0, day),
        least.map_or(0.0, day),
        month.dark.len(),
        month.authority.orders(),
        month.authority.most_orders(),
        month.authority.most_of_a_domain(),
        month.authority.most_failed(),
        month.authority.asked_in_vain,
        month.authority.refused,
    );
    let renewable = month.sites.iter().filter(|site| !site.fails);
    let waiting: Vec<_> = renewable
        .filter(|site| schedule::due(site.life, None, &site.name) + DAY < BEGIN + 30 * DAY)
        .map(|site| &site.name)
        .collect();
    assert_eq!((waiting, month.dark.len(), month.authority.refused), (Vec::<&String>::new(), 0, 0));
    // The outage and the crowd behind it are all that makes anybody late.
    let outage = OUTAGE.1 - OUTAGE.0;
    assert!(slowest.is_some_and(|late| late < outage + DAY), "{slowest:?}");
    assert!(least.is_some_and(|left| left > LIFE / 3 - outage - DAY), "{least:?}");
    assert!(month.authority.most_orders() <= 300 || limits.replacing_is_free);
    assert!(month.authority.most_of_a_domain() <= 50 || limits.replacing_is_free);
    assert!(month.authority.most_failed() <= 5);
    // Looked for by one site at a time: two days of every minute would be thousands.
    assert!(month.authority.asked_in_vain < 400, "{}", month.authority.asked_in_vain);
    // Daily, and not for ever hourly.
    assert!(month.authority.orders() < month.renewed.len() + failing * 120, "{}", month.authority.orders());
}

#[test]
fn a_month_of_ten_thousand_sites_is_in_time_and_within_the_limits() {
    told(Limits { replacing_is_free: false, ..Limits::LETS_ENCRYPT });
}

#[test]
fn a_month_of_renewals_that_say_what_they_replace_is_in_time_too() {
    told(Limits::LETS_ENCRYPT);
}
