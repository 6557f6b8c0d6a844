//! Clients of HTTP/2 that have many requests under way on one connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::http1::{length, path};
use crate::judge::{Answered, Judge, Tag};
use crate::random::Random;

/// Asks on so many connections until there are no more tags. `root` is the authority's certificate, PEM.
pub(crate) fn ask(connections: u64, judge: &Arc<Judge>, address: SocketAddr, root: &str) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).expect("PEM")).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tls = TlsConnector::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let all: Vec<_> = (0..connections)
            .map(|number| tokio::spawn(keep_asking(number, Arc::clone(judge), address, tls.clone())))
            .collect();
        for one in all {
            one.await.expect("no panic");
        }
    });
}

async fn keep_asking(number: u64, judge: Arc<Judge>, address: SocketAddr, tls: TlsConnector) {
    let tcp = TcpStream::connect(address).await.expect("connected");
    let name = ServerName::try_from(crate::NAME).expect("a name");
    let stream = tls.connect(name, tcp).await.expect("a handshake");
    let (sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let driver = tokio::spawn(connection);
    let all: Vec<_> = (0..AT_ONCE)
        .map(|place| {
            let (judge, sender) = (Arc::clone(&judge), sender.clone());
            tokio::spawn(async move {
                let mut random = Random::new((number + 1) << 32 | place);
                while let Some(tag) = judge.tag() {
                    exchange(sender.clone(), tag, &judge, &mut random).await;
                }
            })
        })
        .collect();
    for one in all {
        one.await.expect("no panic");
    }
    assert!(!driver.is_finished(), "the edge has closed a connection of HTTP/2");
}

/// One request and what comes of it.
async fn exchange(sender: SendRequest<Bytes>, tag: Tag, judge: &Judge, random: &mut Random) {
    match attempt(sender, tag, judge, random).await {
        Ok(true) => {}
        Ok(false) => drop(judge.given_up.fetch_add(1, Ordering::Relaxed)),
        Err(_) => drop(judge.broken_off.fetch_add(1, Ordering::Relaxed)),
    }
}

/// False: the client has given it up.
async fn attempt(sender: SendRequest<Bytes>, tag: Tag, judge: &Judge, random: &mut Random) -> Result<bool, h2::Error> {
    let method = [Method::GET, Method::HEAD, Method::POST, Method::POST][random.below(4)].clone();
    let has_body = method == Method::POST;
    let uri = format!("https://{}{}", crate::NAME, path(tag, random));
    let mut request = Request::builder().method(method.clone()).uri(uri).header("x-tag", tag.text());
    let body = if has_body { tag.content(length(random)) } else { Vec::new() };
    if has_body && random.below(2) == 0 {
        request = request.header("content-length", body.len());
    }
    let whim = random.below(100);
    let mut sender = sender.ready().await?;
    let (answer, mut stream) = sender.send_request(request.body(()).expect("a request"), !has_body)?;
    if whim < 4 {
        // Some leave at once, some when the edge has begun with it.
        if whim < 2 {
            tokio::task::yield_now().await;
        }
        return Ok(false);
    }
    if has_body && whim < 8 {
        let _ = stream.send_data(Bytes::copy_from_slice(&body[..body.len() / 2]), false);
        tokio::task::yield_now().await;
        stream.send_reset(Reason::CANCEL);
        return Ok(false);
    }
    if has_body {
        // The edge may have answered, and taken no more.
        let _ = stream.send_data(body.into(), true);
    }
    let (head, mut body) = answer.await?.into_parts();
    let fields = |name: &str| field(&head.headers, name);
    let answered = Answered {
        status: head.status.as_u16(),
        tag: fields("x-tag"),
        path: fields("x-path"),
        length: fields("x-length"),
    };
    let is_upstreams = judge.head(tag, &answered);
    let mut at = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        if is_upstreams {
            judge.octets(tag, &data, at);
        }
        at += data.len();
        if whim < 12 {
            return Ok(false);
        }
    }
    body.trailers().await?;
    match is_upstreams {
        true if method == Method::HEAD => judge.head_alone(),
        true => judge.ended(tag, &answered, at),
        false => {}
    }
    Ok(true)
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Requests under way on one connection.
const AT_ONCE: u64 = 20;
