//! Many open connections that do nothing.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio_rustls::client::TlsStream;

use crate::client::{Http2, Target};
use crate::{Failure, end_of_stdin};

/// What is on the connections.
#[derive(Clone, Copy)]
pub enum Kind {
    /// One request over HTTP/1.1.
    Http1,
    /// One request over HTTP/2.
    Http2,
    /// A WebSocket, and one message each way.
    WebSocket,
}

enum Held {
    Plain(Box<TlsStream<TcpStream>>),
    Http2(Http2),
}

/// Opens `count` connections, uses each once, and holds them until stdin ends; one that the peer closed meanwhile is a failure, for the
/// figure would be too small.
pub async fn run(target: Target, kind: Kind, count: usize) -> Result<(), Failure> {
    let target = if matches!(kind, Kind::Http2) { target.over_http2() } else { target };
    let connector = target.connector(false);
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = target.connect(&connector).await?;
        held.push(match kind {
            Kind::Http2 => Held::Http2(target.get_http2(stream).await?),
            Kind::Http1 => {
                target.get(&mut stream, false).await?;
                Held::Plain(Box::new(stream))
            }
            Kind::WebSocket => {
                target.upgrade(&mut stream).await?;
                Held::Plain(Box::new(stream))
            }
        });
    }
    println!("ready");
    end_of_stdin().await?;

    let mut closed = 0;
    for one in &mut held {
        closed += usize::from(match one {
            Held::Plain(stream) => is_closed(stream).await,
            Held::Http2(connection) => connection.is_closed(),
        });
    }
    if closed > 0 {
        return Err(Failure::Wrong(format!("the peer closed {closed} of {count} idle connections")));
    }
    Ok(())
}

async fn is_closed(stream: &mut TlsStream<TcpStream>) -> bool {
    let mut space = [0; 64];
    let mut buffer = ReadBuf::new(&mut space);
    let look = poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_read(context, &mut buffer).is_ready()));
    unconstrained(look).await // a task's budget is 128 reads; beyond it every stream would look open
}
