//! How requests are shared out among the servers of a group.

use std::time::Duration;

use super::{ProxyVersion, Upstream};

/// A server of a group, as the configuration gives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberSpec {
    /// Where it is.
    pub upstream: Upstream,
    /// Its share beside the others', [`MOST_WEIGHT`] at most; 0: it gets requests only when nobody else is there.
    pub weight: u32,
}

impl MemberSpec {
    /// The same, told who asks.
    #[must_use]
    pub fn announced(self, announces: Option<ProxyVersion>) -> Self {
        Self { upstream: self.upstream.announced(announces), ..self }
    }
}

impl From<Upstream> for MemberSpec {
    fn from(upstream: Upstream) -> Self {
        Self { upstream, weight: 1 }
    }
}

/// How requests are shared out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Balance {
    /// Who gets the next one.
    pub method: BalanceMethod,
    /// The cookie by which a client comes back to the same one, which goes before that.
    pub sticky: Option<Sticky>,
    /// How many requests one has at most; `None`: any number.
    pub limit: Option<OpenLimit>,
}

/// How many requests a server has at most, and how those wait that find all of them full.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenLimit {
    /// Requests that are open at one server; at least one.
    pub connections: u32,
    /// How many may wait.
    pub queue: u32,
    /// For how long.
    pub patience: Duration,
}

/// A cookie of the edge's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sticky {
    /// What it is called.
    pub name: Box<str>,
    /// How long it is good for; `None`: until the browser forgets it.
    pub max_age: Option<Duration>,
}

/// Who gets the next request. Weights count with each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum BalanceMethod {
    /// Whose turn it is.
    #[default]
    RoundRobin,
    /// Who has the fewest open; of several, whose turn it is.
    LeastRequests,
    /// The same for each client.
    Client,
    /// The same for each value of this cookie; whose turn it is for a client without it.
    Cookie(Box<str>),
}

impl Balance {
    /// Whether open requests are counted.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.method == BalanceMethod::LeastRequests || self.limit.is_some()
    }
}

/// A number for what is asked by, or for who is asked: the same in every process, so that several edges choose alike.
#[must_use]
pub fn number_of(octets: &[u8]) -> u64 {
    // FNV-1a, and the last step of splitmix64, which spreads what differs in little.
    let hash = octets
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3));
    mixed(hash)
}

/// Each bit of the result depends on each of `number`.
fn mixed(number: u64) -> u64 {
    let first = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let second = (first ^ (first >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    second ^ (second >> 31)
}

/// What a server bids for a key; the highest bid gets it (weighted rendezvous hashing). A server that leaves gives its keys to the others
/// and takes none of theirs; one that comes back gets its own again; one whose share grows only gains.
#[must_use]
pub fn bid(key: u64, server: u64, share: u64) -> f64 {
    // 53 bits, the middle of each step: neither 0 nor 1.
    let chance = ((mixed(key ^ server) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    share as f64 / -chance.ln()
}

/// How much of `whole` has gone by, in [`FULL`]ths, and never nothing.
#[must_use]
pub(super) fn part(elapsed: Duration, whole: Duration) -> u64 {
    let parts = elapsed.as_nanos().saturating_mul(FULL.into()) / whole.as_nanos().max(1);
    u64::try_from(parts).unwrap_or(FULL).clamp(1, FULL)
}

/// The largest weight.
pub const MOST_WEIGHT: u32 = 1000;
/// A share of weight 1.
pub(super) const FULL: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spread_by_weight_and_move_only_from_who_leaves() {
        let servers = [("10.0.0.1:80", 1), ("10.0.0.2:80", 1), ("10.0.0.3:80", 2)]
            .map(|(name, weight)| (number_of(name.as_bytes()), weight * FULL));
        let owner = |key: u64, without: Option<usize>| {
            let bids = servers.iter().enumerate().filter(|(place, _)| Some(*place) != without);
            let bids = bids.map(|(place, (server, share))| (place, bid(key, *server, *share)));
            bids.max_by(|(_, one), (_, other)| one.total_cmp(other)).expect("a server").0
        };
        let keys: Vec<u64> = (0..40_000_u32).map(|client| number_of(&client.to_be_bytes())).collect();
        let count = |place| keys.iter().filter(|key| owner(**key, None) == place).count();
        for (place, expected) in [(0, 10_000), (1, 10_000), (2, 20_000)] {
            assert!(count(place).abs_diff(expected) < 500, "{place}: {}", count(place));
        }
        for key in keys {
            let (before, after) = (owner(key, None), owner(key, Some(0)));
            assert!(before == 0 || before == after);
        }
    }

    #[test]
    fn a_part_grows_from_a_little_to_all() {
        let part = |millis| part(Duration::from_millis(millis), Duration::from_secs(1));
        assert_eq!([0, 1, 250, 500, 1000, 60_000].map(part), [1, 1, 64, 128, 256, 256]);
    }
}
