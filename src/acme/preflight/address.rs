//! Where a probe may go: to addresses that the whole world reaches, and to networks that the operator named. Whoever writes the
//! DNS of a shop must not send requests into the operator's network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What is wrong with an address, as "is …"; `None`: a probe may go there.
pub(super) fn refusal(address: IpAddr, allowed: &[IpNet]) -> Option<&'static str> {
    let named = |network: &IpNet| network.contains(&address) || network.contains(&address.to_canonical());
    if allowed.iter().any(named) {
        return None;
    }
    match address {
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => of_v6(address),
    }
}

fn of_v4(address: Ipv4Addr) -> Option<&'static str> {
    V4.iter().find(|(network, _)| network.contains(&address)).map(|(_, what)| *what)
}

fn of_v6(address: Ipv6Addr) -> Option<&'static str> {
    let found = V6.iter().find(|(network, _)| network.contains(&address)).map(|(_, what)| *what);
    // What leads to an IPv4 address leads no further than it.
    found.or_else(|| leads_to(address).and_then(of_v4)).or_else(|| is_nobodys(address).then_some(RESERVED))
}

fn is_nobodys(address: Ipv6Addr) -> bool {
    !GLOBAL.contains(&address) && !TRANSLATED.contains(&address)
}

/// The IPv4 address that one of a translator's is made of (RFC 6052 §2.1).
fn leads_to(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    TRANSLATED.contains(&address).then(|| Ipv4Addr::new(a, b, c, d))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(first: u16, second: u16, third: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), length)
}

/// The registry of special addresses (RFC 6890), as IANA keeps it.
const V4: [(Ipv4Net, &str); 15] = [
    (v4(0, 0, 0, 0, 8), "of this network itself (RFC 791)"),
    (v4(10, 0, 0, 0, 8), PRIVATE),
    (v4(100, 64, 0, 0, 10), "shared by customers of a provider (RFC 6598)"),
    (v4(127, 0, 0, 0, 8), LOOPBACK),
    (v4(169, 254, 0, 0, 16), LINK_LOCAL),
    (v4(172, 16, 0, 0, 12), PRIVATE),
    (v4(192, 0, 0, 0, 24), "reserved for protocols (RFC 6890)"),
    (v4(192, 0, 2, 0, 24), DOCUMENTATION),
    (v4(192, 88, 99, 0, 24), "of a relay that is no more (RFC 7526)"),
    (v4(192, 168, 0, 0, 16), PRIVATE),
    (v4(198, 18, 0, 0, 15), "for measurements (RFC 2544)"),
    (v4(198, 51, 100, 0, 24), DOCUMENTATION),
    (v4(203, 0, 113, 0, 24), DOCUMENTATION),
    (v4(224, 0, 0, 0, 4), MULTICAST),
    (v4(240, 0, 0, 0, 4), RESERVED),
];
/// The same for IPv6; what is not [`GLOBAL`] is nobody's.
const V6: [(Ipv6Net, &str); 11] = [
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), LOOPBACK),
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "no address at all (RFC 4291)"),
    (v6(0x2001, 0, 0, 23), "reserved for protocols (RFC 2928)"),
    (v6(0x2001, 0xdb8, 0, 32), DOCUMENTATION),
    (v6(0x2002, 0, 0, 16), "of a tunnel that is no more (RFC 7526)"),
    (v6(0x3fff, 0, 0, 20), DOCUMENTATION),
    (v6(0x5f00, 0, 0, 16), "for the routing of segments (RFC 9602)"),
    (v6(0xfc00, 0, 0, 7), "private (RFC 4193)"),
    (v6(0xfe80, 0, 0, 10), LINK_LOCAL),
    (v6(0xfec0, 0, 0, 10), "private (RFC 3879)"),
    (v6(0xff00, 0, 0, 8), MULTICAST),
];
/// What is given to anybody (RFC 4291 §2.4).
const GLOBAL: Ipv6Net = v6(0x2000, 0, 0, 3);
/// What leads to IPv4.
const TRANSLATED: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
const PRIVATE: &str = "private (RFC 1918)";
const LOOPBACK: &str = "this machine's own (loopback)";
const LINK_LOCAL: &str = "of one link alone (link-local)";
const DOCUMENTATION: &str = "for documentation alone (RFC 5737, RFC 3849, RFC 9637)";
const MULTICAST: &str = "of many at once (multicast)";
const RESERVED: &str = "given to nobody (reserved)";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(address: &str) -> Option<&'static str> {
        refusal(address.parse().expect("an address"), &[])
    }

    #[test]
    fn nothing_but_what_the_whole_world_reaches_is_probed() {
        for address in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "2a00::1", "64:ff9b::101:101"] {
            assert_eq!(refused(address), None, "{address}");
        }
        for (address, what) in [
            ("0.0.0.0", "of this network"),
            ("10.1.2.3", "private"),
            ("100.64.0.1", "shared"),
            ("127.0.0.9", "loopback"),
            ("169.254.169.254", "link-local"),
            ("172.31.255.255", "private"),
            ("192.168.0.1", "private"),
            ("198.19.255.255", "measurements"),
            ("203.0.113.9", "documentation"),
            ("224.0.0.1", "multicast"),
            ("255.255.255.255", "reserved"),
            ("::", "no address"),
            ("::1", "loopback"),
            ("::ffff:8.8.8.8", "reserved"),
            ("::ffff:10.0.0.1", "reserved"),
            ("::10.0.0.1", "reserved"),
            ("64:ff9b::a00:1", "private"),
            ("64:ff9b:1::a00:1", "reserved"),
            ("100::1", "reserved"),
            ("2001::1", "protocols"),
            ("2001:db8::1", "documentation"),
            ("2002:a00:1::", "tunnel"),
            ("3fff::1", "documentation"),
            ("fd00::1", "private"),
            ("fe80::1", "link-local"),
            ("ff02::1", "multicast"),
        ] {
            assert!(refused(address).is_some_and(|told| told.contains(what)), "{address}: {:?}", refused(address));
        }
    }

    #[test]
    fn a_network_that_the_operator_named_is_probed_and_no_other() {
        let allowed: Vec<IpNet> = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().expect("a network")).into();
        let may = |address: &str| refusal(address.parse().expect("an address"), &allowed).is_none();
        assert!(may("10.0.0.1") && may("::1") && may("::ffff:10.0.0.1") && may("8.8.8.8"));
        assert!(!may("192.168.0.1") && !may("127.0.0.1") && !may("::2"));
    }

    proptest! {
        #[test]
        fn whatever_the_standard_library_calls_special_is_refused(octets: [u8; 4]) {
            let address = Ipv4Addr::from(octets);
            let special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_multicast() || address.is_broadcast() || address.is_documentation()
                || address.is_unspecified();
            prop_assert!(!special || of_v4(address).is_some(), "{address}");
        }

        #[test]
        fn so_it_is_in_ipv6(segments: [u16; 8]) {
            let address = Ipv6Addr::from(segments);
            let special = address.is_loopback() || address.is_multicast() || address.is_unspecified()
                || address.is_unique_local() || address.is_unicast_link_local();
            prop_assert!(!special || of_v6(address).is_some(), "{address}");
        }
    }
}
