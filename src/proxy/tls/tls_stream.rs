//! A session over a socket. Between its turns a connection holds what it has not sent and the beginning of a record that has not come whole,
//! and nothing else: the rooms to work in are the worker's.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use rustls::{CommonState, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::scratch::{Outgoing, Rooms, Scratch};
use super::session::Session;
use crate::proxy::socket::Socket;

/// A client's stream under TLS.
pub(in crate::proxy) struct TlsStream {
    socket: Socket,
    session: Session,
    scratch: Rc<Scratch>,
    /// What has come and is not taken apart yet.
    incoming: Vec<u8>,
    /// What is encrypted and has not gone yet.
    unsent: BytesMut,
    /// The socket has refused a part of it: nothing is written before that has gone.
    stalled: bool,
    closing: bool,
}

impl TlsStream {
    /// A stream on which `hello` has come and nothing was answered.
    ///
    /// # Errors
    /// When rustls does not take the configuration.
    pub(super) fn new(
        socket: Socket,
        config: Arc<ServerConfig>,
        hello: Vec<u8>,
        scratch: Rc<Scratch>,
    ) -> io::Result<Self> {
        let (session, unsent) = (Session::new(config)?, BytesMut::new());
        Ok(Self { socket, session, scratch, incoming: hello, unsent, stalled: false, closing: false })
    }

    /// Shakes hands. What the server says last may go out with its first answer: see [`TlsStream::poll_read`].
    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with_rooms(|this, rooms, held| {
            loop {
                let taken = this.session.shake_hands(&mut rooms.incoming[..*held], &mut rooms.outgoing);
                let taken = this.told(taken, &mut rooms.outgoing, cx)?;
                rooms.forget(taken, held);
                let sent = this.poll_send(&mut rooms.outgoing, cx)?;
                if !this.session.agreed().is_handshaking() {
                    return Poll::Ready(Ok(()));
                }
                ready!(sent);
                ready!(this.poll_fill(rooms, held, cx))?;
            }
        })
    }

    /// What was agreed on.
    pub(super) fn agreed(&self) -> &CommonState {
        self.session.agreed()
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(super) fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Reads what the peer says; nothing is read when it has ended. What is to be said to the peer's TLS goes out with the next that is
    /// written, but before the peer is waited for.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the peer leaves without a word.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        self.with_rooms(|this, rooms, held| {
            loop {
                let taken = this.session.decrypt(&mut rooms.incoming[..*held], &mut rooms.outgoing, buffer);
                let taken = this.told(taken, &mut rooms.outgoing, cx)?;
                rooms.forget(taken, held);
                if buffer.filled().len() > before || this.session.has_ended() {
                    this.unsent.extend_from_slice(rooms.outgoing.content());
                    return Poll::Ready(Ok(()));
                }
                if this.poll_fill(rooms, held, cx)?.is_pending() {
                    let _ = this.poll_send(&mut rooms.outgoing, cx)?;
                    return Poll::Pending;
                }
            }
        })
    }

    /// Writes some of `slices`: what is accepted goes out as the socket takes it.
    pub(super) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.stalled {
            ready!(self.poll_flush(cx))?;
        }
        let scratch = Rc::clone(&self.scratch);
        scratch.lend(|Rooms { outgoing, record, .. }| {
            outgoing.add(&std::mem::take(&mut self.unsent));
            let accepted = self.session.encrypt(&mut self.incoming, outgoing, record, slices);
            let accepted = self.told(accepted, outgoing, cx)?;
            let _ = self.poll_send(outgoing, cx)?;
            Poll::Ready(Ok(accepted))
        })
    }

    /// Sends what was written.
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

    /// Tells the peer that nothing follows, under TLS and under TCP.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closing {
            self.closing = true;
            let scratch = Rc::clone(&self.scratch);
            scratch.lend(|rooms| {
                // A session that is broken has nothing to say; TCP ends all the same.
                let _ = self.session.close(&mut self.incoming, &mut rooms.outgoing);
                self.unsent.extend_from_slice(rooms.outgoing.content());
            });
        }
        ready!(self.poll_flush(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    /// Runs `turn` with what has come before it in the worker's rooms; how long that is by now stands in its last argument. What it leaves
    /// there is kept.
    fn with_rooms<T>(&mut self, turn: impl FnOnce(&mut Self, &mut Rooms, &mut usize) -> T) -> T {
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

    /// Reads more behind what is held.
    fn poll_fill(&mut self, rooms: &mut Rooms, held: &mut usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    /// Sends what was put out, behind what has not gone yet, and keeps what the socket does not take.
    fn poll_send(&mut self, outgoing: &mut Outgoing, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut rest = outgoing.content();
        if self.unsent.is_empty() && !rest.is_empty() {
            if let Poll::Ready(sent) = Pin::new(&mut self.socket).poll_write(cx, rest) {
                rest = &rest[sent?..];
            }
            self.stalled = !rest.is_empty();
        }
        self.unsent.extend_from_slice(rest);
        outgoing.clear();
        self.poll_flush(cx)
    }

    /// Has the peer told what it did wrong.
    fn told<T>(&mut self, result: io::Result<T>, outgoing: &mut Outgoing, cx: &mut Context<'_>) -> io::Result<T> {
        result.inspect_err(|_| {
            // Best effort: the peer may be gone, and the error stands either way.
            let _ = self.poll_send(outgoing, cx);
        })
    }
}
