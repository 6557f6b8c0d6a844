//! The connections by which the edge checks itself, told from those of clients.

use std::net::{IpAddr, SocketAddr};

/// Where the checks come from that are under way; from nowhere while there are none.
///
/// Nobody beyond this machine can come from such an address: its IP address is one of ours, and the port was given to us.
#[derive(Default)]
pub struct OwnCheck(Vec<(IpAddr, u16)>);

impl OwnCheck {
    /// Checks whose ends of their connections have these addresses.
    #[must_use]
    pub fn from_each(addresses: &[SocketAddr]) -> Self {
        Self(addresses.iter().copied().map(plain).collect())
    }

    /// Whether `peer` is a check.
    #[must_use]
    pub fn is(&self, peer: SocketAddr) -> bool {
        !self.0.is_empty() && self.0.contains(&plain(peer))
    }
}

/// IPv4 in its own form, whatever the listener calls it.
fn plain(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_address_is_the_check_whatever_form_it_has() {
        let address = |text: &str| text.parse().expect("an address");
        let check = OwnCheck::from_each(&[address("127.0.0.1:3999"), address("127.0.0.1:4000")]);
        assert!(check.is(address("127.0.0.1:4000")) && check.is(address("[::ffff:127.0.0.1]:4000")));
        assert!(!check.is(address("127.0.0.1:4001")) && !check.is(address("192.0.2.1:4000")));
        assert!(!OwnCheck::default().is(address("127.0.0.1:4000")));
    }
}
