//! The PROXY protocol, by which a balancer that passes on octets says whose they are: version 1 in text, version 2 in binary
//! (<https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::AsyncReadExt;

use super::socket::Socket;

/// What a header says, and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Who is at the other end of the balancer, IPv4 in its own form; `None`: the balancer itself, or it does not know.
    pub client: Option<IpAddr>,
    /// How many octets it has.
    pub length: usize,
}

impl ProxyHeader {
    /// Reads what begins with a header. `None`: it is not whole, and all of it is the header's.
    ///
    /// # Errors
    /// What is wrong, once it can be seen.
    pub fn parse(octets: &[u8]) -> Result<Option<Self>, MalformedProxyHeader> {
        match octets.first() {
            None => Ok(None),
            Some(&first) if first == SIGNATURE[0] => binary(octets),
            Some(_) => text(octets),
        }
    }
}

/// Why something is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedProxyHeader(&'static str);

impl std::fmt::Display for MalformedProxyHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for MalformedProxyHeader {}

/// How a header did not come.
#[derive(Debug)]
pub(super) enum NoHeader {
    /// The balancer went before it said anything, as one that looks whether somebody listens.
    Nothing,
    /// It went before the end.
    CutShort,
    Malformed(MalformedProxyHeader),
}

/// Takes the header from the socket and not an octet of what follows. The caller sets the deadline around it.
pub(super) async fn receive(socket: &mut Socket) -> Result<ProxyHeader, NoHeader> {
    let mut octets = vec![0; LONGEST];
    let mut begun = 0;
    let gone = |begun: usize| if begun == 0 { NoHeader::Nothing } else { NoHeader::CutShort };
    loop {
        let seen = match socket.tcp().peek(&mut octets[begun..]).await {
            Ok(seen @ 1..) => begun + seen,
            Ok(0) | Err(_) => return Err(gone(begun)),
        };
        let header = ProxyHeader::parse(&octets[..seen]).map_err(NoHeader::Malformed)?;
        // What is not whole is the header's to its last octet, so that it is taken; looking again would find it at once.
        let end = header.map_or(seen, |header| header.length);
        take(socket, &mut octets[begun..end]).await.map_err(|_| gone(begun))?;
        match header {
            Some(header) => return Ok(header),
            None => begun = end,
        }
    }
}

async fn take(socket: &mut Socket, octets: &mut [u8]) -> io::Result<()> {
    socket.read_exact(octets).await.map(drop)
}

/// Version 1: a line.
fn text(octets: &[u8]) -> Result<Option<ProxyHeader>, MalformedProxyHeader> {
    let beginning = &octets[..octets.len().min(BEGINNING.len())];
    if *beginning != BEGINNING[..beginning.len()] {
        return Err(MalformedProxyHeader("it begins with neither version's signature"));
    }
    let within = &octets[..octets.len().min(LONGEST_LINE)];
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        return match within.len() {
            LONGEST_LINE => Err(MalformedProxyHeader("the line of version 1 has more than 107 octets")),
            _ => Ok(None),
        };
    };
    let line = std::str::from_utf8(&octets[..end]).map_err(|_| MalformedProxyHeader("the line is not ASCII"))?;
    let mut words = line.split(' ').skip(1);
    let family = words.next();
    let client = match family {
        // Whatever follows is to be ignored.
        Some("UNKNOWN") => None,
        Some("TCP4" | "TCP6") => {
            let addresses = [words.next(), words.next()].map(|word| address(family == Some("TCP4"), word));
            let ports = [words.next(), words.next()].map(port);
            match (addresses, ports, words.next()) {
                ([Some(client), Some(_)], [Some(_), Some(_)], None) => Some(client),
                _ => return Err(MalformedProxyHeader("the line has not two addresses of its family and two ports")),
            }
        }
        _ => return Err(MalformedProxyHeader("the family is none of TCP4, TCP6 and UNKNOWN")),
    };
    Ok(Some(ProxyHeader { client, length: end + 2 }))
}

fn address(is_v4: bool, word: Option<&str>) -> Option<IpAddr> {
    let word = word?;
    match is_v4 {
        true => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        false => word.parse::<Ipv6Addr>().ok().map(|address| IpAddr::V6(address).to_canonical()),
    }
}

/// A port without leading zeros or a sign.
fn port(word: Option<&str>) -> Option<u16> {
    let word = word?;
    let number: u16 = word.parse().ok()?;
    (number.to_string() == word).then_some(number)
}

/// Version 2: a block of a given length, with extensions behind the addresses that nobody here asks for.
fn binary(octets: &[u8]) -> Result<Option<ProxyHeader>, MalformedProxyHeader> {
    let beginning = &octets[..octets.len().min(SIGNATURE.len())];
    if *beginning != SIGNATURE[..beginning.len()] {
        return Err(MalformedProxyHeader("it begins with neither version's signature"));
    }
    let Some(&[command, family, high, low]) = octets.get(SIGNATURE.len()..BLOCK) else { return Ok(None) };
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(MalformedProxyHeader("its version is not 2, or its command neither LOCAL nor PROXY")),
    };
    let length = BLOCK + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Err(MalformedProxyHeader("the header of version 2 has more than 536 octets"));
    }
    let needed = match family {
        _ if is_local => 0,
        UNSPECIFIED => 0,
        TCP4 => 12,
        TCP6 => 36,
        UNIX_STREAM => 216,
        _ => return Err(MalformedProxyHeader("the family and transport are none that a connection can have")),
    };
    if length - BLOCK < needed {
        return Err(MalformedProxyHeader("the header ends within its addresses"));
    }
    let Some(addresses) = octets.get(BLOCK..length) else { return Ok(None) };
    let client = match (is_local, family) {
        (false, TCP4) => addresses.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        (false, TCP6) => addresses.first_chunk::<16>().map(|octets| IpAddr::from(*octets).to_canonical()),
        _ => None,
    };
    Ok(Some(ProxyHeader { client, length }))
}

const BEGINNING: &[u8] = b"PROXY ";
/// What version 1 may have, its end included.
const LONGEST_LINE: usize = 107;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Where the addresses of version 2 begin.
const BLOCK: usize = 16;
/// What every receiver takes at least, and no honest sender exceeds.
const LONGEST: usize = 536;
const UNSPECIFIED: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNIX_STREAM: u8 = 0x31;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(octets: &[u8]) -> Result<Option<String>, &'static str> {
        let header = ProxyHeader::parse(octets).map_err(|malformed| malformed.0)?.ok_or("incomplete")?;
        Ok(header.client.map(|client| client.to_string()))
    }

    fn block(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).expect("short").to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, addresses].concat()
    }

    #[test]
    fn a_line_names_the_client() {
        for (line, expected) in [
            ("PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\nGET", Ok(Some("203.0.113.7"))),
            ("PROXY TCP6 2001:db8::7 2001:db8::1 0 65535\r\n", Ok(Some("2001:db8::7"))),
            ("PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n", Ok(Some("203.0.113.7"))),
            ("PROXY UNKNOWN\r\n", Ok(None)),
            ("PROXY UNKNOWN ffff::1 anything 1 2\r\n", Ok(None)),
            ("PROXY TCP4 203.0.113.7 10.0.0.1 4711 443", Err("incomplete")),
            ("P", Err("incomplete")),
            ("", Err("incomplete")),
        ] {
            assert_eq!(client(line.as_bytes()), expected.map(|client| client.map(str::to_owned)), "{line}");
        }
        for line in [
            "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
            "PROXY TCP6 203.0.113.7 10.0.0.1 1 2\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 04711 443\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 4711 65536\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 +1 443\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 1\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 1 2 \r\n",
            "PROXY TCP4  203.0.113.7 10.0.0.1 1 2\r\n",
            "PROXY TCP5 203.0.113.7 10.0.0.1 1 2\r\n",
            "PROXY UDP4 203.0.113.7 10.0.0.1 1 2\r\n",
            "PROXY \r\n",
            "proxy UNKNOWN\r\n",
            "GET / HTTP/1.1\r\n",
            "\u{16}\u{3}\u{1}",
        ] {
            assert!(!matches!(client(line.as_bytes()), Ok(_) | Err("incomplete")), "{line}");
        }
        let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST_LINE - 16));
        assert_eq!((longest.len(), client(longest.as_bytes())), (LONGEST_LINE, Ok(None)));
        let longer = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST_LINE - 15));
        assert_eq!(client(longer.as_bytes()), Err("the line of version 1 has more than 107 octets"));
    }

    #[test]
    fn a_block_names_the_client() {
        let v4 = [203, 0, 113, 7, 10, 0, 0, 1, 1, 2, 3, 4];
        let mut v6 = [0; 36];
        v6[..2].copy_from_slice(&[0x20, 0x01]);
        v6[15] = 7;
        let extended = [&v4[..], &[0x04, 0, 1, 0xFF]].concat();
        for (octets, expected) in [
            (block(0x21, TCP4, &v4), Ok(Some("203.0.113.7"))),
            (block(0x21, TCP4, &extended), Ok(Some("203.0.113.7"))),
            (block(0x21, TCP6, &v6), Ok(Some("2001::7"))),
            (block(0x20, TCP4, &v4), Ok(None)),
            (block(0x20, 0xFF, &[]), Ok(None)),
            (block(0x21, UNSPECIFIED, &[1, 2, 3]), Ok(None)),
            (block(0x21, UNIX_STREAM, &[0; 216]), Ok(None)),
            (block(0x21, TCP4, &v4[..11]), Err("the header ends within its addresses")),
            (block(0x21, UNIX_STREAM, &[0; 215]), Err("the header ends within its addresses")),
            (block(0x21, 0x12, &v4), Err("the family and transport are none that a connection can have")),
            (block(0x11, TCP4, &v4), Err("its version is not 2, or its command neither LOCAL nor PROXY")),
            (block(0x22, TCP4, &v4), Err("its version is not 2, or its command neither LOCAL nor PROXY")),
            (block(0x21, UNSPECIFIED, &[0; 520]), Ok(None)),
            (block(0x21, UNSPECIFIED, &[0; 521]), Err("the header of version 2 has more than 536 octets")),
            (block(0x21, TCP4, &v4)[..20].to_vec(), Err("incomplete")),
            (b"\r\n\r\n\0\r\nQUIX".to_vec(), Err("it begins with neither version's signature")),
        ] {
            assert_eq!(client(&octets), expected.map(|client| client.map(str::to_owned)), "{octets:02X?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_whole_stays_as_it_is_whatever_follows_and_what_precedes_is_not_whole(
            octets in prop_oneof![
                "PROXY (TCP4|TCP6|UNKNOWN)( [0-9a-f.:]{1,12}){0,5}\r\n".prop_map(String::into_bytes),
                "PROXY TCP4 [0-9]{1,3}\\.1\\.2\\.3 4\\.5\\.6\\.7 [0-9]{1,5} [0-9]{1,5}\r\n".prop_map(String::into_bytes),
                (0x1F_u8..0x23, prop::sample::select(vec![0, TCP4, TCP6, UNIX_STREAM, 0x12]), prop::collection::vec(any::<u8>(), 0..600))
                    .prop_map(|(command, family, addresses)| block(command, family, &addresses)),
                prop::collection::vec(any::<u8>(), 0..40),
            ],
            more in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let Ok(Some(header)) = ProxyHeader::parse(&octets) else { return Ok(()) };
            prop_assert!(header.length <= octets.len().min(LONGEST));
            let followed = [&octets[..header.length], &more].concat();
            prop_assert_eq!(ProxyHeader::parse(&followed), Ok(Some(header)));
            for end in 0..header.length {
                prop_assert_eq!(ProxyHeader::parse(&octets[..end]), Ok(None), "{}", end);
            }
        }
    }
}
