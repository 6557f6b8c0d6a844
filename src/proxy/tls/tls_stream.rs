//! A session over a socket: first its handshake, then its stream.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::{CommonState, ServerConfig};
use tokio::io::ReadBuf;

use super::records::Records;
use super::scratch::{AT_ONCE, Rooms, Scratch};
use super::shaking::Shaking;
use super::wire::Wire;
use crate::proxy::socket::Socket;

/// A client with which hands are shaken.
pub(super) struct Handshake {
    wire: Wire,
    shaking: Shaking,
}

impl Handshake {
    /// A handshake of which `hello` has come and nothing was answered.
    ///
    /// # Errors
    /// When rustls does not take the configuration.
    pub(super) fn new(
        socket: Socket,
        config: Arc<ServerConfig>,
        hello: Vec<u8>,
        scratch: Rc<Scratch>,
    ) -> io::Result<Self> {
        Ok(Self { wire: Wire::new(socket, hello, scratch), shaking: Shaking::new(config)? })
    }

    /// Shakes hands. What the server says last goes out with its first answer where more than the handshake has come.
    ///
    /// # Errors
    /// When the peer does not keep to TLS or leaves.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { wire, shaking } = self;
        wire.with_rooms(|wire, rooms, held| {
            loop {
                let taken = shaking.go_on(&mut rooms.incoming[..*held], &mut rooms.outgoing);
                let taken = wire.told(taken, &mut rooms.outgoing, cx)?;
                rooms.forget(taken, held);
                if shaking.is_done() && *held > 0 {
                    wire.put_off(&rooms.outgoing);
                    return Poll::Ready(Ok(()));
                }
                let sent = wire.poll_send(&mut rooms.outgoing, cx)?;
                if shaking.is_done() {
                    return Poll::Ready(Ok(()));
                }
                ready!(sent);
                ready!(wire.poll_fill(rooms, held, cx))?;
            }
        })
    }

    /// What was agreed on.
    pub(super) fn agreed(&self) -> &CommonState {
        self.shaking.agreed()
    }

    /// The stream that follows.
    ///
    /// # Errors
    /// When the handshake is not done.
    pub(super) fn into_stream(self) -> io::Result<TlsStream> {
        Ok(TlsStream { wire: self.wire, records: self.shaking.into_records()?, closing: false })
    }
}

/// A client's stream under TLS.
pub(in crate::proxy) struct TlsStream {
    wire: Wire,
    records: Records,
    closing: bool,
}

impl TlsStream {
    pub(super) fn socket(&self) -> &Socket {
        self.wire.socket()
    }

    pub(super) fn socket_mut(&mut self) -> &mut Socket {
        self.wire.socket_mut()
    }

    /// Reads what the peer says; nothing is read when it has ended. What is to be said to the peer's TLS goes out with the next that is
    /// written, but before the peer is waited for.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the peer leaves without a word.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let Self { wire, records, .. } = self;
        wire.with_rooms(|wire, rooms, held| {
            loop {
                let taken = records.decrypt(&mut rooms.incoming[..*held], &mut rooms.outgoing, buffer);
                let taken = wire.told(taken, &mut rooms.outgoing, cx)?;
                rooms.forget(taken, held);
                if buffer.filled().len() > before || records.has_ended() {
                    wire.put_off(&rooms.outgoing);
                    return Poll::Ready(Ok(()));
                }
                if wire.poll_fill(rooms, held, cx)?.is_pending() {
                    let _ = wire.poll_send(&mut rooms.outgoing, cx)?;
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
        let Self { wire, records, .. } = self;
        if wire.is_stalled() {
            ready!(wire.poll_flush(cx))?;
        }
        wire.with_outgoing(|wire, Rooms { outgoing, record, .. }| {
            let accepted = records.encrypt(outgoing, record, slices);
            let accepted = wire.told(accepted, outgoing, cx)?;
            let _ = wire.poll_send(outgoing, cx)?;
            Poll::Ready(Ok(accepted))
        })
    }

    /// The same for the last that is said: where all of it is accepted, the end goes out with it.
    pub(super) fn poll_write_last(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        if length > AT_ONCE || self.wire.is_stalled() {
            return self.poll_write_vectored(cx, slices);
        }
        let Self { wire, records, closing } = self;
        wire.with_outgoing(|wire, Rooms { outgoing, record, .. }| {
            let accepted = records.encrypt(outgoing, record, slices);
            let accepted = wire.told(accepted, outgoing, cx)?;
            let is_last = accepted == length && !std::mem::replace(closing, true);
            if is_last {
                records.close(outgoing);
            }
            let _ = match is_last {
                true => wire.poll_send_last(outgoing, cx)?,
                false => wire.poll_send(outgoing, cx)?,
            };
            Poll::Ready(Ok(accepted))
        })
    }

    /// Sends what was written.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll_flush(cx)
    }

    /// Tells the peer that nothing follows, under TLS and under TCP.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { wire, records, closing } = self;
        if !std::mem::replace(closing, true) {
            wire.with_outgoing(|wire, rooms| {
                records.close(&mut rooms.outgoing);
                wire.put_off(&rooms.outgoing);
            });
        }
        wire.poll_shutdown(cx)
    }
}
