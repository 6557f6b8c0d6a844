//! A socket with what is on its way through it. Between its turns a connection holds what it has not sent and the beginning of a record that
//! has not come whole, and nothing else: the rooms to work in are the worker's.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::scratch::{Outgoing, Rooms, Scratch};
use crate::proxy::socket::Socket;

/// A socket under TLS.
pub(super) struct Wire {
    socket: Socket,
    scratch: Rc<Scratch>,
    /// What has come and is not taken apart yet.
    incoming: Vec<u8>,
    /// What is encrypted and has not gone yet.
    unsent: BytesMut,
    /// The socket has refused a part of it: nothing is written before that has gone.
    stalled: bool,
}

impl Wire {
    /// A wire over which `incoming` has come.
    pub(super) fn new(socket: Socket, incoming: Vec<u8>, scratch: Rc<Scratch>) -> Self {
        Self { socket, scratch, incoming, unsent: BytesMut::new(), stalled: false }
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(super) fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Whether something waits for its way out that the socket has refused before.
    pub(super) const fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// Runs `turn` with what has come before it in the worker's rooms; how long that is by now stands in its last argument. What it leaves
    /// there is kept.
    pub(super) fn with_rooms<T>(&mut self, turn: impl FnOnce(&mut Self, &mut Rooms, &mut usize) -> T) -> T {
        let scratch = Rc::clone(&self.scratch);
        scratch.lend(|rooms| {
            let mut held = rooms.put(&self.incoming);
            let result = turn(self, rooms, &mut held);
            if held > 0 {
                self.incoming.clear();
                self.incoming.reserve_exact(held);
                self.incoming.extend_from_slice(&rooms.incoming[..held]);
            } else if self.incoming.capacity() > 0 {
                self.incoming = Vec::new();
            }
            result
        })
    }

    /// Runs `turn` with the room for what goes out, in which what has not gone yet is first.
    pub(super) fn with_outgoing<T>(&mut self, turn: impl FnOnce(&mut Self, &mut Rooms) -> T) -> T {
        let scratch = Rc::clone(&self.scratch);
        scratch.lend(|rooms| {
            rooms.outgoing.add(&std::mem::take(&mut self.unsent));
            turn(self, rooms)
        })
    }

    /// Reads more behind what is held.
    pub(super) fn poll_fill(
        &mut self,
        rooms: &mut Rooms,
        held: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut room = ReadBuf::new(rooms.room_behind(*held)?);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut room))?;
        match room.filled().len() {
            0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            read => {
                *held += read;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Has what was put out wait for the next that is written.
    pub(super) fn put_off(&mut self, outgoing: &Outgoing) {
        self.unsent.extend_from_slice(outgoing.content());
    }

    /// Sends what was put out, behind what has not gone yet, and keeps what the socket does not take.
    pub(super) fn poll_send(&mut self, outgoing: &mut Outgoing, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send_by(outgoing, cx, |socket, cx, octets| Pin::new(socket).poll_write(cx, octets))
    }

    /// The same with what is the last: TCP's end goes out with it where the socket takes all of it at once.
    pub(super) fn poll_send_last(&mut self, outgoing: &mut Outgoing, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send_by(outgoing, cx, |socket, cx, octets| socket.poll_write_last(cx, &[io::IoSlice::new(octets)]))
    }

    fn poll_send_by(
        &mut self,
        outgoing: &mut Outgoing,
        cx: &mut Context<'_>,
        write: impl FnOnce(&mut Socket, &mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        let mut rest = outgoing.content();
        if self.unsent.is_empty() && !rest.is_empty() {
            if let Poll::Ready(sent) = write(&mut self.socket, cx, rest) {
                rest = &rest[sent?..];
            }
            self.stalled = !rest.is_empty();
        }
        self.unsent.extend_from_slice(rest);
        outgoing.clear();
        self.poll_flush(cx)
    }

    /// Sends what has not gone yet.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, &self.unsent))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.unsent.advance(sent),
            }
        }
        self.unsent = BytesMut::new();
        self.stalled = false;
        Poll::Ready(Ok(()))
    }

    /// Sends what has not gone yet, and the end.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    /// Has the peer told what it did wrong.
    pub(super) fn told<T>(
        &mut self,
        result: io::Result<T>,
        outgoing: &mut Outgoing,
        cx: &mut Context<'_>,
    ) -> io::Result<T> {
        result.inspect_err(|_| {
            // Best effort: the peer may be gone, and the error stands either way.
            let _ = self.poll_send(outgoing, cx);
        })
    }
}
