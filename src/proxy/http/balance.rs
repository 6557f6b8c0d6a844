//! What of a request decides which upstream of a group it goes to.

use std::net::IpAddr;
use std::time::SystemTime;

use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::client;
use super::exchange::Exchange;
use crate::live::{BalanceMethod, number_of};
use crate::proxy::upstream::Asked;

/// What decides where a request goes in this group; nothing, where upstreams take turns.
#[inline]
pub(super) fn asked(head: &Parts, group: usize, exchange: &Exchange) -> Asked {
    let table = &exchange.view.table;
    let Some(group) = table.groups().get(group) else { return Asked::default() };
    let key = match &group.balance.method {
        BalanceMethod::RoundRobin | BalanceMethod::LeastRequests => None,
        BalanceMethod::Client => {
            let client = client::address(&exchange.connection, &head.headers, &table.trusted_proxies);
            Some(number_of_client(client))
        }
        BalanceMethod::Cookie(name) => values(&head.headers, name).next().map(number_of),
    };
    let kept = group.cookies.as_ref().and_then(|cookies| {
        // A browser may send those of several paths and domains (RFC 6265 §5.4): the first of ours counts.
        let mut some = values(&head.headers, cookies.name()).take(MOST_READ);
        some.find_map(|value| cookies.read(value, SystemTime::now()))
    });
    Asked { key, kept }
}

/// The cookie that is the edge's own in this group, and no business of the shop.
#[inline]
pub(super) fn own_cookie(group: usize, exchange: &Exchange) -> Option<&str> {
    exchange.view.table.groups().get(group)?.cookies.as_ref().map(|cookies| cookies.name())
}

/// Gives the client a cookie for the upstream that answered, unless it has a good one. What the shop lets shared caches keep gets none: it
/// would go to everybody.
pub(super) fn keep(exchange: &Exchange, group: usize, asked: Asked, place: usize, headers: &mut HeaderMap) {
    let Some(cookies) = exchange.view.table.groups().get(group).and_then(|group| group.cookies.as_ref()) else {
        return;
    };
    if asked.kept.is_some_and(|kept| kept.place == place && !kept.is_ageing) {
        return;
    }
    let said = |word: &str| {
        let lines = headers.get_all(CACHE_CONTROL).into_iter().filter_map(|line| line.to_str().ok());
        let mut words =
            lines.flat_map(|line| line.split(',')).map(|part| part.split('=').next().unwrap_or_default().trim());
        words.any(|given| given.eq_ignore_ascii_case(word))
    };
    let is_private = ["private", "no-store"].into_iter().any(said);
    if !is_private && ["public", "s-maxage"].into_iter().any(said) {
        return;
    }
    if !is_private {
        headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    if let Some(cookie) = cookies.write(place, SystemTime::now()) {
        headers.append(SET_COOKIE, cookie);
    }
}

/// A line of cookies without those of this name; `None`: there is none of them.
pub(super) fn without(line: &[u8], name: &str) -> Option<Vec<u8>> {
    let is_such = |pair: &[u8]| pair.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='));
    let pairs = || line.split(|octet| *octet == b';').map(<[u8]>::trim_ascii);
    pairs().any(is_such).then(|| pairs().filter(|pair| !is_such(pair)).collect::<Vec<_>>().join(&b"; "[..]))
}

/// All addresses of an IPv6 /64 are one client's (RFC 6177), who changes them from day to day (RFC 8981).
fn number_of_client(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => number_of(&address.octets()),
        IpAddr::V6(address) => number_of(&address.octets()[..8]),
    }
}

/// The values of the cookies of this name (RFC 6265 §4.2.1), without empty ones.
fn values<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h [u8]> {
    let lines = headers.get_all(COOKIE).into_iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|octet| *octet == b';')).map(<[u8]>::trim_ascii);
    let values = pairs.filter_map(move |pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    values.filter(|value| !value.is_empty())
}

/// Each costs a signature, and nobody honest has more.
const MOST_READ: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_wherever_it_stands() {
        let mut headers = HeaderMap::new();
        assert_eq!(values(&headers, "sid").next(), None);
        for line in ["xsid=1; sid; sid=", "a=b;sid=two; sid=three", "sid=four"] {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        assert_eq!(values(&headers, "sid").collect::<Vec<_>>(), [&b"two"[..], b"three", b"four"]);
    }

    #[test]
    fn a_cookie_is_taken_out_and_the_others_stay_as_they_are() {
        for (line, left) in [
            ("edge=1", Some("")),
            ("a=b; edge=1; c=d", Some("a=b; c=d")),
            ("edge=1;edge=2;a=\"b c\"", Some("a=\"b c\"")),
            ("xedge=1; edges=2; edge", None),
        ] {
            let found = without(line.as_bytes(), "edge");
            assert_eq!(found.as_deref(), left.map(str::as_bytes), "{line}");
        }
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
