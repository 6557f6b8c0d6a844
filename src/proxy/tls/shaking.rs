//! A handshake without a socket: rustls has it, until the keys are agreed on.

use std::io;
use std::sync::Arc;

use rustls::server::{ServerConfig, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{CommonState, Error};

use super::records::{Records, invalid, whole_record};
use super::scratch::Outgoing;

/// The server's side of a handshake.
pub(super) struct Shaking {
    rustls: UnbufferedServerConnection,
    /// How many octets, of those that came and are not done with, rustls was shown: a message may take several records.
    shown: usize,
}

impl Shaking {
    pub(super) fn new(config: Arc<ServerConfig>) -> io::Result<Self> {
        let rustls = UnbufferedServerConnection::new(config).map_err(invalid)?;
        Ok(Self { rustls, shown: 0 })
    }

    /// What was agreed on.
    pub(super) fn agreed(&self) -> &CommonState {
        &self.rustls
    }

    /// Whether the keys are agreed on.
    pub(super) fn is_done(&self) -> bool {
        !self.rustls.is_handshaking()
    }

    /// Goes on by what came, and tells how much of that is done with. rustls is shown one record more at a time: what is behind the last of
    /// the handshake is for the keys that were agreed on.
    ///
    /// # Errors
    /// When the peer does not keep to TLS; the alert that tells it so is put out.
    pub(super) fn go_on(&mut self, incoming: &mut [u8], outgoing: &mut Outgoing) -> io::Result<usize> {
        let mut taken = 0;
        while self.rustls.is_handshaking() {
            let step = self.step(&mut incoming[taken..][..self.shown], outgoing)?;
            taken += step.taken;
            self.shown -= step.taken;
            if step.waits {
                let Some(record) = whole_record(&incoming[taken + self.shown..]) else {
                    // It may be clear by now that it never becomes one.
                    self.step(&mut incoming[taken..], outgoing)?;
                    return Ok(taken);
                };
                self.shown += record;
            }
        }
        // What it says last.
        while self.rustls.wants_write() {
            self.step(&mut [], outgoing)?;
        }
        Ok(taken)
    }

    /// The records that follow the handshake.
    ///
    /// # Errors
    /// When the handshake is not done.
    pub(super) fn into_records(self) -> io::Result<Records> {
        let (secrets, keys) = self.rustls.dangerous_into_kernel_connection().map_err(invalid)?;
        Records::new(secrets, keys).map_err(invalid)
    }

    fn step(&mut self, incoming: &mut [u8], outgoing: &mut Outgoing) -> io::Result<Step> {
        let UnbufferedStatus { discard, state } = self.rustls.process_tls_records(incoming);
        let mut waits = false;
        match state {
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                outgoing.add_by(|room| data.encode(room)).map_err(io::Error::other)?;
            }
            // It goes with the rest, of which the caller takes care.
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => waits = true,
            // No configuration allows for early data, and there is no other before the handshake is done.
            Ok(_) => return Err(invalid(Error::General("rustls is in a state that has no name here".into()))),
            Err(error) => {
                self.say_alert(outgoing);
                return Err(invalid(error));
            }
        }
        Ok(Step { taken: discard, waits })
    }

    /// Puts out the alert that tells the peer what it did wrong.
    fn say_alert(&mut self, outgoing: &mut Outgoing) {
        while self.rustls.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) = self.rustls.process_tls_records(&mut []).state
            && outgoing.add_by(|room| data.encode(room)).is_ok()
        {}
    }
}

/// What a step came to.
struct Step {
    /// So many octets are done with.
    taken: usize,
    /// It goes on when more has come.
    waits: bool,
}
