//! Who asks: the peer, or whom a trusted proxy says it asks for.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::live::contains;
use crate::proxy::connection::Connection;

/// The client's address. A trusted proxy is asked whom it speaks for, and so is each that it names, as long as they are trusted: whoever is
/// the first that is not may have written all that stands before.
pub(super) fn address(connection: &Connection, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    if !connection.speaker_is_trusted {
        return connection.ends.speaker;
    }
    rightmost_untrusted(connection.ends.speaker, headers, trusted)
}

fn rightmost_untrusted(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let named = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    let mut client = peer;
    for text in named {
        // Whatever stands before it was said by somebody whose address nobody knows.
        let Some(address) = parse(text.trim()) else { return client };
        client = address;
        if !contains(trusted, address) {
            return client;
        }
    }
    client
}

/// An address, with or without a port, which some proxies add.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_last_that_no_trusted_proxy_vouches_for_is_the_client() {
        let trusted = ["10.0.0.0/8".parse().expect("a network"), "2001:db8::/32".parse().expect("a network")];
        for (lines, client) in [
            (&[][..], "10.0.0.1"),
            (&["203.0.113.7"], "203.0.113.7"),
            (&["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
            (&["6.6.6.6, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            (&["6.6.6.6", "203.0.113.7,10.0.0.2"], "203.0.113.7"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&["6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2"),
            (&["6.6.6.6, "], "10.0.0.1"),
            (&["[2001:db9::1]:4711"], "2001:db9::1"),
            (&["[2001:db9::1], 2001:db8::1"], "2001:db9::1"),
            (&["203.0.113.7:80"], "203.0.113.7"),
            (&["::ffff:203.0.113.7"], "203.0.113.7"),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(X_FORWARDED_FOR, HeaderValue::from_static(line));
            }
            let found = rightmost_untrusted("10.0.0.1".parse().expect("an address"), &headers, &trusted);
            assert_eq!(found.to_string(), client, "{lines:?}");
        }
    }
}
