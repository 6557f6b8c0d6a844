//! One HTTP/2 stream: a request comes, and its answer goes out.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http::header::{CONTENT_LENGTH, DATE};
use http::{Method, Request};
use http_body::Body;
use pin_project_lite::pin_project;

use super::sending::Sending;
use crate::proxy::connection::Connection;
use crate::proxy::http::body::ResponseBody;
use crate::proxy::http::date;
use crate::proxy::http::exchange::Exchange;
use crate::proxy::http::request_body::RequestBody;
use crate::proxy::http::respond::{Answer, respond};
use crate::proxy::http2::{FromClient, ToClient};
use crate::telemetry::Shed;

/// Answers a request that has come, in a task of this thread.
pub(super) fn begin(connection: &Rc<Connection>, request: Request<FromClient>, to_client: ToClient) {
    let request = RequestBody::http2(request);
    let head_only = *request.method() == Method::HEAD;
    let exchange = Exchange::begin(connection, &request);
    // In a box, because a task's memory is aligned to cache lines, which takes the allocator long unless it is little. The box
    // comes first: what is made before it has a place is moved there.
    let place = Box::new_uninit();
    let answer = respond(Rc::clone(&exchange), request);
    let stream = Box::write(
        place,
        Stream { exchange, state: State::Answering { answer, to_client: Some(to_client), head_only } },
    );
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
            // Until the head has gone out.
            to_client: Option<ToClient>,
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
        if let StateNow::Answering { answer, to_client, head_only } = self.as_mut().project() {
            let polled = answer.poll(cx);
            let Some(client) = &*to_client else { return Poll::Ready(()) };
            for interim in exchange.take_interim() {
                client.send_head(interim.status(), interim.headers(), false);
            }
            let Poll::Ready(Ok(response)) = polled else {
                // A client that gives the stream up takes the upstream's work along.
                return client.poll_reset(cx);
            };
            let (head, body) = response.into_parts();
            let body = match body.into_tunnel() {
                Ok(tunnel) => {
                    send_head(head, None, client);
                    if let Some(client) = to_client.take() {
                        tunnel.begin(&exchange.connection, client);
                    }
                    return Poll::Ready(());
                }
                Err(body) => body,
            };
            let ends = *head_only || body.is_end_stream();
            send_head(head, Some((&body, ends)), client);
            let Some(client) = to_client.take().filter(|_| !ends) else { return Poll::Ready(()) };
            self.set(Self::Sending { sending: Sending::new(body, client) });
        }
        match self.project() {
            StateNow::Sending { sending } => sending.poll(cx),
            StateNow::Answering { .. } => Poll::Pending,
        }
    }
}

/// Sends the head with what it lacks. Beside a body is whether the head ends the stream; without one, a tunnel begins.
fn send_head(mut head: http::response::Parts, body: Option<(&ResponseBody, bool)>, to_client: &ToClient) {
    if !head.headers.contains_key(DATE)
        && let Some(now) = date::now()
    {
        head.headers.insert(DATE, now);
    }
    let ends = body.is_some_and(|(_, ends)| ends);
    if !ends && let Some(length) = body.and_then(|(body, _)| body.size_hint().exact()) {
        head.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    to_client.send_head(head.status, &head.headers, ends);
}
