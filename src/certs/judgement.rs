//! What is to be said of a certificate that can be served: nothing, or what clients will have against it.

mod minimums;
mod sites;

use super::flaw::Flaw;
use crate::live::{CertFacts, ServedCert};

pub use minimums::Minimums;
pub use sites::{ABOUT_A_SITE, SiteDemands, Sites};

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

/// What a judgement hangs on besides the certificate.
#[derive(Clone, Copy)]
pub struct Circumstances<'c> {
    /// Seconds since the Unix epoch.
    pub now: i64,
    /// The sites, where they are known.
    pub sites: Option<&'c Sites<'c>>,
}

/// What is to be said of a certificate that can be served: what clients will have against it, and what the sites have that go by
/// its names. The one judge, whichever way it came.
#[must_use]
pub fn warnings(served: &ServedCert, circumstances: &Circumstances<'_>) -> Vec<Flaw> {
    let facts = &served.facts;
    let sites = circumstances.sites.map(|sites| sites.going_by(&served.names)).unwrap_or_default();
    let mut found = of_clients(facts, circumstances.now);
    if !sites.is_empty() && sites.iter().all(|site| site.staging) {
        found.retain(|flaw| !FIT_FOR_STAGING.contains(&flaw.code));
    }
    found.extend(circumstances.sites.and_then(|sites| sites.unused(&served.names)));
    found.extend(sites.iter().filter_map(|site| site.above(facts.traits.level)));
    found.extend(sites.iter().filter_map(|site| circumstances.sites?.uncovered(site)));
    found
}

/// What clients will have against it at `now`, seconds since the Unix epoch.
fn of_clients(facts: &CertFacts, now: i64) -> Vec<Flaw> {
    let traits = &facts.traits;
    let days = (facts.not_after - facts.not_before) / A_DAY;
    let limit = longest_validity(facts.not_before);
    let found = [
        facts.revoked.then(|| {
            Flaw::new(
                "revoked",
                "the certificate is revoked: browsers that look into their lists of such refuse it",
                "have a new one issued; it serves only until something better is there",
            )
        }),
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
        // Of what is too weak to be believed that is said already.
        (facts.vouched && !facts.trusted && !traits.weak_signature).then(|| {
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
            .about([days.to_string(), limit.to_string()])
        }),
    ];
    found.into_iter().flatten().collect()
}

/// In days, for what was issued then (CA/Browser Forum, Baseline Requirements §6.3.2); none before there was a limit in days.
fn longest_validity(issued: i64) -> Option<i64> {
    LONGEST_VALIDITY.into_iter().find(|(since, _)| issued >= *since).map(|(_, days)| days)
}

/// What a certificate has that `openssl req -x509` makes where nothing is asked of it.
const FIT_FOR_STAGING: [&str; 3] = ["self-signed", "authority-as-leaf", "untrusted-root"];
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
    use crate::live::{CertTraits, SiteSpec};
    use crate::name::HostPattern;

    const NOW: i64 = 1_790_000_000;

    /// The codes for a certificate like a public authority's, changed.
    fn codes(change: impl FnOnce(&mut CertFacts)) -> Vec<&'static str> {
        let mut facts = Arc::into_inner(served("a", &["a.example"], NOW - A_DAY, NOW + 89 * A_DAY, false))
            .expect("the only one")
            .facts;
        (facts.traits, facts.vouched, facts.trusted) = (CertTraits::default(), true, true);
        change(&mut facts);
        of_clients(&facts, NOW).into_iter().map(|warning| warning.code).collect()
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
    fn only_where_every_site_is_for_staging_nobody_has_to_vouch() {
        let site = |host: &str, staging| SiteSpec {
            name: host.into(),
            hosts: vec![HostPattern::parse(host).expect("a name")],
            routes: Vec::new(),
            minimum_validation: None,
            staging,
            provision: Default::default(),
            on_demand: Default::default(),
            orders: Default::default(),
            policy: Default::default(),
        };
        let mut own =
            Arc::into_inner(served("own", &["a.example", "b.example"], NOW - 1, NOW + 1, false)).expect("one");
        own.facts.traits = CertTraits { self_signed: true, is_ca: true, ..CertTraits::default() };
        (own.facts.vouched, own.facts.trusted) = (false, false);
        let codes = |sites: &[SiteSpec]| -> Vec<&str> {
            let sites = Sites::of(sites);
            let circumstances = Circumstances { now: NOW, sites: Some(&sites) };
            warnings(&own, &circumstances).into_iter().map(|flaw| flaw.code).collect()
        };
        assert_eq!(codes(&[site("a.example", true), site("b.example", true)]), [""; 0]);
        assert_eq!(codes(&[site("a.example", true)]), ["names-unused"]);
        assert_eq!(codes(&[site("a.example", true), site("b.example", false)]), ["self-signed", "authority-as-leaf"]);
        assert_eq!(codes(&[]), ["self-signed", "authority-as-leaf", "names-unused"]);
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
