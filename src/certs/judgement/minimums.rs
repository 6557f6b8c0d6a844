//! What must have been checked for each name at least, for the choice among certificates.

use hashbrown::HashMap;

use super::SiteDemands;
use crate::live::{ServedCert, ValidationLevel};
use crate::name::{self, HostPattern};

/// The levels that sites ask for, by the names they go by. Empty where no site asks for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Minimums {
    /// Of all sites, those that ask for nothing included: an exact name goes before a wildcard.
    exact: HashMap<Box<str>, Option<ValidationLevel>>,
    wildcards: HashMap<Box<str>, Option<ValidationLevel>>,
    /// The most that is asked for one label beneath.
    beneath: HashMap<Box<str>, ValidationLevel>,
}

impl Minimums {
    /// Takes what the sites ask for.
    pub fn of<'s, S: Into<SiteDemands<'s>>>(sites: impl IntoIterator<Item = S>) -> Self {
        let sites: Vec<SiteDemands<'s>> = sites.into_iter().map(Into::into).collect();
        let mut minimums = Self::default();
        if sites.iter().all(|site| site.minimum_validation.is_none()) {
            return minimums;
        }
        for SiteDemands { hosts, minimum_validation: minimum, .. } in sites {
            for host in hosts {
                match host {
                    HostPattern::Exact(exact) => {
                        minimums.exact.insert(exact.as_str().into(), minimum);
                        if let Some((parent, minimum)) = name::parent(exact.as_str()).zip(minimum) {
                            let most = minimums.beneath.entry(parent.into()).or_insert(minimum);
                            *most = minimum.max(*most);
                        }
                    }
                    HostPattern::Wildcard(base) => {
                        minimums.wildcards.insert(base.as_str().into(), minimum);
                    }
                }
            }
        }
        minimums
    }

    /// Whether no site asks for anything.
    pub(in crate::certs) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcards.is_empty()
    }

    /// Whether less was checked of a certificate than whoever goes by the name asks for. A wildcard answers for all beneath it.
    pub(in crate::certs) fn exceed(&self, served: &ServedCert, name: &HostPattern) -> bool {
        let minimum = match name {
            HostPattern::Exact(exact) => {
                let wildcard = || self.wildcards.get(name::parent(exact.as_str())?);
                self.exact.get(exact.as_str()).or_else(wildcard).copied().flatten()
            }
            HostPattern::Wildcard(base) => {
                let beneath = self.beneath.get(base.as_str()).copied();
                self.wildcards.get(base.as_str()).copied().flatten().max(beneath)
            }
        };
        minimum.is_some_and(|minimum| served.facts.traits.level < Some(minimum))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::certs::testing::served;

    #[test]
    fn the_site_of_a_name_says_what_is_asked_for_it() {
        let hosts = ["ev.shop.example", "*.shop.example", "any.shop.example"].map(|host| [pattern(host)]);
        let [ev, ov, any] = &hosts;
        let site = |hosts, minimum_validation| SiteDemands { name: "", hosts, minimum_validation, staging: false };
        let minimums = Minimums::of([
            site(ev, Some(ValidationLevel::Extended)),
            site(ov, Some(ValidationLevel::Organisation)),
            site(any, None),
        ]);
        let mut own = Arc::into_inner(served("own", &[], 0, 0, false)).expect("the only one");
        for (level, exceeded) in [
            (None, ["ev.shop.example", "a.shop.example", "*.shop.example"].as_slice()),
            (Some(ValidationLevel::Organisation), &["ev.shop.example", "*.shop.example"]),
            (Some(ValidationLevel::Extended), &[]),
        ] {
            own.facts.traits.level = level;
            let names = ["ev.shop.example", "a.shop.example", "any.shop.example", "*.shop.example", "other.example"];
            let found: Vec<_> = names.into_iter().filter(|name| minimums.exceed(&own, &pattern(name))).collect();
            assert_eq!(found, exceeded, "{level:?}");
        }
        assert!(Minimums::of([site(any, None)]).is_empty());
    }

    fn pattern(name: &str) -> HostPattern {
        HostPattern::parse(name).expect("a name")
    }
}
