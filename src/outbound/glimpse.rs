//! A look at what one machine answers: one GET at an address of the caller's choosing, whatever the name leads to. What it says is
//! read in part, and never followed anywhere.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, LOCATION, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// Its status.
    pub status: StatusCode,
    /// Where it would send who asked, as it wrote it.
    pub location: Option<Vec<u8>>,
    /// The beginning of the content, at most what was asked for and one octet more, which shows that there was more.
    pub content: Vec<u8>,
}

/// Why nothing was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// No connection came about.
    NotReached(String),
    /// It took the connection, and answers nothing of use.
    NoAnswer(String),
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReached(why) | Self::NoAnswer(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Unseen {}

/// Asks whoever listens at `address` for `path` of `host`, and reads at most `most` octets of the content.
///
/// # Errors
/// [`Unseen`]; whatever it answers is none of these.
pub async fn glimpse(
    address: SocketAddr,
    (host, path): (&str, &str),
    most: usize,
    until: Instant,
) -> Result<Glimpse, Unseen> {
    glimpse_over(connect(address, until).await?, (host, path), most, until).await
}

/// The same over a connection that is there.
///
/// # Errors
/// [`Unseen::NoAnswer`]
pub async fn glimpse_over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    (host, path): (&str, &str),
    most: usize,
    until: Instant,
) -> Result<Glimpse, Unseen> {
    match timeout_at(until, look(stream, host, path, most)).await {
        Ok(seen) => seen,
        Err(_) => Err(late()),
    }
}

/// A connection to `address`.
///
/// # Errors
/// [`Unseen::NotReached`]
pub async fn connect(address: SocketAddr, until: Instant) -> Result<TcpStream, Unseen> {
    match timeout_at(until, TcpStream::connect(address)).await {
        Ok(Ok(tcp)) => Ok(tcp),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(Unseen::NotReached("nobody listens there".into()))
        }
        Ok(Err(error)) => Err(Unseen::NotReached(format!("no connection comes about: {error}"))),
        Err(_) => Err(Unseen::NotReached("no connection comes about in time".into())),
    }
}

/// The same in HTTP/2, of the head alone.
///
/// # Errors
/// [`Unseen::NoAnswer`]
pub async fn glimpse_in_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    (host, path): (&str, &str),
    is_secure: bool,
    until: Instant,
) -> Result<Glimpse, Unseen> {
    let look = async {
        let scheme = if is_secure { "https" } else { "http" };
        let uri = http::Uri::builder().scheme(scheme).authority(host).path_and_query(path).build();
        let request = Request::get(uri.map_err(|error| Unseen::NoAnswer(error.to_string()))?)
            .header(USER_AGENT, concat!("vitrine/", env!("CARGO_PKG_VERSION")))
            .body(())
            .map_err(|error| Unseen::NoAnswer(error.to_string()))?;
        let broken = |error: h2::Error| Unseen::NoAnswer(format!("no answer in HTTP/2: {error}"));
        let (mut sender, connection) = h2::client::handshake(stream).await.map_err(broken)?;
        let (answer, _) = sender.send_request(request, true).map_err(broken)?;
        let (mut connection, mut answer) = (pin!(connection), pin!(answer));
        // The connection moves what the answer waits for, and may end first with everything handed over.
        let answer = tokio::select! {
            answer = &mut answer => answer,
            _ = &mut connection => answer.await,
        };
        let head = answer.map_err(broken)?.into_parts().0;
        let location = head.headers.get(LOCATION).map(|location| location.as_bytes().to_vec());
        Ok(Glimpse { status: head.status, location, content: Vec::new() })
    };
    match timeout_at(until, look).await {
        Ok(seen) => seen,
        Err(_) => Err(late()),
    }
}

fn late() -> Unseen {
    Unseen::NoAnswer("it takes the connection and does not answer in time".into())
}

async fn look(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    path: &str,
    most: usize,
) -> Result<Glimpse, Unseen> {
    let request = Request::get(path)
        .header(HOST, host)
        .header(CONNECTION, "close")
        .header(USER_AGENT, concat!("vitrine/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| Unseen::NoAnswer(error.to_string()))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(LARGEST_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    let exchange = pin!(async move {
        let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let (head, mut body) = answer.into_parts();
        let mut content = Vec::new();
        while content.len() <= most {
            let Some(frame) = body.frame().await else { break };
            let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
            content.extend_from_slice(&data[..data.len().min(most + 1 - content.len())]);
        }
        let location = head.headers.get(LOCATION).map(|location| location.as_bytes().to_vec());
        Ok(Glimpse { status: head.status, location, content })
    });
    let mut connection = pin!(connection);
    let mut exchange = exchange;
    // The connection moves what the exchange waits for, and may end first with everything handed over.
    tokio::select! {
        seen = &mut exchange => return seen,
        _ = &mut connection => {}
    }
    exchange.await
}

fn broken(error: &hyper::Error) -> Unseen {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |above| above.source());
    let cause = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
    let what = if error.is_parse() { "it answers in something else than HTTP" } else { "the answer breaks off" };
    Unseen::NoAnswer(format!("{what}: {cause}"))
}

/// hyper's least is 8 KiB; a head with more is no answer to a probe.
const LARGEST_HEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that reads a head, and then answers one connection with these octets.
    async fn answering(octets: Vec<u8>) -> (SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a head"));
            }
            // Who looks may go before it is all written.
            let _ = stream.write_all(&octets).await;
            String::from_utf8(head).expect("ASCII")
        });
        (address, server)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    async fn seen(octets: impl Into<Vec<u8>>) -> Result<Glimpse, Unseen> {
        let (address, _server) = answering(octets.into()).await;
        glimpse(address, ("shop.example", "/x"), 10, soon()).await
    }

    #[tokio::test]
    async fn one_get_with_the_name_is_asked_at_the_address() {
        let (address, server) = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc".to_vec()).await;
        let seen = glimpse(address, ("shop.example", "/.well-known/x"), 10, soon()).await.expect("an answer");
        assert_eq!(seen, Glimpse { status: StatusCode::OK, location: None, content: b"abc".to_vec() });
        let head = server.await.expect("a head").to_ascii_lowercase();
        assert!(
            head.starts_with("get /.well-known/x http/1.1\r\nhost: shop.example\r\nconnection: close\r\n"),
            "{head}"
        );
    }

    #[tokio::test]
    async fn no_more_is_read_than_was_asked_for_and_nothing_is_followed() {
        let endless = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &vec![b'a'; 4 << 20]].concat();
        assert_eq!(seen(endless).await.expect("an answer").content, b"aaaaaaaaaaa");
        let moved =
            "HTTP/1.1 301 Moved Permanently\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n";
        let seen = seen(moved).await.expect("an answer");
        assert_eq!((seen.status.as_u16(), seen.location.as_deref()), (301, Some(&b"https://elsewhere.example/"[..])));
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_apart_from_nobody() {
        let large_head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(LARGEST_HEAD));
        for octets in ["SSH-2.0-OpenSSH_9.9\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "", &large_head] {
            assert!(matches!(seen(octets).await, Err(Unseen::NoAnswer(_))), "{octets:.20}");
        }
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        let nobody = glimpse(free, ("shop.example", "/x"), 10, soon()).await;
        assert_eq!(nobody, Err(Unseen::NotReached("nobody listens there".into())));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_says_nothing_is_given_up_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let until = Instant::now() + Duration::from_secs(7);
        let silent = glimpse(listener.local_addr().expect("an address"), ("shop.example", "/x"), 10, until).await;
        assert_eq!(silent, Err(Unseen::NoAnswer("it takes the connection and does not answer in time".into())));
        assert_eq!(Instant::now(), until);
    }
}
