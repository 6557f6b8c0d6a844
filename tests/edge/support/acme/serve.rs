//! HTTPS in front of the server's book.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::Shared;
use super::request::Asked;
use crate::support::authority::authority;

/// Serves until the other half of `ended` is gone, and with it every connection.
pub(super) fn run(listener: TcpListener, shared: Arc<Shared>, ended: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        listener.set_nonblocking(true).expect("a socket");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
        let tls = TlsAcceptor::from(Arc::new(config()));
        let accept = async {
            loop {
                let Ok((tcp, _)) = listener.accept().await else { continue };
                let (tls, shared) = (tls.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    let Ok(stream) = tls.accept(tcp).await else { return };
                    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
                    // A client that leaves is no matter of ours.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        };
        tokio::select! {
            () = accept => {}
            _ = ended => {}
        }
    });
}

fn config() -> ServerConfig {
    let issued = authority().issue(&["127.0.0.1"]);
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("a key");
    ServerConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![issued.der], key)
        .expect("a pair")
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let reply = shared.book().answer(&Asked { path: head.uri.path().to_owned(), body });
    shared.changed.notify_all();
    let Some(reply) = reply else { return std::future::pending().await };
    let mut response = Response::builder().status(reply.status).header("content-type", reply.kind);
    for (field, value) in reply.fields {
        response = response.header(field, value);
    }
    Ok(response.body(Full::new(reply.body.into())).expect("a response"))
}
