//! A client of the edge that need not wait: many connections in one thread, in either HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Speaks one protocol with one name, and trusts one authority.
pub(crate) struct Speaker {
    connector: TlsConnector,
    address: SocketAddr,
    name: ServerName<'static>,
}

impl Speaker {
    /// `root` is the authority's certificate, PEM; `protocol` as ALPN has it.
    pub(crate) fn new(address: SocketAddr, name: &'static str, root: &str, protocol: &str) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(root.as_bytes()).map_err(io::Error::other)?;
        roots.add(root).map_err(io::Error::other)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), address, name })
    }

    pub(crate) async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        self.connector.connect(self.name.clone(), tcp).await
    }
}

/// A head of HTTP/1.1, octet by octet, so that nothing behind it is read.
pub(crate) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    String::from_utf8(head).map_err(io::Error::other)
}
