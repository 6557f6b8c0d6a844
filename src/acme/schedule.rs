//! When a certificate is to be renewed, and when what failed is tried again. All moments are seconds since the Unix epoch.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// When a certificate of this life is to be renewed: at two thirds, whatever its length, earlier by up to a thirtieth of it, so
/// that sites which began together do not go on together. `site` decides by how much, always alike.
pub(super) fn renewal(not_before: i64, not_after: i64, site: &str) -> i64 {
    let life = not_after.saturating_sub(not_before).max(0);
    not_before + life / 3 * 2 - share_of(life / 30, site)
}

/// When so little of a certificate's life is left that nothing may hold its renewal back: a tenth.
pub(super) fn last_chance(not_before: i64, not_after: i64) -> i64 {
    not_after - not_after.saturating_sub(not_before).max(0) / 10
}

/// How long to wait after so many failures in a row, the first included: five minutes, three times as long each time, at most a
/// day; longer by up to a tenth. No name is looked at five times in an hour, after which Let's Encrypt looks no more.
pub(super) fn pause(failures: u32, site: &str) -> i64 {
    let pause = SHORTEST_PAUSE.saturating_mul(3_i64.saturating_pow(failures.saturating_sub(1))).min(LONGEST_PAUSE);
    pause + share_of(pause / 10, &format!("{site} {failures}"))
}

/// How long to wait after so many failed checks in a row, the first included: a minute, twice as long each time, at most an hour;
/// longer by up to a tenth. They cost nobody anything, and whoever mends a record waits for them.
pub(super) fn pause_of_checks(failures: u32, site: &str) -> i64 {
    let pause = 2_i64.saturating_pow(failures.saturating_sub(1)).saturating_mul(SHORTEST_CHECK_PAUSE);
    let pause = pause.min(LONGEST_CHECK_PAUSE);
    pause + share_of(pause / 10, &format!("{site} {failures}"))
}

/// A part of `whole` that follows from `text`.
fn share_of(whole: i64, text: &str) -> i64 {
    let whole = u64::try_from(whole).unwrap_or(0) + 1;
    // With fixed keys: a plan must not change from start to start.
    let sum = BuildHasherDefault::<DefaultHasher>::default().hash_one(text);
    i64::try_from(sum % whole).unwrap_or(0)
}

const SHORTEST_PAUSE: i64 = 5 * 60;
const LONGEST_PAUSE: i64 = 86_400;
/// As long as what a resolver keeps of a name that is about to change, often enough.
const SHORTEST_CHECK_PAUSE: i64 = 60;
const LONGEST_CHECK_PAUSE: i64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn a_certificate_is_renewed_in_the_last_third_of_its_life_however_long_that_is() {
        for days in [6, 45, 90, 200] {
            for site in ["a", "b", "shop.example", "x"] {
                let at = renewal(0, days * DAY, site);
                assert!(at <= days * DAY / 3 * 2 && at >= days * DAY * 19 / 30, "{days} {site} {at}");
                assert_eq!(at, renewal(0, days * DAY, site));
            }
        }
        let spread: std::collections::HashSet<_> = (0..100).map(|n| renewal(0, 90 * DAY, &format!("s{n}"))).collect();
        assert!(spread.len() > 90);
        assert_eq!(renewal(10, 5, "a"), 10);
    }

    #[test]
    fn the_last_tenth_of_a_life_is_the_last_chance_however_long_it_is() {
        for days in [6, 45, 90, 200] {
            assert_eq!(last_chance(DAY, (days + 1) * DAY), DAY + days * DAY / 10 * 9);
        }
        assert_eq!(last_chance(10, 5), 5);
    }

    #[test]
    fn what_failed_before_an_order_is_looked_at_each_hour_at_least_and_not_each_second() {
        let pauses: Vec<i64> = (1..=8).map(|failures| pause_of_checks(failures, "shop.example")).collect();
        assert!(
            pauses
                .iter()
                .zip([60, 120, 240, 480, 960, 1920, 3600, 3600])
                .all(|(pause, least)| { (least..=least + least / 10).contains(pause) }),
            "{pauses:?}"
        );
        assert!((3600..=3960).contains(&pause_of_checks(u32::MAX, "shop.example")));
    }

    #[test]
    fn no_name_is_tried_five_times_in_an_hour_and_each_is_tried_every_day() {
        let mut at = 0;
        let mut tries = vec![0];
        for failures in 1..20 {
            at += pause(failures, "shop.example");
            tries.push(at);
            assert!(pause(failures, "shop.example") <= DAY + DAY / 10);
        }
        assert!(tries.iter().all(|from| tries.iter().filter(|at| (*from..from + 3600).contains(at)).count() < 5));
    }
}
