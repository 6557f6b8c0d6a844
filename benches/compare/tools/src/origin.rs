//! The shop: HTTP/1.1 with keep-alive, fixed answers made once. It does as little as it can, so that what is measured is the edge.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{Failure, websocket};

/// Serves until the process is killed.
pub async fn serve(address: &str) -> Result<(), Failure> {
    let wrong = |error| Failure::Wrong(format!("origin on {address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    let answers: &'static Answers = Box::leak(Box::new(Answers::new()));
    let (local, tasks) = (listener.local_addr().map_err(wrong)?, tokio::task::LocalSet::new());
    println!("listening on {local}");
    tasks
        .run_until(async {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => drop(tokio::task::spawn_local(connection(stream, answers))),
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await, // out of files: some will be closed
                }
            }
        })
        .await
}

struct Answers([(&'static [u8], Vec<u8>); 3]);

impl Answers {
    fn new() -> Self {
        Self([(b"/1k", answer(1 << 10)), (b"/64k", answer(1 << 16)), (b"/1m", answer(1 << 20))])
    }

    fn find(&self, path: &[u8]) -> &[u8] {
        self.0.iter().find(|(known, _)| *known == path).map_or(NOT_FOUND, |(_, answer)| answer)
    }
}

async fn connection(mut stream: TcpStream, answers: &Answers) {
    let _ = stream.set_nodelay(true);
    let (mut buffer, mut filled) = (vec![0; 16 << 10], 0);
    loop {
        match stream.read(&mut buffer[filled..]).await {
            Ok(read @ 1..) => filled += read,
            _ => return,
        }
        while let Some(end) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
            let mut words = buffer[..end].split(|byte| *byte == b' ');
            let (method, path) = (words.next(), words.next().unwrap_or_default());
            if path == b"/ws" {
                return talk(stream, &buffer[end + 4..filled]).await;
            }
            let is_known = matches!(method, Some(b"GET" | b"POST"));
            let answer = if is_known { answers.find(path) } else { NOT_FOUND };
            let whole = end + 4 + length_of_body(&buffer[..end]);
            if whole <= filled {
                buffer.copy_within(whole..filled, 0);
                filled -= whole;
            } else if skip(&mut stream, whole - filled).await {
                filled = 0;
            } else {
                return;
            }
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
        if filled == buffer.len() {
            return;
        }
    }
}

fn length_of_body(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    length.unwrap_or(0)
}

/// Reads so many octets of a body; whether they came.
async fn skip(stream: &mut TcpStream, mut left: usize) -> bool {
    let mut waste = vec![0; 64 << 10];
    while left > 0 {
        let most = left.min(waste.len());
        match stream.read(&mut waste[..most]).await {
            Ok(read @ 1..) => left -= read,
            _ => return false,
        }
    }
    true
}

/// A WebSocket: every message of four octets comes back.
async fn talk(mut stream: TcpStream, begun: &[u8]) {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        websocket::ACCEPT
    );
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    let (mut question, mut begun) = ([0; websocket::QUESTION.len()], begun.to_vec());
    begun.truncate(question.len());
    let mut filled = begun.len();
    question[..filled].copy_from_slice(&begun);
    while stream.read_exact(&mut question[filled..]).await.is_ok() && question == websocket::QUESTION {
        if stream.write_all(&websocket::ANSWER).await.is_err() {
            return;
        }
        filled = 0;
    }
}

fn answer(length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n");
    let mut answer = head.into_bytes();
    answer.extend((0..length).map(|at| b'a' + (at % 23) as u8));
    answer
}

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
