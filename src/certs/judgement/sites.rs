//! The sites as far as certificates are concerned: who goes by which name, and what each asks for.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::certs::flaw::Flaw;
use crate::certs::ledger::some_of;
use crate::certs::minimum::{Minimum, minimum_of};
use crate::live::{CertIndex, Provision, Site, SiteSpec, ValidationLevel};
use crate::name::{self, HostPattern};

/// What a site asks of its certificates.
#[derive(Clone, Copy, Debug)]
pub struct SiteDemands<'s> {
    pub(super) name: &'s str,
    pub(super) hosts: &'s [HostPattern],
    pub(super) minimum_validation: Option<ValidationLevel>,
    /// Nobody but who builds the shop comes there: a certificate that nobody vouches for will do.
    pub(super) staging: bool,
}

impl<'s> From<&'s Site> for SiteDemands<'s> {
    fn from(Site { name, hosts, minimum_validation, staging, provision, .. }: &'s Site) -> Self {
        let staging = *staging || *provision == Provision::SelfSigned;
        Self { name, hosts, minimum_validation: *minimum_validation, staging }
    }
}

impl<'s> From<&'s SiteSpec> for SiteDemands<'s> {
    fn from(SiteSpec { name, hosts, minimum_validation, staging, provision, .. }: &'s SiteSpec) -> Self {
        let staging = *staging || *provision == Provision::SelfSigned;
        Self { name, hosts, minimum_validation: *minimum_validation, staging }
    }
}

impl<'s> SiteDemands<'s> {
    /// Of a site as far as its names say what serves them.
    pub(in crate::certs) const fn of_names(
        name: &'s str,
        hosts: &'s [HostPattern],
        minimum_validation: Option<ValidationLevel>,
    ) -> Self {
        Self { name, hosts, minimum_validation, staging: false }
    }

    /// Of a site of which something may have been decided since it was configured.
    #[must_use]
    pub fn decided(site: &'s Site, minimums: &BTreeMap<String, Minimum>) -> Self {
        Self { minimum_validation: minimum_of(site, minimums), ..site.into() }
    }
}

impl SiteDemands<'_> {
    /// What is to be said of a certificate whose authority checked less than the site asks for.
    pub(super) fn above(&self, level: Option<ValidationLevel>) -> Option<Flaw> {
        let minimum = self.minimum_validation.filter(|minimum| level < Some(*minimum))?.label().to_uppercase();
        let found = level.map_or_else(
            || "does not say what was checked".into(),
            |level| format!("is {}", level.label().to_uppercase()),
        );
        let flaw = Flaw::new(
            "validation-too-low",
            format!("the site {} asks for {minimum} (minimum_validation), and the certificate {found}", self.name),
            format!("have one issued with {minimum}, or ask for less of the site"),
        );
        let level = level.map(|level| level.label().to_uppercase());
        Some(flaw.about([self.name.to_owned(), minimum].into_iter().chain(level)))
    }
}

/// All sites, by the names that they go by.
#[derive(Default)]
pub struct Sites<'s> {
    all: Vec<SiteDemands<'s>>,
    exact: HashMap<&'s str, usize>,
    /// By the name above the asterisk.
    wildcards: HashMap<&'s str, usize>,
    /// The sites of exact names, by the name one label above.
    beneath: HashMap<&'s str, Vec<usize>>,
    /// The hosts of each site that nothing serves, by its name; none where all or nothing is served, or where that is not known.
    uncovered: HashMap<&'s str, Vec<String>>,
}

impl<'s> Sites<'s> {
    /// Takes all of them.
    pub fn of<S: Into<SiteDemands<'s>>>(sites: impl IntoIterator<Item = S>) -> Self {
        let mut of = Self::default();
        for (at, site) in sites.into_iter().map(Into::into).enumerate() {
            for host in site.hosts {
                match host {
                    HostPattern::Exact(name) => {
                        of.exact.insert(name.as_str(), at);
                        if let Some(parent) = name::parent(name.as_str()) {
                            of.beneath.entry(parent).or_default().push(at);
                        }
                    }
                    HostPattern::Wildcard(base) => {
                        of.wildcards.insert(base.as_str(), at);
                    }
                }
            }
            of.all.push(site);
        }
        of
    }

    /// Looks up which of the sites' names are served.
    #[must_use]
    pub fn served_by(mut self, index: &CertIndex) -> Self {
        for site in &self.all {
            let uncovered = site.hosts.iter().filter(|host| index.find_pattern(host).is_none());
            let uncovered: Vec<String> = uncovered.map(ToString::to_string).collect();
            if !uncovered.is_empty() && uncovered.len() < site.hosts.len() {
                self.uncovered.insert(site.name, uncovered);
            }
        }
        self
    }

    /// What is to be said of a certificate for some names of a site of which others have none.
    pub(super) fn uncovered(&self, site: &SiteDemands<'_>) -> Option<Flaw> {
        let uncovered = self.uncovered.get(site.name)?;
        let flaw = Flaw::new(
            "site-names-uncovered",
            format!("no certificate covers these names of the site {}: {}", site.name, some_of(uncovered)),
            "have one issued with them, or take them out of the site's hosts; their handshakes are refused until then",
        );
        Some(flaw.about([site.name.to_owned(), some_of(uncovered)]))
    }

    /// The sites that go by some of these names.
    pub(super) fn going_by(&self, names: &[HostPattern]) -> Vec<&SiteDemands<'s>> {
        let places: BTreeSet<usize> = names.iter().flat_map(|name| self.places(name)).collect();
        places.into_iter().filter_map(|at| self.all.get(at)).collect()
    }

    /// What is to be said of a certificate with these names, if no site goes by some of them.
    pub(super) fn unused(&self, names: &[HostPattern]) -> Option<Flaw> {
        let unused = names.iter().filter(|name| self.places(name).next().is_none());
        let unused: Vec<String> = unused.map(ToString::to_string).collect();
        (!unused.is_empty()).then(|| {
            Flaw::new(
                "names-unused",
                format!("no site goes by these names of the certificate: {}", some_of(&unused)),
                "nothing if that is meant; else add the names to the hosts of a site",
            )
            .about([some_of(&unused)])
        })
    }

    fn places(&self, name: &HostPattern) -> impl Iterator<Item = usize> {
        let (one, beneath) = match name {
            HostPattern::Exact(name) => {
                let wildcard = || self.wildcards.get(name::parent(name.as_str())?);
                (self.exact.get(name.as_str()).or_else(wildcard), None)
            }
            HostPattern::Wildcard(base) => (self.wildcards.get(base.as_str()), self.beneath.get(base.as_str())),
        };
        one.into_iter().chain(beneath.into_iter().flatten()).copied()
    }
}

/// The codes of what is said of a certificate for the sake of one site, whose name comes first among what is particular.
pub const ABOUT_A_SITE: [&str; 2] = ["validation-too-low", "site-names-uncovered"];

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(names: &[&str]) -> Vec<HostPattern> {
        names.iter().map(|name| HostPattern::parse(name).expect("a name")).collect()
    }

    fn site(name: &'static str, hosts: &'static [HostPattern]) -> SiteDemands<'static> {
        SiteDemands { name, hosts, minimum_validation: None, staging: false }
    }

    #[test]
    fn a_site_may_ask_for_more_than_the_authority_checked() {
        use ValidationLevel::{Domain, Extended, Organisation};
        let is_below = |level, minimum| {
            SiteDemands { minimum_validation: minimum, ..site("a.example", &[]) }.above(level).is_some()
        };
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
        let hosts = patterns(&["shop.example", "www.shop.example", "*.cafe.example"]);
        let sites = Sites::of([SiteDemands { hosts: &hosts, ..site("shop", &[]) }]);
        let unused = |names: &[&str]| {
            sites.unused(&patterns(names)).map(|flaw| flaw.reason.rsplit(": ").next().unwrap_or_default().to_owned())
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
    fn a_name_leads_to_its_site_and_a_wildcard_to_all_beneath() {
        let (one, two) = (patterns(&["a.shop.example", "b.shop.example"]), patterns(&["*.shop.example"]));
        let sites = Sites::of([
            SiteDemands { hosts: &one, ..site("one", &[]) },
            SiteDemands { hosts: &two, ..site("two", &[]) },
        ]);
        let found = |names: &[&str]| -> Vec<&str> {
            sites.going_by(&patterns(names)).into_iter().map(|site| site.name).collect()
        };
        assert_eq!(found(&["a.shop.example", "b.shop.example"]), ["one"]);
        assert_eq!(found(&["c.shop.example"]), ["two"]);
        assert_eq!(found(&["*.shop.example"]), ["one", "two"]);
        assert_eq!(found(&["shop.example"]), [""; 0]);
    }
}
