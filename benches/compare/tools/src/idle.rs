//! Many open connections that do nothing.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio_rustls::client::TlsStream;

use crate::client::Target;
use crate::{Failure, end_of_stdin};

/// Opens `count` connections with one request each and holds them until stdin ends; one that the peer closed meanwhile is a
/// failure, for the figure would be too small.
pub async fn run(target: Target, count: usize) -> Result<(), Failure> {
    let connector = target.connector(false);
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = target.connect(&connector).await?;
        target.get(&mut stream, false).await?;
        streams.push(stream);
    }
    println!("ready");
    end_of_stdin().await?;

    let mut closed = 0;
    for stream in &mut streams {
        closed += usize::from(is_closed(stream).await);
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
