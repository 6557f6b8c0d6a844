//! What a client may say besides content once a handshake is over, and how often.

use rustls::{Error, HandshakeType, InvalidMessage, PeerMisbehaved};

/// Updates of the peer's keys, as they come (RFC 8446 §4.6.3): nothing else follows a handshake.
#[derive(Default)]
pub(super) struct KeyUpdates {
    /// The beginning of a message whose rest is in another record.
    begun: [u8; Self::MESSAGE.len()],
    length: usize,
    /// The peer has asked for an update of our keys.
    owed: bool,
}

impl KeyUpdates {
    /// An update that asks for none in return.
    pub(super) const MESSAGE: [u8; 5] = [24, 0, 0, 1, 0];

    /// Whether no message has begun: nothing else may come before its end (RFC 8446 §5.1).
    pub(super) const fn are_between_messages(&self) -> bool {
        self.length == 0
    }

    /// Whether one is owed to the peer; it counts as made.
    pub(super) const fn take_owed(&mut self) -> bool {
        std::mem::replace(&mut self.owed, false)
    }

    /// Reads a record; `true`: the peer's next record is under another key.
    pub(super) fn read(&mut self, payload: &[u8], patience: &mut Patience) -> Result<bool, Error> {
        if payload.is_empty() {
            return Err(InvalidMessage::InvalidEmptyPayload.into());
        }
        let room = &mut self.begun[self.length..];
        let (fitting, more) = payload.split_at(payload.len().min(room.len()));
        room[..fitting.len()].copy_from_slice(fitting);
        self.length += fitting.len();
        let begun = &self.begun[..self.length];
        match begun {
            [kind, ..] if *kind != Self::MESSAGE[0] => Err(Error::InappropriateHandshakeMessage {
                expect_types: vec![HandshakeType::KeyUpdate],
                got_type: HandshakeType::from(*kind),
            }),
            _ if !Self::MESSAGE[..4].starts_with(&begun[..begun.len().min(4)]) => {
                Err(InvalidMessage::InvalidKeyUpdate.into())
            }
            [_, _, _, _, requested] => {
                self.owed |= match requested {
                    0 => false,
                    1 => true,
                    _ => return Err(InvalidMessage::InvalidKeyUpdate.into()),
                };
                // What follows has to be under the next key.
                if !more.is_empty() {
                    return Err(PeerMisbehaved::KeyEpochWithPendingFragment.into());
                }
                self.length = 0;
                patience.asked_for_keys()?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// How often a peer may still say what costs more to answer than to say.
pub(super) struct Patience {
    warnings: u8,
    renegotiations: u8,
    /// Without content between them.
    updates: u8,
    /// Without content between them.
    empty: u8,
}

impl Default for Patience {
    /// As many as rustls and BoringSSL bear.
    fn default() -> Self {
        Self { warnings: 4, renegotiations: 1, updates: UPDATES, empty: EMPTY }
    }
}

impl Patience {
    /// Content has come, of so many octets.
    pub(super) fn heard(&mut self, octets: usize) -> Result<(), Error> {
        if octets == 0 {
            return one_less(&mut self.empty, InvalidMessage::InvalidEmptyPayload);
        }
        (self.updates, self.empty) = (UPDATES, EMPTY);
        Ok(())
    }

    pub(super) fn warned(&mut self) -> Result<(), Error> {
        one_less(&mut self.warnings, PeerMisbehaved::TooManyWarningAlertsReceived)
    }

    /// Under TLS 1.2 a client may ask for another handshake, which it is refused (RFC 5246 §7.4.1.1).
    pub(super) fn asked_to_renegotiate(&mut self, message: &[u8]) -> Result<(), Error> {
        let kind = message.first().map_or(HandshakeType::Unknown(u8::MAX), |kind| HandshakeType::from(*kind));
        if kind != HandshakeType::ClientHello {
            let expect_types = vec![HandshakeType::ClientHello];
            return Err(Error::InappropriateHandshakeMessage { expect_types, got_type: kind });
        }
        one_less(&mut self.renegotiations, PeerMisbehaved::TooManyRenegotiationRequests)
    }

    fn asked_for_keys(&mut self) -> Result<(), Error> {
        one_less(&mut self.updates, PeerMisbehaved::TooManyKeyUpdateRequests)
    }
}

fn one_less(left: &mut u8, error: impl Into<Error>) -> Result<(), Error> {
    *left = left.checked_sub(1).ok_or_else(|| error.into())?;
    Ok(())
}

const UPDATES: u8 = 32;
const EMPTY: u8 = 32;
