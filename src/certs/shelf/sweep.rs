//! How certificates go: one by one after their grace, and never all at once.

use std::time::Duration;

use hashbrown::HashSet;

use super::holding::State;
use super::{Moment, Shelf};
use crate::certs::certificate::Fingerprint;
use crate::certs::ledger::shown;
use crate::certs::ranking::is_covered;

impl Shelf {
    /// Lets go of what was deleted, unless it is too much at once.
    pub(super) fn part_with(&mut self, gone: &HashSet<Fingerprint>, replaced: bool, now: Moment) {
        if !gone.is_empty() {
            let sweep = self.sweep(gone, now);
            let hold = self.holds_back() || sweep.is_an_accident(replaced);
            for (fingerprint, holding) in &mut self.holdings {
                let since = now.steady;
                if hold && sweep.certificates.contains(fingerprint) {
                    holding.state = State::Held { since };
                } else if gone.contains(fingerprint) {
                    holding.state = State::Leaving { since };
                    let file = shown(&holding.served.facts.file);
                    tracing::info!(file = %file, seconds = GRACE.as_secs(), "deleted, serves until the grace is over");
                }
            }
        }
        let loads = &mut self.loads;
        self.holdings.retain(|_, holding| {
            let stays = !matches!(holding.state, State::Leaving { since } if since + GRACE <= now.steady);
            if !stays {
                loads.withdrawn += 1;
                let facts = &holding.served.facts;
                tracing::info!(file = %shown(&facts.file), fingerprint = %facts.fingerprint, "withdrawn");
            }
            stays
        });
    }

    /// What one deletion takes away: all that is gone now, and what went just before, since one `rm -r` reaches us as
    /// several looks.
    fn sweep(&self, gone: &HashSet<Fingerprint>, now: Moment) -> Sweep {
        let (mut certificates, mut leaving, mut staying) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (fingerprint, holding) in &self.holdings {
            let names = match holding.state {
                _ if gone.contains(fingerprint) => &mut leaving,
                State::Leaving { since } if now.steady.duration_since(since) < ONE_SWEEP => &mut leaving,
                State::Leaving { .. } => continue,
                _ => {
                    staying.extend(holding.bundle.names());
                    continue;
                }
            };
            certificates.insert(*fingerprint);
            names.extend(holding.bundle.names());
        }
        Sweep {
            certificates,
            names: staying.union(&leaving).count(),
            lost: leaving.iter().filter(|name| !is_covered(&staying, name)).count(),
        }
    }
}

/// What goes in one deletion.
struct Sweep {
    certificates: HashSet<Fingerprint>,
    /// How many names there were.
    names: usize,
    /// How many of them nothing else covers.
    lost: usize,
}

impl Sweep {
    /// An unmounted volume reads as an empty folder.
    fn is_an_accident(&self, folder_replaced: bool) -> bool {
        self.lost > FEW_NAMES.max(self.names / ONE_PERCENT) || folder_replaced && self.lost > 0
    }
}

/// A deleted file may be the first half of a clumsy replacement.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// So many names may go in one look, or one of a hundred.
const FEW_NAMES: usize = 5;
const ONE_PERCENT: usize = 100;
/// Looks are half a second apart while a folder changes.
const ONE_SWEEP: Duration = Duration::from_secs(2);
