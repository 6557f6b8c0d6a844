//! Who may come: networks that are let in, and networks that are not.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::live::route_table::canonical;

/// Networks with a verdict each. Of all that hold an address the narrowest decides; where two are alike, it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where a verdict begins, in order; before the first holds `otherwise`. IPv4 as it is mapped to IPv6.
    changes: Box<[(u128, bool)]>,
    otherwise: bool,
}

impl Access {
    /// Of networks that are let in and of those that are not. Who is in neither is let in if none of the former is named.
    #[must_use]
    pub fn new(allow: &[IpNet], deny: &[IpNet]) -> Self {
        let otherwise = allow.is_empty();
        let named = allow.iter().map(|network| (network, true)).chain(deny.iter().map(|network| (network, false)));
        let mut ranges: Vec<Range> = named.map(|(network, verdict)| Range::of(*network, verdict)).collect();
        // Networks lie in each other or apart. A wide one comes before those in it, and what refuses last of those alike.
        ranges.sort_by_key(|range| (range.first, std::cmp::Reverse(range.last), std::cmp::Reverse(range.verdict)));
        let mut changes: Vec<(u128, bool)> = Vec::new();
        let mut change = |at: u128, verdict: bool| match changes.last_mut() {
            // What is narrower begins where what is wider does.
            Some((last, said)) if *last == at => *said = verdict,
            _ => changes.push((at, verdict)),
        };
        let mut around: Vec<Range> = Vec::new();
        let leave = |around: &mut Vec<Range>, change: &mut dyn FnMut(u128, bool), before: Option<u128>| {
            while let Some(range) = around.pop_if(|range| before.is_none_or(|before| range.last < before)) {
                if let Some(next) = range.last.checked_add(1) {
                    change(next, around.last().map_or(otherwise, |outer| outer.verdict));
                }
            }
        };
        for range in ranges {
            leave(&mut around, &mut change, Some(range.first));
            change(range.first, range.verdict);
            around.push(range);
        }
        leave(&mut around, &mut change, None);
        Self { changes: changes.into(), otherwise }
    }

    /// Whether a client at this address may come.
    #[must_use]
    pub fn lets_in(&self, client: IpAddr) -> bool {
        let address = bits(client);
        match self.changes.partition_point(|(from, _)| *from <= address).checked_sub(1) {
            Some(place) => self.changes[place].1,
            None => self.otherwise,
        }
    }
}

/// A network from its first address to its last.
#[derive(Clone, Copy)]
struct Range {
    first: u128,
    last: u128,
    verdict: bool,
}

impl Range {
    fn of(network: IpNet, verdict: bool) -> Self {
        let network = canonical(network);
        Self { first: bits(network.network()), last: bits(network.broadcast()), verdict }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn networks(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().expect("a network")).collect()
    }

    fn lets_in(allow: &[&str], deny: &[&str], client: &str) -> bool {
        Access::new(&networks(allow), &networks(deny)).lets_in(client.parse().expect("an address"))
    }

    #[test]
    fn the_narrowest_network_decides() {
        for (allow, deny, client, verdict) in [
            (&["10.0.0.0/8"][..], &[][..], "10.1.2.3", true),
            (&["10.0.0.0/8"], &[], "11.0.0.0", false),
            (&["10.0.0.0/8"], &[], "9.255.255.255", false),
            (&["10.0.0.0/8"], &[], "::1", false),
            (&["10.0.0.0/8"], &["10.1.0.0/16"], "10.1.2.3", false),
            (&["10.0.0.0/8"], &["10.1.0.0/16"], "10.2.0.0", true),
            (&["10.1.0.0/16"], &["10.0.0.0/8"], "10.1.255.255", true),
            (&["10.1.0.0/16"], &["10.0.0.0/8"], "10.2.0.0", false),
            (&[], &["10.0.0.0/8"], "10.0.0.0", false),
            (&[], &["10.0.0.0/8"], "11.0.0.0", true),
            (&["10.0.0.0/8"], &["10.0.0.0/8"], "10.0.0.1", false),
            (&["10.0.0.0/8", "10.0.0.0/24"], &["10.0.0.0/16"], "10.0.0.255", true),
            (&["10.0.0.0/8", "10.0.0.0/24"], &["10.0.0.0/16"], "10.0.1.0", false),
            (&["::ffff:10.0.0.0/104"], &[], "10.0.0.1", true),
            (&["2001:db8::/32"], &["2001:db8:1::/48"], "2001:db8:2::1", true),
            (&["2001:db8::/32"], &["2001:db8:1::/48"], "2001:db8:1::1", false),
            (&[], &["::/0", "0.0.0.0/0"], "203.0.113.7", false),
            (&["255.255.255.255/32"], &["::/0"], "255.255.255.255", true),
            (&["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"], &[], "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true),
        ] {
            assert_eq!(lets_in(allow, deny, client), verdict, "{client} {allow:?} {deny:?}");
        }
    }

    proptest! {
        #[test]
        fn looking_up_is_what_comparing_with_each_would_be(
            rules in prop::collection::vec((any::<bool>(), any::<u8>(), 24_u8..=32), 0..12),
            client in any::<u8>(),
        ) {
            let client = IpAddr::from([192, 0, 2, client]);
            let rules: Vec<(bool, IpNet)> = rules
                .into_iter()
                .map(|(verdict, last, length)| (verdict, IpNet::new([192, 0, 2, last].into(), length).expect("a network").trunc()))
                .collect();
            let of = |wanted| rules.iter().filter(|(verdict, _)| *verdict == wanted).map(|(_, network)| *network).collect::<Vec<_>>();
            let narrowest = rules
                .iter()
                .filter(|(_, network)| network.contains(&client))
                .max_by_key(|(verdict, network)| (network.prefix_len(), !*verdict));
            let expected = narrowest.map_or(of(true).is_empty(), |(verdict, _)| *verdict);
            prop_assert_eq!(Access::new(&of(true), &of(false)).lets_in(client), expected);
        }
    }
}
