//! Whether sites show what they are given below `/.well-known/`: asked for as anybody does, on the ports that anybody uses.
//!
//! These are requests like those of clients, and yet the workers neither count nor record them: nobody is served. Where one
//! reaches the shop, a `User-Agent` tells it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use super::callers::Callers;
use super::client::{Offer, connector};
use super::record::Truth;
use super::unix;
use crate::live::{Live, RouteTable, WellKnown, WellKnownObject};
use crate::words::instead::Instead;

/// What is asked for, and where.
pub(super) struct ShownCheck {
    pub(super) https: Vec<SocketAddr>,
    pub(super) http: Vec<SocketAddr>,
    pub(super) well_known: Live<WellKnown>,
    pub(super) routes: Live<RouteTable>,
    pub(super) truth: Truth,
    pub(super) callers: Callers,
}

/// What one site is to show.
type Due = (String, String, Arc<WellKnownObject>);

impl ShownCheck {
    /// Checks for ever: at once when something else is to be shown, soon when something is wrong, else in turn.
    pub(super) async fn run(self) {
        let connector = match connector(Offer::Any) {
            Ok(connector) => connector,
            Err(error) => return tracing::error!(%error, "no TLS client can be set up; what is shown is not checked"),
        };
        let mut turn = 0;
        loop {
            let (table, routes) = (self.well_known.snapshot(), self.routes.snapshot());
            let is_current =
                || Arc::ptr_eq(&table, &self.well_known.snapshot()) && Arc::ptr_eq(&routes, &self.routes.snapshot());
            let due = due(&table, &routes);
            self.truth.expect_shown(due.keys().map(String::as_str));
            let mut is_right = true;
            for (site, objects) in &due {
                turn += 1;
                let fault = self.site(&connector, objects, turn).await;
                // Only what was to be shown all the time can be held against what was.
                if !is_current() {
                    break;
                }
                is_right &= fault.is_none();
                self.truth.note_shown(site, fault, unix());
            }
            let until = Instant::now() + if is_right { ROUND } else { AGAIN };
            while is_current() && Instant::now() < until {
                sleep(LOOK).await;
            }
        }
    }

    /// The first that is wrong with what a site shows.
    async fn site(&self, connector: &TlsConnector, objects: &[Due], turn: usize) -> Option<Instead> {
        let of = |listeners: &[SocketAddr]| listeners.get(turn % listeners.len().max(1)).copied();
        for (host, name, object) in objects {
            let ways = [("https", of(&self.https)), ("http", of(&self.http))];
            for (scheme, listener) in ways.into_iter().filter_map(|(scheme, listener)| Some((scheme, listener?))) {
                let tls = (scheme == "https").then_some(connector);
                let answer = timeout(PATIENCE, self.fetch(listener, tls, host, name, object.content.len())).await;
                let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                let (url, listener) = (format!("{scheme}://{host}/.well-known/{name}"), listener.to_string());
                match answer {
                    Ok(answer) if answer.is(&object.content) => sleep(PAUSE).await,
                    Ok(answer) => return Some(answer.told(object.content.len(), (url, listener))),
                    Err(error) => return Some(Instead::NoContent { url, listener, text: error.to_string() }),
                }
            }
        }
        None
    }

    async fn fetch(
        &self,
        listener: SocketAddr,
        tls: Option<&TlsConnector>,
        host: &str,
        name: &str,
        size: usize,
    ) -> io::Result<Shown> {
        let (tcp, _caller) = self.callers.connect(listener).await?;
        let octets = match tls {
            None => ask(tcp, host, name, size).await?,
            Some(connector) => {
                let server = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                ask(connector.connect(server, tcp).await?, host, name, size).await?
            }
        };
        Shown::read(&octets)
    }
}

/// What is to be shown, by the labels of the sites.
fn due(table: &WellKnown, routes: &RouteTable) -> BTreeMap<String, Vec<Due>> {
    let mut due: BTreeMap<String, Vec<Due>> = BTreeMap::new();
    for (host, name, object) in table.iter() {
        if let Some(site) = routes.site_of(host) {
            due.entry(site.label()).or_default().push((host.to_owned(), name.to_owned(), Arc::clone(object)));
        }
    }
    due
}

/// What came of asking.
struct Shown {
    status: String,
    content: Vec<u8>,
}

impl Shown {
    fn read(octets: &[u8]) -> io::Result<Self> {
        let end = octets.windows(4).position(|four| four == b"\r\n\r\n");
        let status = octets.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
        match (end, status) {
            (Some(end), Some(status)) => {
                Ok(Self { status: String::from_utf8_lossy(status).into_owned(), content: octets[end + 4..].to_vec() })
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP/1.1")),
        }
    }

    fn is(&self, expected: &[u8]) -> bool {
        self.status == "200" && self.content == expected
    }

    fn told(&self, expected: usize, (url, listener): (String, String)) -> Instead {
        match self.status.as_str() {
            "200" => Instead::OtherContent { url, listener, expected, found: self.content.len() },
            status => Instead::OtherStatus { url, listener, status: status.to_owned() },
        }
    }
}

async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    name: &str,
    size: usize,
) -> io::Result<Vec<u8>> {
    let request = format!(
        "GET /.well-known/{name} HTTP/1.1\r\nhost: {host}\r\nuser-agent: vitrine-truth-check\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut octets = Vec::new();
    stream.take((size + LARGEST_HEAD) as u64).read_to_end(&mut octets).await?;
    Ok(octets)
}

/// How often the tables are looked at, which tell nobody that they have changed.
const LOOK: Duration = Duration::from_millis(250);
/// Between two rounds in which nothing was wrong.
const ROUND: Duration = Duration::from_secs(600);
/// When something that is wrong is looked at again: an operator who mends it waits for the answer.
const AGAIN: Duration = Duration::from_secs(2);
/// As between handshakes: no visible CPU.
const PAUSE: Duration = Duration::from_millis(36);
const PATIENCE: Duration = Duration::from_secs(5);
/// More than the edge writes before a content.
const LARGEST_HEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_octets_are_right() {
        let told = |octets: &str| match Shown::read(octets.as_bytes()) {
            Ok(shown) if shown.is(b"proof") => "right".to_owned(),
            Ok(shown) => shown.told(5, ("a".into(), "b".into())).to_string().replace("a at b: ", ""),
            Err(error) => error.to_string(),
        };
        for (octets, expected) in [
            ("HTTP/1.1 200 OK\r\na: b\r\n\r\nproof", "right"),
            ("HTTP/1.1 200 OK\r\n\r\nproof\n", "expected the 5 octets that are kept, found 6 others"),
            ("HTTP/1.1 200 OK\r\n\r\n", "expected the 5 octets that are kept, found 0 others"),
            ("HTTP/1.1 308 Permanent Redirect\r\n\r\nproof", "expected the status 200, found \"308\""),
            ("SSH-2.0-OpenSSH\r\n\r\n", "the answer is no HTTP/1.1"),
            ("HTTP/1.1 200 OK\r\n", "the answer is no HTTP/1.1"),
        ] {
            assert_eq!(told(octets), expected, "{octets:?}");
        }
    }
}
