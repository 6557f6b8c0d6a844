//! An HTTP/2 connection: feeds and empties its session, begins a task for each stream, and keeps deadlines, pulse and farewell.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};

use super::{End, leave, stream};
use crate::proxy::alarm::Alarm;
use crate::proxy::connection::{Connection, Io, Phase};
use crate::proxy::http2::{Limits, Reason, Session};
use crate::proxy::pulse::Pulse;
use crate::telemetry::Shed;

/// Serves the connection until it ends.
pub(super) async fn serve(connection: &Rc<Connection>) {
    let end = {
        let mut driver = Driver::new(connection);
        poll_fn(|cx| driver.poll(cx)).await
    };
    leave(connection, &end).await;
}

struct Driver<'c> {
    connection: &'c Rc<Connection>,
    io: Io,
    session: Rc<Session>,
    pulse: Pulse,
    /// Set while the client goes on sending what nobody reads.
    lingering: Option<Alarm>,
    /// The peer knows that it is being left.
    told: bool,
}

impl Drop for Driver<'_> {
    /// However it ended, nobody is answered any more.
    fn drop(&mut self) {
        self.session.receive_end();
    }
}

impl<'c> Driver<'c> {
    fn new(connection: &'c Rc<Connection>) -> Self {
        let limits = &connection.limits;
        let taken = Limits {
            streams: limits.h2_streams,
            stream_window: limits.h2_stream_window,
            connection_window: limits.h2_connection_window,
            head_size: u32::try_from(limits.head_size).unwrap_or(u32::MAX),
            send_buffer: limits.h2_send_buffer,
            fields: limits.headers,
        };
        let pulse = Pulse::new(&connection.worker.alarms);
        pulse.begin(connection.silence());
        let session = Session::new(taken, Rc::clone(&connection.worker.spare));
        Self { connection, io: connection.io(), session, pulse, lingering: None, told: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let connection = self.connection;
        if !self.told && connection.is_old() {
            connection.leave(); // one that asks for nothing, or has a stream that never ends, is woken by its pulse
        }
        self.session.begin_turn();
        let mut read = 0;
        loop {
            while connection.alarm.poll(cx).is_ready() {
                if let Poll::Ready(end) = self.poll_deadline() {
                    return Poll::Ready(end);
                }
            }
            if self.pulse.poll(|| connection.silence(), || self.session.ask(), cx).is_ready() {
                self.session.end(Reason::NO_ERROR);
            }
            if connection.is_leaving() && !self.told {
                self.told = true;
                connection.leave();
                self.session.leave();
            }
            self.poll_lingering(cx);
            self.session.wait(cx);
            self.read(&mut read, cx);
            let was_full = self.session.is_full();
            let written = self.session.poll_write(|slices| connection.poll_write(cx, slices));
            let sent = if let Poll::Ready(Ok(())) = written { connection.poll_send(cx) } else { written };
            match sent {
                Poll::Ready(Err(_)) => return Poll::Ready(End::Failed),
                Poll::Ready(Ok(())) if self.session.is_over() => return Poll::Ready(End::Quiet),
                _ => {}
            }
            let may_read = was_full && !self.session.is_full();
            // The last request may have come on a connection that was old enough.
            if self.told == connection.is_leaving() && !may_read {
                return Poll::Pending;
            }
        }
    }

    /// Takes what there is to read, and begins the streams that come. `read` is what was read in this turn.
    fn read(&mut self, read: &mut usize, cx: &mut Context<'_>) {
        while !self.session.is_full() {
            // Whoever sends without end has its turn like all others, and the next after them: a frame costs its sender a few octets, and
            // may cost us a thousand instructions.
            if *read >= TURN {
                cx.waker().wake_by_ref();
                break;
            }
            let mut room = [const { MaybeUninit::uninit() }; ROOM];
            let mut buffer = ReadBuf::uninit(&mut room);
            match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    *read += buffer.filled().len();
                    self.session.receive(buffer.filled());
                }
                Poll::Ready(_) => self.session.receive_end(),
            }
        }
        while let Some((request, to_client)) = self.session.accept() {
            stream::begin(self.connection, request, to_client);
        }
    }

    /// A client that goes on sending on a stream that has been answered is told after a while that nobody reads it.
    fn poll_lingering(&mut self, cx: &Context<'_>) {
        if !self.session.lingers() {
            return;
        }
        let alarm = self.lingering.get_or_insert_with(|| {
            let alarm = self.connection.worker.alarms.alarm();
            alarm.set(LINGERING);
            alarm
        });
        if alarm.poll(cx).is_ready() {
            self.lingering = None;
            self.session.end_lingering();
        }
    }

    /// The deadline has passed; pending: that was no reason to end, and the alarm was set anew.
    fn poll_deadline(&self) -> Poll<End> {
        let connection = self.connection;
        if connection.is_stalled() {
            return Poll::Ready(End::Shed(Shed::WriteStall));
        }
        if connection.is_flooding() {
            return Poll::Ready(End::Shed(Shed::StreamFlood));
        }
        match connection.phase.get() {
            Phase::Idle if self.told => return Poll::Ready(End::Quiet),
            Phase::Idle => connection.leave(),
            _ => connection.alarm.clear(),
        }
        Poll::Pending
    }
}

/// An honest client has its answer by then, and a dishonest one has sent what its window was open for.
const LINGERING: Duration = Duration::from_secs(1);
/// What is read at once: one TLS record.
const ROOM: usize = 16 * 1024;
/// What is read in one turn, octets: it ends with the read that comes to as much.
const TURN: usize = 32 * 1024;
