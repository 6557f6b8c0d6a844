//! Requests on a connection that is kept.

use std::io::{self, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::edge::Stream;

/// One request to `host`, and all of its response, which has a body of `BODY` octets.
pub(crate) fn ask(stream: &mut Stream, host: &str) -> io::Result<()> {
    write!(stream, "GET /basket HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")?;
    stream.flush()?;
    let mut response = [0; 4 * 1024];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut response[filled..])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let head = response[..filled].windows(4).position(|four| four == b"\r\n\r\n");
        let Some(head) = head else { continue };
        let text = String::from_utf8_lossy(&response[..head]).to_lowercase();
        if !text.starts_with("http/1.1 200 ") || text.contains("connection: close") {
            return Err(io::Error::other(text.lines().next().unwrap_or_default().to_owned()));
        }
        if filled == head + 4 + BODY {
            return Ok(());
        }
    }
}

/// Waits for the next turn of a steady pace. Who is late does not catch up.
pub(crate) fn wait(next: &mut Instant, pause: Duration) {
    thread::sleep(next.saturating_duration_since(Instant::now()));
    *next = (*next + pause).max(Instant::now());
}

/// Octets of a response's body.
pub(crate) const BODY: usize = 1024;
