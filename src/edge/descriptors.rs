//! How many files the edge may have open, and what that leaves for connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one, and tells how many client connections fit below it.
pub(super) fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // A system that refuses leaves the limit as it is, which is what is counted below.
    let limit = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
    let descriptors = limit.current.map_or(UNLIMITED, |current| usize::try_from(current).unwrap_or(UNLIMITED));
    // Each client may need an upstream connection too.
    (descriptors.saturating_sub(RESERVED) / 2).max(AT_LEAST)
}

/// Listeners, logs, certificates being read, the panel, and a margin.
const RESERVED: usize = 128;
/// An edge with a tiny limit still serves somebody; accepting then finds out what the system really gives.
const AT_LEAST: usize = 16;
/// No limit from the system is still a limit: what a machine's memory could hold.
const UNLIMITED: usize = 1 << 22;
