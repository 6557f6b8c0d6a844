//! What decides by which configuration a handshake goes on: the name that a ClientHello asks for, and whether it is an authority's probe. A
//! plain hello is read here, for a tenth of the 2 µs that rustls takes to read it for this alone; it reads all of it anyway, afterwards.

use rustls::pki_types::ServerName;
use rustls::server::ClientHello;

/// What a hello asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// The host name of `server_name` (RFC 6066 §3), in small letters.
    pub name: Option<Box<str>>,
    /// It offers acme-tls/1 alone: an authority's probe, which must never see a shop's certificate (RFC 8737 §3).
    pub is_probe: bool,
}

impl Asked {
    /// As rustls has read it.
    #[must_use]
    pub fn of(hello: &ClientHello<'_>) -> Self {
        let mut offered = hello.alpn().into_iter().flatten();
        let is_probe = offered.next() == Some(ACME_TLS) && offered.next().is_none();
        Self { name: hello.server_name().map(Into::into), is_probe }
    }

    /// As it came, where that is one record and a plain hello (RFC 8446 §4.1.2); of anything else rustls has to say what it is.
    #[must_use]
    pub fn read(octets: &[u8]) -> Option<Self> {
        let mut octets = Octets(octets);
        let mut message = octets.tagged(&[HANDSHAKE])?.skip(VERSION)?.vector(2)?;
        let mut hello = message.tagged(&[CLIENT_HELLO])?.vector(3)?;
        if !message.is_empty() {
            return None;
        }
        // Session identifier, cipher suites and compression methods are between the random number and the extensions.
        let mut extensions =
            hello.skip(VERSION + RANDOM)?.skip_vector(1)?.skip_vector(2)?.skip_vector(1)?.last_vector()?;
        let mut asked = Self { name: None, is_probe: false };
        let (mut names, mut protocols) = (0, 0);
        while !extensions.is_empty() {
            let kind = extensions.take(2)?;
            let mut content = extensions.vector(2)?;
            match kind {
                SERVER_NAME => {
                    names += 1;
                    asked.name = Some(read_name(&mut content)?);
                }
                PROTOCOLS => {
                    protocols += 1;
                    asked.is_probe = is_probe(&mut content)?;
                }
                _ => {}
            }
        }
        (names < 2 && protocols < 2).then_some(asked)
    }
}

/// RFC 6066 §3: one name, and nothing else.
fn read_name(content: &mut Octets<'_>) -> Option<Box<str>> {
    let name = content.last_vector()?.tagged(&[HOST_NAME])?.last_vector()?;
    match ServerName::try_from(name.0) {
        Ok(ServerName::DnsName(name)) => Some(name.as_ref().to_ascii_lowercase().into()),
        _ => None,
    }
}

/// RFC 7301 §3.1: none of the names is empty.
fn is_probe(content: &mut Octets<'_>) -> Option<bool> {
    let mut names = content.last_vector()?;
    let mut offered = 0;
    let mut first = None;
    while !names.is_empty() {
        let name = names.vector(1)?;
        if name.is_empty() {
            return None;
        }
        offered += 1;
        first.get_or_insert(name.0);
    }
    first.map(|first| offered == 1 && first == ACME_TLS)
}

/// What is left to be read.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// What is behind so many octets.
    fn skip(&mut self, length: usize) -> Option<&mut Self> {
        self.take(length)?;
        Some(self)
    }

    /// What is behind this.
    fn tagged(&mut self, tag: &[u8]) -> Option<&mut Self> {
        (self.take(tag.len())? == tag).then_some(self)
    }

    /// A vector whose length is so many octets (RFC 8446 §3.4).
    fn vector(&mut self, octets: usize) -> Option<Self> {
        let length = self.take(octets)?.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
        self.take(length).map(Self)
    }

    fn skip_vector(&mut self, octets: usize) -> Option<&mut Self> {
        self.vector(octets)?;
        Some(self)
    }

    /// A vector behind which nothing is.
    fn last_vector(&mut self) -> Option<Self> {
        self.vector(2).filter(|_| self.is_empty())
    }
}

/// Content and message types (RFC 8446 §5.1, §4).
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const CLIENT_HELLO: u8 = 1;
/// Octets of a version and of the random number (RFC 8446 §4.1.2).
const VERSION: usize = 2;
const RANDOM: usize = 32;
/// Extensions: `server_name` with its only kind of name, and `application_layer_protocol_negotiation`.
const SERVER_NAME: &[u8] = &[0, 0];
const HOST_NAME: u8 = 0;
const PROTOCOLS: &[u8] = &[0, 16];
/// RFC 8737 §6.2
const ACME_TLS: &[u8] = b"acme-tls/1";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rustls::server::Acceptor;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;
    use crate::proxy::tls::policy::provider;

    fn hello(name: &'static str, protocols: &[&[u8]]) -> Vec<u8> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let name = ServerName::try_from(name).expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut octets = Vec::new();
        client.write_tls(&mut octets).expect("a hello");
        octets
    }

    fn by_rustls(mut octets: &[u8]) -> Option<Asked> {
        let mut acceptor = Acceptor::default();
        while !octets.is_empty() {
            acceptor.read_tls(&mut octets).ok()?;
            if let Some(accepted) = acceptor.accept().ok()? {
                return Some(Asked::of(&accepted.client_hello()));
            }
        }
        None
    }

    fn hellos() -> Vec<Vec<u8>> {
        let probe: &[&[u8]] = &[ACME_TLS];
        vec![
            hello("shop.example", &[b"h2", b"http/1.1"]),
            hello("Shop.Example", &[]),
            hello("192.0.2.1", &[b"h2"]),
            hello("shop.example", probe),
            hello("shop.example", &[ACME_TLS, b"h2"]),
        ]
    }

    #[test]
    fn what_a_hello_asks_for_is_what_rustls_reads() {
        let read: Vec<_> = hellos().iter().map(|octets| Asked::read(octets).expect("a plain hello")).collect();
        let asked = |name: Option<&str>, is_probe| Asked { name: name.map(Into::into), is_probe };
        let shop = Some("shop.example");
        assert_eq!(
            read,
            [(shop, false), (shop, false), (None, false), (shop, true), (shop, false)]
                .map(|(name, is_probe)| asked(name, is_probe))
        );
        assert_eq!(
            hellos().iter().map(|octets| by_rustls(octets)).collect::<Vec<_>>(),
            read.into_iter().map(Some).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_hello_that_is_cut_short_or_followed_is_not_read() {
        for octets in hellos() {
            assert!((0..octets.len()).all(|cut| Asked::read(&octets[..cut]).is_none()));
        }
    }

    proptest! {
        /// However a hello is spoiled: what is read of it is what rustls reads, where rustls reads it at all.
        #[test]
        fn a_spoiled_hello_is_read_as_rustls_reads_it_or_not_at_all(
            which in 0_usize..5,
            spoiled in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            twice in proptest::option::of((any::<prop::sample::Index>(), 1_usize..60)),
        ) {
            let mut octets = hellos().swap_remove(which);
            if let Some((from, length)) = twice {
                let from = from.index(octets.len());
                let copy = octets[from..(from + length).min(octets.len())].to_vec();
                octets.splice(from..from, copy);
            }
            for (place, octet) in spoiled {
                let place = place.index(octets.len());
                octets[place] = octet;
            }
            if let (Some(read), Some(by_rustls)) = (Asked::read(&octets), by_rustls(&octets)) {
                prop_assert_eq!(read, by_rustls);
            }
        }
    }
}
