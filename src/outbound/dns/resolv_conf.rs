//! The name servers of the system, resolv.conf(5).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// Those that the file names; one on this machine when it names none or is not there.
pub(super) fn servers(file: &Path) -> Vec<SocketAddr> {
    let text = std::fs::read(file).unwrap_or_default();
    let servers = read(&String::from_utf8_lossy(&text));
    if servers.is_empty() { vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), super::PORT)] } else { servers }
}

fn read(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        // An address of this link alone names the interface too; the number of one is what a socket takes.
        match address.split_once('%') {
            None => address.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, super::PORT)),
            Some(_) => format!("[{address}]:{}", super::PORT).parse().ok(),
        }
    });
    named.take(MOST).collect()
}

/// What the C library reads of them (MAXNS).
const MOST: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn name_servers_are_read_as_the_c_library_reads_them() {
        let text = "# nameserver 9.9.9.9\n; a comment\nsearch example\n nameserver\t10.0.0.53 trailing\nnameserver ::1\n\
                    nameserver nonsense\nnameserver fe80::1%2\nnameserver 10.0.0.54\noptions edns0\n";
        let expected = ["10.0.0.53:53", "[::1]:53", "[fe80::1%2]:53"];
        assert_eq!(read(text), expected.map(|server| server.parse::<SocketAddr>().expect("an address")));
        assert_eq!(servers(Path::new("/nowhere/resolv.conf")), ["127.0.0.1:53".parse().expect("an address")]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,200}", address in any::<Ipv4Addr>()) {
            prop_assert!(read(&text).len() <= MOST);
            prop_assert_eq!(read(&format!("nameserver {address}\n{text}"))[0].ip(), IpAddr::from(address));
        }
    }
}
