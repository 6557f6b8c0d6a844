//! The versions of one certificate, and which of them is current.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::record::Decision;
use super::revocation::Revocation;
use crate::certs::certificate::{Fingerprint, hexadecimal, sha256};
use crate::live::KeyType;
use crate::name::HostPattern;

/// What certificates for these names with this type of key are versions of: readable, and the same on every machine.
pub(in crate::certs) fn lineage_id(names: &[HostPattern], key_type: KeyType) -> String {
    let mut texts: Vec<String> = names.iter().map(ToString::to_string).collect();
    texts.sort_unstable();
    let sum = sha256(format!("{} {}", key_type.label(), texts.join(" ")).as_bytes());
    // The first one as it stands in lists: exact names go before wildcards.
    let first = names.first().map(ToString::to_string).unwrap_or_default().replace('*', "wildcard");
    let first: String = first.chars().take(LONGEST_NAME).collect();
    format!("{first}-{}-{}", key_type.label(), hexadecimal(&sum[..4]))
}

/// Versions, and what was decided about them.
#[derive(Clone, Default)]
pub(super) struct Lineage {
    /// In the order in which they serve, the best last: issued later, and of the same second (authorities like to date theirs
    /// at midnight) valid longer, then come later.
    versions: Vec<VersionName>,
    pub(super) turned_down: BTreeMap<VersionName, TurnedDown>,
    pub(super) revoked: BTreeMap<VersionName, Revocation>,
}

/// Why a version does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TurnedDown {
    /// The operator went back to one before it.
    RolledBack,
    /// Its files were deleted.
    Withdrawn,
    /// Its files were overwritten with another certificate.
    Replaced,
    /// It was revoked and had to leave at once.
    Revoked,
}

impl TurnedDown {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::RolledBack => "rolled back",
            Self::Withdrawn => "withdrawn",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
        }
    }
}

/// What decides between versions that were issued in the same second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tie {
    /// Seconds since the Unix epoch, as all here.
    pub(super) not_after: i64,
    pub(super) added: i64,
}

impl Lineage {
    /// Takes a version in, again if it was there. `tie` is asked only where others were issued in the same second.
    pub(super) fn insert(&mut self, version: VersionName, tie: impl Fn(VersionName) -> Tie) {
        self.remove(version);
        let start = self.versions.partition_point(|other| other.issued < version.issued);
        let end = self.versions.partition_point(|other| other.issued <= version.issued);
        // Nearly always there is one only.
        self.versions.reserve_exact(1);
        self.versions.insert(end, version);
        if start < end {
            self.versions[start..=end].sort_by_cached_key(|version| (tie(*version), *version));
        }
    }

    pub(super) fn remove(&mut self, version: VersionName) {
        self.versions.retain(|other| *other != version);
    }

    /// All of them, the best first.
    pub(super) fn all(&self) -> impl Iterator<Item = VersionName> + '_ {
        self.versions.iter().rev().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// What goes before a version.
    fn better_than(&self, version: VersionName) -> &[VersionName] {
        let place = self.versions.iter().position(|other| *other == version);
        place.and_then(|place| self.versions.get(place + 1..)).unwrap_or_default()
    }

    pub(super) fn decide(&mut self, decision: Decision) {
        let known = decision.turned_down.into_iter().filter_map(|(name, why)| Some((VersionName::parse(&name)?, why)));
        self.turned_down = known.collect();
        let revoked = decision.revoked.into_iter().filter_map(|(name, how)| Some((VersionName::parse(&name)?, how)));
        self.revoked = revoked.collect();
    }

    /// Those that may serve; the first is current. What is revoked goes last, and only if it never was replaced.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = VersionName> + '_ {
        let may_serve = || self.all().filter(|version| !self.turned_down.contains_key(version));
        let in_force = may_serve().filter(|version| !self.revoked.contains_key(version));
        let last = self.versions.last().copied().filter(|last| self.revoked.contains_key(last));
        in_force.chain(may_serve().filter(move |version| last == Some(*version)))
    }

    /// Whether the operator went back to this version.
    pub(super) fn is_gone_back_to(&self, version: VersionName) -> bool {
        let mut newer = self.better_than(version).iter();
        newer.any(|newer| self.turned_down.get(newer) == Some(&TurnedDown::RolledBack))
    }

    /// Gives whether that is new. What the operator said stays what was said.
    pub(super) fn turn_down(&mut self, version: VersionName, why: TurnedDown) -> bool {
        match self.turned_down.get(&version) {
            Some(TurnedDown::RolledBack | TurnedDown::Revoked) => false,
            Some(known) if *known == why => false,
            _ => {
                self.turned_down.insert(version, why);
                true
            }
        }
    }

    /// Gives whether that is new.
    pub(super) fn take_up(&mut self, version: VersionName) -> bool {
        match self.turned_down.get(&version) {
            None | Some(TurnedDown::RolledBack | TurnedDown::Revoked) => false,
            Some(_) => self.turned_down.remove(&version).is_some(),
        }
    }

    pub(super) fn go_back_to(&mut self, version: VersionName) {
        self.turned_down.remove(&version);
        for newer in self.better_than(version).to_vec() {
            self.turned_down.entry(newer).or_insert(TurnedDown::RolledBack);
        }
    }
}

/// The name of a version: when it was issued, so that versions stand in their order, and the beginning of its fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct VersionName {
    issued: i64,
    beginning: [u8; Self::OCTETS],
}

impl VersionName {
    /// Of the fingerprint. No two certificates that anybody could find share so many.
    pub(super) const OCTETS: usize = 16;

    pub(super) fn of(fingerprint: &Fingerprint, issued: i64) -> Self {
        // What cannot be written as a date is written as the nearest that can.
        Self { issued: issued.clamp(0, LAST_SECOND), beginning: Self::octets_of(fingerprint) }
    }

    pub(super) fn octets_of(fingerprint: &Fingerprint) -> [u8; Self::OCTETS] {
        let mut octets = [0; Self::OCTETS];
        octets.copy_from_slice(&fingerprint[..Self::OCTETS]);
        octets
    }

    /// The same out of a fingerprint in hexadecimal.
    pub(super) fn octets_in(fingerprint: &str) -> Option<[u8; Self::OCTETS]> {
        let digits = fingerprint.as_bytes().get(..Self::OCTETS * 2)?;
        let mut octets = [0; Self::OCTETS];
        for (octet, pair) in octets.iter_mut().zip(digits.chunks(2)) {
            *octet = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(octets)
    }

    pub(super) fn octets(self) -> [u8; Self::OCTETS] {
        self.beginning
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (date, beginning) = text.split_once('-')?;
        let number = |range: std::ops::Range<usize>| date.get(range)?.parse::<u32>().ok();
        let month = time::Month::try_from(u8::try_from(number(4..6)?).ok()?).ok()?;
        let year = i32::try_from(number(0..4)?).ok()?;
        let day = time::Date::from_calendar_date(year, month, u8::try_from(number(6..8)?).ok()?).ok()?;
        let [hour, minute, second] =
            [9..11, 11..13, 13..15].map(|range| number(range).and_then(|number| u8::try_from(number).ok()));
        let issued = day.with_hms(hour?, minute?, second?).ok()?.assume_utc().unix_timestamp();
        let version = Self { issued, beginning: Self::octets_in(beginning)? };
        (version.to_string() == text).then_some(version)
    }
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issued = OffsetDateTime::from_unix_timestamp(self.issued).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = issued.to_calendar_date();
        let (hour, minute, second) = issued.to_hms();
        write!(f, "{year:04}{:02}{day:02}T{hour:02}{minute:02}{second:02}Z", u8::from(month))?;
        write!(f, "-{}", hexadecimal(&self.beginning))
    }
}

/// A file's name is to have room for it and the rest.
const LONGEST_NAME: usize = 100;
/// 9999-12-31T23:59:59Z
const LAST_SECOND: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(names: &[&str]) -> Vec<HostPattern> {
        names.iter().map(|name| HostPattern::parse(name).expect("a name")).collect()
    }

    fn version(issued: i64) -> VersionName {
        VersionName::of(&sha256(&issued.to_be_bytes()), issued)
    }

    fn lineage(issued: &[i64]) -> Lineage {
        let mut lineage = Lineage::default();
        issued.iter().for_each(|issued| lineage.insert(version(*issued), |_| Tie::default()));
        lineage
    }

    fn current(lineage: &Lineage) -> Option<i64> {
        lineage.newest_first().next().map(|version| version.issued)
    }

    #[test]
    fn one_certificate_is_the_same_names_with_the_same_type_of_key() {
        let names = patterns(&["shop.example", "*.shop.example"]);
        let id = lineage_id(&names, KeyType::EcdsaP256);
        assert!(id.starts_with("shop.example-ecdsa-"), "{id}");
        assert_eq!(id, lineage_id(&names, KeyType::EcdsaP384));
        assert_ne!(id, lineage_id(&names, KeyType::Rsa));
        assert_ne!(id, lineage_id(&names[..1], KeyType::EcdsaP256));
        let wildcard = lineage_id(&names[1..], KeyType::Rsa);
        assert!(wildcard.starts_with("wildcard.shop.example-rsa-"), "{wildcard}");
    }

    #[test]
    fn a_version_is_named_by_its_issue_and_its_fingerprint() {
        let version = VersionName::of(&[0xAB; 32], 1_795_305_601);
        assert_eq!(version.to_string(), "20261122T000001Z-abababababababababababababababab");
        assert_eq!(VersionName::parse(&version.to_string()), Some(version));
        for strange in ["", "meta.json", "20261122T000001Z-ab", "20261322T000001Z-abababababababababababababababab"] {
            assert_eq!(VersionName::parse(strange), None, "{strange}");
        }
        for issued in [i64::MIN, -1, i64::MAX] {
            let odd = VersionName::of(&[1; 32], issued);
            assert_eq!(VersionName::parse(&odd.to_string()), Some(odd));
        }
    }

    #[test]
    fn the_newest_version_is_current_until_the_operator_goes_back() {
        let mut lineage = lineage(&[10, 20, 30]);
        assert_eq!(current(&lineage), Some(30));
        lineage.go_back_to(version(10));
        assert_eq!(current(&lineage), Some(10));
        assert!(lineage.is_gone_back_to(version(10)) && !lineage.is_gone_back_to(version(30)));
        lineage.insert(version(40), |_| Tie::default());
        assert_eq!(current(&lineage), Some(40));
        // What lies in the folder all the while is no news.
        assert!(!lineage.take_up(version(30)));
        lineage.turn_down(version(30), TurnedDown::Withdrawn);
        lineage.turn_down(version(40), TurnedDown::Withdrawn);
        assert_eq!(current(&lineage), Some(10));
        assert!(lineage.take_up(version(40)));
        lineage.go_back_to(version(30));
        assert_eq!(current(&lineage), Some(30));
    }

    #[test]
    fn what_is_revoked_serves_only_where_nothing_was_there_before_or_after_it() {
        let revoked = || Revocation { reason: "superseded".into(), at: 7 };
        let serving = |lineage: &Lineage| lineage.newest_first().map(|version| version.issued).collect::<Vec<_>>();
        let mut lineage = lineage(&[10, 20, 30]);
        lineage.revoked.insert(version(30), revoked());
        assert_eq!(serving(&lineage), [20, 10, 30]);
        lineage.revoked.insert(version(20), revoked());
        assert_eq!(serving(&lineage), [10, 30]);
        lineage.turned_down.insert(version(30), TurnedDown::Revoked);
        assert!(!lineage.turn_down(version(30), TurnedDown::Withdrawn) && !lineage.take_up(version(30)));
        assert_eq!(serving(&lineage), [10]);
        lineage.insert(version(40), |_| Tie::default());
        assert_eq!(serving(&lineage), [40, 10]);
    }

    #[test]
    fn of_the_same_second_what_is_valid_longer_is_current_then_what_came_later() {
        let named = |octet: u8| VersionName::of(&[octet; 32], 20);
        let tie = |version: VersionName| match version.octets()[0] {
            1 => Tie { not_after: 90, added: 1 },
            2 => Tie { not_after: 50, added: 4 },
            3 => Tie { not_after: 90, added: 3 },
            _ => Tie { not_after: 90, added: 2 },
        };
        for order in [[1, 2, 3, 4], [4, 3, 2, 1], [3, 1, 4, 2]] {
            let mut lineage = lineage(&[10, 30]);
            order.iter().for_each(|octet| lineage.insert(named(*octet), tie));
            lineage.insert(named(order[0]), tie);
            let expected = [version(30), named(3), named(4), named(1), named(2), version(10)];
            assert_eq!(lineage.all().collect::<Vec<_>>(), expected);
            lineage.go_back_to(named(4));
            assert_eq!(lineage.newest_first().next(), Some(named(4)));
            assert!(lineage.is_gone_back_to(named(4)) && !lineage.is_gone_back_to(version(30)));
        }
    }
}
