//! One HTTP/2 stream: a request comes, and its answer goes out.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, DATE};
use http::{Method, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;

use super::sending::Sending;
use crate::proxy::connection::Connection;
use crate::proxy::http::body::ResponseBody;
use crate::proxy::http::date;
use crate::proxy::http::exchange::Exchange;
use crate::proxy::http::request_body::RequestBody;
use crate::proxy::http::respond::{Answer, respond};
use crate::telemetry::Shed;

/// Answers a request that has come, in a task of this thread.
pub(super) fn begin(connection: &Rc<Connection>, request: Request<RecvStream>, reply: SendResponse<Bytes>) {
    let request = RequestBody::http2(request);
    let head_only = *request.method() == Method::HEAD;
    let exchange = Exchange::begin(connection, &request);
    // In a box, because a task's memory is aligned to cache lines, which takes the allocator long unless it is little. The box
    // comes first: what is made before it has a place is moved there.
    let place = Box::new_uninit();
    let answer = respond(Rc::clone(&exchange), request);
    let stream = Box::write(place, Stream { exchange, state: State::Answering { answer, reply, head_only } });
    tokio::task::spawn_local(Box::into_pin(stream));
}

pin_project! {
    /// A stream at work under its exchange's deadline: a client that opens no window for its response cannot keep the
    /// stream for ever, and loses only that stream.
    struct Stream<F> {
        exchange: Rc<Exchange>,
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateNow]
    enum State<F> {
        /// The answer is being made.
        Answering {
            #[pin]
            answer: F,
            reply: SendResponse<Bytes>,
            // The request was HEAD.
            head_only: bool,
        },
        /// Its head has gone out.
        Sending { sending: Sending },
    }
}

impl<F: Future<Output = Answer>> Future for Stream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.state.poll(this.exchange, cx).is_ready() {
            return Poll::Ready(());
        }
        let exchange = this.exchange;
        exchange.drive(cx);
        ready!(exchange.alarm.poll(cx));
        exchange.connection.worker.counters.shed.count(Shed::WriteStall);
        exchange.reason.set(Some("write_stall"));
        Poll::Ready(())
    }
}

impl<F: Future<Output = Answer>> State<F> {
    fn poll(mut self: Pin<&mut Self>, exchange: &Exchange, cx: &mut Context<'_>) -> Poll<()> {
        if let StateNow::Answering { answer, reply, head_only } = self.as_mut().project() {
            let polled = answer.poll(cx);
            for interim in exchange.take_interim() {
                // An error means that the client has given the stream up.
                let _ = reply.send_informational(interim);
            }
            let Poll::Ready(Ok(response)) = polled else {
                // A client that gives the stream up takes the upstream's work along.
                return reply.poll_reset(cx).map(drop);
            };
            let (head, body) = response.into_parts();
            let body = match body.into_tunnel() {
                Ok(tunnel) => {
                    if let Some(stream) = send_head(head, None, reply) {
                        tunnel.begin(&exchange.connection, stream);
                    }
                    return Poll::Ready(());
                }
                Err(body) => body,
            };
            let ends = *head_only || body.is_end_stream();
            let Some(stream) = send_head(head, Some((&body, ends)), reply) else { return Poll::Ready(()) };
            if ends {
                return Poll::Ready(());
            }
            self.set(Self::Sending { sending: Sending::new(body, stream) });
        }
        match self.project() {
            StateNow::Sending { sending } => sending.poll(cx),
            StateNow::Answering { .. } => Poll::Pending,
        }
    }
}

/// Sends the head with what it lacks, and gives what the body is sent by. `None`: the stream is no more. Beside a body is whether
/// the head ends the stream; without one, a tunnel begins.
fn send_head(
    mut head: http::response::Parts,
    body: Option<(&ResponseBody, bool)>,
    reply: &mut SendResponse<Bytes>,
) -> Option<SendStream<Bytes>> {
    if !head.headers.contains_key(DATE)
        && let Some(now) = date::now()
    {
        head.headers.insert(DATE, now);
    }
    let ends = body.is_some_and(|(_, ends)| ends);
    if !ends && let Some(length) = body.and_then(|(body, _)| body.size_hint().exact()) {
        head.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    let sent = reply.send_response(Response::from_parts(head, ()), ends);
    if sent.is_err() {
        reply.send_reset(Reason::INTERNAL_ERROR); // nothing happens if the client has reset it
    }
    sent.ok()
}
