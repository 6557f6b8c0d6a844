//! Managed sites that have nothing to show yet.

use super::Desk;
use crate::certs::ranking::{By, Rule};
use crate::certs::shelf::Moment;
use crate::live::{BeforeIssue, Provision};
use crate::name::HostPattern;

impl Desk {
    /// Has something shown for the hosts of managed sites that want it and have nothing else.
    pub(super) fn fill_gaps(&mut self, now: Moment) {
        let terms = self.terms.borrow().clone();
        let index = self.index.current();
        let is_bare = |host: &HostPattern| {
            let choice = index.find_pattern(host);
            choice.is_none_or(|choice| choice.iter().all(|served| served.facts.stand_in))
        };
        let is_managed = |site: &str, configured: Provision| {
            let decided = self.choices.decided(site);
            decided.map_or(configured, |choice| choice.certificate) == Provision::Managed
        };
        let wanting = terms.sites.iter().filter(|site| site.before_issue == BeforeIssue::SelfSigned);
        let wanting = wanting.filter(|site| is_managed(&site.name, site.provision));
        let bare: Vec<&[HostPattern]> =
            wanting.filter(|site| site.hosts.iter().any(is_bare)).map(|site| site.hosts.as_slice()).collect();
        let made = self.stand_ins.certificates(&bare, (&mut self.self_signed, &terms.local_ca_suffixes), now.unix);
        let rule = |(hosts, served): (&[HostPattern], _)| Rule { hosts: hosts.to_vec(), by: By::StandIn(served) };
        let rules: Vec<Rule> = made.into_iter().map(rule).collect();
        let before = &self.gaps;
        if rules.len() != before.len() || !rules.iter().zip(before).all(|(one, other)| one.is_same(other)) {
            self.gaps = rules;
            self.not_issued = self.govern(now);
            self.publish(now);
        }
    }
}
