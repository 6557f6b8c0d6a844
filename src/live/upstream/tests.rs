//! Servers that fail, come back, and are taken out.

use super::*;

fn group(count: u16, eject_after: u32, eject_for: Duration) -> UpstreamGroup {
    let upstreams: Vec<_> = (1..=count).map(|port| Upstream::tcp("127.0.0.1", port)).collect();
    let care = Care { eject_after, eject_for, ..Care::default() };
    UpstreamStates::default().group(&GroupSpec { care, ..upstreams.into() })
}

fn admitted(group: &UpstreamGroup) -> Vec<bool> {
    group.members.iter().map(|member| member.state.admits()).collect()
}

#[test]
fn who_fails_in_a_row_is_left_alone_and_the_last_one_never_is() {
    let hour = Duration::from_hours(1);
    let group = group(3, 2, hour);
    assert_eq!(group.failed(0), None);
    group.succeeded(0);
    assert_eq!(group.failed(0), None);
    assert_eq!(group.failed(0), Some(LONGEST_REST));
    // What was under way.
    assert_eq!((group.failed(0), group.members[0].state.failures()), (None, 3));
    assert_eq!(admitted(&group), [false, true, true]);
    assert_eq!((group.failed(1), group.failed(1)), (None, Some(LONGEST_REST)));
    assert_eq!((group.failed(2), group.failed(2), group.failed(2)), (None, None, None));
    assert_eq!(admitted(&group), [false, false, true]);
    group.succeeded(0);
    assert_eq!(admitted(&group), [true, false, true]);
    assert!(matches!(group.members[1].state.condition(), Condition::Resting(left) if left > LONGEST_REST / 2));
    assert_eq!(self::group(2, 0, hour).failed(0), None);
}

#[test]
fn one_request_tries_whether_it_is_there_again() {
    let group = group(2, 1, Duration::ZERO);
    assert_eq!(group.failed(0), Some(Duration::ZERO));
    assert_eq!((admitted(&group), admitted(&group)), (vec![true, true], vec![false, true]));
    // It fails, and the next rest is over at once too.
    assert_eq!(group.failed(0), Some(Duration::ZERO));
    assert_eq!((admitted(&group), admitted(&group)), (vec![true, true], vec![false, true]));
    group.succeeded(0);
    assert_eq!((admitted(&group), admitted(&group)), (vec![true, true], vec![true, true]));
}

#[test]
fn rests_grow_until_it_answers() {
    let group = group(2, 1, Duration::from_millis(1));
    let mut rests = Vec::new();
    while rests.len() < 4 {
        rests.extend(group.failed(0));
        while !group.members[0].state.admits() {
            std::thread::yield_now();
        }
    }
    assert_eq!(rests.iter().map(Duration::as_millis).collect::<Vec<_>>(), [1, 2, 4, 8]);
    group.succeeded(0);
    assert_eq!(group.failed(0), Some(Duration::from_millis(1)));
}

#[test]
fn how_a_server_is_doing_is_one_thing_in_all_groups_and_outlasts_a_table() {
    let states = UpstreamStates::default();
    let spec = GroupSpec::from(vec![Upstream::tcp("a", 1), Upstream::tcp("b", 1)]);
    let (one, other) = (states.group(&spec), states.group(&spec));
    one.failed(0);
    assert_eq!(other.members[0].state.failures(), 1);
    drop(one);
    states.forget();
    assert_eq!(states.group(&spec).members[0].state.failures(), 1);
    drop(other);
    states.forget();
    assert!(states.is_empty());
    assert_eq!(states.group(&spec).members[0].state.failures(), 0);
}

#[test]
fn the_edges_own_questions_decide_after_some_of_a_kind() {
    let check = Check {
        path: "/".into(),
        host: None,
        interval: Duration::ZERO,
        timeout: Duration::ZERO,
        statuses: (200, 399),
        healthy_after: 2,
        unhealthy_after: 3,
    };
    let state = UpstreamState::default();
    let bad = || Err("503".into());
    let answers = [bad(), bad(), Ok(()), bad(), bad(), bad(), bad(), Ok(()), bad(), Ok(()), Ok(()), Ok(())];
    let turned = answers.map(|answer| state.answered(&check, answer));
    let (n, gone, back) = (None, Some(false), Some(true));
    assert_eq!(turned, [n, n, n, n, n, gone, n, n, n, n, back, n]);
    for _ in 0..3 {
        state.answered(&check, bad());
    }
    assert_eq!((state.condition(), state.admits()), (Condition::Down("503".into()), false));
    assert!(state.is_better_than_nobody() && state.begin_watch() && !state.begin_watch());
}

#[test]
fn what_the_operator_wants_goes_before_everything() {
    let group = group(2, 1, Duration::from_hours(1));
    let state = &group.members[0].state;
    for (lever, condition, is_better) in
        [(Lever::Draining, Condition::Draining, true), (Lever::Maintenance, Condition::Maintenance, false)]
    {
        state.pull(lever);
        assert_eq!((state.condition(), state.admits(), state.is_better_than_nobody()), (condition, false, is_better));
    }
    // The other one is the last that is there.
    assert_eq!(group.failed(1), None);
    state.pull(Lever::Ready);
    assert_eq!((state.condition(), state.admits()), (Condition::Ready, true));
    assert!(group.failed(1).is_some());
}
