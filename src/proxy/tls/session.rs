//! A TLS session without a socket: records go in and out of buffers that its caller lends.

use std::io;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use rustls::server::{ServerConfig, ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus, WriteTraffic};
use rustls::{CommonState, Error};
use tokio::io::ReadBuf;

use super::scratch::{AT_ONCE, Outgoing, RECORD, Record};

/// The server's side of a session.
pub(super) struct Session {
    rustls: UnbufferedServerConnection,
    /// What was decrypted and found no room with its reader.
    surplus: BytesMut,
    /// The peer has said that nothing follows.
    peer_closed: bool,
    /// The peer did not keep to TLS, and was told so.
    broken: bool,
}

impl Session {
    pub(super) fn new(config: Arc<ServerConfig>) -> io::Result<Self> {
        let rustls = UnbufferedServerConnection::new(config).map_err(invalid)?;
        Ok(Self { rustls, surplus: BytesMut::new(), peer_closed: false, broken: false })
    }

    /// What was agreed on.
    pub(super) fn agreed(&self) -> &CommonState {
        &self.rustls
    }

    /// Whether the peer has ended in order, and all it said was read.
    pub(super) fn has_ended(&self) -> bool {
        self.peer_closed && self.surplus.is_empty()
    }

    /// Goes on with the handshake by what came, and tells how much of that is done with. What rustls decrypts behind the handshake is kept.
    ///
    /// # Errors
    /// When the peer does not keep to TLS; the alert that tells it so is put out.
    pub(super) fn shake_hands(&mut self, incoming: &mut [u8], outgoing: &mut Outgoing) -> io::Result<usize> {
        self.is_whole()?;
        let mut taken = 0;
        while self.rustls.is_handshaking() {
            let UnbufferedStatus { discard, state } = self.rustls.process_tls_records(&mut incoming[taken..]);
            taken += discard;
            let surplus = &mut self.surplus;
            let step = match state {
                Ok(state) => {
                    go_on(state, outgoing, &mut self.peer_closed, |payload| surplus.extend_from_slice(payload))?
                }
                Err(error) => return Err(self.refused(error, outgoing)),
            };
            match step {
                Step::On(more) => taken += more,
                Step::Done | Step::MayWrite(_) => break,
            }
        }
        Ok(taken)
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
        self.is_whole()?;
        self.give(buffer);
        let mut taken = 0;
        while self.surplus.is_empty() && buffer.remaining() > 0 && !self.peer_closed {
            let UnbufferedStatus { discard, state } = self.rustls.process_tls_records(&mut incoming[taken..]);
            taken += discard;
            let surplus = &mut self.surplus;
            let step = match state {
                Ok(state) => go_on(state, outgoing, &mut self.peer_closed, |payload| {
                    let (fitting, more) = payload.split_at(payload.len().min(buffer.remaining()));
                    buffer.put_slice(fitting);
                    surplus.extend_from_slice(more);
                })?,
                Err(error) => return Err(self.refused(error, outgoing)),
            };
            match step {
                Step::On(more) => taken += more,
                Step::Done | Step::MayWrite(_) => break,
            }
        }
        Ok(taken)
    }

    /// Encrypts what is written, up to [`AT_ONCE`] octets, and tells how much that was. What has come and was not read yet is in `incoming`,
    /// from which that is taken which has to be understood first.
    pub(super) fn encrypt(
        &mut self,
        incoming: &mut Vec<u8>,
        outgoing: &mut Outgoing,
        record: &mut Record,
        slices: &[io::IoSlice<'_>],
    ) -> io::Result<usize> {
        self.write(incoming, outgoing, |traffic, outgoing| {
            let (mut slices, mut done) = (Slices::new(slices), 0);
            while let Some(piece) = slices.next(record.room(), AT_ONCE - done) {
                outgoing.add_by(|room| traffic.encrypt(piece, room)).map_err(io::Error::other)?;
                done += piece.len();
            }
            Ok(done)
        })
    }

    /// Says that nothing follows (RFC 8446 §6.1).
    pub(super) fn close(&mut self, incoming: &mut Vec<u8>, outgoing: &mut Outgoing) -> io::Result<()> {
        self.write(incoming, outgoing, |traffic, outgoing| {
            outgoing.add_by(|room| traffic.queue_close_notify(room)).map_err(io::Error::other)
        })
    }

    /// Comes to where the session may be written to, and has `write` do so.
    fn write<T>(
        &mut self,
        incoming: &mut Vec<u8>,
        outgoing: &mut Outgoing,
        write: impl FnOnce(&mut WriteTraffic<'_, ServerConnectionData>, &mut Outgoing) -> io::Result<T>,
    ) -> io::Result<T> {
        self.is_whole()?;
        loop {
            let UnbufferedStatus { discard, state } = self.rustls.process_tls_records(incoming);
            let surplus = &mut self.surplus;
            let step = match state {
                Ok(state) => {
                    go_on(state, outgoing, &mut self.peer_closed, |payload| surplus.extend_from_slice(payload))?
                }
                Err(error) => return Err(self.refused(error, outgoing)),
            };
            match step {
                Step::MayWrite(mut traffic) => {
                    let written = write(&mut traffic, outgoing);
                    incoming.drain(..discard);
                    return written;
                }
                Step::Done => return Err(io::ErrorKind::NotConnected.into()),
                Step::On(more) => drop(incoming.drain(..discard + more)),
            }
        }
    }

    /// Puts out the alert that tells the peer of `error`, which ends the session.
    fn refused(&mut self, error: Error, outgoing: &mut Outgoing) -> io::Error {
        self.broken = true;
        while self.rustls.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) = self.rustls.process_tls_records(&mut []).state
            && outgoing.add_by(|room| data.encode(room)).is_ok()
        {}
        invalid(error)
    }

    /// Nothing more is to be had of a session that is broken.
    fn is_whole(&self) -> io::Result<()> {
        if self.broken { Err(io::ErrorKind::NotConnected.into()) } else { Ok(()) }
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
}

/// What comes after a step.
enum Step<'c, Data> {
    /// Another one, with so many octets fewer than rustls has told.
    On(usize),
    /// The session may be written to; there is nothing to read.
    MayWrite(WriteTraffic<'c, Data>),
    /// Nothing, before more has come.
    Done,
}

/// Does what rustls asks for: what it has to send is put out, what it has decrypted goes to `deliver`.
fn go_on<'c, Data>(
    state: ConnectionState<'c, '_, Data>,
    outgoing: &mut Outgoing,
    peer_closed: &mut bool,
    mut deliver: impl FnMut(&[u8]),
) -> io::Result<Step<'c, Data>> {
    let mut more = 0;
    match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record.map_err(invalid)?;
                more += record.discard;
                deliver(record.payload);
            }
        }
        ConnectionState::EncodeTlsData(mut data) => {
            outgoing.add_by(|room| data.encode(room)).map_err(io::Error::other)?
        }
        // It goes with the rest, of which the caller takes care.
        ConnectionState::TransmitTlsData(data) => data.done(),
        ConnectionState::PeerClosed => *peer_closed = true,
        ConnectionState::WriteTraffic(traffic) => return Ok(Step::MayWrite(traffic)),
        ConnectionState::BlockedHandshake | ConnectionState::Closed => return Ok(Step::Done),
        // No configuration allows for early data.
        _ => return Err(invalid(Error::General("rustls is in a state that has no name here".into()))),
    }
    Ok(Step::On(more))
}

/// What is written, in pieces that become records.
struct Slices<'s, 'i> {
    slices: &'s [io::IoSlice<'i>],
    /// How much of the first is done with.
    done: usize,
    /// Octets that are left.
    left: usize,
}

impl<'s, 'i> Slices<'s, 'i> {
    fn new(slices: &'s [io::IoSlice<'i>]) -> Self {
        Self { slices, done: 0, left: slices.iter().map(|slice| slice.len()).sum() }
    }

    /// The next piece, of at most `most` octets. What is small is gathered in `record`, as a head and the body behind it; more than that is
    /// not copied for the sake of a record.
    fn next<'p>(&mut self, record: &'p mut [u8], most: usize) -> Option<&'p [u8]>
    where
        's: 'p,
    {
        self.skip_empty();
        let (first, behind) = self.slices.split_first()?;
        if most == 0 {
            return None;
        }
        let rest = &first[self.done..];
        if !behind.is_empty() && (self.left <= RECORD || rest.len() < GATHERED) {
            let room = if self.left <= RECORD { RECORD } else { GATHERED };
            return Some(self.gather(&mut record[..room.min(most)]));
        }
        let whole = rest.len() - rest.len() % RECORD;
        let length = if behind.is_empty() || whole == 0 { rest.len() } else { whole };
        let piece = &rest[..length.min(most)];
        self.go_on(piece.len());
        Some(piece)
    }

    /// Fills `room`, as far as there is something to fill it.
    fn gather<'p>(&mut self, room: &'p mut [u8]) -> &'p [u8] {
        let mut filled = 0;
        while let [first, ..] = self.slices
            && filled < room.len()
        {
            let rest = &first[self.done..];
            let part = &rest[..rest.len().min(room.len() - filled)];
            room[filled..][..part.len()].copy_from_slice(part);
            filled += part.len();
            self.go_on(part.len());
            self.skip_empty();
        }
        &room[..filled]
    }

    fn go_on(&mut self, octets: usize) {
        self.done += octets;
        self.left -= octets;
    }

    fn skip_empty(&mut self) {
        while let [first, behind @ ..] = self.slices
            && self.done == first.len()
        {
            (self.slices, self.done) = (behind, 0);
        }
    }
}

/// Slices are gathered up to this many octets where they are more than one record: a record costs less than copying more.
const GATHERED: usize = 4096;

/// A TLS error as a stream tells it.
fn invalid(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests;
