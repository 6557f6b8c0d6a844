//! How often one client network may ask.

use std::net::IpAddr;
use std::time::Duration;

/// A bucket of tokens for each client network: every request takes one, and time brings them back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// In which time one token comes back.
    pub interval: Duration,
    /// How many tokens there are at most: what may be asked at once.
    pub burst: u32,
    /// How many bits of an IPv4 address are its network.
    pub ipv4_prefix: u8,
    /// How many bits of an IPv6 address are.
    pub ipv6_prefix: u8,
}

impl RateLimit {
    /// The network that a client counts for. Those of IPv4 and IPv6 are never alike.
    #[must_use]
    pub fn network(&self, client: IpAddr) -> u128 {
        network(client, self.ipv4_prefix, self.ipv6_prefix)
    }
}

/// The network of so many bits that an address lies in. Those of IPv4 and IPv6 are never alike.
pub(super) fn network(client: IpAddr, ipv4_prefix: u8, ipv6_prefix: u8) -> u128 {
    match client {
        IpAddr::V4(address) => {
            let kept = u32::MAX.checked_shl(32 - u32::from(ipv4_prefix)).unwrap_or(0);
            (address & std::net::Ipv4Addr::from_bits(kept)).to_ipv6_mapped().to_bits()
        }
        IpAddr::V6(address) => address.to_bits() & u128::MAX.checked_shl(128 - u32::from(ipv6_prefix)).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_one_network_count_for_one() {
        let limit =
            |ipv4_prefix, ipv6_prefix| RateLimit { interval: Duration::ZERO, burst: 1, ipv4_prefix, ipv6_prefix };
        let alike = |limit: &RateLimit, one: &str, other: &str| {
            let network = |text: &str| limit.network(text.parse().expect("an address"));
            network(one) == network(other)
        };
        for (ipv4, ipv6, one, other, expected) in [
            (32, 64, "203.0.113.7", "203.0.113.7", true),
            (32, 64, "203.0.113.7", "203.0.113.8", false),
            (24, 64, "203.0.113.7", "203.0.113.8", true),
            (0, 0, "203.0.113.7", "10.0.0.1", true),
            (32, 64, "2001:db8::1", "2001:db8::ffff:1", true),
            (32, 64, "2001:db8::1", "2001:db8:0:1::1", false),
            (32, 128, "2001:db8::1", "2001:db8::2", false),
            (0, 0, "203.0.113.7", "2001:db8::1", false),
        ] {
            assert_eq!(alike(&limit(ipv4, ipv6), one, other), expected, "/{ipv4} /{ipv6} {one} {other}");
        }
    }
}
