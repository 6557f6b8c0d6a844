//! An HTTP/1 connection: one request after the other. `await_head` waits for a head, `head` reads it, `upload` reads the body behind it, and
//! `reply` writes the response.
//!
//! hyper's server did the same for 9 KiB more of each client that sends its body slowly, and mends some of what is ambiguous before the
//! gate can see it.

mod await_head;
mod dry_run;
mod head;
mod reply;
mod upload;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use http::StatusCode;
use tokio::io::AsyncWriteExt;

use self::await_head::await_head;
pub use self::dry_run::{ReadRequests, read_requests};
use self::head::Head;
use self::reply::Reply;
pub(in crate::proxy::http) use self::upload::Upload;
use super::{End, leave};
use crate::proxy::connection::{Connection, Phase};
use crate::proxy::http::errors;
use crate::proxy::http::exchange::Exchange;
use crate::proxy::http::request_body::RequestBody;
use crate::proxy::http::respond::respond;
use crate::proxy::http::tunnel;
use crate::telemetry::Shed;

/// Serves the connection until it ends.
pub(super) async fn serve(connection: &Rc<Connection>) {
    let mut read = BytesMut::new();
    let end = loop {
        let head = match await_head(connection, &mut read).await {
            Ok(head) => head,
            Err(end) => break end,
        };
        // Boxed: a connection that waits holds nothing of it. The box comes first: what is made before it has a place is moved there.
        let place = Box::new_uninit();
        match Box::into_pin(Box::write(place, answer(connection, head, std::mem::take(&mut read)))).await {
            Ok(behind) => read = behind,
            Err(end) => break end,
        }
    };
    match &end {
        End::Done(early) => {
            if let Some((tunnel, place)) = connection.tunnel.take() {
                // In a task of its own: connections that wait need no room for it.
                let (connection, early) = (Rc::clone(connection), early.clone());
                tokio::task::spawn_local(async move {
                    let _place = place;
                    match tunnel::carry(&connection, tunnel, early).await {
                        // What is left to be read is read, so that closing resets nothing.
                        true => leave(&connection, &End::Done(bytes::Bytes::new())).await,
                        false => connection.reset(),
                    }
                });
                return;
            }
        }
        End::HalfHead => say(connection, StatusCode::REQUEST_TIMEOUT).await,
        End::Unreadable(status) => say(connection, *status).await,
        End::Failed | End::Quiet | End::Shed(_) => {}
    }
    leave(connection, &end).await;
}

/// Answers one request, of which `read` has come behind the head. Gives what has come behind the request.
async fn answer(connection: &Rc<Connection>, head: Head, read: BytesMut) -> Result<BytesMut, End> {
    let Head { request, framing, terms, .. } = head;
    let (mut read, mut upload) = (read, None);
    if !framing.is_ended() {
        upload = Some(Upload::new(connection, std::mem::take(&mut read), framing, terms.waits));
    }
    let request = request.map(|()| upload.clone().map_or(RequestBody::None, RequestBody::Http1));
    let exchange = Exchange::begin(connection, &request);
    connection.newest.replace(Some(Rc::clone(&exchange)));
    let response = {
        let mut answer = pin!(respond(Rc::clone(&exchange), request));
        poll_fn(|cx| {
            if let Poll::Ready(end) = poll_deadline(connection, cx) {
                return Poll::Ready(Err(end));
            }
            answer.as_mut().poll(cx).map(|Ok(response)| Ok(response))
        })
        .await?
    };
    let is_read = upload.as_ref().is_none_or(Upload::is_ended);
    let keeps = terms.keeps && is_read && !connection.is_leaving();
    let mut reply = Reply::new(response, terms, keeps, connection.worker.head_room.take());
    poll_fn(|cx| {
        if let Poll::Ready(end) = poll_deadline(connection, cx) {
            return Poll::Ready(Err(end));
        }
        let polled = reply.poll(connection, cx);
        if polled.is_pending() {
            exchange.drive(cx);
        }
        polled.map_err(|_| End::Failed)
    })
    .await?;
    let keeps = reply.keeps;
    connection.worker.head_room.set(reply.into_room());
    if let Some(upload) = upload {
        match upload.leave() {
            Some(behind) => read = behind,
            None => return Err(End::Done(bytes::Bytes::new())),
        }
    }
    let goes_on = keeps && connection.tunnel.borrow().is_none();
    if goes_on { Ok(read) } else { Err(End::Done(read.freeze())) }
}

/// Tells a peer whose head has not come, or cannot be read.
async fn say(connection: &Rc<Connection>, status: StatusCode) {
    let answer = errors::without_request(connection, status);
    // The peer may be gone; the connection ends either way.
    let _ = connection.alarm.guard(connection.io().write_all(&answer)).await;
}

/// The deadline that goes with the phase.
fn poll_deadline(connection: &Connection, cx: &Context<'_>) -> Poll<End> {
    ready!(connection.alarm.poll(cx));
    if connection.is_stalled() {
        return Poll::Ready(End::Shed(Shed::WriteStall));
    }
    match connection.phase.get() {
        Phase::Idle => Poll::Ready(End::Quiet),
        Phase::Head => Poll::Ready(End::HalfHead),
        Phase::Exchange | Phase::Closing => Poll::Pending,
    }
}
