//! One client connection: TLS 1.3 with one cipher suite and one key exchange group, and a GET whose answer is checked.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, ClientConfig, Error, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{Failure, websocket};

/// Whom to ask, what for, and what the answer must be.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    name: ServerName<'static>,
    path: String,
    length: usize,
    config: ClientConfig,
}

/// An open connection over HTTP/2.
pub struct Http2 {
    _sender: h2::client::SendRequest<bytes::Bytes>,
    task: tokio::task::JoinHandle<()>,
}

impl Http2 {
    /// Whether the peer has ended it.
    pub fn is_closed(&self) -> bool {
        self.task.is_finished()
    }
}

impl Target {
    /// Fails on an address, name, certificate or group that cannot be used.
    pub fn new(
        (address, name): (&str, &str),
        ca: &str,
        (path, length): (&str, usize),
        group: &str,
    ) -> Result<Self, Failure> {
        let usage = |what: &str| Failure::Usage(what.to_owned());
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
        provider.kx_groups = match group {
            "x25519" => vec![kx_group::X25519],
            "x25519mlkem768" => vec![kx_group::X25519MLKEM768],
            _ => return Err(usage("--group is neither x25519 nor x25519mlkem768")),
        };
        let pem = fs::read(ca).map_err(|error| Failure::Usage(format!("{ca}: {error}")))?;
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(&pem).map_err(|_| usage("--ca holds no certificate"))?;
        roots.add(ca).map_err(|_| usage("--ca holds no certificate that can be a root"))?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| Failure::Usage(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self {
            address: address.parse().map_err(|_| usage("--address is not IP:PORT"))?,
            name: ServerName::try_from(name.to_owned()).map_err(|_| usage("--name is not a host name"))?,
            path: path.to_owned(),
            length,
            config,
        })
    }

    /// The same, over HTTP/2.
    #[must_use]
    pub fn over_http2(mut self) -> Self {
        self.config.alpn_protocols = vec![b"h2".to_vec()];
        self
    }

    /// A connector that remembers sessions of its own, or none.
    pub fn connector(&self, resume: bool) -> TlsConnector {
        let mut config = self.config.clone();
        if resume {
            config.resumption = Resumption::in_memory_sessions(4);
        }
        TlsConnector::from(Arc::new(config))
    }

    /// TCP and TLS.
    pub async fn connect(&self, connector: &TlsConnector) -> Result<TlsStream<TcpStream>, Failure> {
        let stream =
            TcpStream::connect(self.address).await.map_err(|error| Failure::Wrong(format!("connect: {error}")))?;
        let _ = stream.set_nodelay(true);
        connector.connect(self.name.clone(), stream).await.map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
                Some(Error::AlertReceived(AlertDescription::HandshakeFailure)) => Failure::Group,
                _ => Failure::Wrong(format!("handshake: {error}")),
            }
        })
    }

    /// Sends the GET over HTTP/2 and reads the whole answer. The connection lives on until what comes back is dropped, or the peer ends
    /// it: then the task is finished.
    pub async fn get_http2(&self, stream: TlsStream<TcpStream>) -> Result<Http2, Failure> {
        let wrong = |error: h2::Error| Failure::Wrong(format!("GET {}: {error}", self.path));
        let (sender, connection) = h2::client::handshake(stream).await.map_err(wrong)?;
        let task = tokio::spawn(async move { drop(connection.await) });
        let mut sender = sender.ready().await.map_err(wrong)?;
        let uri = format!("https://{}{}", self.name.to_str(), self.path);
        let request = http::Request::get(uri).body(()).map_err(|error| Failure::Usage(error.to_string()))?;
        let (answer, _) = sender.send_request(request, true).map_err(wrong)?;
        let answer = answer.await.map_err(wrong)?;
        let (status, mut body, mut length) = (answer.status(), answer.into_body(), 0);
        while let Some(data) = body.data().await {
            let data = data.map_err(wrong)?;
            length += data.len();
            body.flow_control().release_capacity(data.len()).map_err(wrong)?;
        }
        if status != http::StatusCode::OK || length != self.length {
            let text =
                format!("GET {}: expected 200 with {} bytes, got {status} with {length}", self.path, self.length);
            return Err(Failure::Wrong(text));
        }
        Ok(Http2 { _sender: sender, task })
    }

    /// Makes the connection a WebSocket (RFC 6455 §4), and has one message come back.
    pub async fn upgrade(&self, stream: &mut TlsStream<TcpStream>) -> Result<(), Failure> {
        let wrong = |error| Failure::Wrong(format!("WebSocket at {}: {error}", self.path));
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {}\r\n\r\n",
            self.path,
            self.name.to_str(),
            websocket::KEY
        );
        stream.write_all(request.as_bytes()).await.map_err(wrong)?;
        stream.flush().await.map_err(wrong)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.map_err(wrong)?);
        }
        let head = String::from_utf8_lossy(&head);
        if !head.starts_with("HTTP/1.1 101 ") || !head.contains(websocket::ACCEPT) {
            return Err(Failure::Wrong(format!("WebSocket at {}: expected 101, got {head:?}", self.path)));
        }
        stream.write_all(&websocket::QUESTION).await.map_err(wrong)?;
        stream.flush().await.map_err(wrong)?;
        let mut answer = [0; websocket::ANSWER.len()];
        stream.read_exact(&mut answer).await.map_err(wrong)?;
        if answer != websocket::ANSWER {
            return Err(Failure::Wrong(format!("WebSocket at {}: another message came back", self.path)));
        }
        Ok(())
    }

    /// Sends the GET and reads the whole answer; with `close` up to the end of the connection.
    pub async fn get(&self, stream: &mut TlsStream<TcpStream>, close: bool) -> Result<(), Failure> {
        let wrong = |error| Failure::Wrong(format!("GET {}: {error}", self.path));
        let connection = if close { "Connection: close\r\n" } else { "" };
        let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n{connection}\r\n", self.path, self.name.to_str());
        stream.write_all(request.as_bytes()).await.map_err(wrong)?;
        stream.flush().await.map_err(wrong)?;

        let mut answer = Vec::with_capacity(self.length + 1024);
        while close || !self.complete(&answer) {
            match stream.read_buf(&mut answer).await {
                Ok(0) => break,
                Ok(_) => {}
                // the end without close_notify: the length tells whether all has come
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(wrong(error)),
            }
        }
        if self.complete(&answer) { Ok(()) } else { Err(self.describe(&answer)) }
    }

    fn complete(&self, answer: &[u8]) -> bool {
        let body = answer.windows(4).position(|window| window == b"\r\n\r\n").map(|end| answer.len() - end - 4);
        answer.starts_with(b"HTTP/1.1 200 ") && body == Some(self.length)
    }

    fn describe(&self, answer: &[u8]) -> Failure {
        let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        Failure::Wrong(format!(
            "GET {}: expected 200 with {} bytes, got \"{}\" and {} bytes in all",
            self.path,
            self.length,
            String::from_utf8_lossy(line),
            answer.len()
        ))
    }
}
