//! Posts to addresses that somebody wrote into a form: bounded in time and size, to nobody inside the operator's network unless
//! that is allowed, and to nobody else than was written.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderName, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::HostNames;
use super::networks::is_inside;
use super::trust::trusting;

/// Where to post. The path of one is often its secret: it is neither shown nor printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PostAddress {
    uri: Uri,
    host: String,
    port: u16,
    is_secure: bool,
}

impl PostAddress {
    /// Reads `https://host[:port]/path`. The same with `http` is read too; it is only ever posted to where that is allowed.
    ///
    /// # Errors
    /// What was expected. Nothing of the text is repeated.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(EXPECTED),
        };
        let authority = uri.authority().ok_or(EXPECTED)?;
        if authority.as_str().contains('@') {
            return Err("expected an address without user and password; put what is secret in its path");
        }
        let host = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
        if host.is_empty() || text.len() > LONGEST || text.contains('#') || !text.is_ascii() {
            return Err(EXPECTED);
        }
        // A port that is none is not read as one, and would be the usual one.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") | None => {
                if is_secure {
                    443
                } else {
                    80
                }
            }
            Some(_) => authority.port_u16().filter(|port| *port != 0).ok_or(EXPECTED)?,
        };
        Ok(Self { uri, host, port, is_secure })
    }

    /// The whole of it, for whoever keeps it.
    #[must_use]
    pub fn secret(&self) -> String {
        self.uri.to_string()
    }
}

/// Scheme and host.
impl fmt::Display for PostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.uri.authority().map_or("", |authority| authority.as_str()))
    }
}

impl fmt::Debug for PostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostAddress({self})")
    }
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Its status.
    pub status: StatusCode,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether it names another address.
    pub redirects: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotPosted {
    /// It leads inside the operator's network, and that is not allowed.
    Inside(String),
    /// It is not reached, or does not answer.
    NoAnswer(String),
}

impl fmt::Display for NotPosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inside(why) | Self::NoAnswer(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for NotPosted {}

/// Posts. Every post has a connection of its own: nothing is found again that was checked for another.
#[derive(Clone)]
pub struct PostClient {
    tls: TlsConnector,
    allowed: Vec<IpNet>,
}

impl PostClient {
    /// A client that trusts `roots`, and goes to the networks that are `allowed` although they are the operator's own.
    ///
    /// # Errors
    /// When the cryptography library offers no usable versions.
    pub fn new(
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
        allowed: Vec<IpNet>,
    ) -> Result<Self, rustls::Error> {
        Ok(Self { tls: Arc::new(trusting(roots)?).into(), allowed })
    }

    /// Posts JSON, and gives everything, looking for the host included, until then.
    ///
    /// # Errors
    /// [`NotPosted`]; an answer that says no is none of these, nor one that names another address, which is not gone to.
    pub async fn post(
        &self,
        to: &PostAddress,
        fields: &[(HeaderName, HeaderValue)],
        content: Bytes,
        until: Instant,
    ) -> Result<Posted, NotPosted> {
        let exchange = async {
            let tcp = self.connect(to).await?;
            if !to.is_secure {
                return exchange(tcp, to, fields, content).await;
            }
            let name = ServerName::try_from(to.host.clone())
                .map_err(|_| NotPosted::NoAnswer(format!("{to}: that is no name of a host")))?;
            let tls = self.tls.connect(name, tcp).await;
            let tls = tls.map_err(|error| NotPosted::NoAnswer(format!("{to}: no TLS connection: {error}")))?;
            exchange(tls, to, fields, content).await
        };
        match timeout_at(until, exchange).await {
            Ok(ended) => ended,
            Err(_) => Err(NotPosted::NoAnswer(format!("{to}: no answer in time"))),
        }
    }

    /// Connects to an address that was looked at: what the name leads to a moment later has no bearing.
    async fn connect(&self, to: &PostAddress) -> Result<TcpStream, NotPosted> {
        let found = match to.host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => {
                let looked_up = HostNames::system().look_up(&to.host, &[]).await;
                looked_up.map_err(|error| NotPosted::NoAnswer(format!("{to}: not found: {error}")))?.addresses
            }
        };
        let mut last = NotPosted::NoAnswer(format!("{to}: the name has no address"));
        for address in found {
            if let Err(why) = self.admit(to, address) {
                last = why;
                continue;
            }
            match TcpStream::connect(SocketAddr::new(address, to.port)).await {
                Ok(tcp) => {
                    let _ = tcp.set_nodelay(true);
                    return Ok(tcp);
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    last = NotPosted::NoAnswer(format!("{to}: nobody listens there"));
                }
                Err(error) => last = NotPosted::NoAnswer(format!("{to}: no connection comes about: {error}")),
            }
        }
        Err(last)
    }

    fn admit(&self, to: &PostAddress, address: IpAddr) -> Result<(), NotPosted> {
        let address = address.to_canonical();
        if self.allowed.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        if is_inside(address) {
            return Err(NotPosted::Inside(format!(
                "{to} leads to {address}, which is inside a network of one's own; if that is meant, name the network in \
                 notices.webhook_networks"
            )));
        }
        if !to.is_secure {
            return Err(NotPosted::Inside(format!(
                "{to} would be read and changed by anybody on the way; write https://, or name the network of {address} in \
                 notices.webhook_networks"
            )));
        }
        Ok(())
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    to: &PostAddress,
    fields: &[(HeaderName, HeaderValue)],
    content: Bytes,
) -> Result<Posted, NotPosted> {
    let broken = |error: &dyn std::error::Error| {
        let causes = std::iter::successors(Some(error), |above| above.source());
        let cause = causes.last().map(ToString::to_string).unwrap_or_default();
        NotPosted::NoAnswer(format!("{to}: the answer cannot be used: {cause}"))
    };
    let authority = to.uri.authority().map_or("", |authority| authority.as_str());
    let path = to.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::post(path)
        .header(HOST, authority)
        .header(CONNECTION, "close")
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("vitrine/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(content))
        .map_err(|error| broken(&error))?;
    for (name, value) in fields {
        request.headers_mut().insert(name, value.clone());
    }
    let handshake = http1::Builder::new().max_buf_size(LARGEST_HEAD).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| broken(&error))?;
    let exchange = async move {
        let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let (head, body) = answer.into_parts();
        // What it says is of no use; that it can be said to its end shows that the answer is whole.
        let _ = Limited::new(body, LARGEST_ANSWER).collect().await;
        let after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Posted {
            status: head.status,
            retry_after: after.map(Duration::from_secs),
            redirects: head.status.is_redirection() && head.headers.contains_key(LOCATION),
        })
    };
    let (mut connection, mut exchange) = (pin!(connection), pin!(exchange));
    // The connection moves what the exchange waits for, and may end first with everything handed over.
    tokio::select! {
        posted = &mut exchange => return posted,
        _ = &mut connection => {}
    }
    exchange.await
}

const EXPECTED: &str = "expected an address such as \"https://chat.example/hooks/1\"";
/// Twice what the longest of those who give such addresses out have.
const LONGEST: usize = 2048;
/// hyper's least is 8 KiB.
const LARGEST_HEAD: usize = 16 * 1024;
/// Nothing of it is kept.
const LARGEST_ANSWER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn client(allowed: &[&str]) -> PostClient {
        PostClient::new([], allowed.iter().map(|network| network.parse().expect("a network")).collect())
            .expect("a client")
    }

    async fn post(client: &PostClient, to: &str) -> Result<Posted, NotPosted> {
        let until = Instant::now() + Duration::from_secs(20);
        client.post(&PostAddress::parse(to).expect("an address"), &[], "{}".into(), until).await
    }

    #[test]
    fn an_address_shows_its_host_and_nothing_that_may_be_secret() {
        let address = PostAddress::parse("https://Hooks.Chat.example:8443/services/T0/hunter2?a=b").expect("one");
        assert_eq!(address.to_string(), "https://Hooks.Chat.example:8443");
        assert_eq!(format!("{address:?}"), "PostAddress(https://Hooks.Chat.example:8443)");
        assert_eq!(address.secret(), "https://Hooks.Chat.example:8443/services/T0/hunter2?a=b");
        assert_eq!((&*address.host, address.port), ("hooks.chat.example", 8443));
        for wrong in [
            "",
            "hooks.chat.example/x",
            "ftp://a.example/",
            "https://",
            "https:///x",
            "https://user:hunter2@a.example/",
            "https://a.example:99999/",
            "https://a.example:0/",
            "https://a.example/a b",
            "https://a.example/\r\nx: y",
            "https://bücher.example/",
        ] {
            let said = PostAddress::parse(wrong).expect_err(wrong);
            assert!(said.starts_with("expected an address") && !said.contains("hunter2"), "{wrong}: {said}");
        }
    }

    #[tokio::test]
    async fn nobody_inside_is_posted_to_unless_allowed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let closed = client(&[]);
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "169.254.169.254", "10.0.0.1"] {
            for scheme in ["http", "https"] {
                let refused = post(&closed, &format!("{scheme}://{host}:{port}/hook")).await;
                assert!(matches!(refused, Err(NotPosted::Inside(_))), "{scheme} {host}: {refused:?}");
            }
        }
        let other = post(&client(&["10.0.0.0/8"]), &format!("http://127.0.0.1:{port}/hook")).await;
        assert!(matches!(&other, Err(NotPosted::Inside(why)) if why.contains("127.0.0.1") && !why.contains("/hook")));
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("the first connection is the one that is allowed");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n{}") {
                head.push(stream.read_u8().await.expect("a request"));
            }
            let answer = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://10.0.0.1/\r\nretry-after: 7\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.expect("written");
            String::from_utf8(head).expect("ASCII")
        });
        let posted = post(&client(&["127.0.0.0/8"]), &format!("http://127.0.0.1:{port}/hook?key=1")).await;
        let after = Some(Duration::from_secs(7));
        assert_eq!(posted, Ok(Posted { status: StatusCode::TEMPORARY_REDIRECT, retry_after: after, redirects: true }));
        let head = server.await.expect("a request");
        assert!(head.starts_with("POST /hook?key=1 HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nhost: 127.0.0.1:{port}\r\n")), "{head}");
    }

    #[test]
    fn what_is_not_encrypted_goes_to_allowed_networks_alone() {
        let to = PostAddress::parse("http://1.1.1.1/").expect("an address");
        let address = IpAddr::from([1, 1, 1, 1]);
        let refused = client(&[]).admit(&to, address).expect_err("plain").to_string();
        assert!(refused.contains("write https://"), "{refused}");
        assert_eq!(client(&["1.1.1.0/24"]).admit(&to, address), Ok(()));
        let secure = PostAddress::parse("https://1.1.1.1/").expect("an address");
        assert_eq!(client(&[]).admit(&secure, address), Ok(()));
    }
}
