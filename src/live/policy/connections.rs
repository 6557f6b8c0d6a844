//! How many requests of one client network may be under way at once.

use std::net::IpAddr;

use super::rate::network;

/// A number for each client network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// So many at most.
    pub per_client: u32,
    /// How many bits of an IPv4 address are its network.
    pub ipv4_prefix: u8,
    /// How many bits of an IPv6 address are.
    pub ipv6_prefix: u8,
}

impl Connections {
    /// The network that a client counts for. Those of IPv4 and IPv6 are never alike.
    #[must_use]
    pub fn network(&self, client: IpAddr) -> u128 {
        network(client, self.ipv4_prefix, self.ipv6_prefix)
    }
}
