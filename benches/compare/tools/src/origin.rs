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
            let answer = if method == Some(b"GET") { answers.find(path) } else { NOT_FOUND };
            if stream.write_all(answer).await.is_err() {
                return;
            }
            buffer.copy_within(end + 4..filled, 0);
            filled -= end + 4;
        }
        if filled == buffer.len() {
            return;
        }
    }
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
