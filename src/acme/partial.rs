//! Which names of a site are ordered for: all of them, unless the operator lets those go that keep failing.

use std::time::Duration;

use super::standing::SiteStanding;
use super::terms::ManagedSite;
use crate::name::HostPattern;

/// The names that a certificate is ordered for now, and those that are left out. Every renewal, and every wish of the operator's, is
/// tried with all of them first.
pub(super) fn names(
    site: &ManagedSite,
    standing: &SiteStanding,
    after: Option<Duration>,
    is_wished: bool,
    now: i64,
) -> (Vec<HostPattern>, Vec<HostPattern>) {
    let Some(after) = after.filter(|_| !is_wished && standing.own_rest.is_some()) else {
        return (site.hosts.clone(), Vec::new());
    };
    let after = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
    let has_failed_long =
        |host: &HostPattern| standing.failing.get(&host.to_string()).is_some_and(|since| now - since >= after);
    let (left_out, names): (Vec<_>, Vec<_>) = site.hosts.iter().cloned().partition(has_failed_long);
    // With none left there is nothing to order, and all of them are still wanted.
    if names.is_empty() { (left_out, Vec::new()) } else { (names, left_out) }
}

/// The hosts that a certificate is expected for.
pub(super) fn expected<'a>(
    site: &'a ManagedSite,
    standing: &'a SiteStanding,
    after: Option<Duration>,
) -> impl Iterator<Item = &'a HostPattern> {
    let is_left_out = move |host: &HostPattern| after.is_some() && standing.left_out.contains(&host.to_string());
    site.hosts.iter().filter(move |host| !is_left_out(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acme::failure::{Failure, Reason};
    use crate::acme::standing::Success;
    use crate::config::Challenge;
    use crate::live::{OrderedKey, Provision};

    const DAY: i64 = 86_400;
    const AFTER: Option<Duration> = Some(Duration::from_hours(72));

    #[test]
    fn a_name_that_failed_for_days_is_left_out_and_tried_again_at_each_renewal() {
        let hosts = ["a.example", "b.example", "c.example"].map(|host| HostPattern::parse(host).expect("a name"));
        let site = ManagedSite {
            name: "a.example".into(),
            hosts: hosts.to_vec(),
            provision: Provision::Managed,
            allowed_by: None,
            key_types: vec![OrderedKey::Ecdsa],
            reuse_key: false,
        };
        let mut standing = SiteStanding::default();
        let failed = |standing: &mut SiteStanding, names: &[&str], now| {
            let names = names.iter().map(ToString::to_string).collect();
            standing.fail("le", &Failure { names, ..Failure::new(Reason::Validation, "no") }, now);
        };
        let left_out = |standing: &SiteStanding, after, is_wished, now| {
            let (names, left_out) = names(&site, standing, after, is_wished, now);
            assert_eq!(names.len() + left_out.len(), 3);
            left_out.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        failed(&mut standing, &["b.example"], 0);
        failed(&mut standing, &["c.example"], 2 * DAY);
        failed(&mut standing, &["b.example"], 3 * DAY - 1);
        assert!(left_out(&standing, AFTER, false, 3 * DAY - 1).is_empty());
        assert_eq!(left_out(&standing, AFTER, false, 3 * DAY), ["b.example"]);
        assert!(left_out(&standing, None, false, 3 * DAY).is_empty());
        assert!(left_out(&standing, AFTER, true, 3 * DAY).is_empty());
        let success = |left_out: &[&str]| Success {
            issuer: "le",
            challenge: Challenge::Http01,
            profile: None,
            names: hosts.iter().map(ToString::to_string).filter(|host| !left_out.contains(&&**host)).collect(),
            left_out: left_out.iter().map(ToString::to_string).collect(),
        };
        standing.succeed(success(&["b.example"]), 3 * DAY);
        assert_eq!(
            standing.history.last().map(|last| &*last.text),
            Some("issued for a.example, c.example; without b.example")
        );
        assert_eq!(expected(&site, &standing, AFTER).count(), 2);
        assert_eq!(expected(&site, &standing, None).count(), 3);
        // The next renewal begins with everything, and does not wait for days again.
        assert!(left_out(&standing, AFTER, false, 60 * DAY).is_empty());
        failed(&mut standing, &["b.example"], 60 * DAY);
        assert_eq!(left_out(&standing, AFTER, false, 60 * DAY + 300), ["b.example"]);
        standing.succeed(success(&[]), 61 * DAY);
        failed(&mut standing, &["b.example"], 120 * DAY);
        assert!(left_out(&standing, AFTER, false, 120 * DAY + 300).is_empty());
        // Where everything fails nothing can be left out.
        failed(&mut standing, &["a.example", "b.example", "c.example"], 130 * DAY);
        assert!(left_out(&standing, AFTER, false, 140 * DAY).is_empty());
    }
}
