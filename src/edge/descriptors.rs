//! How many files the edge may have open and how much memory there is, and what that leaves for connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::system::sysinfo;

/// How many connections fit.
pub(super) struct Room {
    /// With clients, where the configuration sets no number.
    pub(super) clients: usize,
    /// With upstreams.
    pub(super) upstreams: usize,
}

/// Raises the soft limit to the hard one, and tells how many connections fit below it.
pub(super) fn raise() -> Room {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // A system that refuses leaves the limit as it is, which is what is counted below.
    let limit = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
    room(limit.current, memory())
}

fn room(descriptors: Option<u64>, memory: u64) -> Room {
    let fit = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(AT_LEAST);
    // Half for clients, half for upstreams: a client may need several of these, or none.
    let half = descriptors.map_or(u64::MAX, |descriptors| descriptors.saturating_sub(RESERVED) / 2);
    Room { clients: fit(half.min(memory / PER_CLIENT)), upstreams: fit(half) }
}

/// What the machine has, or what the control group leaves of it, in octets.
pub(super) fn memory() -> u64 {
    let machine = sysinfo();
    let installed = u64::from(machine.mem_unit).saturating_mul(machine.totalram);
    granted().map_or(installed, |granted| installed.min(granted))
}

/// `MemoryMax=` of a systemd unit, `--memory` of a container (cgroups(7), version 2). None where there is no such limit.
fn granted() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?.trim_end_matches('/');
    std::fs::read_to_string(format!("/sys/fs/cgroup{group}/memory.max")).ok()?.trim().parse().ok()
}

/// Listeners, logs, certificates being read, the operator's door, and a margin.
const RESERVED: u64 = 128;
/// An edge with a tiny limit still serves somebody; accepting then finds out what the system really gives.
const AT_LEAST: usize = 16;
/// What a client that means harm can make the edge hold is more, what an ordinary one needs is far less; at this size both
/// are few enough and many enough.
const PER_CLIENT: u64 = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcer_of_files_and_memory_decides() {
        let numbers = |descriptors, memory| {
            let Room { clients, upstreams } = room(descriptors, memory);
            (clients, upstreams)
        };
        assert_eq!(numbers(Some(1128), GIB), (500, 500), "files");
        assert_eq!(numbers(Some(1 << 20), GIB), (2048, 524_224), "memory");
        assert_eq!(numbers(None, 8 * GIB), (16384, usize::MAX), "no limit of files");
        assert_eq!(numbers(Some(64), GIB), (AT_LEAST, AT_LEAST), "an edge that serves somebody");
        assert!(memory() > 0);
    }

    const GIB: u64 = 1 << 30;
}
