//! How near a certificate's end is.

/// How near the end is of what serves a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    /// Nothing serves it.
    None,
    /// It ended.
    Expired,
    /// Somebody should see to it today.
    Now,
    /// It is time to plan for the next.
    Soon,
    /// There is time.
    Good,
}

impl Band {
    /// Every band there is.
    pub const ALL: [Self; 5] = [Self::None, Self::Expired, Self::Now, Self::Soon, Self::Good];

    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Expired => "expired",
            Self::Now => "now",
            Self::Soon => "soon",
            Self::Good => "good",
        }
    }

    /// That of what somebody has to replace: by the days that are left.
    #[must_use]
    pub const fn by_days(not_after: i64, now: i64) -> Self {
        match (not_after - now).div_euclid(DAY) {
            _ if not_after < now => Self::Expired,
            days if days <= NOW_DAYS => Self::Now,
            days if days <= SOON_DAYS => Self::Soon,
            _ => Self::Good,
        }
    }

    /// That of what replaces itself: by whether that is late, and by the share of its life that is left. A certificate of six days is as
    /// well on its fourth as one of ninety on its sixtieth.
    #[must_use]
    pub const fn by_share(not_before: i64, not_after: i64, is_late: bool, now: i64) -> Self {
        let left = not_after - now;
        match left {
            left if left < 0 => Self::Expired,
            left if left * LAST_PART < not_after - not_before => Self::Now,
            _ if is_late => Self::Soon,
            _ => Self::Good,
        }
    }
}

/// Seconds.
pub(super) const DAY: i64 = 86_400;
/// Days that are enough for nothing but haste.
const NOW_DAYS: i64 = 10;
/// Days in which an order at an authority that asks for papers comes back.
const SOON_DAYS: i64 = 45;
/// Renewals come when a third is left; when half of that is gone too, they do not come by themselves.
const LAST_PART: i64 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_replaces_is_judged_by_days() {
        let by_days = |seconds: i64| Band::by_days(1_000_000_000 + seconds, 1_000_000_000);
        for (left, expected) in [
            (46 * DAY, Band::Good),
            (46 * DAY - 1, Band::Soon),
            (11 * DAY, Band::Soon),
            (11 * DAY - 1, Band::Now),
            (0, Band::Now),
            (-1, Band::Expired),
        ] {
            assert_eq!(by_days(left), expected, "{left}");
        }
    }

    #[test]
    fn what_replaces_itself_is_judged_by_the_share_that_is_left_and_by_lateness() {
        for (life, left, is_late, expected) in [
            (90, 31, false, Band::Good),
            (90, 20, false, Band::Good),
            (90, 20, true, Band::Soon),
            (90, 14, false, Band::Now),
            (90, 14, true, Band::Now),
            (6, 2, false, Band::Good),
            (6, 1, false, Band::Good),
            (90, -1, true, Band::Expired),
        ] {
            let now = 1_000_000_000;
            let end = now + left * DAY;
            assert_eq!(
                Band::by_share(end - life * DAY, end, is_late, now),
                expected,
                "{left} of {life}, late: {is_late}"
            );
        }
    }
}
