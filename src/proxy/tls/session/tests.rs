//! A session against a client of rustls, with nothing between them.

use std::io::{IoSlice, Read, Write};
use std::sync::LazyLock;

use proptest::prelude::*;
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, RootCertStore, SupportedProtocolVersion};

use super::super::scratch::{Rooms, Scratch};
use super::*;

/// A server and the client that trusts it, over any of these versions.
struct Pair {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Pair {
    fn speaking(version: &'static SupportedProtocolVersion) -> Self {
        let made = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let chain = vec![CertificateDer::from(made.cert)];
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(chain[0].clone()).expect("a root");
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate");
        server.ticketer = aws_lc_rs::Ticketer::new().expect("a ticketer");
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.resumption = Resumption::in_memory_sessions(8);
        Self { server: Arc::new(server), client: Arc::new(client) }
    }
}

static PAIRS: LazyLock<[Pair; 2]> = LazyLock::new(|| [Pair::speaking(&TLS12), Pair::speaking(&TLS13)]);

/// A client and a server with nothing between them.
struct Talk {
    client: ClientConnection,
    server: Session,
    /// What the client has sent and the server has not taken apart.
    incoming: Vec<u8>,
    scratch: Scratch,
    /// What the server has read.
    read: Vec<u8>,
}

impl Talk {
    fn between(pair: &Pair) -> Self {
        let name = ServerName::try_from("shop.example").expect("a name");
        Self {
            client: ClientConnection::new(Arc::clone(&pair.client), name).expect("a client"),
            server: Session::new(Arc::clone(&pair.server)).expect("a session"),
            incoming: Vec::new(),
            scratch: Scratch::default(),
            read: Vec::new(),
        }
    }

    /// The server takes so many octets more of what the client sends, and reads what it can into a room of this size.
    fn serve(&mut self, octets: &[u8], room: usize) -> io::Result<()> {
        self.incoming.extend_from_slice(octets);
        let Self { server, incoming, scratch, read, client } = self;
        scratch.lend(|Rooms { outgoing, .. }| {
            let taken = server.shake_hands(incoming, outgoing)?;
            incoming.drain(..taken);
            while !server.agreed().is_handshaking() {
                let mut room = vec![0; room];
                let mut buffer = ReadBuf::new(&mut room);
                let taken = server.decrypt(incoming, outgoing, &mut buffer)?;
                incoming.drain(..taken);
                read.extend_from_slice(buffer.filled());
                if buffer.filled().is_empty() {
                    break;
                }
            }
            take(client, outgoing.content());
            Ok(())
        })
    }

    /// All that the client has to send now, to the server in parts of these sizes.
    fn bring(&mut self, parts: &[usize], room: usize) -> io::Result<()> {
        let mut parts = parts.iter().copied().cycle();
        loop {
            let mut sent = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut sent)?;
            }
            if sent.is_empty() {
                return Ok(());
            }
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let (part, behind) = rest.split_at(parts.next().unwrap_or(1).min(rest.len()));
                self.serve(part, room)?;
                rest = behind;
            }
        }
    }

    /// The server writes all of these, and the client reads it.
    fn answer(&mut self, pieces: &[&[u8]]) -> Vec<u8> {
        let (mut slices, mut got): (Vec<_>, _) = (pieces.iter().map(|piece| IoSlice::new(piece)).collect(), Vec::new());
        let mut slices = &mut slices[..];
        while !slices.is_empty() {
            let Self { server, incoming, scratch, client, .. } = self;
            let written = scratch.lend(|Rooms { outgoing, record, .. }| {
                let written = server.encrypt(incoming, outgoing, record, slices).expect("written");
                got.extend(take(client, outgoing.content()));
                written
            });
            assert!(written > 0 || slices.iter().all(|slice| slice.is_empty()));
            IoSlice::advance_slices(&mut slices, written);
        }
        got
    }
}

/// The client takes what the server has sent, and tells what it reads.
fn take(client: &mut ClientConnection, mut octets: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    while !octets.is_empty() {
        client.read_tls(&mut octets).expect("taken");
        client.process_new_packets().expect("what a server says");
        // There may be nothing to read, which is told as an error.
        let _ = client.reader().read_to_end(&mut read);
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_lost_however_it_is_cut_up(
        newest: bool,
        parts in proptest::collection::vec(1_usize..3000, 1..8),
        room in 1_usize..20_000,
        said in proptest::collection::vec(1_usize..40_000, 1..4),
        answered in proptest::collection::vec(0_usize..50_000, 1..6),
    ) {
        let pair = &PAIRS[usize::from(newest)];
        for _ in 0..2 {
            let mut talk = Talk::between(pair);
            let said: Vec<u8> = said.iter().enumerate().flat_map(|(at, size)| vec![at as u8; *size]).collect();
            // It is sent together with the last of the handshake.
            talk.client.set_buffer_limit(None);
            talk.client.writer().write_all(&said).expect("buffered");
            talk.bring(&parts, room).expect("served");
            prop_assert!(talk.read == said && talk.incoming.is_empty());

            let pieces: Vec<Vec<u8>> = answered.iter().enumerate().map(|(at, size)| vec![at as u8; *size]).collect();
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert!(talk.answer(&pieces) == pieces.concat());

            talk.client.send_close_notify();
            talk.bring(&parts, room).expect("served");
            prop_assert!(talk.server.has_ended());
        }
    }

    #[test]
    fn what_a_peer_says_is_an_error_at_worst(octets in proptest::collection::vec(any::<u8>(), 0..2000), at in 0_usize..4000) {
        for pair in &*PAIRS {
            let mut talk = Talk::between(pair);
            let mut hello = Vec::new();
            talk.client.write_tls(&mut hello).expect("a hello");
            hello.truncate(at.min(hello.len()));
            hello.extend_from_slice(&octets);
            let _ = talk.serve(&hello, 1000);
        }
    }
}

#[test]
fn a_session_is_resumed_and_the_request_that_comes_with_its_end_is_read() {
    for pair in &[Pair::speaking(&TLS12), Pair::speaking(&TLS13)] {
        for kind in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed, rustls::HandshakeKind::Resumed] {
            let mut talk = Talk::between(pair);
            talk.client.writer().write_all(b"GET /").expect("buffered");
            talk.bring(&[usize::MAX], 4096).expect("served");
            assert_eq!((talk.server.agreed().handshake_kind(), &talk.read[..]), (Some(kind), &b"GET /"[..]));
            assert_eq!(talk.answer(&[b"HTTP/1.1 200 OK\r\n", b"", b"\r\n"]), b"HTTP/1.1 200 OK\r\n\r\n");
        }
    }
}

#[test]
fn a_peer_is_told_what_was_wrong() {
    for pair in &*PAIRS {
        let mut talk = Talk::between(pair);
        talk.bring(&[usize::MAX], 4096).expect("served");
        // A record that nobody has encrypted.
        talk.incoming.extend([23, 3, 3, 0, 40].into_iter().chain([0; 40]));
        let Talk { client, server, incoming, scratch, .. } = &mut talk;
        let alert = scratch.lend(|Rooms { outgoing, record, .. }| {
            let mut room = [0; 100];
            let error = server.decrypt(incoming, outgoing, &mut ReadBuf::new(&mut room)).expect_err("not decrypted");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            let again = server.decrypt(incoming, outgoing, &mut ReadBuf::new(&mut room)).expect_err("over");
            assert_eq!(again.kind(), io::ErrorKind::NotConnected);
            assert!(server.encrypt(&mut Vec::new(), outgoing, record, &[IoSlice::new(b"more")]).is_err());
            outgoing.content().to_vec()
        });
        client.read_tls(&mut &alert[..]).expect("taken");
        let told = client.process_new_packets().expect_err("an alert");
        assert_eq!(told, Error::AlertReceived(rustls::AlertDescription::BadRecordMac));
    }
}

#[test]
fn the_end_is_said_once() {
    for pair in &*PAIRS {
        let mut talk = Talk::between(pair);
        talk.bring(&[usize::MAX], 4096).expect("served");
        let Talk { client, server, incoming, scratch, .. } = &mut talk;
        let said = scratch.lend(|Rooms { outgoing, .. }| {
            server.close(incoming, outgoing).expect("closed");
            outgoing.content().to_vec()
        });
        client.read_tls(&mut &said[..]).expect("taken");
        assert!(client.process_new_packets().expect("an end").peer_has_closed());
        let again = scratch.lend(|Rooms { outgoing, .. }| {
            let _ = server.close(incoming, outgoing);
            outgoing.content().len()
        });
        assert_eq!(again, 0);
    }
}

#[test]
fn a_head_and_the_body_behind_it_are_one_record() {
    let mut record = vec![0; RECORD];
    let mut sizes = |pieces: &[usize], most: usize| {
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|size| vec![7; *size]).collect();
        let pieces: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let (mut slices, mut sizes, mut done) = (Slices::new(&pieces), Vec::new(), 0);
        while let Some(piece) = slices.next(&mut record, most - done) {
            done += piece.len();
            sizes.push(piece.len());
        }
        sizes
    };
    assert!(sizes(&[], AT_ONCE).is_empty());
    assert!(sizes(&[0, 0], AT_ONCE).is_empty());
    assert_eq!(sizes(&[200, 1000], AT_ONCE), [1200]);
    assert_eq!(sizes(&[0, 200, 0, 1000, 0, 5], AT_ONCE), [1205]);
    assert_eq!(sizes(&[70_000], AT_ONCE), [AT_ONCE]);
    assert_eq!(sizes(&[20_000], AT_ONCE), [20_000]);
    assert_eq!(sizes(&[200, 40_000], AT_ONCE), [GATHERED, 40_200 - GATHERED]);
    assert_eq!(sizes(&[5000, 30_000], AT_ONCE), [5000, 30_000]);
    assert_eq!(sizes(&[5000, 7], AT_ONCE), [5007]);
    assert_eq!(sizes(&[20_000, 300, 40_000], AT_ONCE), [RECORD, GATHERED, 60_300 - RECORD - GATHERED]);
    assert_eq!(sizes(&[200, 1000], 700), [700]);
}
