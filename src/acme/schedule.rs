//! When a certificate is to be renewed, and when what failed is tried again. All moments are seconds since the Unix epoch.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

impl Life {
    pub(super) const fn length(self) -> i64 {
        let length = self.not_after.saturating_sub(self.not_before);
        if length > 0 { length } else { 0 }
    }
}

/// What the authority suggests (RFC 9773 §4.2): the moment that was chosen in its window, and whether it said so lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suggested {
    pub(super) at: i64,
    pub(super) is_fresh: bool,
}

/// When a certificate is to be renewed: when its authority suggests, else at two thirds. A suggestion that is no longer confirmed
/// can only bring it forward, and nothing puts it off beyond the [`emergency`].
pub(super) fn due(life: Life, suggested: Option<Suggested>, site: &str) -> i64 {
    let own = renewal(life.not_before, life.not_after, site);
    let at = match suggested {
        Some(Suggested { at, is_fresh: true }) => at,
        Some(Suggested { at, is_fresh: false }) => at.min(own),
        None => own,
    };
    at.min(emergency(life))
}

/// From when on a certificate is so near its end that it is tried for every hour, whatever failed: the last tenth of its life, two
/// days at most.
pub(super) fn emergency(life: Life) -> i64 {
    life.not_after - (life.length() / 10).min(LONGEST_EMERGENCY)
}

/// Whether a certificate that ended then is over since so short a time that it is still tried for every hour.
pub(super) fn is_just_over(ended: i64, now: i64) -> bool {
    now - ended < STILL_URGENT
}

/// How long after its issue a certificate is not renewed, whatever is suggested: an authority that wants each new one renewed at
/// once would be asked for ever. A sixtieth of its life, six hours at most.
pub(super) fn settling(life: Life) -> i64 {
    (life.length() / 60).min(LONGEST_SETTLING)
}

/// A moment in a window, the same each time for the same `text`, and any with the same likelihood.
pub(super) fn moment_in(start: i64, end: i64, text: &str) -> i64 {
    start + share_of(end.saturating_sub(start), text)
}

/// When a certificate of this life is to be renewed: at two thirds, whatever its length, earlier by up to a thirtieth of it, so
/// that sites which began together do not go on together. `site` decides by how much, always alike.
pub(super) fn renewal(not_before: i64, not_after: i64, site: &str) -> i64 {
    let life = not_after.saturating_sub(not_before).max(0);
    not_before + life / 3 * 2 - share_of(life / 30, site)
}

/// When so little of a certificate's life is left that nothing may hold its renewal back: a tenth.
pub(super) fn last_chance(life: Life) -> i64 {
    life.not_after - life.length() / 10
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

/// How long to wait when a certificate is near its end.
pub(super) fn urgent_pause(failures: u32, site: &str) -> i64 {
    pause(failures, site).min(URGENT_PAUSE)
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
/// A little less than what is promised.
const URGENT_PAUSE: i64 = 55 * 60;
/// Two days of hourly tries find an authority that was away over a weekend; more would only be noise.
const LONGEST_EMERGENCY: i64 = 2 * 86_400;
/// Who has not mended a name a day after its end has given it up.
const STILL_URGENT: i64 = 86_400;
/// As often as suggestions are asked for when nobody says how often.
const LONGEST_SETTLING: i64 = 6 * 3600;

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

    fn life(days: i64) -> Life {
        Life { not_before: 0, not_after: days * DAY }
    }

    #[test]
    fn what_the_authority_suggests_goes_before_two_thirds_but_not_beyond_the_emergency() {
        for days in [6, 45, 90, 200] {
            let (own, last) = (renewal(0, days * DAY, "a"), emergency(life(days)));
            let due = |at, is_fresh| due(life(days), Some(Suggested { at, is_fresh }), "a");
            assert!(own < last && last < days * DAY && last >= (days - 2).max(days * 9 / 10) * DAY, "{days}");
            assert_eq!(super::due(life(days), None, "a"), own);
            assert_eq!((due(-5, true), due(own - 9, true), due(own + 9, true)), (-5, own - 9, own + 9));
            assert_eq!((due(own - 9, false), due(own + 9, false)), (own - 9, own));
            assert_eq!((due(last + 1, true), due(i64::MAX, true)), (last, last));
        }
        assert_eq!([6, 45, 90, 200].map(|days| (days * DAY - emergency(life(days))) / 360), [144, 480, 480, 480]);
        assert_eq!([6, 45, 90, 200].map(|days| settling(life(days))), [8640, 21_600, 21_600, 21_600]);
        assert_eq!(emergency(Life { not_before: 7, not_after: 3 }), 3);
    }

    #[test]
    fn moments_in_a_window_fill_it_evenly_and_stay_the_same() {
        let moments: Vec<i64> = (0..1000).map(|n| moment_in(500, 1500, &format!("site {n}"))).collect();
        assert!(moments.iter().all(|at| (500..=1500).contains(at)));
        for tenth in 0..10 {
            let within = moments.iter().filter(|at| (500 + tenth * 100..600 + tenth * 100).contains(*at)).count();
            assert!((60..140).contains(&within), "{tenth}: {within}");
        }
        assert_eq!(moment_in(500, 1500, "a"), moment_in(500, 1500, "a"));
        assert_eq!((moment_in(500, 500, "a"), moment_in(500, 400, "a")), (500, 500));
    }

    #[test]
    fn near_its_end_a_certificate_is_tried_for_every_hour_and_never_five_times_within_one() {
        let pauses: Vec<i64> = (1..30).map(|failures| urgent_pause(failures, "shop.example")).collect();
        assert!(pauses.iter().all(|pause| (300..3600).contains(pause)), "{pauses:?}");
        for start in 0..pauses.len() - 4 {
            assert!(pauses[start..start + 4].iter().sum::<i64>() > 3600);
        }
    }

    #[test]
    fn the_last_tenth_of_a_life_is_the_last_chance_however_long_it_is() {
        for days in [6, 45, 90, 200] {
            assert_eq!(last_chance(Life { not_before: DAY, not_after: (days + 1) * DAY }), DAY + days * DAY / 10 * 9);
        }
        assert_eq!(last_chance(Life { not_before: 10, not_after: 5 }), 5);
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
