//! What managed sites show before their first certificate is issued: made here, believed by nobody who does not look twice.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::bundle::entry_like;
use super::local_ca::{LocalCaError, self_signed, valid_for};
use super::self_signed::SelfSigned;
use crate::live::{CertFacts, ServedCert};
use crate::name::{HostName, HostPattern};

/// Those that were made since the start.
#[derive(Default)]
pub(super) struct StandIns(BTreeMap<Vec<HostPattern>, Arc<ServedCert>>);

impl StandIns {
    /// The certificates for sites with these hosts, made or made anew where that is due at `now`, seconds since the Unix epoch. Under
    /// `suffixes` they are of the edge's own authority, whose root somebody may have. What cannot be made is told and left out.
    pub(super) fn certificates<'h>(
        &mut self,
        sites: &[&'h [HostPattern]],
        (local, suffixes): (&mut SelfSigned, &[HostName]),
        now: i64,
    ) -> Vec<(&'h [HostPattern], Arc<ServedCert>)> {
        let wanted: HashSet<&[HostPattern]> = sites.iter().copied().collect();
        self.0.retain(|hosts, _| wanted.contains(hosts.as_slice()));
        let mut certificates = Vec::with_capacity(sites.len());
        for hosts in sites {
            if let Some(known) = self.0.get(*hosts).filter(|served| end_of_use(served) > now) {
                certificates.push((*hosts, Arc::clone(known)));
                continue;
            }
            let is_local = |host: &HostPattern| suffixes.iter().any(|suffix| host.is_under(suffix));
            let made = match hosts.iter().all(is_local) {
                true => local.issue_for(hosts, suffixes).map_err(|error| error.to_string()),
                false => alone(hosts).map_err(|error| error.to_string()),
            };
            match made {
                Ok(served) => {
                    let served = entry_like(&served, CertFacts { stand_in: true, ..served.facts.clone() });
                    self.0.insert(hosts.to_vec(), Arc::clone(&served));
                    certificates.push((*hosts, served));
                }
                Err(error) => {
                    let site = hosts.first().map(ToString::to_string).unwrap_or_default();
                    tracing::error!(%site, %error, "no certificate can be made to show before the first is issued");
                }
            }
        }
        certificates
    }

    /// When the next one is to be made anew, seconds since the Unix epoch.
    pub(super) fn next_renewal(&self) -> Option<i64> {
        self.0.values().map(|served| end_of_use(served)).min()
    }
}

/// One that nobody but itself stands behind.
fn alone(hosts: &[HostPattern]) -> Result<Arc<ServedCert>, LocalCaError> {
    let served = self_signed(hosts, valid_for(DAYS))?.served();
    let served = served.map_err(|flaw| LocalCaError::Unfit(flaw.to_string()))?;
    let facts = CertFacts { file: Path::new(MADE_HERE).into(), embedded_key: false, ..served.facts.clone() };
    Ok(entry_like(&served, facts))
}

/// A day before its end: an authority that is away for a month is no reason to show what is expired.
fn end_of_use(served: &ServedCert) -> i64 {
    served.facts.not_after - 86_400
}

const MADE_HERE: &str = "(made here until one is issued)";
/// As long as those of the edge's own authority.
const DAYS: u32 = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn what_stands_in_is_made_once_and_is_of_the_own_authority_where_that_may_issue() {
        let mut local = SelfSigned::new(Store::in_memory(), Path::new("state"));
        let suffixes = vec![HostName::parse("test").expect("a name")];
        let hosts = |name: &str| vec![HostPattern::parse(name).expect("a name")];
        let (inside, outside) = (hosts("shop.test"), hosts("shop.example"));
        let sites = [inside.as_slice(), &outside];
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let mut stand_ins = StandIns::default();
        let made = stand_ins.certificates(&sites, (&mut local, &suffixes), now);
        let told: Vec<_> = made.iter().map(|(_, served)| &served.facts).collect();
        assert!(told.iter().all(|facts| facts.stand_in && !facts.trusted));
        assert_eq!(told.iter().map(|facts| facts.traits.self_signed).collect::<Vec<_>>(), [false, true]);
        assert_eq!(
            told.iter().map(|facts| &*facts.issuer_cn).collect::<Vec<_>>(),
            ["Vitrine local CA", "shop.example"]
        );
        let again = stand_ins.certificates(&sites, (&mut local, &suffixes), now);
        assert!(made.iter().zip(&again).all(|((_, one), (_, other))| Arc::ptr_eq(one, other)));
        let due = stand_ins.next_renewal().expect("a time");
        let later = stand_ins.certificates(&sites[1..], (&mut local, &suffixes), due);
        assert!(later.len() == 1 && !Arc::ptr_eq(&later[0].1, &made[1].1));
        assert_eq!(stand_ins.certificates(&[], (&mut local, &suffixes), now).len(), 0);
        assert_eq!(stand_ins.next_renewal(), None);
    }
}
