//! For how long something is to hold.

use std::time::{Duration, SystemTime};

use clap::Args;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// For how long an order to a running edge holds.
#[derive(Args, Debug)]
pub(super) struct Lasting {
    /// For so long, such as 30m, 12h or 7d; without it, until it is taken back
    #[arg(long = "for", value_name = "TIME", value_parser = lifetime)]
    period: Option<Duration>,
    /// When the edge is started anew, too
    #[arg(long)]
    pub(super) keep: bool,
}

impl Lasting {
    /// When it is over, RFC 3339.
    pub(super) fn end(&self) -> Option<String> {
        self.period.map(from_now)
    }
}

/// `30m`, `12h`, `90d`: a whole number of minutes, hours or days.
pub(super) fn lifetime(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a time such as 90d, 12h or 30m, found {text:?}");
    let (number, minutes) = match text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)? {
        (number, "d") => (number, 24 * 60),
        (number, "h") => (number, 60),
        (number, "m") => (number, 1),
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.saturating_mul(minutes) {
        minutes @ 1..=LONGEST => Ok(Duration::from_secs(minutes * 60)),
        _ => Err(format!("expected between 1m and {}d, found {text:?}", LONGEST / (24 * 60))),
    }
}

/// The moment after so long, RFC 3339.
pub(super) fn from_now(period: Duration) -> String {
    OffsetDateTime::from(SystemTime::now() + period)
        .replace_nanosecond(0)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// Ten years, in minutes.
const LONGEST: u64 = 10 * 365 * 24 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_of_days_hours_or_minutes() {
        let seconds = ["90d", "12h", "30m"].map(|text| lifetime(text).map(|period| period.as_secs()));
        assert_eq!(seconds, [Ok(7_776_000), Ok(43_200), Ok(1800)]);
        for wrong in
            ["", "d", "90", "90 d", "-1d", "1w", "0d", "3651d", "9é", "999999999999999999d", "99999999999999999999d"]
        {
            assert!(lifetime(wrong).is_err(), "{wrong}");
        }
    }
}
