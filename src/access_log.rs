//! The record of a request, the bounded queue, the writer.
//!
//! The hot path asks whether a request is wanted, builds its [`Record`] only then, and puts it into a queue that never makes
//! it wait; a thread of its own writes. What does not fit is dropped and counted: a full disk never slows a shop down.

mod writer;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, SystemTime};

use serde::Serialize;

pub use writer::Writer;

/// What is recorded, and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where records go; `None`: nowhere.
    pub to: Option<Target>,
    /// Share of requests that are recorded, above 0 and up to 1. Failed ones (5xx) are always recorded.
    pub sample: f64,
    /// Whether the query string is recorded.
    pub query: bool,
    /// Whether the client's address is cut to its network (IPv4 /24, IPv6 /48).
    pub truncate_client: bool,
}

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file, made with mode 0640 and appended to.
    File(PathBuf),
}

/// One request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When its head was complete.
    pub time: SystemTime,
    /// Its `X-Request-Id`.
    pub id: Box<str>,
    /// The client: the peer, or whom those speak for who are trusted to say so.
    pub client: IpAddr,
    /// Who has connected.
    pub peer: IpAddr,
    /// The name the client asked TLS for.
    pub sni: Option<Box<str>>,
    /// The name the request is for.
    pub host: Option<Box<str>>,
    /// Its method.
    pub method: Box<str>,
    /// Its path.
    pub path: Box<str>,
    /// What stands behind the `?`.
    pub query: Option<Box<str>>,
    /// The response's code.
    pub status: u16,
    /// Octets of the request's body.
    pub received: u64,
    /// Octets of the response's body.
    pub sent: u64,
    /// From the head to the last octet of the response.
    pub duration: Duration,
    /// The upstream that answered.
    pub upstream: Option<Box<str>>,
    /// `1.2` or `1.3`.
    pub tls: Option<&'static str>,
    /// Whether the TLS session was resumed.
    pub resumed: bool,
    /// `http/1.1`, `http/2` or `plain`.
    pub protocol: &'static str,
    /// Who answered and why: the label of a gate rule, of a local answer, or of an upstream's failure; `None`: an upstream
    /// answered and its answer was passed on whole.
    pub outcome: Option<&'static str>,
}

/// The hot path's half. Cheap to clone; every worker has one.
#[derive(Clone, Debug)]
pub struct AccessLog(Option<Arc<Hot>>);

impl AccessLog {
    /// A log that wants nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Starts the writer's thread, if records go anywhere.
    ///
    /// # Errors
    /// When the file cannot be opened for appending or the thread cannot be started.
    pub fn start(options: &Options) -> std::io::Result<(Self, Writer)> {
        let Some(target) = &options.to else {
            return Ok((Self::off(), Writer::none()));
        };
        let lost = Arc::new(AtomicU64::new(0));
        let (queue, writer) = Writer::start(target, Arc::clone(&lost))?;
        let hot = Hot {
            queue,
            lost,
            below: threshold(options.sample),
            query: options.query,
            truncate_client: options.truncate_client,
        };
        Ok((Self(Some(Arc::new(hot))), writer))
    }

    /// Whether any request is recorded.
    #[inline]
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a request that ends with `status` is to be recorded; `draw` is any random number. Ask before a [`Record`] is
    /// built: building one allocates.
    #[inline]
    #[must_use]
    pub fn wants(&self, status: u16, draw: u64) -> bool {
        self.0.as_ref().is_some_and(|hot| status >= 500 || draw <= hot.below)
    }

    /// Hands a record to the writer; false: the queue is full and the record is dropped. Never waits.
    #[must_use = "a dropped record is to be counted"]
    pub fn record(&self, mut record: Record) -> bool {
        let Some(hot) = &self.0 else { return true };
        if !hot.query {
            record.query = None;
        }
        if hot.truncate_client {
            (record.client, record.peer) = (network(record.client), network(record.peer));
        }
        hot.queue.try_send(writer::Message::Record(Box::new(record))).is_ok()
    }

    /// How many records came out of the queue and could not be written.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.as_ref().map_or(0, |hot| hot.lost.load(Ordering::Relaxed))
    }
}

#[derive(Debug)]
struct Hot {
    queue: SyncSender<writer::Message>,
    lost: Arc<AtomicU64>,
    below: u64,
    query: bool,
    truncate_client: bool,
}

/// A record as one JSON object; absent values are null, so that every line has the same members but `query`.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    id: &'a str,
    client: IpAddr,
    peer: IpAddr,
    sni: Option<&'a str>,
    host: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    status: u16,
    received: u64,
    sent: u64,
    /// Seconds, to the microsecond.
    duration: f64,
    upstream: Option<&'a str>,
    tls: Option<&'a str>,
    resumed: bool,
    protocol: &'a str,
    outcome: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn of(record: &'a Record) -> Self {
        Self {
            time: timestamp(record.time),
            id: &record.id,
            client: record.client,
            peer: record.peer,
            sni: record.sni.as_deref(),
            host: record.host.as_deref(),
            method: &record.method,
            path: &record.path,
            query: record.query.as_deref(),
            status: record.status,
            received: record.received,
            sent: record.sent,
            duration: record.duration.as_micros() as f64 / 1e6,
            upstream: record.upstream.as_deref(),
            tls: record.tls,
            resumed: record.resumed,
            protocol: record.protocol,
            outcome: record.outcome,
        }
    }
}

/// RFC 3339 in UTC with milliseconds, always of one width.
fn timestamp(time: SystemTime) -> String {
    let utc = time::OffsetDateTime::from(time);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        utc.year(),
        u8::from(utc.month()),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second(),
        utc.millisecond()
    )
}

/// The draws that are recorded: those up to this one, of all 64-bit numbers.
fn threshold(sample: f64) -> u64 {
    // The cast saturates: 1.0 times 2^64 is every draw.
    (sample.clamp(0.0, 1.0) * 2_f64.powi(64)) as u64
}

fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << (32 - IPV4_KEPT))).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - IPV6_KEPT))).into(),
    }
}

/// What analytics commonly keep as not identifying one person: a provider's small block, a site's prefix.
const IPV4_KEPT: u32 = 24;
const IPV6_KEPT: u32 = 48;

#[cfg(test)]
mod tests {
    use super::*;

    fn options(to: Option<Target>, sample: f64) -> Options {
        Options { to, sample, query: false, truncate_client: false }
    }

    pub(super) fn record(path: &str) -> Record {
        Record {
            time: std::time::UNIX_EPOCH + Duration::from_millis(1_795_305_600_007),
            id: "0123".into(),
            client: IpAddr::from([203, 0, 113, 77]),
            peer: IpAddr::from([10, 0, 0, 1]),
            sni: Some("shop.example".into()),
            host: Some("shop.example".into()),
            method: "GET".into(),
            path: path.into(),
            query: Some("token=secret".into()),
            status: 200,
            received: 0,
            sent: 1024,
            duration: Duration::from_nanos(1_234_567),
            upstream: Some("127.0.0.1:8080".into()),
            tls: Some("1.3"),
            resumed: true,
            protocol: "http/2",
            outcome: None,
        }
    }

    #[test]
    fn a_log_that_goes_nowhere_wants_nothing() {
        let (log, writer) = AccessLog::start(&options(None, 1.0)).expect("started");
        assert_eq!([200, 500].map(|status| log.wants(status, 0)), [false, false]);
        assert!(writer.stop(Duration::ZERO));
    }

    #[test]
    fn failures_are_always_wanted_and_the_rest_by_its_share() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Target::File(folder.path().join("access.log"));
        for (sample, drawn) in [(1.0, [true, true, true]), (0.5, [true, true, false]), (0.25, [true, false, false])] {
            let (log, _writer) = AccessLog::start(&options(Some(file.clone()), sample)).expect("started");
            assert_eq!([0, u64::MAX / 2, u64::MAX].map(|draw| log.wants(404, draw)), drawn, "{sample}");
            assert!(log.wants(500, u64::MAX), "{sample}");
        }
    }

    #[test]
    fn a_line_has_every_member_and_the_query_only_when_asked() {
        let mut record = record("/a\n\"b");
        let expected = concat!(
            r#"{"time":"2026-11-22T00:00:00.007Z","id":"0123","client":"203.0.113.77","peer":"10.0.0.1","sni":"shop.example","#,
            r#""host":"shop.example","method":"GET","path":"/a\n\"b","query":"token=secret","status":200,"#,
            r#""received":0,"sent":1024,"duration":0.001234,"upstream":"127.0.0.1:8080","tls":"1.3","#,
            r#""resumed":true,"protocol":"http/2","outcome":null}"#
        );
        assert_eq!(serde_json::to_string(&Line::of(&record)).expect("JSON"), expected);
        record.query = None;
        let expected = expected.replace(r#""query":"token=secret","#, "");
        assert_eq!(serde_json::to_string(&Line::of(&record)).expect("JSON"), expected);
    }

    #[test]
    fn a_client_is_cut_to_its_network() {
        for (client, kept) in [
            ("203.0.113.77", "203.0.113.0"),
            ("::ffff:203.0.113.77", "203.0.113.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ] {
            assert_eq!(network(client.parse().expect("an address")).to_string(), kept);
        }
    }
}
