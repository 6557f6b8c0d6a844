//! TLS of the admin listener: a certificate by the name that is asked for, looked up for every hello, so that another one needs no restart
//! and costs no connection.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::failures::network;
use crate::live::{CertIndex, Live, ServedCert, TlsVersion};
use crate::name::{HostName, NameBuffer};

/// How the admin listener speaks TLS.
pub struct AdminTls {
    /// `admin.host`: the name whose certificate whoever asks for none of its names gets.
    pub host: Option<HostName>,
    /// `admin.hsts`
    pub hsts: Option<bool>,
    /// What is shown where there is no certificate for a name.
    pub stand_in: Arc<ServedCert>,
    /// Tells the oldest version that is spoken: `tls.min_version`, as it is now.
    pub min_version: MinVersion,
}

impl std::fmt::Debug for AdminTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminTls").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Tells the oldest version of TLS that is spoken.
pub type MinVersion = Arc<dyn Fn() -> TlsVersion + Send + Sync>;

/// Makes TLS connections of TCP connections.
pub(super) struct Tls {
    /// Of those who may speak TLS 1.2, and of those who may not.
    acceptors: [TlsAcceptor; 2],
    min_version: MinVersion,
    crowd: Crowd,
}

impl Tls {
    /// `names` are those by which the listener may be called.
    ///
    /// # Errors
    /// When the cryptography library offers no usable versions.
    pub(super) fn new(terms: &AdminTls, names: &[HostName], certificates: Live<CertIndex>) -> io::Result<Self> {
        let (host, stand_in) = (terms.host.clone(), Arc::clone(&terms.stand_in));
        let plates = Arc::new(Plates { certificates, names: names.to_vec(), host, stand_in });
        let acceptor = |versions: &[&'static SupportedProtocolVersion]| -> io::Result<TlsAcceptor> {
            let mut config = ServerConfig::builder_with_provider(default_provider().into())
                .with_protocol_versions(versions)
                .map_err(io::Error::other)?
                .with_no_client_auth()
                .with_cert_resolver(Arc::<Plates>::clone(&plates));
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            // Operators ask seldom: nothing is kept of a session that somebody could resume.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            Ok(Arc::new(config).into())
        };
        let acceptors = [acceptor(&[&TLS13, &TLS12])?, acceptor(&[&TLS13])?];
        Ok(Self { acceptors, min_version: Arc::clone(&terms.min_version), crowd: Crowd::default() })
    }

    /// A place for one more connection of a network; `None`: it has as many as it may.
    pub(super) fn enter(&self, peer: IpAddr) -> Option<Place> {
        self.crowd.enter(network(peer))
    }

    /// The handshake, under one deadline. Whoever speaks HTTP without TLS is told so.
    pub(super) async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        match timeout(HANDSHAKE_TIMEOUT, self.shake_hands(stream)).await {
            Ok(Ok(stream)) => Some(stream),
            // What a peer does wrong is its own affair.
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake with the admin listener failed");
                None
            }
            Err(_) => {
                tracing::debug!("a TLS handshake with the admin listener took too long");
                None
            }
        }
    }

    /// rustls takes 64 KiB of a hello at most.
    async fn shake_hands(&self, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
            stream.write_all(SPEAK_TLS).await?;
            stream.shutdown().await?;
            // Closing what has not been read would take the answer away again (RFC 1122 §4.2.2.13).
            let mut rest = [0; 1024];
            for _ in 0..MOST_UNREAD / rest.len() {
                if stream.read(&mut rest).await? == 0 {
                    break;
                }
            }
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the peer speaks HTTP without TLS"));
        }
        let [both, newest] = &self.acceptors;
        let acceptor = if (self.min_version)() == TlsVersion::V1_2 { both } else { newest };
        acceptor.accept(stream).await
    }
}

/// Which certificate is shown.
struct Plates {
    certificates: Live<CertIndex>,
    names: Vec<HostName>,
    host: Option<HostName>,
    stand_in: Arc<ServedCert>,
}

impl ResolvesServerCert for Plates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut buffer = NameBuffer::new();
        let asked = hello.server_name().and_then(|name| buffer.normalise(name));
        // Shops' names are none of this listener's, and their certificates none of its business.
        let asked = asked.filter(|name| self.names.iter().any(|known| known.as_str() == *name));
        let index = self.certificates.load();
        let names = asked.into_iter().chain(self.host.as_ref().map(HostName::as_str));
        let found = names.filter_map(|name| index.find(name)).next();
        let served = found.and_then(|choice| choice.pick(hello.signature_schemes())).unwrap_or(&self.stand_in);
        served.certified.ready()
    }
}

impl std::fmt::Debug for Plates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plates").field("names", &self.names).finish_non_exhaustive()
    }
}

/// How many connections each network has.
#[derive(Clone, Default)]
struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Crowd {
    fn enter(&self, network: IpAddr) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        if *count >= MOST_OF_A_NETWORK {
            return None;
        }
        *count += 1;
        Some(Place { crowd: self.clone(), network })
    }
}

/// One connection's place; free when dropped.
pub(super) struct Place {
    crowd: Crowd,
    network: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

/// As long as clients of shops have.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A quarter of all there are: whoever opens connections and says nothing keeps the others out no more.
const MOST_OF_A_NETWORK: usize = 16;
/// A head as long as the listener takes one.
const MOST_UNREAD: usize = 16 * 1024;
/// Nothing of what came is repeated: it came in the clear.
const SPEAK_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\
    cache-control: no-store\r\ncontent-length: 78\r\n\r\n\
    This port speaks HTTPS, and this request came without TLS: ask with https://.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_so_many_connections_and_no_more_until_one_goes() {
        let crowd = Crowd::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut places: Vec<_> = (0..MOST_OF_A_NETWORK).map(|_| crowd.enter(one).expect("room")).collect();
        assert!(crowd.enter(one).is_none() && crowd.enter(other).is_some());
        places.pop();
        assert!(crowd.enter(one).is_some());
        places.clear();
        assert!(crowd.0.lock().expect("the counts").is_empty());
    }

    #[test]
    fn the_answer_without_tls_is_as_long_as_it_says() {
        let text = std::str::from_utf8(SPEAK_TLS).expect("ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
    }
}
