//! How the system asks the DNS, resolv.conf(5).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use super::DnsName;

/// What the file says of questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::outbound) struct ResolvConf {
    /// Whom one asks.
    pub(in crate::outbound) servers: Vec<SocketAddr>,
    /// What a name that is not whole may end with.
    pub(in crate::outbound) search: Vec<String>,
    /// A name with so many dots is taken for a whole one first.
    pub(in crate::outbound) dots: usize,
}

impl ResolvConf {
    /// What the file says; nothing when it is not there.
    pub(in crate::outbound) fn load(file: &Path) -> Self {
        let text = std::fs::read(file).unwrap_or_default();
        Self::read(&String::from_utf8_lossy(&text))
    }

    fn read(text: &str) -> Self {
        let mut read = Self { servers: Vec::new(), search: Vec::new(), dots: 1 };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if read.servers.len() < MOST => read.servers.extend(words.next().and_then(server)),
                // The last one counts, with either word.
                Some("search") => read.search = words.map(str::to_owned).collect(),
                Some("domain") => read.search = words.take(1).map(str::to_owned).collect(),
                Some("options") => {
                    let said = words.filter_map(|word| word.strip_prefix("ndots:")?.parse::<usize>().ok()).next_back();
                    read.dots = said.map_or(read.dots, |dots| dots.min(MOST_DOTS));
                }
                _ => {}
            }
        }
        read
    }

    /// The names that `host` may stand for, in the order in which they are asked for.
    pub(in crate::outbound) fn candidates(&self, host: &str) -> Vec<DnsName> {
        if host.ends_with('.') {
            return DnsName::parse(host).into_iter().collect();
        }
        let ends = self.search.iter().filter(|end| *end != ".").map(|end| format!("{host}.{end}"));
        let is_first = host.matches('.').count() >= self.dots;
        let (first, last) = if is_first { (Some(host), None) } else { (None, Some(host)) };
        let all = first.into_iter().map(str::to_owned).chain(ends).chain(last.map(str::to_owned));
        all.filter_map(|name| DnsName::parse(&name).ok()).collect()
    }
}

/// Those that the file names; one on this machine when it names none or is not there.
pub(super) fn servers(file: &Path) -> Vec<SocketAddr> {
    let servers = ResolvConf::load(file).servers;
    if servers.is_empty() { vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), super::PORT)] } else { servers }
}

fn server(address: &str) -> Option<SocketAddr> {
    // An address of this link alone names the interface too; the number of one is what a socket takes.
    match address.split_once('%') {
        None => address.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, super::PORT)),
        Some(_) => format!("[{address}]:{}", super::PORT).parse().ok(),
    }
}

/// What the C library reads of them (MAXNS).
const MOST: usize = 3;
/// The C library's own bound (RES_MAXNDOTS).
const MOST_DOTS: usize = 15;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn name_servers_are_read_as_the_c_library_reads_them() {
        let text = "# nameserver 9.9.9.9\n; a comment\nsearch example\n nameserver\t10.0.0.53 trailing\nnameserver ::1\n\
                    nameserver nonsense\nnameserver fe80::1%2\nnameserver 10.0.0.54\noptions edns0\n";
        let expected = ["10.0.0.53:53", "[::1]:53", "[fe80::1%2]:53"];
        let expected = expected.map(|server| server.parse::<SocketAddr>().expect("an address"));
        assert_eq!(ResolvConf::read(text).servers, expected);
        assert_eq!(servers(Path::new("/nowhere/resolv.conf")), ["127.0.0.1:53".parse().expect("an address")]);
    }

    #[test]
    fn a_name_is_completed_as_the_c_library_completes_it() {
        for (text, host, expected) in [
            ("", "shop", &["shop"] as &[_]),
            ("search a.example b.example", "shop", &["shop.a.example", "shop.b.example", "shop"]),
            ("search a.example", "shop.x", &["shop.x", "shop.x.a.example"]),
            ("search a.example\noptions edns0 ndots:2", "shop.x", &["shop.x.a.example", "shop.x"]),
            ("search a.example\noptions ndots:0", "shop", &["shop", "shop.a.example"]),
            ("search a.example\ndomain b.example c.example", "shop", &["shop.b.example", "shop"]),
            ("search a.example", "shop.", &["shop"]),
            ("search . nonsense..example", "shop", &["shop"]),
        ] {
            let found: Vec<_> = ResolvConf::read(text).candidates(host).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{text:?} {host}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,200}", address in any::<Ipv4Addr>()) {
            prop_assert!(ResolvConf::read(&text).servers.len() <= MOST);
            let named = ResolvConf::read(&format!("nameserver {address}\n{text}")).servers;
            prop_assert_eq!(named[0].ip(), IpAddr::from(address));
        }
    }
}
