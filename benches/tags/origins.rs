//! Upstreams that say back what they are asked, and misbehave now and then.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{Method, Request, Response};
use rustix::net::connect_unspec;

use crate::judge::{Judge, Tag};
use crate::message::{Content, Head};
use crate::random::Random;

/// Starts one that speaks HTTP/1.1. Number 0 does nothing wrong.
pub(crate) fn start(number: u64, judge: &Arc<Judge>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let judge = Arc::clone(judge);
    thread::spawn(move || {
        for (connection, stream) in (0u64..).zip(listener.incoming().flatten()) {
            let judge = Arc::clone(&judge);
            let random = Random::new(number << 32 | connection);
            // The edge closes connections as it likes; that is the end of the thread and nobody's concern.
            thread::spawn(move || converse(stream, number > 0, &judge, random));
        }
    });
    Ok(address)
}

fn converse(stream: TcpStream, misbehaves: bool, judge: &Judge, mut random: Random) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(head) = Head::read(&mut reader)? {
        let fault = if misbehaves { random.below(60) } else { NONE };
        if fault == 0 {
            return Ok(());
        }
        let Some(tag) = tag(&head, judge) else { return Ok(()) };
        let to_head = head.start.starts_with("HEAD ");
        if fault != 1 {
            let body = Content::read(&mut reader, head.framing())?;
            judge.octets(tag, &body.bytes, 0);
        }
        let (octets, end) = answer(tag, to_head, fault, &mut random);
        reader.get_mut().write_all(&octets)?;
        match end {
            End::Stays => {}
            End::Closes => return reader.get_ref().shutdown(Shutdown::Both),
            End::Resets => return Ok(connect_unspec(reader.get_ref())?), // which resets (connect(2))
        }
    }
    Ok(())
}

/// The request's tag, which its path and a field must agree on.
fn tag(head: &Head, judge: &Judge) -> Option<Tag> {
    let path = head.start.split(' ').nth(1).and_then(|path| path.rsplit('/').next());
    if path != head.field("x-tag") {
        judge.crossed(format!("an upstream was asked for {path:?} and {:?} at once", head.field("x-tag")));
    }
    Tag::read(path?)
}

enum End {
    Stays,
    Closes,
    Resets,
}

/// What is said, and what becomes of the connection.
fn answer(tag: Tag, to_head: bool, fault: usize, random: &mut Random) -> (Vec<u8>, End) {
    let body = tag.content(length(random));
    let (whole, half) = (body.len(), body.len() / 2);
    let head = |status: &str, framing: &str| {
        let text = tag.text();
        format!("HTTP/1.1 {status}\r\nx-tag: {text}\r\nx-path: {text}\r\nx-length: {whole}\r\n{framing}\r\n")
            .into_bytes()
    };
    let length = format!("content-length: {whole}\r\n");
    let said = |status: &str| [head(status, &length), if to_head { Vec::new() } else { body.clone() }].concat();
    let chunk = |octets: &[u8]| match octets.len() {
        0 => Vec::new(),
        size => [format!("{size:x}\r\n").as_bytes(), octets, b"\r\n"].concat(),
    };
    let chunked = "transfer-encoding: chunked\r\n";
    match fault {
        1 => (said("200 OK"), End::Closes), // before the request is read
        2 => (Vec::new(), End::Closes),
        3 => (Vec::new(), End::Resets),
        4 => (said("200 OK")[..40].to_vec(), End::Closes),
        5 if !to_head => ([head("200 OK", &length), body[..half].to_vec()].concat(), End::Closes),
        6 if !to_head => ([head("200 OK", &length), body[..half].to_vec()].concat(), End::Resets),
        7 if !to_head => ([head("200 OK", chunked), chunk(&body)].concat(), End::Closes),
        8 if !to_head => ([head("200 OK", chunked), chunk(&body), b"x\r\n".to_vec()].concat(), End::Stays),
        9 if !to_head => ([head("200 OK", ""), body].concat(), End::Closes),
        // An answer that nobody asked for.
        10 => ([said("200 OK"), Tag(0).text().into_bytes(), said("200 OK")].concat(), End::Stays),
        11 => ([said("200 OK"), said("200 OK")].concat(), End::Stays),
        12 => (said("500 Internal Server Error"), End::Stays),
        13 => (said("200 OK"), End::Closes),
        14 => (said("200 OK"), End::Resets),
        15 => (b"SSH-2.0-OpenSSH\r\n".to_vec(), End::Closes),
        16 => ([b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n".to_vec(), said("200 OK")].concat(), End::Stays),
        17 => {
            thread::sleep(Duration::from_millis(random.below(50) as u64));
            (said("200 OK"), End::Stays)
        }
        _ if !to_head && random.below(2) == 0 => (
            [head("200 OK", chunked), chunk(&body[..half]), chunk(&body[half..]), b"0\r\n\r\n".to_vec()].concat(),
            End::Stays,
        ),
        _ => (said("200 OK"), End::Stays),
    }
}

/// Starts one that speaks HTTP/2.
pub(crate) fn start_http2(judge: &Arc<Judge>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let judge = Arc::clone(judge);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let mut connection = 1u64 << 48;
            while let Ok((stream, _)) = listener.accept().await {
                connection += 1;
                tokio::spawn(serve(stream, connection, Arc::clone(&judge)));
            }
        });
    });
    Ok(address)
}

async fn serve(stream: tokio::net::TcpStream, number: u64, judge: Arc<Judge>) {
    let mut random = Random::new(number);
    let Ok(mut connection) = server::handshake(stream).await else { return };
    while let Some(Ok((request, reply))) = connection.accept().await {
        match random.below(3000) {
            0 => return,
            1 => connection.graceful_shutdown(),
            2 => connection.abrupt_shutdown(Reason::INTERNAL_ERROR),
            _ => {}
        }
        let own = Random::new(number << 16 ^ random.below(1 << 30) as u64);
        let judge = Arc::clone(&judge);
        tokio::spawn(async move {
            // An error is the edge's or a client's, who give up what they like.
            let _ = answer_http2(request, reply, &judge, own).await;
        });
    }
}

async fn answer_http2(
    request: Request<RecvStream>,
    mut reply: SendResponse<Bytes>,
    judge: &Judge,
    mut random: Random,
) -> Result<(), h2::Error> {
    let fault = random.below(40);
    let (asked, mut incoming) = request.into_parts();
    let path = asked.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let field = asked.headers.get("x-tag").and_then(|tag| tag.to_str().ok());
    if field != Some(&path) {
        judge.crossed(format!("an upstream was asked for {path} and {field:?} at once"));
    }
    let Some(tag) = Tag::read(&path) else { return Ok(()) };
    let mut at = 0;
    while fault != 1
        && let Some(data) = incoming.data().await
    {
        let data = data?;
        incoming.flow_control().release_capacity(data.len())?;
        judge.octets(tag, &data, at);
        at += data.len();
    }
    let body = tag.content(length(&mut random));
    let mut head = Response::builder().header("x-tag", &path).header("x-path", &path).header("x-length", body.len());
    if fault == 4 || random.below(2) == 0 {
        head = head.header("content-length", body.len());
    }
    match fault {
        0 => reply.send_reset(Reason::INTERNAL_ERROR),
        2 => reply.send_reset(Reason::REFUSED_STREAM),
        _ => {}
    }
    let to_head = asked.method == Method::HEAD;
    let mut stream = reply.send_response(head.body(()).expect("a response"), to_head)?;
    if to_head {
        return Ok(());
    }
    let half = body.len() / 2;
    match fault {
        3 => {
            stream.send_data(Bytes::copy_from_slice(&body[..half]), false)?;
            tokio::task::yield_now().await;
            stream.send_reset([Reason::NO_ERROR, Reason::CANCEL, Reason::INTERNAL_ERROR][random.below(3)]);
        }
        4 if half > 0 => stream.send_data(Bytes::copy_from_slice(&body[..half]), true)?,
        _ => {
            stream.send_data(Bytes::copy_from_slice(&body[..half]), false)?;
            stream.send_data(Bytes::copy_from_slice(&body[half..]), true)?;
        }
    }
    Ok(())
}

/// Octets of an answer's body: from nothing to more than what waits anywhere on the way.
fn length(random: &mut Random) -> usize {
    match random.below(12) {
        0 => 0,
        11 => 70_000 + random.below(100_000),
        _ => random.below(4_000),
    }
}

const NONE: usize = usize::MAX;
