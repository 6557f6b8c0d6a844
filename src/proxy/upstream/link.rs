//! One connection to an upstream, driven by whoever uses it.
//!
//! hyper means its connection for a task of its own. Here the task that answers a request polls it, before it looks for what
//! the connection has to say: request and response pass without a switch of tasks, and nobody but the socket wakes anybody.
//! While a connection waits for its next request nobody polls it; what has happened meanwhile shows when it is looked at.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Connection, SendRequest};
use hyper_util::rt::TokioIo;

use super::stream::{Asked, UpstreamStream};
use crate::proxy::http::ClientBody;

/// A handle on a connection; clones are handles on the same one, which closes with the last.
#[derive(Clone)]
pub(in crate::proxy) struct Link(Rc<RefCell<State>>);

struct State {
    sender: SendRequest<ClientBody>,
    asked: Rc<Asked>,
    connection: Option<Connection<TokioIo<UpstreamStream>, ClientBody>>,
    /// The connection has ended, by its close or by a switch of protocols.
    ended: bool,
}

impl Link {
    pub(super) fn new(
        sender: SendRequest<ClientBody>,
        connection: Connection<TokioIo<UpstreamStream>, ClientBody>,
        asked: Rc<Asked>,
    ) -> Self {
        Self(Rc::new(RefCell::new(State { sender, asked, connection: Some(connection), ended: false })))
    }

    /// Whether it can take a request, as far as was seen when it was last driven.
    pub(super) fn is_ready(&self) -> bool {
        let state = self.0.borrow();
        !state.ended && state.sender.is_ready()
    }

    /// Whether it can take a request now, whatever has happened since it was last driven.
    pub(super) fn is_still_ready(&self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.is_ready()
    }

    /// Reads and writes what can be read and written now. `cx` is woken when there is more.
    pub(in crate::proxy) fn drive(&self, cx: &mut Context<'_>) {
        let state = &mut *self.0.borrow_mut();
        if let Some(connection) = &mut state.connection
            && !state.ended
            && let Poll::Ready(end) = connection.poll_without_shutdown(cx)
        {
            state.ended = true;
            if end.is_err() {
                state.connection = None; // whoever waits for it has its own error
            }
        }
    }

    /// Sends a request and waits for the head of its response. An error gives back a request that was never written.
    pub(super) fn send(
        &self,
        request: Request<ClientBody>,
        repeatable: bool,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<ClientBody>>>> + use<> {
        let link = self.clone();
        let response = {
            let state = &mut *self.0.borrow_mut();
            state.asked.begin(repeatable);
            state.sender.try_send_request(request)
        };
        async move {
            let mut response = pin!(response);
            poll_fn(|cx| {
                link.drive(cx);
                let quiet = &mut Context::from_waker(Waker::noop());
                let answered = response.as_mut().poll(quiet);
                if answered.is_pending() && link.close_if_ended() { response.as_mut().poll(quiet) } else { answered }
            })
            .await
        }
    }

    /// The next frame of the response's body. `shared`: the connection is driven by others as well, whose finds `cx` is to
    /// be woken for.
    pub(super) fn poll_frame(
        &self,
        body: &mut Incoming,
        shared: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let waker = if shared { cx.waker() } else { Waker::noop() };
        let finds = &mut Context::from_waker(waker);
        // hyper reads a body as far as it is asked for.
        let frame = Pin::new(&mut *body).poll_frame(finds);
        if frame.is_ready() {
            return frame;
        }
        self.drive(cx);
        let frame = Pin::new(&mut *body).poll_frame(finds);
        if frame.is_pending() && self.close_if_ended() { Pin::new(body).poll_frame(finds) } else { frame }
    }

    /// The request that was sent last, if it was repeatable and was written whole.
    pub(super) fn asked_again(&self) -> Option<Request<()>> {
        self.0.borrow().asked.again()
    }

    /// The stream of a connection that has switched protocols, and what the upstream sent behind its 101. `None`: it is gone.
    pub(super) async fn into_stream(self) -> Option<(UpstreamStream, Bytes)> {
        poll_fn(|cx| {
            self.drive(cx);
            if self.0.borrow().ended { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let parts = self.0.borrow_mut().connection.take()?.into_parts();
        Some((parts.io.into_inner(), parts.read_buf))
    }

    /// Lets whoever still waits for a connection that has ended know it.
    fn close_if_ended(&self) -> bool {
        let state = &mut *self.0.borrow_mut();
        if state.ended {
            state.connection = None;
        }
        state.ended
    }
}
