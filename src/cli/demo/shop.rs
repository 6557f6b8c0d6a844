//! The demo's sample shop: a small origin with two host names, a page each, a large download and a WebSocket echo. It shows
//! what the edge passes on, so that it can be held beside a shop of one's own.

mod content;
mod download;
mod echo;
mod page;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::shutdown::{Lifecycle, lifecycle};
use content::Front;
use download::Download;

pub(super) use content::HOSTS;

/// Answers on `listener` until `stop` is ready. Then what is under way has a moment to end, and the rest is cut off.
pub(super) async fn serve(listener: TcpListener, stop: impl Future<Output = ()>) {
    let (conductor, lifecycle) = lifecycle();
    let mut connections = JoinSet::new(); // dropped, it cuts off what is left
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(attend(stream, lifecycle.clone()))),
                // Out of descriptors, or the client was gone already: neither gets better by trying again at once.
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    conductor.drain(FAREWELL);
    // An error means that somebody is still downloading, and a demo that ends does not wait for that.
    let _ = tokio::time::timeout(FAREWELL, async { while connections.join_next().await.is_some() {} }).await;
}

type Body = Either<Full<Bytes>, Download>;

/// One connection from its first request to its end, as HTTP and, after an upgrade, as a WebSocket.
async fn attend(stream: TcpStream, mut lifecycle: Lifecycle) {
    let upgrade = OnceLock::new();
    {
        let answers = service_fn(|request| {
            let response = answer(request, &upgrade);
            async { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), answers)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _ = lifecycle.draining() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if ended.is_err() {
            return; // a client that breaks off is no concern of a sample shop
        }
    }
    if let Some(upgrade) = upgrade.into_inner() {
        echo::run(upgrade, lifecycle).await;
    }
}

fn answer(mut request: Request<Incoming>, upgrade: &OnceLock<OnUpgrade>) -> Response<Body> {
    let Some(front) = Front::of(&request) else { return page::lost(&request) };
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/headers" => text(JSON, headers(&request)), // with any method: it shows what arrived
        "/echo" => match echo::accept(&request) {
            Some(response) => {
                // An error means that this connection has its upgrade, which no client can bring about.
                let _ = upgrade.set(hyper::upgrade::on(&mut request));
                response
            }
            None => echo::refusal(),
        },
        _ if !is_get => {
            let mut response = text(PLAIN, "this page takes GET and HEAD\n");
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        "/" => page::home(front, &request),
        "/style.css" => text(CSS, page::STYLE),
        "/page.js" => text(JAVASCRIPT, page::SCRIPT),
        "/download" => {
            let mut response = Response::new(Either::Right(Download::whole()));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"vitrine.bin\""));
            response
        }
        _ => page::lost(&request),
    }
}

/// A whole text, not to be kept: the page shows one request.
fn text(kind: &'static str, content: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(content.into())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What arrived, as JSON; a field that came more than once has all its values.
fn headers<B>(request: &Request<B>) -> String {
    let fields: serde_json::Map<String, serde_json::Value> = request
        .headers()
        .keys()
        .map(|name| {
            let values = request.headers().get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
            (name.to_string(), values.collect())
        })
        .collect();
    let told = serde_json::json!({
        "method": request.method().as_str(),
        "target": request.uri().to_string(),
        "version": format!("{:?}", request.version()),
        "headers": fields,
    });
    format!("{told:#}\n")
}

const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
/// The pages show what a client sent: nothing in them may run but what is ours.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");
/// Before accepting is tried again.
const PAUSE: Duration = Duration::from_millis(100);
/// What is under way when the demo stops may take so long.
const FAREWELL: Duration = Duration::from_secs(2);
