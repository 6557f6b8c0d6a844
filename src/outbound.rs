//! The control plane's clients: one speaks to the edge itself, over the Unix socket in the state folder or from elsewhere, which is how the
//! command line asks and orders; one to authorities, over HTTPS; one to name servers, and upon it one that finds hosts as the system does;
//! one to mail servers, and one that posts wherever somebody wants it.

mod call_error;
pub mod dns;
mod elsewhere;
mod escape;
mod form;
mod glimpse;
mod https;
mod mail_stream;
mod names;
mod networks;
mod post;
mod trust;
mod unix;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use call_error::CallError;
use elsewhere::ToEdge;
pub use elsewhere::{EdgeTrust, Elsewhere};
pub use escape::escaped;
pub use form::FormPart;
use form::form;
pub use glimpse::{Glimpse, Unseen, connect, glimpse, glimpse_in_http2, glimpse_over};
pub use https::{HttpsClient, NoAnswer};
pub use mail_stream::{MailDoor, MailServer, MailStream, NoMailServer};
pub use names::{HostNames, Unlocated};
pub use networks::is_inside;
pub use post::{NotPosted, PostAddress, PostClient, Posted};
pub use unix::connect_unix;

/// A running edge, reached through its socket; or through its admin listener, from elsewhere.
#[derive(Clone, Debug)]
pub struct EdgeSocket {
    way: ToEdge,
    client: Client<ToEdge, Full<Bytes>>,
    patience: Duration,
}

impl EdgeSocket {
    /// The edge that listens on the socket at `path`; nothing is connected yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::by(ToEdge::Socket(path.into().into()))
    }

    /// The edge whose admin listener is elsewhere; nothing is connected yet.
    #[must_use]
    pub fn at(elsewhere: Elsewhere) -> Self {
        Self::by(ToEdge::Elsewhere(elsewhere))
    }

    fn by(way: ToEdge) -> Self {
        let client =
            Client::builder(TokioExecutor::new()).timer(TokioTimer::new()).pool_max_idle_per_host(0).build(way.clone());
        Self { way, client, patience: PATIENCE }
    }

    /// The same edge with another bound on a whole call.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Asks for a resource.
    ///
    /// # Errors
    /// [`CallError`], which says who is at fault.
    pub async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, CallError> {
        self.ask(Method::GET, target, None).await
    }

    /// Orders something.
    ///
    /// # Errors
    /// [`CallError`], which says who is at fault.
    pub async fn post<T: DeserializeOwned>(&self, target: &str) -> Result<T, CallError> {
        self.ask(Method::POST, target, None).await
    }

    /// Orders something that takes more words.
    ///
    /// # Errors
    /// [`CallError`], which says who is at fault.
    pub async fn post_json<T: DeserializeOwned>(&self, target: &str, order: &impl Serialize) -> Result<T, CallError> {
        let order = serde_json::to_vec(order).map_err(|error| CallError::Broken(error.to_string()))?;
        self.ask(Method::POST, target, Some(("application/json".into(), order.into()))).await
    }

    /// Orders a file, which may be a secret, as may be what is said for it.
    ///
    /// # Errors
    /// [`CallError`], which says who is at fault.
    pub async fn post_for_file(&self, target: &str, order: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, CallError> {
        // With room for all of it at once: what grows leaves copies behind.
        let mut content = Zeroizing::new(Vec::with_capacity(LARGEST_ORDER));
        serde_json::to_writer(&mut *content, order).map_err(|error| CallError::Broken(error.to_string()))?;
        let content = ("application/json".into(), Bytes::from_owner(content));
        let answer = self.call(Method::POST, target, Some(content)).await?;
        Ok(Zeroizing::new(answer.into()))
    }

    /// Brings files and what belongs to them.
    ///
    /// # Errors
    /// [`CallError`], which says who is at fault.
    pub async fn post_form<T: DeserializeOwned>(&self, target: &str, parts: &[FormPart]) -> Result<T, CallError> {
        self.ask(Method::POST, target, Some(form(parts))).await
    }

    /// Orders that something is changed, whatever it is by now.
    ///
    /// # Errors
    /// [`CallError`], which says who is at fault.
    pub async fn patch_json<T: DeserializeOwned>(&self, target: &str, order: &impl Serialize) -> Result<T, CallError> {
        let order = serde_json::to_vec(order).map_err(|error| CallError::Broken(error.to_string()))?;
        self.ask(Method::PATCH, target, Some(("application/json".into(), order.into()))).await
    }

    /// Orders that something goes.
    ///
    /// # Errors
    /// [`CallError`], which says who is at fault.
    pub async fn delete<T: DeserializeOwned>(&self, target: &str) -> Result<T, CallError> {
        self.ask(Method::DELETE, target, None).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
        content: Option<Content>,
    ) -> Result<T, CallError> {
        let answer = self.call(method, target, content).await?;
        serde_json::from_slice(&answer)
            .map_err(|error| CallError::Broken(format!("the answer is not what this version expects: {error}")))
    }

    async fn call(&self, method: Method, target: &str, content: Option<Content>) -> Result<Bytes, CallError> {
        // One deadline for connecting, asking and the whole answer.
        match tokio::time::timeout(self.patience, self.exchange(method, target, content)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::Late { socket: self.place(), patience: self.patience }),
        }
    }

    async fn exchange(&self, method: Method, target: &str, content: Option<Content>) -> Result<Bytes, CallError> {
        let (origin, authorization) = match &self.way {
            ToEdge::Socket(_) => ("http://localhost", None),
            ToEdge::Elsewhere(elsewhere) => (&*elsewhere.origin, Some(&elsewhere.authorization)),
        };
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("{origin}{target}"))
            .header(header::ACCEPT, "application/json");
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if method == Method::PATCH {
            request = request.header(header::IF_MATCH, "*");
        }
        let (media_type, content) = content.unzip();
        if let Some(media_type) = media_type {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        let request = request
            .body(Full::new(content.unwrap_or_default()))
            .map_err(|error| CallError::Broken(error.to_string()))?;
        let response = self.client.request(request).await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let content = Limited::new(response.into_body(), ANSWER_SIZE)
            .collect()
            .await
            .map_err(|error| CallError::Broken(format!("the answer broke off: {error}")))?
            .to_bytes();
        if !status.is_success() {
            return Err(CallError::Refused { status, detail: detail(&content) });
        }
        Ok(content)
    }

    /// What became of a request without an answer: the connector's error lies somewhere below the client's.
    fn unreachable(&self, error: &hyper_util::client::legacy::Error) -> CallError {
        let innermost = std::iter::successors(Some(error as &dyn std::error::Error), |above| above.source()).last();
        let words = innermost.map_or_else(|| error.to_string(), ToString::to_string);
        if let ToEdge::Elsewhere(elsewhere) = &self.way {
            return CallError::Unreachable { origin: elsewhere.origin.to_string(), why: words };
        }
        let socket = self.place();
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(below) = cause {
            match below.downcast_ref::<io::Error>().map(io::Error::kind) {
                Some(io::ErrorKind::NotFound) => return CallError::NoSocket { socket },
                Some(io::ErrorKind::ConnectionRefused) => return CallError::NobodyThere { socket },
                Some(io::ErrorKind::PermissionDenied) => return CallError::NotAllowed { socket },
                _ => cause = below.source(),
            }
        }
        CallError::Broken(words)
    }

    /// Where it is.
    fn place(&self) -> PathBuf {
        match &self.way {
            ToEdge::Socket(path) => path.to_path_buf(),
            ToEdge::Elsewhere(elsewhere) => PathBuf::from(&*elsewhere.origin),
        }
    }
}

/// What is sent along: its Content-Type, and itself.
type Content = (String, Bytes);

/// The words of a problem document (RFC 9457), or nothing.
fn detail(content: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        title: Option<String>,
        detail: Option<String>,
    }
    match serde_json::from_slice(content) {
        Ok(Problem { detail: Some(detail), .. }) => detail,
        Ok(Problem { title: Some(title), .. }) => title,
        _ => "without a reason".into(),
    }
}

/// Everything the socket answers lies in memory; an edge that takes longer is in trouble.
const PATIENCE: Duration = Duration::from_secs(10);
/// A password of the longest kind, each letter of it escaped, and some words.
const LARGEST_ORDER: usize = 16 * 1024;
/// 100,000 certificates at some 600 octets each.
const ANSWER_SIZE: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;

    /// Answers one connection with these octets, after the request's head came.
    fn answering(path: &Path, octets: String) -> tokio::task::JoinHandle<String> {
        let listener = UnixListener::bind(path).expect("a socket");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a head"));
            }
            stream.write_all(octets.as_bytes()).await.expect("written");
            String::from_utf8(head).expect("ASCII")
        })
    }

    async fn said(path: &Path) -> String {
        EdgeSocket::new(path).get::<serde_json::Value>("/x").await.expect_err("no answer").to_string()
    }

    #[tokio::test]
    async fn a_call_brings_the_answer_as_the_type_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let server = answering(&path, "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n[\"a\",1]".into());
        let answer: (String, u8) = EdgeSocket::new(&*path).post("/api/v1/x?y").await.expect("an answer");
        assert_eq!(answer, ("a".into(), 1));
        assert_eq!(escaped("*.bücher-1.example/a b"), "%2A.b%C3%BCcher-1.example%2Fa%20b");
        let head = server.await.expect("a head");
        assert!(
            head.starts_with("POST /api/v1/x?y HTTP/1.1\r\n") && head.contains("\r\nhost: localhost\r\n"),
            "{head}"
        );
    }

    #[tokio::test]
    async fn the_words_of_a_problem_document_reach_the_operator() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let body = r#"{"title":"Conflict","detail":"nothing is to be confirmed"}"#;
        let _server =
            answering(&path, format!("HTTP/1.1 409 Conflict\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        assert_eq!(said(&path).await, "the edge refused with 409 Conflict: nothing is to be confirmed");
    }

    #[tokio::test]
    async fn a_missing_edge_is_said_to_be_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        assert!(said(&path).await.starts_with(&format!("no edge runs here: {} does not exist", path.display())));
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
        assert!(said(&path).await.starts_with("no edge runs here: nobody listens on"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_edge_that_never_answers_is_given_up_at_the_deadline() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let _listener = UnixListener::bind(&path).expect("a socket");
        let start = tokio::time::Instant::now();
        assert!(said(&path).await.ends_with("did not answer within 10 s: see its log"));
        assert_eq!(start.elapsed(), PATIENCE);
    }

    #[tokio::test]
    async fn an_answer_that_is_no_json_is_not_taken_for_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let _server = answering(&path, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".into());
        assert!(said(&path).await.starts_with("the edge's answer cannot be used: the answer is not what"));
    }
}
