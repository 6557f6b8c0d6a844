//! A peer of `benches/compare`: what a shop would build on Pingora to end TLS and pass requests on, and nothing more.

use std::sync::Arc;

use async_trait::async_trait;
use pingora::http::RequestHeader;
use pingora::listeners::tls::TlsSettings;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};

const USAGE: &str = "usage: compare-pingora ADDRESS CERTIFICATE KEY ORIGIN";

struct Edge {
    origin: String,
}

#[async_trait]
impl ProxyHttp for Edge {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(&self, _session: &mut Session, _ctx: &mut Self::CTX) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(&self.origin, false, String::new())))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        _ctx: &mut Self::CTX,
    ) -> Result<()> {
        let client = session.client_addr().and_then(|address| address.as_inet());
        let client = client.ok_or_else(|| Error::explain(ErrorType::InternalError, "a client without an address"))?;
        request.insert_header("x-forwarded-for", client.ip().to_string())?;
        request.insert_header("x-forwarded-proto", "https")
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, certificate, key, origin] = &arguments[..] else {
        eprintln!("{USAGE}");
        std::process::exit(64);
    };
    let conf = ServerConf { threads: 1, upstream_keepalive_pool_size: 512, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut tls = TlsSettings::intermediate(certificate, key)?;
    tls.enable_h2();
    let curves = tls.set_curves_list("X25519MLKEM768:X25519:P-256");
    curves.map_err(|error| Error::because(ErrorType::TLSHandshakeFailure, "the groups", error))?;
    let mut service = http_proxy_service(&Arc::clone(&server.configuration), Edge { origin: origin.clone() });
    service.add_tls_with_settings(address, None, tls);
    server.add_service(service);
    server.run_forever();
}
