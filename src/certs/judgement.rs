//! What is to be said of a certificate that can be served: nothing, or what clients will have against it.

use hashbrown::HashSet;

use super::flaw::Flaw;
use super::ledger::some_of;
use crate::live::{CertFacts, ValidationLevel};
use crate::name::{self, HostPattern};

/// What was decided about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It serves.
    Accepted,
    /// It serves, and some clients or all will have something against it.
    AcceptedWithWarnings,
    /// It does not serve.
    Rejected,
}

impl Verdict {
    /// On a certificate that can be served, of which this is to be said.
    #[must_use]
    pub fn of(warnings: &[Flaw]) -> Self {
        if warnings.is_empty() { Self::Accepted } else { Self::AcceptedWithWarnings }
    }

    /// The words for lists.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::AcceptedWithWarnings => "accepted with warnings",
            Self::Rejected => "rejected",
        }
    }
}

/// What clients will have against a certificate that can be served, at `now`, seconds since the Unix epoch.
#[must_use]
pub fn warnings(facts: &CertFacts, now: i64) -> Vec<Flaw> {
    let traits = &facts.traits;
    let days = (facts.not_after - facts.not_before) / A_DAY;
    let limit = longest_validity(facts.not_before);
    let found = [
        (now > facts.not_after).then(|| {
            Flaw::new(
                "expired",
                "the certificate is expired: browsers show a warning instead of the shop",
                "have it issued again, and put the new one in its place",
            )
        }),
        (now < facts.not_before).then(|| {
            Flaw::new(
                "not-yet-valid",
                "the certificate is not valid yet: browsers show a warning until then",
                "nothing if that is meant, since it serves only where nothing else does; else look at the clock of this machine",
            )
        }),
        (traits.self_signed && !facts.trusted).then(|| {
            Flaw::new(
                "self-signed",
                "no authority stands behind the certificate: who was not told to trust it is warned",
                "have one issued by a certification authority before customers come",
            )
        }),
        (!facts.vouched && !traits.self_signed).then(|| {
            Flaw::new(
                "chain-incomplete",
                "the certificate of its issuer is missing: browsers that do not know it by chance warn, and most other clients \
                 refuse",
                "add the intermediate certificates that the authority sent along",
            )
        }),
        (facts.vouched && !facts.trusted).then(|| {
            Flaw::new(
                "untrusted-root",
                "no chain of valid certificates leads from it to a root that browsers trust: who was not given that root is warned",
                "have one issued by a public authority; or, for an authority of your own that clients trust, name its root in \
                 certificates.trusted_roots",
            )
        }),
        traits.weak_signature.then(|| {
            Flaw::new(
                "weak-signature",
                "the certificate, or one of its chain, is signed with SHA-1 or MD5, which no browser believes any more",
                "have it issued again with SHA-256",
            )
        }),
        traits.weak_authority.then(|| {
            Flaw::new(
                "weak-key",
                "an authority in the chain has an RSA key of less than 2048 bits, which most clients refuse",
                "have the certificate issued again by an authority of today",
            )
        }),
        traits.is_ca.then(|| {
            Flaw::new(
                "authority-as-leaf",
                "the certificate is an authority's (CA:TRUE), which some clients refuse from a server",
                "have a server's certificate issued; with openssl req -x509, add: -addext basicConstraints=critical,CA:FALSE",
            )
        }),
        traits.must_staple.then(|| {
            Flaw::new(
                "must-staple",
                "the certificate asks for a stapled OCSP response (must-staple), which is not sent: Firefox refuses it",
                "have it issued again without must-staple",
            )
        }),
        limit.filter(|limit| !traits.self_signed && facts.not_after - facts.not_before > limit * A_DAY).map(|limit| {
            Flaw::new(
                "validity-too-long",
                format!("the certificate is valid for {days} days: when it was issued, browsers took {limit} from public authorities"),
                "have it issued again for a shorter time; your own authority's may stay",
            )
        }),
    ];
    found.into_iter().flatten().collect()
}

/// What is to be said of a certificate that serves a site which asks for more than its authority checked.
#[must_use]
pub fn below_minimum(level: Option<ValidationLevel>, site: &str, minimum: Option<ValidationLevel>) -> Option<Flaw> {
    let minimum = minimum.filter(|minimum| level < Some(*minimum))?.label().to_uppercase();
    let found = level
        .map_or_else(|| "does not say what was checked".into(), |level| format!("is {}", level.label().to_uppercase()));
    Some(Flaw::new(
        "validation-too-low",
        format!("the site {site} asks for {minimum} (minimum_validation), and the certificate {found}"),
        format!("have one issued with {minimum}, or ask for less in the site's configuration"),
    ))
}

/// The names that sites go by, to find those of certificates that none uses.
#[derive(Default)]
pub struct UsedNames<'s> {
    exact: HashSet<&'s str>,
    /// The names one label above exact ones, and above the asterisk of wildcards.
    parents: HashSet<&'s str>,
    wildcards: HashSet<&'s str>,
}

impl<'s> UsedNames<'s> {
    /// Takes the hosts of all sites.
    pub fn of(hosts: impl IntoIterator<Item = &'s HostPattern>) -> Self {
        let mut used = Self::default();
        for host in hosts {
            match host {
                HostPattern::Exact(name) => {
                    used.exact.insert(name.as_str());
                    used.parents.extend(name::parent(name.as_str()));
                }
                HostPattern::Wildcard(base) => {
                    used.wildcards.insert(base.as_str());
                    used.parents.insert(base.as_str());
                }
            }
        }
        used
    }

    /// What is to be said of a certificate with these names, if no site goes by some of them.
    #[must_use]
    pub fn unused(&self, names: &[HostPattern]) -> Option<Flaw> {
        let unused: Vec<String> = names.iter().filter(|name| !self.has(name)).map(ToString::to_string).collect();
        (!unused.is_empty()).then(|| {
            Flaw::new(
                "names-unused",
                format!("no site goes by these names of the certificate: {}", some_of(&unused)),
                "nothing if that is meant; else add the names to the hosts of a site",
            )
        })
    }

    fn has(&self, name: &HostPattern) -> bool {
        match name {
            HostPattern::Exact(name) => {
                let by_wildcard = name::parent(name.as_str()).is_some_and(|parent| self.wildcards.contains(parent));
                self.exact.contains(name.as_str()) || by_wildcard
            }
            HostPattern::Wildcard(base) => self.parents.contains(base.as_str()),
        }
    }
}

/// In days, for what was issued then (CA/Browser Forum, Baseline Requirements §6.3.2); none before there was a limit in days.
fn longest_validity(issued: i64) -> Option<i64> {
    LONGEST_VALIDITY.into_iter().find(|(since, _)| issued >= *since).map(|(_, days)| days)
}

/// From when on, seconds since the Unix epoch, and how many days.
const LONGEST_VALIDITY: [(i64, i64); 5] = [
    (1_868_227_200, 47),  // 2029-03-15
    (1_805_068_800, 100), // 2027-03-15
    (1_773_532_800, 200), // 2026-03-15
    (1_598_918_400, 398), // 2020-09-01
    (1_519_862_400, 825), // 2018-03-01
];
const A_DAY: i64 = 86_400;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::certs::testing::served;
    use crate::live::CertTraits;

    const NOW: i64 = 1_790_000_000;

    /// The codes for a certificate like a public authority's, changed.
    fn codes(change: impl FnOnce(&mut CertFacts)) -> Vec<&'static str> {
        let mut facts = Arc::into_inner(served("a", &["a.example"], NOW - A_DAY, NOW + 89 * A_DAY, false))
            .expect("the only one")
            .facts;
        (facts.traits, facts.vouched, facts.trusted) = (CertTraits::default(), true, true);
        change(&mut facts);
        warnings(&facts, NOW).into_iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn nothing_is_said_of_a_good_certificate_and_everything_of_a_bad_one() {
        assert_eq!(codes(|_| {}), [""; 0]);
        assert_eq!(codes(|facts| facts.not_after = NOW - 1), ["expired"]);
        assert_eq!(codes(|facts| facts.not_before = NOW + 1), ["not-yet-valid"]);
        assert_eq!(codes(|facts| facts.trusted = false), ["untrusted-root"]);
        let alone = |facts: &mut CertFacts| (facts.vouched, facts.trusted) = (false, false);
        assert_eq!(codes(alone), ["chain-incomplete"]);
        // Clients were told to trust this very one.
        assert_eq!(codes(|facts| (facts.traits.self_signed, facts.vouched) = (true, false)), [""; 0]);
        assert_eq!(
            codes(|facts| {
                let level = None;
                facts.traits = CertTraits {
                    self_signed: true,
                    is_ca: true,
                    weak_signature: true,
                    weak_authority: true,
                    must_staple: true,
                    level,
                };
                alone(facts);
            }),
            ["self-signed", "weak-signature", "weak-key", "authority-as-leaf", "must-staple"]
        );
    }

    #[test]
    fn a_site_may_ask_for_more_than_the_authority_checked() {
        use ValidationLevel::{Domain, Extended, Organisation};
        let is_below = |level, minimum| below_minimum(level, "a.example", minimum).is_some();
        for (level, minimum) in [
            (None, None),
            (Some(Domain), None),
            (Some(Organisation), Some(Organisation)),
            (Some(Extended), Some(Domain)),
        ] {
            assert!(!is_below(level, minimum), "{level:?} {minimum:?}");
        }
        for (level, minimum) in [(None, Domain), (Some(Domain), Organisation), (Some(Organisation), Extended)] {
            assert!(is_below(level, Some(minimum)), "{level:?} {minimum:?}");
        }
    }

    #[test]
    fn names_that_no_site_goes_by_are_named() {
        let patterns =
            |names: &[&str]| names.iter().map(|name| HostPattern::parse(name).expect("a name")).collect::<Vec<_>>();
        let hosts = patterns(&["shop.example", "www.shop.example", "*.cafe.example"]);
        let used = UsedNames::of(&hosts);
        let unused = |names: &[&str]| {
            used.unused(&patterns(names)).map(|flaw| flaw.reason.rsplit(": ").next().unwrap_or_default().to_owned())
        };
        assert_eq!(unused(&["shop.example", "*.shop.example", "*.cafe.example", "any.cafe.example"]), None);
        assert_eq!(
            unused(&["shop.example", "mail.shop.example", "cafe.example"]).as_deref(),
            Some("mail.shop.example, cafe.example")
        );
        assert_eq!(
            unused(&["*.www.shop.example", "a.any.cafe.example"]).as_deref(),
            Some("*.www.shop.example, a.any.cafe.example")
        );
    }

    #[test]
    fn the_longest_validity_hangs_on_the_day_of_issue() {
        for (issued, days) in [
            ("2018-02-28", None),
            ("2018-03-01", Some(825)),
            ("2020-08-31", Some(825)),
            ("2020-09-01", Some(398)),
            ("2026-03-14", Some(398)),
            ("2026-03-15", Some(200)),
            ("2027-03-15", Some(100)),
            ("2029-03-14", Some(100)),
            ("2029-03-15", Some(47)),
        ] {
            let [year, month, day] = [0..4, 5..7, 8..10].map(|part| issued[part].parse::<i32>().expect("a number"));
            let month = time::Month::try_from(month as u8).expect("a month");
            let date = time::Date::from_calendar_date(year, month, day as u8).expect("a day");
            assert_eq!(longest_validity(date.midnight().assume_utc().unix_timestamp()), days, "{issued}");
        }
        let of = |days: i64| move |facts: &mut CertFacts| facts.not_after = facts.not_before + days * A_DAY;
        assert_eq!(codes(of(200)), [""; 0]);
        assert_eq!(codes(of(201)), ["validity-too-long"]);
    }
}
