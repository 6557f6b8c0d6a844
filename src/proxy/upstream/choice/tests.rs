//! Who gets which share, and who comes after whom.

use std::time::Duration;

use super::*;
use crate::live::{Balance, Care, GroupSpec, Lever, MemberSpec, Place, Upstream, UpstreamStates, number_of};

fn group(weights: &[u32], method: BalanceMethod) -> UpstreamGroup {
    let upstream = |port| Upstream::tcp("127.0.0.1", port);
    let member = |(port, weight): (u16, &u32)| MemberSpec { upstream: upstream(port), weight: *weight };
    let care = Care { eject_after: 1, eject_for: Duration::from_hours(1), ..Care::default() };
    let balance = Balance { method, ..Balance::default() };
    let spec = GroupSpec { upstreams: (1..).zip(weights).map(member).collect(), care, balance };
    UpstreamStates::default().group(&spec)
}

fn order(group: &UpstreamGroup, rota: &Rota, key: Option<u64>) -> Vec<usize> {
    Choice::new(group, rota, Asked { key, kept: None }, None).collect()
}

fn firsts<const N: usize>(group: &UpstreamGroup, rota: &Rota) -> [usize; N] {
    std::array::from_fn(|_| Choice::new(group, rota, Asked::default(), None).next().expect("somebody"))
}

#[test]
fn turns_are_as_even_as_weights_allow() {
    let group = group(&[5, 1, 1], BalanceMethod::RoundRobin);
    let rota = Rota::of(&group);
    assert_eq!(firsts::<14>(&group, &rota), [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn one_that_is_left_alone_gives_its_turns_to_all_others_alike() {
    let group = group(&[1, 1, 1], BalanceMethod::RoundRobin);
    let rota = Rota::of(&group);
    group.failed(1);
    assert_eq!(firsts::<6>(&group, &rota), [0, 2, 0, 2, 0, 2]);
    group.succeeded(1);
    assert_eq!(firsts::<6>(&group, &rota), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn each_is_found_once_and_those_that_are_better_than_nobody_last() {
    let group = group(&[1, 0, 1, 1], BalanceMethod::RoundRobin);
    let rota = Rota::of(&group);
    group.members[3].state.pull(Lever::Maintenance);
    group.members[2].state.pull(Lever::Draining);
    assert_eq!(order(&group, &rota, None), [0, 1, 2]);
    let without = Choice::new(&group, &rota, Asked::default(), Some(0));
    assert_eq!(without.collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn one_request_tries_whether_somebody_is_there_again() {
    let spec = GroupSpec {
        care: Care { eject_after: 1, eject_for: Duration::ZERO, ..Care::default() },
        ..vec![1, 2].into_iter().map(|port| Upstream::tcp("127.0.0.1", port)).collect::<Vec<_>>().into()
    };
    let group = UpstreamStates::default().group(&spec);
    let rota = Rota::of(&group);
    group.failed(0);
    // Its rest is over at once; until that request was answered the other gets all.
    assert_eq!(firsts::<4>(&group, &rota), [0, 1, 1, 1]);
    group.succeeded(0);
    assert!(firsts::<4>(&group, &rota).contains(&0));
}

#[test]
fn who_has_the_fewest_requests_for_its_weight_gets_the_next() {
    let group = group(&[1, 1, 2], BalanceMethod::LeastRequests);
    let rota = Rota::of(&group);
    let take = |place: usize| group.members[place].load.as_ref().expect("it is counted").take();
    let mut open: Vec<(usize, Place)> = Vec::new();
    for _ in 0..8 {
        let [place] = firsts(&group, &rota);
        open.push((place, take(place)));
    }
    let count = |wanted: usize| open.iter().filter(|(place, _)| *place == wanted).count();
    assert_eq!([0, 1, 2].map(count), [2, 2, 4]);
    open.retain(|(place, _)| *place != 1);
    assert_eq!(firsts(&group, &rota), [1, 1, 1]);
}

#[test]
fn a_client_goes_elsewhere_while_its_upstream_is_away_and_comes_back() {
    let group = group(&[1, 1, 1], BalanceMethod::Client);
    let rota = Rota::of(&group);
    let keys: Vec<u64> = (0..300_u32).map(|client| number_of(&client.to_be_bytes())).collect();
    let owners = || keys.iter().map(|key| order(&group, &rota, Some(*key))[0]).collect::<Vec<_>>();
    let before = owners();
    assert!((0..3).all(|place| before.iter().filter(|owner| **owner == place).count() > 60));
    group.failed(1);
    let meanwhile = owners();
    for (before, meanwhile) in before.iter().zip(&meanwhile) {
        assert!(*meanwhile != 1 && (*before == 1 || before == meanwhile));
    }
    group.succeeded(1);
    assert_eq!(owners(), before);
    // Whoever cannot be told apart takes turns.
    assert_eq!(firsts(&group, &rota), [0, 1, 2]);
}

#[test]
fn a_client_with_a_cookie_keeps_its_upstream_as_long_as_that_takes_anybody() {
    let group = group(&[1, 1], BalanceMethod::RoundRobin);
    let rota = Rota::of(&group);
    let asked = Asked { key: None, kept: Some(Kept { place: 1, is_ageing: false }) };
    let order = || Choice::new(&group, &rota, asked, None).collect::<Vec<_>>();
    let state = &group.members[1].state;
    assert_eq!([order(), order()], [[1, 0], [1, 0]]);
    state.pull(Lever::Draining);
    assert_eq!(order(), [1, 0]);
    group.failed(1);
    assert_eq!(order(), [0, 1]);
    group.succeeded(1);
    state.pull(Lever::Maintenance);
    assert_eq!(order(), [0]);
}

#[test]
fn who_is_spare_or_left_alone_gets_nothing_because_others_are_busy() {
    let group = group(&[1, 1, 0, 1], BalanceMethod::RoundRobin);
    let rota = Rota::of(&group);
    group.failed(3);
    let mut choice = Choice::new(&group, &rota, Asked::default(), None);
    assert_eq!((choice.next(), choice.is_full()), (Some(0), false));
    assert_eq!((choice.next(), choice.is_full()), (Some(1), false));
    assert_eq!((choice.next(), choice.full()), (None, &[0, 1][..]));
    // One that cannot be connected to is no reason to wait.
    let mut choice = Choice::new(&group, &rota, Asked::default(), Some(0));
    assert_eq!([choice.next(), choice.next(), choice.next()], [Some(1), Some(2), Some(3)]);
    let asked = Asked { key: None, kept: Some(Kept { place: 1, is_ageing: false }) };
    let mut choice = Choice::new(&group, &rota, asked, None);
    assert_eq!((choice.next(), choice.is_full(), choice.full()), (Some(1), true, &[1][..]));
}

#[test]
fn one_that_came_back_gets_its_share_little_by_little() {
    let mut group = group(&[1, 1], BalanceMethod::RoundRobin);
    group.care.slow_start = Some(Duration::from_hours(1));
    let rota = Rota::of(&group);
    // Who was always there has all at once.
    assert_eq!(firsts::<4>(&group, &rota), [0, 1, 0, 1]);
    group.failed(1);
    group.succeeded(1);
    let share = |group: &UpstreamGroup| group.share(&group.members[1]);
    assert!(share(&group) * 100 < group.share(&group.members[0]), "{}", share(&group));
    assert_eq!(firsts::<20>(&group, &rota), [0; 20]);
    // When its time is over, and for whoever knows no such time.
    group.care.slow_start = Some(Duration::ZERO);
    assert_eq!(share(&group), group.share(&group.members[0]));
    group.members[1].state.pull(Lever::Maintenance);
    group.care.slow_start = Some(Duration::from_hours(1));
    group.members[1].state.pull(Lever::Ready);
    assert!(share(&group) < group.share(&group.members[0]));
    group.care.slow_start = None;
    assert_eq!(share(&group), group.share(&group.members[0]));
}
