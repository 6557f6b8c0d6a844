//! The order of checks, with a clock that the tests move.

use super::*;
use crate::limits::Limits;
use crate::live::SiteSpec;

fn table(sites: impl IntoIterator<Item = Vec<String>>) -> RouteTable {
    let spec = |hosts: Vec<String>| SiteSpec {
        name: hosts[0].clone(),
        hosts: hosts.iter().map(|host| HostPattern::parse(host).expect("a pattern")).collect(),
        routes: Vec::new(),
        minimum_validation: None,
        staging: false,
        provision: Default::default(),
        on_demand: Default::default(),
        orders: Default::default(),
        policy: Default::default(),
    };
    RouteTable::new(sites.into_iter().map(spec).collect(), Limits::default(), Vec::new(), 443)
}

fn sites(number: usize) -> RouteTable {
    table((0..number).map(|site| vec![format!("shop-{site}.example")]))
}

fn hosts(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(ToString::to_string).collect()
}

fn planned(routes: &RouteTable, now: Instant) -> Plan {
    let mut plan = Plan::default();
    plan.adopt(routes, now);
    plan
}

/// The checks until `end`, each with its time, when none takes any time.
fn checks(plan: &mut Plan, mut now: Instant, end: Instant) -> Vec<(Instant, Errand)> {
    let mut done = Vec::new();
    while now < end {
        match plan.next(now) {
            Next::Check(errand) => done.push((now, errand)),
            Next::Rest(until) => now = until,
        }
    }
    done
}

fn names(plan: &Plan, done: &[(Instant, Errand)]) -> Vec<String> {
    done.iter().map(|(_, errand)| plan.host(*errand).1.to_string()).collect()
}

#[test]
fn no_site_waits_for_longer_than_its_time_and_no_check_follows_too_soon() {
    for (number, promised) in [(1, 600), (1_000, 600), (20_000, 720)] {
        let (begun, promised) = (Instant::now(), Duration::from_secs(promised));
        let mut plan = planned(&sites(number), begun);
        let done = checks(&mut plan, begun, begun + promised * 3);
        let mut last = vec![begun; number];
        for (at, errand) in &done {
            assert!(*at - last[errand.site] <= promised, "{number}: {:?}", *at - last[errand.site]);
            last[errand.site] = *at;
        }
        assert!(last.iter().all(|last| *last > begun + promised), "{number}");
        assert!(done.windows(3).all(|three| three[2].0 - three[0].0 >= PACE), "{number}");
    }
}

#[test]
fn once_everything_was_checked_a_thousand_sites_make_two_checks_a_second() {
    let begun = Instant::now();
    let mut plan = planned(&sites(1_000), begun);
    let settled = begun + ROUND;
    checks(&mut plan, begun, settled);
    let minute = checks(&mut plan, settled, settled + Duration::from_secs(60));
    assert!((100..=120).contains(&minute.len()), "{}", minute.len());
}

#[test]
fn what_has_changed_is_checked_within_two_seconds_and_nothing_else() {
    let begun = Instant::now();
    let mut plan = planned(&sites(1_000), begun);
    let now = begun + ROUND;
    checks(&mut plan, begun, now);
    plan.hasten(|host| host.to_string().starts_with("shop-77"));
    let done = checks(&mut plan, now, now + Duration::from_secs(2));
    let mut changed = names(&plan, &done);
    changed.retain(|name| name.starts_with("shop-77"));
    assert_eq!(changed.len(), 11);
    assert!(done.len() <= 11 + 4, "{}", done.len());
}

#[test]
fn a_flood_of_changes_and_slow_checks_do_not_keep_the_round_from_going_on() {
    let begun = Instant::now();
    let mut plan = planned(&sites(20_000), begun);
    let (mut now, mut seen) = (begun, Vec::new());
    while seen.len() < 100 {
        match plan.next(now) {
            Next::Check(errand) => {
                seen.push(errand.site);
                // Longer than the time between two of the round.
                now += PACE * 2;
            }
            Next::Rest(until) => now = until,
        }
    }
    // Both begin with the first site, and neither does what the other has done.
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 100);
    assert!(plan.sites.iter().any(|site| site.rounds > 0) && plan.sites.iter().any(|site| site.besides > 0));
}

#[test]
fn every_host_has_its_turn_through_every_listener() {
    let begun = Instant::now();
    let mut plan = planned(&table([hosts(&["a.example", "*.a.example"]), hosts(&["b.example"])]), begun);
    let mut seen = HashSet::new();
    let mut now = begun;
    while now < begun + ROUND * 6 {
        match plan.next(now) {
            Next::Check(errand) => drop(seen.insert((errand, plan.listener(errand, 2)))),
            Next::Rest(until) => now = until,
        }
    }
    assert_eq!(seen.len(), 3 * 2);
}

#[test]
fn a_reload_keeps_the_turn_of_who_stays_and_checks_who_is_new() {
    let begun = Instant::now();
    let mut plan = planned(&table([hosts(&["a.example"]), hosts(&["b.example"])]), begun);
    let first = checks(&mut plan, begun, begun + Duration::from_secs(1));
    assert_eq!(names(&plan, &first), ["a.example", "b.example"]);
    let now = begun + Duration::from_secs(2);
    plan.adopt(&table([hosts(&["new.example"]), hosts(&["b.example", "*.b.example"])]), now);
    let done = checks(&mut plan, now, now + Duration::from_secs(1));
    assert_eq!(names(&plan, &done), ["new.example", "*.b.example"]);
}

#[test]
fn a_reload_forgets_nothing_that_was_urgent() {
    let begun = Instant::now();
    let mut plan = planned(&table([hosts(&["a.example"]), hosts(&["b.example"])]), begun);
    let Next::Check(first) = plan.next(begun) else { panic!("a check") };
    plan.again(first, begun + Duration::from_secs(60));
    plan.adopt(&table([hosts(&["b.example"]), hosts(&["a.example"])]), begun);
    let done = checks(&mut plan, begun, begun + Duration::from_secs(1));
    assert_eq!(names(&plan, &done), ["b.example", "a.example"]);
}

#[test]
fn a_check_that_is_to_be_made_again_waits_for_its_time() {
    let begun = Instant::now();
    let mut plan = planned(&table([hosts(&["a.example"])]), begun);
    let Next::Check(errand) = plan.next(begun) else { panic!("a check") };
    let due = begun + Duration::from_secs(2);
    plan.again(errand, due);
    plan.again(errand, due + Duration::from_secs(1));
    assert_eq!(checks(&mut plan, begun, begun + Duration::from_secs(9)), [(due, errand)]);
}

#[test]
fn without_sites_there_is_nothing_to_do() {
    let now = Instant::now();
    assert_eq!(planned(&sites(0), now).next(now), Next::Rest(now + ROUND));
}

#[test]
fn a_wildcard_is_asked_for_by_a_name_below_it_and_what_no_client_can_ask_for_not_at_all() {
    let asked = |host: &str| asked_for(&HostPattern::parse(host).expect("a pattern"));
    assert_eq!(asked("shop.example"), Some("shop.example".into()));
    assert_eq!(asked("*.shop.example"), Some("vitrine-truth-check.shop.example".into()));
    assert_eq!(asked("-a.example"), None);
    let long = format!("*.{}.example", ["a".repeat(60).as_str(); 4].join("."));
    assert_eq!(asked(&long), None);
}
