//! What of all that is kept and does not serve ends soon, or has ended.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::Objects;
use crate::certs::alarms::AlarmCode;
use crate::certs::ledger::some_of;

/// Something that somebody has to replace by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::certs) struct Ending {
    /// What it is called.
    pub(in crate::certs) what: String,
    /// When, seconds since the Unix epoch.
    pub(in crate::certs) at: i64,
}

impl Objects {
    /// The ends that objects have of their own. One that goes by the certificate of its sites is as good as that one, which has
    /// alarms itself.
    pub(in crate::certs) fn endings(&self) -> impl Iterator<Item = Ending> {
        self.held.values().filter_map(|held| {
            let version = held.object.version()?;
            let own = version.certificate.as_ref().map(|certificate| certificate.not_after);
            Some(Ending { what: held.object.id.clone(), at: own.or(version.expires)? })
        })
    }
}

/// The alarms of what ends, at `now`, seconds since the Unix epoch. Each thing is in one at most.
pub(in crate::certs) fn raised(endings: impl Iterator<Item = Ending>, now: i64) -> BTreeMap<AlarmCode, String> {
    let mut endings: Vec<Ending> = endings.filter(|ending| ending.at - now <= SOON).collect();
    endings.sort_by(|one, other| (one.at, &one.what).cmp(&(other.at, &other.what)));
    let (urgent, soon): (Vec<_>, Vec<_>) = endings.iter().partition(|ending| ending.at - now <= VERY_SOON);
    let told = |endings: &[&Ending]| some_of(&endings.iter().map(|ending| ending.told(now)).collect::<Vec<_>>());
    let mut raised = BTreeMap::new();
    if !urgent.is_empty() {
        let text = format!("these end within {} days, or have ended: {}; {MEND}", VERY_SOON / A_DAY, told(&urgent));
        raised.insert(AlarmCode::ObjectExpiresNow, text);
    }
    if !soon.is_empty() {
        let text = format!("these end within {} days: {}; {MEND}", SOON / A_DAY, told(&soon));
        raised.insert(AlarmCode::ObjectExpiresSoon, text);
    }
    raised
}

impl Ending {
    fn told(&self, now: i64) -> String {
        let Self { what, at } = self;
        let day =
            OffsetDateTime::from_unix_timestamp(*at).map_or_else(|_| "unknown".into(), |at| at.date().to_string());
        if *at < now { format!("{what} (ended {day})") } else { format!("{what} (until {day})") }
    }
}

const A_DAY: i64 = 24 * 60 * 60;
/// Who has to order something at another place wants to know it as early; the same for what was uploaded.
const SOON: i64 = 45 * A_DAY;
/// Two weekends at most are left.
const VERY_SOON: i64 = 10 * A_DAY;
const MEND: &str =
    "fetch what takes their place, and bring it with vitrine objects add, or renew the request with vitrine csr renew";

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn codes(ends: &[(&str, i64)]) -> Vec<(AlarmCode, String)> {
        let ending = |(what, left): &(&str, i64)| Ending { what: (*what).to_owned(), at: NOW + left };
        raised(ends.iter().map(ending), NOW).into_iter().collect()
    }

    #[test]
    fn each_end_is_in_the_alarm_of_its_band() {
        use AlarmCode::{ObjectExpiresNow, ObjectExpiresSoon};
        for (left, expected) in [
            (45 * A_DAY + 1, vec![]),
            (45 * A_DAY, vec![ObjectExpiresSoon]),
            (10 * A_DAY + 1, vec![ObjectExpiresSoon]),
            (10 * A_DAY, vec![ObjectExpiresNow]),
            (-400 * A_DAY, vec![ObjectExpiresNow]),
        ] {
            let found: Vec<_> = codes(&[("one", left)]).into_iter().map(|(code, _)| code).collect();
            assert_eq!(found, expected, "{left}");
        }
    }

    #[test]
    fn the_first_to_end_is_told_first_with_its_day() {
        let raised = codes(&[("later", 9 * A_DAY), ("over", -1), ("soon", 20 * A_DAY)]);
        let expected = [
            "these end within 10 days, or have ended: over (ended 2027-01-15), later (until 2027-01-24); ",
            "these end within 45 days: soon (until 2027-02-04); ",
        ];
        assert_eq!(raised.iter().map(|(_, text)| text.replace(MEND, "")).collect::<Vec<_>>(), expected);
    }
}
