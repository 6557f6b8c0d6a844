//! What is kept of URLs elsewhere, and what it comes to.

use super::*;
use crate::certs::{Appearance, Offer};
use crate::name::HostPattern;
use crate::probe::{Fault, FaultCode, Sight};
use crate::store::Store;

const NOW: i64 = 1_795_000_000;
const DAY: i64 = 86_400;

fn said(reason: &str) -> Said {
    Said { reason: reason.into(), by: "ops".into(), at: NOW }
}

fn sight(days: Option<i64>, fault: Option<FaultCode>) -> Sight {
    let appearance = days.map(|days| Appearance {
        fingerprint: "ab".into(),
        subject: String::new(),
        issuer: "Authority".into(),
        names: Ok(vec![HostPattern::parse("pay.example").expect("a name")]),
        not_before: NOW - DAY,
        not_after: NOW + days * DAY,
        is_trusted: true,
        expired_authority: None,
    });
    let faults = fault.into_iter().map(|code| Fault { code, detail: "see there".into() }).collect();
    let (name, host) = ("pay.example".into(), "pay.example".into());
    Sight { name, host, address: None, offer: Offer::Any, appearance, faults }
}

fn after(looks: &[(Option<i64>, Option<FaultCode>)]) -> Foreign {
    let mut one = Foreign {
        organisation: None,
        name: "pay.example".into(),
        added: said("the bank's"),
        unwatched: None,
        seen: None,
    };
    for (hour, (days, fault)) in looks.iter().enumerate() {
        let now = NOW + i64::try_from(hour).expect("few") * 3_600;
        one.seen = Some(Seen::of(&[sight(*days, *fault)], one.seen.as_ref(), now));
    }
    one
}

#[test]
fn what_was_seen_says_what_a_url_is_like() {
    let (gone, wrong, expired) = (FaultCode::Unreachable, FaultCode::WrongName, FaultCode::Expired);
    for (looks, expected) in [
        (vec![], ForeignState::Unknown),
        (vec![(Some(90), None)], ForeignState::Well),
        (vec![(Some(45), None)], ForeignState::Expiring),
        (vec![(Some(-2), Some(expired))], ForeignState::Expired),
        (vec![(Some(90), Some(wrong))], ForeignState::Wrong),
        // Twice is the network's.
        (vec![(Some(90), None), (None, Some(gone)), (None, Some(gone))], ForeignState::Well),
        (vec![(Some(90), None), (None, Some(gone)), (None, Some(gone)), (None, Some(gone))], ForeignState::Unreachable),
        (vec![(None, Some(gone)); 2], ForeignState::Unknown),
        (vec![(None, Some(gone)), (None, Some(gone)), (None, Some(gone)), (Some(90), None)], ForeignState::Well),
    ] {
        assert_eq!(after(&looks).state(NOW), expected, "{looks:?}");
    }
    let unwatched = Foreign { unwatched: Some(said("closed")), ..after(&[(Some(-2), Some(expired))]) };
    assert_eq!((unwatched.state(NOW), unwatched.is_due(NOW + 9 * DAY)), (ForeignState::Unwatched, false));
    // Since when it has been so, and what it showed last, stay known.
    let missed = after(&[(Some(90), None), (None, Some(gone)), (None, Some(gone))]).seen.expect("a look");
    assert_eq!((missed.since, missed.misses, missed.not_after), (Some(NOW + 3_600), 2, Some(NOW + 90 * DAY)));
}

#[test]
fn it_is_looked_at_once_a_day_and_sooner_while_it_is_not_clear() {
    let gone = (None, Some(FaultCode::Unreachable));
    for (looks, hours, expected) in [
        (vec![], 0, true),
        (vec![(Some(90), None)], 23, false),
        (vec![(Some(90), None)], 24, true),
        (vec![gone], 1, true),
        (vec![gone, gone], 2, true),
        (vec![gone, gone, gone], 20, false),
        (vec![(Some(90), None)], -1, true),
    ] {
        assert_eq!(after(&looks).is_due(NOW + hours * 3_600), expected, "{looks:?} {hours}");
    }
}

#[test]
fn what_is_kept_outlasts_a_start_and_is_kept_once() {
    let store = Store::in_memory();
    let url = ForeignUrl::parse("https://pay.example:8443/").expect("a URL");
    let desk = Elsewhere::of_nothing(&store);
    desk.add(&url, said("the bank's"), None).expect("kept");
    assert!(matches!(desk.add(&url, said("again"), None), Err(NotKept::Known)));
    desk.watch("pay.example:8443", Some(said("closed"))).expect("kept");
    let desk = Elsewhere::of_nothing(&store);
    let (added, unwatched) = (said("the bank's"), Some(said("closed")));
    assert_eq!(
        desk.list(),
        [Foreign { organisation: None, name: "pay.example:8443".into(), added, unwatched, seen: None }]
    );
    desk.remove("pay.example:8443").expect("gone");
    assert!(matches!(desk.remove("pay.example:8443"), Err(NotKept::Unknown)));
    assert_eq!(Elsewhere::of_nothing(&store).list(), []);
}
