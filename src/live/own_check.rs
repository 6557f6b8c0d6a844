//! The connection by which the edge checks itself, told from those of clients.

use std::net::{IpAddr, SocketAddr};

/// Where the check comes from that is under way; from nowhere while there is none.
///
/// Nobody beyond this machine can come from such an address: its IP address is one of ours, and the port was given to us.
#[derive(Default)]
pub struct OwnCheck(Option<(IpAddr, u16)>);

impl OwnCheck {
    /// A check whose end of the connection has this address.
    #[must_use]
    pub fn from(address: SocketAddr) -> Self {
        Self(Some(plain(address)))
    }

    /// Whether `peer` is the check.
    #[must_use]
    pub fn is(&self, peer: SocketAddr) -> bool {
        self.0 == Some(plain(peer))
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
        let check = OwnCheck::from(address("127.0.0.1:4000"));
        assert!(check.is(address("127.0.0.1:4000")) && check.is(address("[::ffff:127.0.0.1]:4000")));
        assert!(!check.is(address("127.0.0.1:4001")) && !check.is(address("192.0.2.1:4000")));
        assert!(!OwnCheck::default().is(address("127.0.0.1:4000")));
    }
}
