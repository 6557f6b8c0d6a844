//! Rooms that a worker lends to the connection whose turn it is: what comes is taken apart in them and what goes is put together, so that no
//! connection holds buffers while it waits.

use std::cell::RefCell;
use std::io;

use rustls::Error;
use rustls::unbuffered::{EncodeError, InsufficientSizeError};

use crate::proxy::buffer::INSET;

/// A worker's rooms.
pub(in crate::proxy) struct Scratch(RefCell<Rooms>);

/// What is lent for one turn.
pub(super) struct Rooms {
    /// Octets that came from the peer, at the beginning.
    pub(super) incoming: Vec<u8>,
    pub(super) outgoing: Outgoing,
    /// Where small pieces become one record.
    pub(super) record: Record,
}

/// Room for the content of a record.
pub(super) struct Record(Box<[u8]>);

impl Record {
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.0[INSET..]
    }
}

impl Scratch {
    /// Runs `turn` with the rooms: no turn waits, so that there is one at a time.
    pub(super) fn lend<T>(&self, turn: impl FnOnce(&mut Rooms) -> T) -> T {
        let rooms = &mut self.0.borrow_mut();
        rooms.outgoing.clear();
        turn(rooms)
    }
}

impl Rooms {
    /// Puts what came before into the room, and tells how much that is.
    pub(super) fn put(&mut self, octets: &[u8]) -> usize {
        if self.incoming.len() < octets.len() {
            self.incoming.resize(octets.len(), 0);
        }
        self.incoming[..octets.len()].copy_from_slice(octets);
        octets.len()
    }

    /// The room behind what is `held`.
    ///
    /// # Errors
    /// When the peer says more than any message is long, without an end.
    pub(super) fn room_behind(&mut self, held: usize) -> io::Result<&mut [u8]> {
        if held == self.incoming.len() {
            if held > MOST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, Error::PeerSentOversizedRecord));
            }
            self.incoming.resize(held + INCOMING, 0);
        }
        Ok(&mut self.incoming[held..])
    }

    /// Forgets what is done with, of what is `held`.
    pub(super) fn forget(&mut self, taken: usize, held: &mut usize) {
        if taken > 0 {
            self.incoming.copy_within(taken..*held, 0);
            *held -= taken;
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self(RefCell::new(Rooms {
            incoming: vec![0; INCOMING],
            outgoing: Outgoing { octets: vec![0; BEGIN + OUTGOING], end: BEGIN },
            record: Record(vec![0; INSET + RECORD].into()),
        }))
    }
}

/// TLS records on their way to the peer.
pub(super) struct Outgoing {
    /// As long as the room; the content begins at [`BEGIN`].
    octets: Vec<u8>,
    end: usize,
}

impl Outgoing {
    pub(super) fn content(&self) -> &[u8] {
        &self.octets[BEGIN..self.end]
    }

    pub(super) fn clear(&mut self) {
        self.end = BEGIN;
    }

    /// Adds what is in the form it has on the wire.
    pub(super) fn add(&mut self, octets: &[u8]) {
        self.make_room(octets.len());
        self.octets[self.end..][..octets.len()].copy_from_slice(octets);
        self.end += octets.len();
    }

    /// Adds what rustls puts into the room, which is asked again where it tells that the room was too small.
    pub(super) fn add_by(
        &mut self,
        mut write: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
    ) -> Result<(), EncodeError> {
        loop {
            match write(&mut self.octets[self.end..]) {
                Ok(written) => {
                    self.end += written;
                    return Ok(());
                }
                Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                    self.make_room(required_size);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Adds so many octets, which `write` puts into the room; where it fails, none.
    pub(super) fn add_whole<E>(
        &mut self,
        octets: usize,
        write: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.make_room(octets);
        write(&mut self.octets[self.end..][..octets])?;
        self.end += octets;
        Ok(())
    }

    fn make_room(&mut self, room: usize) {
        if self.octets.len() - self.end < room {
            self.octets.resize(self.end + room, 0);
        }
    }
}

/// Half a page from where what is sealed begins, as [`crate::proxy::buffer`] tells: reading and writing at almost the same place of two pages
/// is slow.
const BEGIN: usize = INSET + 2048;
/// The content of the largest record (RFC 8446 §5.1).
pub(super) const RECORD: usize = 1 << 14;
/// The largest record, encrypted (RFC 5246 §6.2.3), and the beginning of the next.
const INCOMING: usize = RECORD + 5 + 2048 + 512;
/// The longest handshake message that rustls reads.
const MOST: usize = 1 << 16;
/// What is encrypted at once: a head with a body of 64 KiB, so that a few octets of it do not go out by themselves.
pub(super) const AT_ONCE: usize = 6 * RECORD;
/// With what encryption adds, and what may go before it: tickets, a change of keys.
const OUTGOING: usize = AT_ONCE + 8 * 1024;
