//! How many orders have ended, and how.

use std::collections::BTreeMap;

use super::failure::{Failure, Reason};

/// Orders that have ended since the start, by issuer.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, Counts>);

#[derive(Debug, Default)]
struct Counts {
    issued: u64,
    failed: [u64; Reason::ALL.len()],
}

/// How many orders at an issuer ended alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedOrders {
    /// The operator's word for it.
    pub issuer: String,
    /// Why they came to nothing; `None`: a certificate was issued.
    pub failed_for: Option<Reason>,
    /// Since the start.
    pub total: u64,
}

impl Tally {
    /// An issuer that orders may go to: it is counted from now on.
    pub(super) fn know(&mut self, issuer: &str) {
        if !self.0.contains_key(issuer) {
            self.0.insert(issuer.to_owned(), Counts::default());
        }
    }

    pub(super) fn count<T>(&mut self, issuer: &str, result: &Result<T, Failure>) {
        self.know(issuer);
        let Some(counts) = self.0.get_mut(issuer) else { return };
        match result {
            Ok(_) => counts.issued += 1,
            // Nothing was ordered.
            Err(failure) if failure.is_beforehand => {}
            Err(failure) => {
                let place = Reason::ALL.iter().position(|reason| *reason == failure.reason);
                place.into_iter().for_each(|place| counts.failed[place] += 1);
            }
        }
    }

    /// Every issuer with every outcome there is.
    pub(super) fn all(&self) -> Vec<EndedOrders> {
        let of_one = |(issuer, counts): (&String, &Counts)| {
            let ended = |failed_for, total| EndedOrders { issuer: issuer.clone(), failed_for, total };
            let failed = Reason::ALL.into_iter().zip(counts.failed);
            let failed = failed.map(|(reason, total)| ended(Some(reason), total));
            [ended(None, counts.issued)].into_iter().chain(failed).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_one).collect()
    }
}
