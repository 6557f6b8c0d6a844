//! The edge's own listeners, which no upstream may be: a request would come back to the edge, again and again.

use std::net::{IpAddr, SocketAddr};

/// Whether `peer` is one of these listeners. `from` is the address that this machine has in a connection there: the same as the
/// peer's, if both are this machine.
#[must_use]
pub fn is_own_listener(listeners: &[SocketAddr], peer: SocketAddr, from: Option<IpAddr>) -> bool {
    let address = peer.ip().to_canonical();
    let is_here =
        address.is_loopback() || address.is_unspecified() || from.map(|from| from.to_canonical()) == Some(address);
    listeners.iter().any(|listener| {
        let own = listener.ip().to_canonical();
        listener.port() == peer.port() && (own == address || (own.is_unspecified() && is_here))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_met_at_each_of_this_machines() {
        let is_own = |listener: &str, peer: &str, from: Option<&str>| {
            let from = from.map(|from| from.parse().expect("an address"));
            is_own_listener(&[listener.parse().expect("an address")], peer.parse().expect("an address"), from)
        };
        for (listener, peer, from, own) in [
            ("127.0.0.1:443", "127.0.0.1:443", None, true),
            ("127.0.0.1:443", "127.0.0.2:443", None, false),
            ("127.0.0.1:443", "127.0.0.1:444", None, false),
            ("[::]:443", "127.0.0.2:443", None, true),
            ("[::]:443", "[::1]:443", None, true),
            ("0.0.0.0:443", "10.0.0.1:443", Some("10.0.0.1"), true),
            ("0.0.0.0:443", "10.0.0.1:443", Some("10.0.0.2"), false),
            ("0.0.0.0:443", "[::ffff:10.0.0.1]:443", Some("10.0.0.1"), true),
            ("0.0.0.0:443", "10.0.0.1:443", None, false),
            ("10.0.0.1:443", "0.0.0.0:443", None, false),
        ] {
            assert_eq!(is_own(listener, peer, from), own, "{listener} {peer} {from:?}");
        }
    }
}
