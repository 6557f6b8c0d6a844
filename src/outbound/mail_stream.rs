//! A connection to a mail server, encrypted before anything is said that matters: from the start (RFC 8314), or after STARTTLS
//! (RFC 3207). Whoever gets it finds the server's greeting next.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::HostNames;
use super::trust::trusting;

/// How a connection to a mail server is kept from being overheard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailDoor {
    /// It begins with TLS.
    Tls,
    /// It turns to TLS before anything is said.
    StartTls,
    /// It does not leave this machine.
    Plain,
}

/// A mail server.
#[derive(Clone)]
pub struct MailServer {
    host: String,
    port: u16,
    door: MailDoor,
    tls: TlsConnector,
}

impl MailServer {
    /// The server `host`, which is believed if it shows a certificate that leads to one of `roots`.
    ///
    /// # Errors
    /// When the cryptography library offers no usable versions.
    pub fn new(
        (host, port): (String, u16),
        door: MailDoor,
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, rustls::Error> {
        Ok(Self { host, port, door, tls: Arc::new(trusting(roots)?).into() })
    }

    /// Connects; `hello` is what this machine calls itself.
    ///
    /// # Errors
    /// [`NoMailServer`]
    pub async fn connect(&self, hello: &str, until: Instant) -> Result<MailStream, NoMailServer> {
        match timeout_at(until, self.enter(hello)).await {
            Ok(entered) => entered.map_err(|why| NoMailServer(format!("{self}: {why}"))),
            Err(_) => Err(NoMailServer(format!("{self}: no answer in time"))),
        }
    }

    async fn enter(&self, hello: &str) -> Result<MailStream, String> {
        let mut tcp = self.dial().await?;
        match self.door {
            MailDoor::Plain => {
                // A name is what the system says it is.
                let peer = tcp.peer_addr().map_err(|error| error.to_string())?;
                if !peer.ip().to_canonical().is_loopback() {
                    let mend = "expected mail.security = \"tls\" or \"starttls\" for another machine";
                    return Err(format!("leads to {}; {mend}", peer.ip()));
                }
                Ok(MailStream(Kind::Plain(tcp)))
            }
            MailDoor::Tls => Ok(MailStream(Kind::Tls { greeting: b"", stream: self.encrypt(tcp).await? })),
            MailDoor::StartTls => {
                start_tls(&mut tcp, hello).await?;
                Ok(MailStream(Kind::Tls { greeting: GREETING, stream: self.encrypt(tcp).await? }))
            }
        }
    }

    async fn dial(&self) -> Result<TcpStream, String> {
        let found = match self.host.parse() {
            Ok(address) => vec![address],
            Err(_) => {
                let looked_up = HostNames::system().look_up(&self.host, &[]).await;
                looked_up.map_err(|error| format!("not found: {error}"))?.addresses
            }
        };
        let mut last = "the name has no address".to_owned();
        for address in found {
            match TcpStream::connect(SocketAddr::new(address, self.port)).await {
                Ok(tcp) => {
                    let _ = tcp.set_nodelay(true);
                    return Ok(tcp);
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => last = "nobody listens there".into(),
                Err(error) => last = format!("no connection comes about: {error}"),
            }
        }
        Err(last)
    }

    async fn encrypt(&self, tcp: TcpStream) -> Result<Box<TlsStream<TcpStream>>, String> {
        let name = ServerName::try_from(self.host.clone()).map_err(|_| "that is no name of a host".to_owned())?;
        let refused = |error| {
            format!(
                "no TLS connection: {error}; see mail.security, and certificates.trusted_roots for an authority of one's own"
            )
        };
        self.tls.connect(name, tcp).await.map(Box::new).map_err(refused)
    }
}

impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mail server {}:{}", self.host, self.port)
    }
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailServer({self})")
    }
}

/// Why there is no connection, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoMailServer(String);

impl fmt::Display for NoMailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoMailServer {}

/// Has the server turn to TLS. Nothing that came before it is taken for said after it: what was injected behind the answer ends
/// the connection.
async fn start_tls(tcp: &mut TcpStream, hello: &str) -> Result<(), String> {
    answered(tcp, "220").await?;
    say(tcp, &format!("EHLO {hello}\r\n")).await?;
    let offered = answered(tcp, "250").await?;
    // The first line is the server's name.
    if !offered.iter().skip(1).any(|line| line.eq_ignore_ascii_case("STARTTLS")) {
        return Err("does not offer STARTTLS; see mail.security and the port of mail.server".into());
    }
    say(tcp, "STARTTLS\r\n").await?;
    answered(tcp, "220").await.map(drop)
}

async fn say(tcp: &mut TcpStream, line: &str) -> Result<(), String> {
    tcp.write_all(line.as_bytes()).await.map_err(|error| format!("the connection broke off: {error}"))
}

/// Reads one whole answer and no octet more (RFC 5321 §4.2.1). Gives the text of its lines.
async fn answered(tcp: &mut TcpStream, code: &str) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            if line.len() >= LONGEST_LINE || lines.len() >= MOST_LINES {
                return Err("answers at such length that it is no mail server".into());
            }
            line.push(tcp.read_u8().await.map_err(|error| format!("the connection broke off: {error}"))?);
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let is_last = line.as_bytes().get(3) != Some(&b'-');
        if !line.starts_with(code) {
            let shown: String = line.chars().filter(|letter| !letter.is_control()).take(MOST_SHOWN).collect();
            return Err(format!("expected an answer {code}, found {shown:?}"));
        }
        lines.push(line.get(4..).unwrap_or_default().to_owned());
        if is_last {
            return Ok(lines);
        }
    }
}

/// A connection on which the server's greeting comes next.
pub struct MailStream(Kind);

enum Kind {
    Plain(TcpStream),
    Tls {
        /// What is read before the stream: after STARTTLS a server does not greet again.
        greeting: &'static [u8],
        stream: Box<TlsStream<TcpStream>>,
    },
}

impl MailStream {
    /// Who is at the other end.
    ///
    /// # Errors
    /// When the system does not know any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Kind::Plain(stream) => stream.peer_addr(),
            Kind::Tls { stream, .. } => stream.get_ref().0.peer_addr(),
        }
    }
}

impl fmt::Debug for MailStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailStream").field("peer", &self.peer_addr().ok()).finish_non_exhaustive()
    }
}

impl AsyncRead for MailStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Kind::Tls { greeting, .. } if !greeting.is_empty() => {
                let (now, later) = greeting.split_at(greeting.len().min(buffer.remaining()));
                buffer.put_slice(now);
                *greeting = later;
                Poll::Ready(Ok(()))
            }
            Kind::Tls { stream, .. } => {
                let before = buffer.filled().len();
                match ready!(Pin::new(stream).poll_read(cx, buffer)) {
                    // Most servers close without a farewell of TLS.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && buffer.filled().len() == before => {
                        Poll::Ready(Ok(()))
                    }
                    read => Poll::Ready(read),
                }
            }
        }
    }
}

impl AsyncWrite for MailStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            Kind::Tls { stream, .. } => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Kind::Tls { stream, .. } => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Kind::Tls { stream, .. } => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Whoever speaks SMTP expects one; what the server said before it was encrypted is forgotten (RFC 3207 §4.2).
const GREETING: &[u8] = b"220 encrypted\r\n";
/// RFC 5321 §4.5.3.1.5 allows 512.
const LONGEST_LINE: usize = 2048;
const MOST_LINES: usize = 100;
/// Enough to know what was said.
const MOST_SHOWN: usize = 120;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    /// A server that says its lines one after the other, each after one of the client's.
    async fn server(lines: &'static [&'static str]) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let said = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut heard = Vec::new();
            for (index, line) in lines.iter().enumerate() {
                if index > 0 {
                    let mut told = Vec::new();
                    while !told.ends_with(b"\r\n") {
                        let Ok(octet) = stream.read_u8().await else { return heard };
                        told.push(octet);
                    }
                    heard.push(String::from_utf8(told).expect("ASCII"));
                }
                stream.write_all(line.as_bytes()).await.expect("written");
            }
            heard
        });
        (address, said)
    }

    async fn entered(address: SocketAddr, door: MailDoor) -> Result<MailStream, NoMailServer> {
        let server = MailServer::new(("127.0.0.1".into(), address.port()), door, []).expect("a client");
        server.connect("edge.example", Instant::now() + Duration::from_secs(20)).await
    }

    #[tokio::test]
    async fn nothing_is_said_to_a_server_that_does_not_encrypt() {
        let (address, heard) = server(&["220 mail\r\n", "250-mail\r\n250 SIZE 1\r\n"]).await;
        let error = entered(address, MailDoor::StartTls).await.expect_err("not offered").to_string();
        assert!(error.ends_with("does not offer STARTTLS; see mail.security and the port of mail.server"), "{error}");
        assert_eq!(heard.await.expect("heard"), ["EHLO edge.example\r\n"]);
    }

    #[tokio::test]
    async fn what_is_injected_behind_the_turn_to_tls_is_no_answer() {
        let lines = &["220-mail\r\n220 mail\r\n", "250-mail\r\n250 starttls\r\n", "220 go\r\n250 injected\r\n"];
        let (address, _heard) = server(lines).await;
        let error = entered(address, MailDoor::StartTls).await.expect_err("injected").to_string();
        assert!(error.contains("no TLS connection"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_turns_clients_away_is_quoted() {
        let (address, _heard) = server(&["554 go\x07 away\r\n"]).await;
        let error = entered(address, MailDoor::StartTls).await.expect_err("away").to_string();
        assert!(error.ends_with("expected an answer 220, found \"554 go away\""), "{error}");
    }

    #[tokio::test]
    async fn an_open_connection_stays_on_this_machine() {
        let (address, _heard) = server(&["220 mail\r\n"]).await;
        let mut stream = entered(address, MailDoor::Plain).await.expect("a connection");
        let mut greeting = [0; 10];
        stream.read_exact(&mut greeting).await.expect("a greeting");
        assert_eq!(&greeting, b"220 mail\r\n");
    }
}
