//! Clients to talk to: one of rustls that keeps to TLS, and one that says any record.

use std::io::{IoSlice, Read};
use std::sync::{Arc, LazyLock};

use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ServerConfig;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, HandshakeKind, RootCertStore, SupportedProtocolVersion};

use super::super::super::scratch::{Rooms, Scratch};
use super::super::super::shaking::Shaking;
use super::super::*;

/// A server and the client that trusts it, over one version with any of these suites.
pub(super) struct Pair {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Pair {
    pub(super) fn speaking(version: &'static SupportedProtocolVersion, suites: &[SupportedCipherSuite]) -> Self {
        let made = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let chain = vec![CertificateDer::from(made.cert)];
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites = suites.to_vec();
        let provider = Arc::new(provider);
        let mut roots = RootCertStore::empty();
        roots.add(chain[0].clone()).expect("a root");
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate");
        server.ticketer = aws_lc_rs::Ticketer::new().expect("a ticketer");
        server.enable_secret_extraction = true;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.resumption = Resumption::in_memory_sessions(8);
        client.enable_secret_extraction = true;
        Self { server: Arc::new(server), client: Arc::new(client) }
    }

    pub(super) fn of_any(version: &'static SupportedProtocolVersion) -> Self {
        Self::speaking(version, aws_lc_rs::DEFAULT_CIPHER_SUITES)
    }
}

pub(super) static PAIRS: LazyLock<[Pair; 2]> = LazyLock::new(|| [Pair::of_any(&TLS12), Pair::of_any(&TLS13)]);

/// The server's side, first and then.
pub(super) enum Side {
    Shaking(Box<Shaking>),
    Open(Records),
}

/// A client and a server with nothing between them.
pub(super) struct Talk {
    pub(super) client: ClientConnection,
    /// `None` for a moment.
    pub(super) server: Option<Side>,
    pub(super) kind: Option<HandshakeKind>,
    /// What the client has sent and the server has not taken apart.
    pub(super) incoming: Vec<u8>,
    pub(super) scratch: Scratch,
    /// What the server has read.
    pub(super) read: Vec<u8>,
}

impl Talk {
    pub(super) fn between(pair: &Pair) -> Self {
        let name = ServerName::try_from("shop.example").expect("a name");
        Self {
            client: ClientConnection::new(Arc::clone(&pair.client), name).expect("a client"),
            server: Some(Side::Shaking(Box::new(Shaking::new(Arc::clone(&pair.server)).expect("a session")))),
            kind: None,
            incoming: Vec::new(),
            scratch: Scratch::default(),
            read: Vec::new(),
        }
    }

    /// One that has shaken hands.
    pub(super) fn begun(pair: &Pair) -> Self {
        let mut talk = Self::between(pair);
        talk.bring(&[usize::MAX], 4096).expect("served");
        assert!(talk.incoming.is_empty() && !talk.client.is_handshaking());
        talk
    }

    pub(super) fn records(&mut self) -> &mut Records {
        match &mut self.server {
            Some(Side::Open(records)) => records,
            _ => panic!("hands are still shaken"),
        }
    }

    /// The server takes so many octets more of what the client sends, and reads what it can into a room of this size.
    pub(super) fn serve(&mut self, octets: &[u8], room: usize) -> io::Result<()> {
        let said = self.serve_raw(octets, room)?;
        take(&mut self.client, &said);
        Ok(())
    }

    /// The same; what the server says is not told to the client.
    fn serve_raw(&mut self, octets: &[u8], room: usize) -> io::Result<Vec<u8>> {
        self.incoming.extend_from_slice(octets);
        let Self { server, incoming, scratch, read, kind, .. } = self;
        scratch.lend(|Rooms { outgoing, .. }| {
            if let Some(Side::Shaking(shaking)) = server {
                let taken = shaking.go_on(incoming, outgoing)?;
                incoming.drain(..taken);
                *kind = shaking.agreed().handshake_kind();
            }
            *server = match server.take().expect("a side") {
                Side::Shaking(shaking) if shaking.is_done() => Some(Side::Open(shaking.into_records()?)),
                side => Some(side),
            };
            while let Some(Side::Open(records)) = server {
                let mut room = vec![0; room];
                let mut buffer = ReadBuf::new(&mut room);
                let taken = records.decrypt(incoming, outgoing, &mut buffer)?;
                incoming.drain(..taken);
                read.extend_from_slice(buffer.filled());
                if buffer.filled().is_empty() {
                    break;
                }
            }
            Ok(outgoing.content().to_vec())
        })
    }

    /// All that the client has to send now, to the server in parts of these sizes.
    pub(super) fn bring(&mut self, parts: &[usize], room: usize) -> io::Result<()> {
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
    pub(super) fn answer(&mut self, pieces: &[&[u8]]) -> Vec<u8> {
        let (mut slices, mut got): (Vec<_>, _) = (pieces.iter().map(|piece| IoSlice::new(piece)).collect(), Vec::new());
        let mut slices = &mut slices[..];
        while !slices.is_empty() {
            let (written, said) = self.write(slices);
            let written = written.expect("written");
            got.extend(take(&mut self.client, &said));
            assert!(written > 0 || slices.iter().all(|slice| slice.is_empty()));
            IoSlice::advance_slices(&mut slices, written);
        }
        got
    }

    pub(super) fn write(&mut self, slices: &[IoSlice<'_>]) -> (io::Result<usize>, Vec<u8>) {
        let Self { server: Some(Side::Open(records)), scratch, .. } = self else { panic!("hands are still shaken") };
        scratch.lend(|Rooms { outgoing, record, .. }| {
            let written = records.encrypt(outgoing, record, slices);
            (written, outgoing.content().to_vec())
        })
    }
}

/// The client takes what the server has sent, and tells what it reads.
pub(super) fn take(client: &mut ClientConnection, mut octets: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    while !octets.is_empty() {
        client.read_tls(&mut octets).expect("taken");
        client.process_new_packets().expect("what a server says");
        // There may be nothing to read, which is told as an error.
        let _ = client.reader().read_to_end(&mut read);
    }
    read
}

/// A client that has shaken hands and says any record from then on.
pub(super) struct Loose {
    pub(super) talk: Talk,
    sealer: Sealer,
    scratch: Scratch,
    /// Opens what the server says.
    opener: Opener,
}

impl Loose {
    pub(super) fn from(pair: &Pair) -> Self {
        let talk = Talk::begun(pair);
        let Talk { client, .. } = talk;
        let name = ServerName::try_from("shop.example").expect("a name");
        let other = ClientConnection::new(Arc::clone(&pair.client), name).expect("a client");
        let suite = client.negotiated_cipher_suite().expect("a suite");
        let secrets = client.dangerous_extract_secrets().expect("keys");
        let sealer = Sealer::new(&secrets.tx.1, secrets.tx.0, suite).expect("a sealer");
        let opener = Opener::new(secrets.rx.1, secrets.rx.0, suite).expect("an opener");
        Self { talk: Talk { client: other, ..talk }, sealer, scratch: Scratch::default(), opener }
    }

    /// Says one record, and hears what the server says to it.
    pub(super) fn say(&mut self, kind: ContentType, content: &[u8]) -> io::Result<Vec<(ContentType, Vec<u8>)>> {
        let sealer = &mut self.sealer;
        let record = self.scratch.lend(|rooms| {
            sealer.seal(kind, content, &mut rooms.outgoing).expect("sealed");
            rooms.outgoing.content().to_vec()
        });
        let said = self.talk.serve_raw(&record, 4096)?;
        Ok(self.heard(said))
    }

    /// Says one record that is an error, and hears the alert.
    pub(super) fn say_wrong(&mut self, kind: ContentType, content: &[u8]) -> (Error, Vec<(ContentType, Vec<u8>)>) {
        let sealer = &mut self.sealer;
        let mut record = self.scratch.lend(|rooms| {
            sealer.seal(kind, content, &mut rooms.outgoing).expect("sealed");
            rooms.outgoing.content().to_vec()
        });
        self.bring_wrong(&mut record)
    }

    pub(super) fn bring_wrong(&mut self, record: &mut [u8]) -> (Error, Vec<(ContentType, Vec<u8>)>) {
        let Talk { server: Some(Side::Open(records)), scratch, .. } = &mut self.talk else {
            panic!("hands are shaken")
        };
        let (error, said) = scratch.lend(|Rooms { outgoing, .. }| {
            let mut room = [0; 100];
            let error = records.decrypt(record, outgoing, &mut ReadBuf::new(&mut room)).expect_err("refused");
            let again = records.decrypt(&mut [], outgoing, &mut ReadBuf::new(&mut room)).expect_err("over");
            assert_eq!((error.kind(), again.kind()), (io::ErrorKind::InvalidData, io::ErrorKind::NotConnected));
            (error, outgoing.content().to_vec())
        });
        assert!(self.talk.write(&[IoSlice::new(b"more")]).0.is_err());
        let error = error.into_inner().expect("of TLS").downcast::<Error>().expect("of TLS");
        (*error, self.heard(said))
    }

    fn heard(&mut self, mut said: Vec<u8>) -> Vec<(ContentType, Vec<u8>)> {
        let (mut rest, mut heard) = (&mut said[..], Vec::new());
        while let Some(length) = whole_record(rest) {
            let (record, behind) = rest.split_at_mut(length);
            let opaque = InboundOpaqueMessage::new(
                ContentType::from(record[0]),
                ProtocolVersion::TLSv1_2,
                &mut record[HEADER..],
            );
            let plain = self.opener.open(opaque).expect("what the server says");
            heard.push((plain.typ, plain.payload.to_vec()));
            rest = behind;
        }
        assert!(rest.is_empty());
        heard
    }
}

/// The alert as it is heard.
pub(super) fn fatal(alert: AlertDescription) -> Vec<(ContentType, Vec<u8>)> {
    vec![(ContentType::Alert, vec![FATAL, alert.into()])]
}
