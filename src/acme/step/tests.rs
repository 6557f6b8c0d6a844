//! Steps of single sites, in all situations that count.

use super::*;
use crate::acme::failure::{Failure, Reason};
use crate::acme::renewal_info::RenewalInfo;
use crate::acme::standing::{Open, Success};
use crate::config::{Budgets as Limits, Challenge};
use crate::store::Store;
use crate::words::wait::Wait;

const NOW: i64 = 1_800_000_000;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A site with two issuers.
struct Scene {
    issuers: Vec<Issuer>,
    health: Health,
    budgets: Budgets,
    at_work: HashMap<String, usize>,
    standing: SiteStanding,
    life: Option<Life>,
    is_on_demand: bool,
    is_wished: bool,
}

impl Scene {
    fn new() -> Self {
        let issuer = |name: &str| Issuer {
            name: name.into(),
            directory: format!("https://{name}.example/"),
            profile: None,
            roots: Vec::new(),
            external_account: None,
            budgets: Limits::OTHERS,
        };
        Self {
            issuers: vec![issuer("le"), issuer("zero")],
            health: Health::default(),
            budgets: Budgets::new(Store::in_memory()),
            at_work: HashMap::new(),
            standing: SiteStanding::default(),
            life: None,
            is_on_demand: false,
            is_wished: false,
        }
    }

    /// The same with a certificate that ends then.
    fn ending(days: i64, ends_in: i64) -> Self {
        let life = Life { not_before: NOW + ends_in - days * DAY, not_after: NOW + ends_in };
        Self { life: Some(life), ..Self::new() }
    }

    fn at(&self, now: i64) -> Step {
        let names = [HostPattern::parse("shop.example").expect("a name")];
        let Self { issuers, health, budgets, at_work, standing, life, is_on_demand, is_wished } = self;
        let serving = life.map(|life| (life, "fingerprint"));
        let (is_on_demand, is_wished) = (*is_on_demand, *is_wished);
        let situation = Situation { site: "shop", standing, serving, names: &names, is_on_demand, is_wished, now };
        step(situation, Ground { issuers, health, budgets, at_work })
    }

    /// The issuer that is asked now, or how long nobody is.
    fn next(&self, now: i64) -> Result<&str, i64> {
        let step = self.at(now);
        step.issuer.map(|place| &*self.issuers[place].name).ok_or(step.at - now)
    }

    fn fails(&mut self, issuer: &str, reason: Reason, now: i64) {
        self.standing.fail(issuer, &Failure::new(reason, "no"), now);
    }

    fn issued(&mut self, issuer: &str, now: i64) {
        let names = vec!["shop.example".into()];
        let (challenge, profile, left_out) = (Challenge::Http01, None, Vec::new());
        self.standing.succeed(Success { issuer, challenge, profile, names, left_out }, now);
    }
}

#[test]
fn names_that_somebody_asked_for_leave_half_of_what_there_is_to_renewals() {
    let kind = |scene: &Scene| scene.at(NOW).kind;
    let mut scene = Scene { is_on_demand: true, ..Scene::new() };
    assert_eq!((kind(&scene), Kind::OnDemand.share(300)), (Kind::OnDemand, 150));
    scene.is_on_demand = false;
    assert_eq!(kind(&scene), Kind::New);
    let renewed = Scene { is_on_demand: true, ..Scene::ending(45, DAY) };
    assert_eq!(kind(&renewed), Kind::Renewal);
}

#[test]
fn what_is_an_issuers_fault_leads_to_the_next_at_once_and_what_is_the_sites_to_nobody() {
    for reason in Reason::ALL {
        let mut scene = Scene::new();
        assert_eq!(scene.next(NOW), Ok("le"));
        scene.fails("le", reason, NOW);
        if reason.is_the_issuers() {
            assert_eq!(scene.next(NOW), Ok("zero"), "{reason:?}");
            scene.fails("zero", reason, NOW);
        }
        assert!((300..=330).contains(&scene.next(NOW).expect_err("nobody is left")), "{reason:?}");
        // What was preferred is preferred again.
        assert_eq!(scene.next(NOW + 330), Ok("le"), "{reason:?}");
    }
}

#[test]
fn when_all_issuers_fail_the_pauses_grow_to_a_day() {
    let mut scene = Scene::new();
    let (mut now, mut tries) = (NOW, HashMap::new());
    while now < NOW + 10 * DAY {
        match scene.next(now) {
            Ok(issuer) => {
                let issuer = issuer.to_owned();
                *tries.entry(issuer.clone()).or_insert(0) += 1;
                scene.fails(&issuer, Reason::Unreachable, now);
            }
            Err(pause) => {
                assert!((1..=DAY + DAY / 10).contains(&pause), "{pause}");
                now += pause;
            }
        }
    }
    assert!(tries["le"] == tries["zero"] && (12..=18).contains(&tries["le"]), "{tries:?}");
    assert_eq!(scene.standing.history.len(), 20);
}

#[test]
fn near_its_end_a_certificate_is_tried_for_every_hour_whatever_failed_and_is_suggested() {
    for days in [6, 45, 90, 200] {
        let mut scene = Scene::ending(days, 0);
        let end = NOW;
        scene.issuers.pop();
        scene.standing.renewal_info = Some(RenewalInfo {
            fingerprint: "fingerprint".into(),
            window: Some((end + DAY, end + 2 * DAY)),
            checked: Some(end - DAY),
            ..RenewalInfo::default()
        });
        let emergency = schedule::emergency(scene.life.expect("a life"));
        assert_eq!(scene.next(emergency - 60), Err(60), "{days}");
        let (mut now, mut last) = (emergency, emergency);
        while now < end {
            match scene.next(now) {
                Ok(_) => {
                    assert!(now - last <= HOUR, "{days}: {}", now - last);
                    assert_eq!(scene.at(now).rank, Rank::Urgent(emergency));
                    last = now;
                    scene.fails("le", Reason::Unreachable, now);
                }
                Err(pause) => now += pause,
            }
        }
        // What was told is told: two hours are waited for.
        let told = Failure {
            come_again: Failure::held(end + 2 * HOUR, Wait::NoIssuer).come_again,
            ..Failure::new(Reason::RateLimited, "")
        };
        scene.standing.fail("le", &told, end);
        assert_eq!(scene.next(end), Err(2 * HOUR), "{days}");
        // Past its end it goes on like that for a day.
        (scene.life, scene.standing.ends) = (None, Some(end));
        scene.fails("le", Reason::Unreachable, end + 3 * HOUR);
        assert!(scene.next(end + 3 * HOUR).expect_err("a pause") <= HOUR);
        scene.fails("le", Reason::Unreachable, end + DAY);
        assert!(scene.next(end + DAY).expect_err("a pause") >= DAY);
    }
}

#[test]
fn what_is_used_up_leads_to_the_next_issuer_or_is_waited_for_with_its_reason() {
    let mut scene = Scene::new();
    scene.issuers[0].budgets.orders = 1;
    let other = [HostPattern::parse("other.example").expect("a name")];
    let limits = scene.issuers[0].budgets;
    let claim = Claim { issuer: "le", limits, kind: Kind::New, names: &other, replaces: false };
    scene.budgets.spend(&claim, NOW).expect("there is one");
    assert_eq!(scene.next(NOW + 9), Ok("zero"));
    scene.issuers.pop();
    let step = scene.at(NOW + 9);
    assert!((3 * HOUR - 60..=3 * HOUR + 60).contains(&(step.at - NOW)), "{}", step.at - NOW);
    assert_eq!(
        step.waits_for.map(|wait| wait.to_string()).as_deref(),
        Some("orders at le are limited to 1 in 3 hours")
    );
    // But what is open is gone on with.
    scene.standing.open = open("le", "shop.example");
    assert_eq!(scene.next(NOW + 9), Ok("le"));
    scene.standing.open = open("zero", "shop.example");
    assert!(scene.next(NOW + 9).is_err());
    // Not even a wish makes the authority forget.
    scene.is_wished = true;
    assert!(scene.next(NOW + 9).is_err());
    assert_eq!(scene.next(NOW + 4 * HOUR), Ok("le"));
}

/// An order that is open.
fn open(issuer: &str, name: &str) -> Option<Open> {
    Some(Open { issuer: issuer.into(), names: vec![name.into()], begun: NOW })
}

#[test]
fn an_order_that_a_kill_left_open_is_ended_before_its_time_by_whose_it_is() {
    let mut scene = Scene::ending(90, 80 * DAY);
    let due = scene.next(NOW).expect_err("its time has not come");
    scene.standing.open = open("zero", "shop.example");
    assert_eq!(scene.next(NOW), Ok("zero"));
    // Whatever was issued a moment before it was begun.
    scene.issued("le", NOW);
    assert_eq!(scene.next(NOW + 1), Ok("zero"));
    // One for other names is not what would be ordered, and who is not asked any more keeps nobody waiting.
    scene.standing.open = open("zero", "other.example");
    assert_eq!(scene.next(NOW), Err(due));
    scene.standing.open = open("gone", "shop.example");
    assert_eq!(scene.next(NOW), Err(due));
    scene.standing.open = open("zero", "shop.example");
    scene.fails("zero", Reason::Unreachable, NOW);
    assert!((300..=330).contains(&scene.next(NOW).expect_err("a rest")));
    // It has brought its certificate, and could not be put away.
    scene.issued("zero", NOW + 400);
    assert_eq!(scene.next(NOW + 400), Err(due - 400));
}

#[test]
fn an_issuer_that_is_away_is_asked_by_one_and_left_alone_by_the_others() {
    let mut scene = Scene::new();
    for site in ["a", "b", "c"] {
        scene.health.failed("le", site, &Failure::new(Reason::Unreachable, "gone"), NOW);
    }
    assert_eq!(scene.next(NOW), Ok("zero"));
    assert_eq!(scene.next(NOW + 60), Ok("le"));
    scene.at_work.insert("le".into(), 1);
    assert_eq!(scene.next(NOW + 60), Ok("zero"));
    scene.issuers.pop();
    assert_eq!(scene.next(NOW + 60), Err(ANOTHER_ASKS));
    assert_eq!(scene.at(NOW).waits_for.map(|wait| wait.to_string()).as_deref(), Some("le fails everybody: gone"));
    // It is back: nobody waits out the pauses of the time when it was away.
    scene.fails("le", Reason::Unreachable, NOW);
    assert!(scene.health.answered("le") && scene.standing.forgive("le"));
    assert_eq!(scene.next(NOW + 60), Ok("le"));
    scene.fails("le", Reason::Refused, NOW);
    assert!(!scene.standing.forgive("le"));
}

#[test]
fn a_wish_waits_for_nothing_and_begins_with_the_preferred() {
    let mut scene = Scene::ending(90, 80 * DAY);
    assert!(scene.next(NOW).is_err());
    scene.fails("le", Reason::Unreachable, NOW);
    scene.fails("zero", Reason::Validation, NOW);
    scene.is_wished = true;
    let step = scene.at(NOW);
    assert_eq!((step.issuer, step.rank, step.kind), (Some(0), Rank::Wished, Kind::Renewal));
}

#[test]
fn a_renewal_that_is_suggested_for_the_past_is_made_now_but_not_for_ever() {
    let mut scene = Scene::ending(90, 85 * DAY);
    let suggest = |scene: &mut Scene, window| {
        scene.standing.renewal_info = Some(RenewalInfo {
            fingerprint: "fingerprint".into(),
            window: Some(window),
            checked: Some(NOW),
            ..RenewalInfo::default()
        });
    };
    suggest(&mut scene, (NOW + DAY, NOW + 2 * DAY));
    let at = scene.at(NOW).at;
    assert!((NOW + DAY..=NOW + 2 * DAY).contains(&at));
    suggest(&mut scene, (NOW - 2 * DAY, NOW - DAY));
    assert_eq!(scene.next(NOW), Ok("le"));
    // The next one is wanted back at once, too.
    scene.issued("le", NOW);
    assert_eq!(scene.next(NOW + 60), Err(6 * HOUR - 60));
    // One that is not seen where it should serve would not be either.
    scene.life = None;
    assert_eq!(scene.next(NOW + 60), Err(HOUR - 60));
    // But a name that it was not for is ordered for at once.
    scene.standing.names.clear();
    assert_eq!(scene.next(NOW + 60), Ok("le"));
}

#[test]
fn what_another_certificate_was_suggested_for_is_nothing_for_this_one() {
    let mut scene = Scene::ending(90, 85 * DAY);
    let own = scene.at(NOW).at;
    scene.standing.renewal_info = Some(RenewalInfo {
        fingerprint: "another".into(),
        window: Some((NOW - 2, NOW - 1)),
        checked: Some(NOW),
        ..RenewalInfo::default()
    });
    assert_eq!(scene.at(NOW).at, own);
}

#[test]
fn the_urgent_come_before_the_new_and_what_fails_comes_last() {
    let mut failing = Scene::new();
    failing.fails("le", Reason::Validation, NOW);
    let ranks = [
        Rank::Wished,
        Scene::ending(90, DAY).at(NOW).rank,
        Scene::ending(90, 2 * DAY).at(NOW).rank,
        Scene::new().at(NOW).rank,
        Scene::ending(90, 20 * DAY).at(NOW).rank,
        Scene::ending(90, 25 * DAY).at(NOW).rank,
        failing.at(NOW).rank,
    ];
    assert!(ranks.is_sorted(), "{ranks:?}");
}

#[test]
fn what_fails_by_its_own_fault_takes_half_of_the_places() {
    assert!(has_room((7, 7), false, 8) && !has_room((8, 0), false, 8));
    assert!(has_room((7, 3), true, 8) && !has_room((4, 4), true, 8));
    assert!(has_room((0, 0), true, 1) && !has_room((1, 0), false, 1));
}

#[test]
fn a_clock_that_is_put_back_ends_no_rest_too_late() {
    let mut scene = Scene::new();
    scene.fails("le", Reason::Validation, NOW + 400 * DAY);
    scene.standing.settle(NOW);
    assert!(scene.next(NOW).expect_err("a pause") <= 330);
}
