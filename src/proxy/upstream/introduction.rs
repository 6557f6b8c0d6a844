//! The PROXY protocol on the way out: whose request comes, before anything else is said
//! (<https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::live::ProxyVersion;

/// Whom an upstream is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Introduction {
    /// Who asks; port 0: nobody knows.
    pub(in crate::proxy) client: SocketAddr,
    /// Where it came to.
    pub(in crate::proxy) edge: SocketAddr,
}

impl Introduction {
    /// Both addresses of one family, which the protocol has no way around.
    fn ends(self) -> Ends {
        match (self.client.ip().to_canonical(), self.edge.ip().to_canonical()) {
            (IpAddr::V4(client), IpAddr::V4(edge)) => Ends::V4(client.octets(), edge.octets()),
            (client, edge) => Ends::V6(as_v6(client), as_v6(edge)),
        }
    }
}

enum Ends {
    V4([u8; 4], [u8; 4]),
    V6(Ipv6Addr, Ipv6Addr),
}

/// The octets to begin with. `None`: the edge asks by itself.
pub(super) fn header(version: ProxyVersion, introduced: Option<Introduction>) -> Vec<u8> {
    match version {
        ProxyVersion::V1 => text(introduced).into_bytes(),
        ProxyVersion::V2 => binary(introduced),
    }
}

fn text(introduced: Option<Introduction>) -> String {
    let Some(introduced) = introduced else { return "PROXY UNKNOWN\r\n".into() };
    let ports = format!("{} {}\r\n", introduced.client.port(), introduced.edge.port());
    match introduced.ends() {
        Ends::V4(client, edge) => format!("PROXY TCP4 {} {} {ports}", IpAddr::from(client), IpAddr::from(edge)),
        Ends::V6(client, edge) => format!("PROXY TCP6 {} {} {ports}", groups(client), groups(edge)),
    }
}

/// In groups of hexadecimal digits alone: not everybody reads an IPv4 address within.
fn groups(address: Ipv6Addr) -> String {
    address.segments().map(|segment| format!("{segment:x}")).join(":")
}

fn binary(introduced: Option<Introduction>) -> Vec<u8> {
    let mut octets = SIGNATURE.to_vec();
    let Some(introduced) = introduced else {
        octets.extend_from_slice(&[VERSION_2 | LOCAL, UNSPECIFIED, 0, 0]);
        return octets;
    };
    octets.push(VERSION_2 | PROXY);
    match introduced.ends() {
        Ends::V4(client, edge) => {
            octets.extend_from_slice(&[TCP_OVER_IPV4, 0, 12]);
            octets.extend_from_slice(&client);
            octets.extend_from_slice(&edge);
        }
        Ends::V6(client, edge) => {
            octets.extend_from_slice(&[TCP_OVER_IPV6, 0, 36]);
            octets.extend_from_slice(&client.octets());
            octets.extend_from_slice(&edge.octets());
        }
    }
    octets.extend_from_slice(&introduced.client.port().to_be_bytes());
    octets.extend_from_slice(&introduced.edge.port().to_be_bytes());
    octets
}

const fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const VERSION_2: u8 = 0x20;
const LOCAL: u8 = 0x0;
const PROXY: u8 = 0x1;
const UNSPECIFIED: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

#[cfg(test)]
mod tests {
    use super::*;

    fn introduced(client: &str, edge: &str) -> Option<Introduction> {
        let [client, edge] = [client, edge].map(|text| text.parse().expect("an address"));
        Some(Introduction { client, edge })
    }

    #[test]
    fn version_1_is_a_line_of_text() {
        for (introduced, line) in [
            (introduced("203.0.113.7:4711", "192.0.2.1:443"), "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n"),
            (introduced("[::ffff:203.0.113.7]:1", "192.0.2.1:443"), "PROXY TCP4 203.0.113.7 192.0.2.1 1 443\r\n"),
            (introduced("[2001:db8::7]:0", "[::1]:443"), "PROXY TCP6 2001:db8:0:0:0:0:0:7 0:0:0:0:0:0:0:1 0 443\r\n"),
            (
                introduced("[2001:db8::7]:1", "192.0.2.1:443"),
                "PROXY TCP6 2001:db8:0:0:0:0:0:7 0:0:0:0:0:ffff:c000:201 1 443\r\n",
            ),
            (None, "PROXY UNKNOWN\r\n"),
        ] {
            assert_eq!(String::from_utf8(header(ProxyVersion::V1, introduced)).expect("text"), line);
        }
    }

    #[test]
    fn version_2_is_binary() {
        let signature = b"\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A";
        let four = header(ProxyVersion::V2, introduced("203.0.113.7:4711", "192.0.2.1:443"));
        let rest: &[u8] = &[0x21, 0x11, 0, 12, 203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x67, 1, 0xbb];
        assert_eq!(four, [signature, rest].concat());
        let six = header(ProxyVersion::V2, introduced("[2001:db8::7]:1", "[::1]:2"));
        assert_eq!((six.len(), &six[12..16], &six[48..]), (52, &[0x21, 0x21, 0, 36][..], &[0, 1, 0, 2][..]));
        assert_eq!(header(ProxyVersion::V2, None), [&signature[..], &[0x20, 0, 0, 0]].concat());
    }
}
