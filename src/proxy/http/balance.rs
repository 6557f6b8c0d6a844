//! What of a request decides which upstream of a group it goes to.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::COOKIE;
use http::request::Parts;

use super::client;
use super::exchange::Exchange;
use crate::live::{BalanceMethod, number_of};
use crate::proxy::upstream::Asked;

/// What decides where a request goes in this group; nothing, where upstreams take turns.
#[inline]
pub(super) fn asked(head: &Parts, group: usize, exchange: &Exchange) -> Asked {
    let table = &exchange.view.table;
    let key = match table.groups().get(group).map(|group| &group.balance.method) {
        None | Some(BalanceMethod::RoundRobin | BalanceMethod::LeastRequests) => None,
        Some(BalanceMethod::Client) => {
            let client = client::address(&exchange.connection, &head.headers, &table.trusted_proxies);
            Some(number_of_client(client))
        }
        Some(BalanceMethod::Cookie(name)) => cookie(&head.headers, name).map(number_of),
    };
    Asked { key }
}

/// All addresses of an IPv6 /64 are one client's (RFC 6177), who changes them from day to day (RFC 8981).
fn number_of_client(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => number_of(&address.octets()),
        IpAddr::V6(address) => number_of(&address.octets()[..8]),
    }
}

/// The value of the first cookie of this name (RFC 6265 §4.2.1).
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let lines = headers.get_all(COOKIE).into_iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|octet| *octet == b';')).map(<[u8]>::trim_ascii);
    let mut values = pairs.filter_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    values.find(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_is_found_wherever_it_stands() {
        let mut headers = HeaderMap::new();
        assert_eq!(cookie(&headers, "sid"), None);
        for line in ["xsid=1; sid; sid=", "a=b;sid=two; sid=three", "sid=four"] {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        assert_eq!(cookie(&headers, "sid"), Some(&b"two"[..]));
    }

    #[test]
    fn the_addresses_of_one_network_of_ipv6_are_one_client() {
        let number = |address: &str| number_of_client(address.parse().expect("an address"));
        assert_eq!(number("2001:db8::1"), number("2001:db8::ffff:2"));
        assert_ne!(number("2001:db8::1"), number("2001:db8:0:1::1"));
        assert_eq!(number("::ffff:192.0.2.1"), number("192.0.2.1"));
        assert_ne!(number("192.0.2.1"), number("192.0.2.2"));
    }
}
