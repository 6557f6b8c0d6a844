//! Levers that are kept, that end, and that cannot be read.

use super::*;
use crate::live::Lever;
use crate::telemetry::LogLevel;

fn by(until: Option<i64>, kept: bool) -> Hold {
    Hold { by: "user 0".into(), until, kept }
}

fn network(text: &str) -> Network {
    text.parse().expect("a network")
}

/// Levers that are in force at once.
async fn pull(levers: &Levers, change: Change, hold: Hold) {
    levers.are_in_force(u64::MAX);
    levers.pull(change, hold).await.expect("pulled");
}

#[tokio::test]
async fn what_is_kept_outlasts_the_process_and_nothing_else() {
    let store = Store::in_memory();
    let levers = Levers::open(store.clone()).expect("open");
    pull(&levers, Change::Upstream("10.0.0.1:80".into(), Lever::Draining), by(None, true)).await;
    pull(&levers, Change::Upstream("10.0.0.2:80".into(), Lever::Maintenance), by(None, false)).await;
    pull(&levers, Change::Maintenance("shop".into(), Some(true)), by(None, true)).await;
    pull(&levers, Change::Deny(network("203.0.113.7"), "scans".into()), by(Some(now() + 3600), true)).await;
    pull(&levers, Change::Freeze("sale".into()), by(None, true)).await;
    pull(&levers, Change::Log(Some(LogLevel::Debug)), by(None, false)).await;
    let pulled = levers.pulled();
    assert_eq!(pulled.upstreams.len(), 2);
    assert_eq!(pulled.log_level.as_ref().map(|held| held.value), Some(LogLevel::Debug));

    let again = Levers::open(store.clone()).expect("open").pulled();
    assert_eq!(again, pulled.kept());
    assert_eq!(again.upstreams.keys().collect::<Vec<_>>(), ["10.0.0.1:80"]);
    assert_eq!(again.denied[&network("203.0.113.7/32")].value, "scans");
    assert_eq!((again.log_level, again.maintenance["shop"].value), (None, true));

    for change in [
        Change::Upstream("10.0.0.1:80".into(), Lever::Ready),
        Change::Maintenance("shop".into(), None),
        Change::Admit(network("203.0.113.7")),
        Change::Thaw,
    ] {
        pull(&levers, change, by(None, false)).await;
    }
    assert_eq!(Levers::open(store.clone()).expect("open").pulled(), Pulled::default());
    assert!(store.read(&key()).expect("read").is_none());
}

#[tokio::test]
async fn what_is_over_goes_and_is_not_read_again() {
    let store = Store::in_memory();
    let levers = Levers::open(store.clone()).expect("open");
    let frozen = levers.frozen();
    pull(&levers, Change::Freeze(String::new()), by(Some(now() + 3600), true)).await;
    assert!(*frozen.borrow());
    // A change takes what is over with it, as the keeper of time does.
    let ended = levers.change(|pulled, now| {
        if let Some(held) = &mut pulled.frozen {
            held.until = Some(now);
        }
    });
    assert_eq!((ended.expect("changed"), *frozen.borrow()), (2, false));
    assert_eq!(Levers::open(store).expect("open").pulled(), Pulled::default());
}

#[tokio::test]
async fn what_cannot_be_read_does_not_hold_and_stays() {
    let store = Store::in_memory();
    store.put(&key(), b"{\"frozen\": 7}", Expected::Anything).expect("written");
    assert_eq!(Levers::open(store.clone()).expect("open").pulled(), Pulled::default());
    assert_eq!(**store.read(&key()).expect("read").expect("there").content, *b"{\"frozen\": 7}");
}

#[tokio::test]
async fn a_list_without_end_is_refused() {
    let levers = Levers::open(Store::in_memory()).expect("open");
    let all = (0..10_000_u32).map(|number| Network::try_from(std::net::Ipv4Addr::from_bits(number).to_string()));
    let all: Vec<Network> = all.collect::<Result<_, _>>().expect("networks");
    let filled = levers.change(|pulled, now| {
        for network in &all {
            pulled.take(Change::Deny(*network, String::new()), by(None, false), now);
        }
    });
    assert!(filled.is_ok());
    levers.are_in_force(u64::MAX);
    let more = levers.pull(Change::Deny(network("2001:db8::/32"), String::new()), by(None, false)).await;
    assert!(matches!(more, Err(NotPulled::TooMany)));
    assert_eq!(levers.pulled().denied.len(), 10_000);
}

#[test]
fn a_network_is_written_in_one_way() {
    for (text, written) in [
        ("203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.7/24", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("2001:db8::1/48", "2001:db8::/48"),
    ] {
        assert_eq!(network(text).to_string(), written);
    }
    for text in ["", "203.0.113.0/33", "shop.example", "203.0.113"] {
        assert!(text.parse::<Network>().is_err(), "{text}");
    }
}
