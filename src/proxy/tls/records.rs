//! The records of a session without a socket: they go in and out of buffers that their caller lends. rustls has agreed on the keys, and
//! makes those that follow them; it also takes apart what comes. What goes is sealed here, as [`super::sealer`] tells.

use std::io;

use bytes::{Buf, BytesMut};
use rustls::crypto::cipher::{InboundOpaqueMessage, InboundPlainMessage, MessageDecrypter};
use rustls::kernel::KernelConnection;
use rustls::server::ServerConnectionData;
use rustls::{
    AlertDescription, ConnectionTrafficSecrets, ContentType, Error, ExtractedSecrets, InvalidMessage, ProtocolVersion,
    SupportedCipherSuite,
};
use tokio::io::ReadBuf;

use super::post_handshake::{KeyUpdates, Patience};
use super::scratch::{AT_ONCE, Outgoing, RECORD, Record};
use super::sealer::{HEADER, Sealer};
use super::slices::Slices;

/// The server's side of a session whose keys are agreed on.
pub(super) struct Records {
    sealer: Sealer,
    opener: Opener,
    suite: SupportedCipherSuite,
    /// Where the next keys come from; TLS 1.2 has none (RFC 8446 §7.2).
    keys: Option<Box<KernelConnection<ServerConnectionData>>>,
    updates: KeyUpdates,
    patience: Patience,
    /// What was decrypted and found no room with its reader.
    surplus: BytesMut,
    /// The peer has said that nothing follows.
    peer_closed: bool,
    /// Nothing more is said to the peer: it was told that nothing follows, or what it did wrong.
    closed: bool,
    /// The peer did not keep to TLS.
    broken: bool,
}

/// A key that records are opened with, and how many were.
struct Opener {
    decrypter: Box<dyn MessageDecrypter>,
    sequence: u64,
}

/// What a peer did wrong, and the alert that tells it so; `None`: it knows.
struct Fault(Error, Option<AlertDescription>);

impl Records {
    pub(super) fn new(secrets: ExtractedSecrets, keys: KernelConnection<ServerConnectionData>) -> Result<Self, Error> {
        let ExtractedSecrets { tx: (sealed, seals), rx: (opened, opens) } = secrets;
        let suite = keys.negotiated_cipher_suite();
        Ok(Self {
            sealer: Sealer::new(&seals, sealed, suite)?,
            opener: Opener::new(opens, opened, suite)?,
            suite,
            keys: (keys.protocol_version() == ProtocolVersion::TLSv1_3).then(|| Box::new(keys)),
            updates: KeyUpdates::default(),
            patience: Patience::default(),
            surplus: BytesMut::new(),
            peer_closed: false,
            closed: false,
            broken: false,
        })
    }

    /// Whether the peer has ended in order, and all it said was read.
    pub(super) fn has_ended(&self) -> bool {
        self.peer_closed && self.surplus.is_empty()
    }

    /// Decrypts what came into `buffer`, until that is full or nothing whole is left; tells how much of `incoming` is done with.
    ///
    /// # Errors
    /// When the peer does not keep to TLS; the alert that tells it so is put out.
    pub(super) fn decrypt(
        &mut self,
        incoming: &mut [u8],
        outgoing: &mut Outgoing,
        buffer: &mut ReadBuf<'_>,
    ) -> io::Result<usize> {
        if self.broken {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.give(buffer);
        let mut taken = 0;
        while self.surplus.is_empty() && buffer.remaining() > 0 && !self.peer_closed {
            match self.open_one(&mut incoming[taken..], outgoing, buffer) {
                Ok(0) => break,
                Ok(octets) => taken += octets,
                Err(fault) => return Err(self.refuse(fault, outgoing)),
            }
        }
        if self.updates.take_owed() && !self.closed {
            self.update_seals(outgoing).map_err(invalid)?;
        }
        Ok(taken)
    }

    /// Encrypts what is written, up to [`AT_ONCE`] octets, and tells how much that was.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`] when the session has ended; TLS 1.2 has to end it when its key wears out.
    pub(super) fn encrypt(
        &mut self,
        outgoing: &mut Outgoing,
        record: &mut Record,
        slices: &[io::IoSlice<'_>],
    ) -> io::Result<usize> {
        if self.broken || self.closed {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let (mut slices, mut done) = (Slices::new(slices), 0);
        while let Some(piece) = slices.next(record.room(), AT_ONCE - done) {
            for content in piece.chunks(RECORD) {
                if self.sealer.is_worn() {
                    self.renew_seals(outgoing)?;
                }
                self.sealer.seal(ContentType::ApplicationData, content, outgoing).map_err(invalid)?;
            }
            done += piece.len();
        }
        Ok(done)
    }

    /// Says that nothing follows (RFC 8446 §6.1), once.
    pub(super) fn close(&mut self, outgoing: &mut Outgoing) {
        self.say(WARNING, AlertDescription::CloseNotify, outgoing);
        self.closed = true;
    }

    /// Takes the first record, and tells how long it is: 0, when it is not whole.
    fn open_one(
        &mut self,
        incoming: &mut [u8],
        outgoing: &mut Outgoing,
        buffer: &mut ReadBuf<'_>,
    ) -> Result<usize, Fault> {
        let Some(header) = incoming.first_chunk() else { return Ok(0) };
        let (kind, version, length) = read_header(*header, self.keys.is_some())?;
        let Some(payload) = incoming.get_mut(HEADER..HEADER + length) else { return Ok(0) };
        let plain = self.opener.open(InboundOpaqueMessage::new(kind, version, payload))?;
        match plain.typ {
            ContentType::ApplicationData if self.updates.are_between_messages() => {
                self.patience.heard(plain.payload.len())?;
                let (fitting, more) = plain.payload.split_at(plain.payload.len().min(buffer.remaining()));
                buffer.put_slice(fitting);
                self.surplus.extend_from_slice(more);
            }
            ContentType::Alert if self.updates.are_between_messages() => self.heed(plain.payload)?,
            ContentType::Handshake => match &mut self.keys {
                Some(keys) => {
                    if self.updates.read(plain.payload, &mut self.patience)? {
                        let (sequence, secrets) = keys.update_rx_secret()?;
                        self.opener = Opener::new(secrets, sequence, self.suite)?;
                    }
                }
                None => {
                    self.patience.asked_to_renegotiate(plain.payload)?;
                    self.say(WARNING, AlertDescription::NoRenegotiation, outgoing);
                }
            },
            kind => return Err(unexpected(kind)),
        }
        Ok(HEADER + length)
    }

    /// What the peer alerts to (RFC 8446 §6, RFC 5246 §7.2).
    fn heed(&mut self, alert: &[u8]) -> Result<(), Fault> {
        let &[level, description] = alert else {
            return Err(Fault(InvalidMessage::TrailingData("alert").into(), Some(AlertDescription::DecodeError)));
        };
        let description = AlertDescription::from(description);
        let told = Error::AlertReceived(description);
        match level {
            WARNING | FATAL if description == AlertDescription::CloseNotify => self.peer_closed = true,
            FATAL => return Err(Fault(told, None)),
            WARNING if self.keys.is_none() || description == AlertDescription::UserCanceled => {
                self.patience.warned()?
            }
            WARNING => return Err(Fault(told, Some(AlertDescription::DecodeError))),
            _ => return Err(Fault(told, Some(AlertDescription::IllegalParameter))),
        }
        Ok(())
    }

    /// Another key before the last one has sealed all it may.
    fn renew_seals(&mut self, outgoing: &mut Outgoing) -> io::Result<()> {
        if self.keys.is_some() {
            return self.update_seals(outgoing).map_err(invalid);
        }
        self.close(outgoing);
        Err(io::ErrorKind::NotConnected.into())
    }

    /// Tells the peer that another key follows (RFC 8446 §4.6.3), and takes it.
    fn update_seals(&mut self, outgoing: &mut Outgoing) -> Result<(), Error> {
        let Some(keys) = &mut self.keys else { return Ok(()) };
        self.sealer.seal(ContentType::Handshake, &KeyUpdates::MESSAGE, outgoing)?;
        let (sequence, secrets) = keys.update_tx_secret()?;
        self.sealer = Sealer::new(&secrets, sequence, self.suite)?;
        Ok(())
    }

    /// Ends the session with the alert that tells the peer why.
    fn refuse(&mut self, Fault(error, alert): Fault, outgoing: &mut Outgoing) -> io::Error {
        if let Some(alert) = alert {
            self.say(FATAL, alert, outgoing);
        }
        (self.broken, self.closed) = (true, true);
        invalid(error)
    }

    /// Puts out an alert, unless the last one was. Best effort: whoever cannot be told notices the end of the connection.
    fn say(&mut self, level: u8, alert: AlertDescription, outgoing: &mut Outgoing) {
        if self.closed {
            return;
        }
        let _ = self.sealer.seal(ContentType::Alert, &[level, alert.into()], outgoing);
    }

    /// Hands out what is left over.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let given = self.surplus.len().min(buffer.remaining());
        if given == 0 {
            return;
        }
        buffer.put_slice(&self.surplus[..given]);
        self.surplus.advance(given);
        if self.surplus.is_empty() {
            self.surplus = BytesMut::new();
        }
    }

    /// The keys wear out with so many records more.
    #[cfg(test)]
    pub(super) const fn wear(&mut self, records: u64) {
        self.sealer.wear(records);
    }
}

impl Opener {
    fn new(secrets: ConnectionTrafficSecrets, sequence: u64, suite: SupportedCipherSuite) -> Result<Self, Error> {
        let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
        else {
            return Err(Error::General("a cipher without a name here".into()));
        };
        let decrypter = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.decrypter(key, iv),
            SupportedCipherSuite::Tls12(suite) => {
                let fixed = suite.aead_alg.key_block_shape().fixed_iv_len;
                suite.aead_alg.decrypter(key, &iv.as_ref()[..fixed])
            }
        };
        Ok(Self { decrypter, sequence })
    }

    fn open<'a>(&mut self, record: InboundOpaqueMessage<'a>) -> Result<InboundPlainMessage<'a>, Error> {
        let plain = self.decrypter.decrypt(record, self.sequence)?;
        self.sequence += 1;
        Ok(plain)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let alert = match &error {
            Error::DecryptError => AlertDescription::BadRecordMac,
            Error::PeerSentOversizedRecord => AlertDescription::RecordOverflow,
            Error::InvalidMessage(InvalidMessage::InvalidKeyUpdate) => AlertDescription::IllegalParameter,
            Error::InvalidMessage(_) => AlertDescription::DecodeError,
            Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::PeerMisbehaved(_) => AlertDescription::UnexpectedMessage,
            _ => AlertDescription::InternalError,
        };
        Self(error, Some(alert))
    }
}

/// The kind, the version and the length of a record, by its header.
fn read_header(header: [u8; HEADER], tls13: bool) -> Result<(ContentType, ProtocolVersion, usize), Fault> {
    let [kind, major, minor, long, short] = header;
    let (kind, length) = (ContentType::from(kind), usize::from(u16::from_be_bytes([long, short])));
    let known = [ContentType::ApplicationData, ContentType::Alert, ContentType::Handshake];
    match kind {
        _ if major != MAJOR => Err(Error::from(InvalidMessage::UnknownProtocolVersion).into()),
        ContentType::Unknown(_) => Err(Error::from(InvalidMessage::InvalidContentType).into()),
        // Under TLS 1.3, what a record holds is told inside (RFC 8446 §5.2).
        _ if !known[..if tls13 { 1 } else { known.len() }].contains(&kind) => Err(unexpected(kind)),
        _ if length > RECORD + if tls13 { MORE_13 } else { MORE_12 } => Err(Error::PeerSentOversizedRecord.into()),
        _ => Ok((kind, ProtocolVersion::from(u16::from_be_bytes([major, minor])), length)),
    }
}

fn unexpected(kind: ContentType) -> Fault {
    Error::InappropriateMessage { expect_types: vec![ContentType::ApplicationData], got_type: kind }.into()
}

/// How long the first record is, if it is whole.
pub(super) fn whole_record(octets: &[u8]) -> Option<usize> {
    let [_, _, _, long, short] = octets.first_chunk::<HEADER>()?;
    let length = HEADER + usize::from(u16::from_be_bytes([*long, *short]));
    (octets.len() >= length).then_some(length)
}

/// A TLS error as a stream tells it.
pub(super) fn invalid(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// RFC 8446 §6
const WARNING: u8 = 1;
pub(super) const FATAL: u8 = 2;
/// The versions that are spoken (RFC 8446 §5.1).
const MAJOR: u8 = 3;
/// What encryption may add to a record under TLS 1.3 (RFC 8446 §5.2) and TLS 1.2 (RFC 5246 §6.2.3).
const MORE_13: usize = 256;
const MORE_12: usize = 2048;

#[cfg(test)]
mod tests;
