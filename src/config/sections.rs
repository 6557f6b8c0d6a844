//! Every section but `[limits]` and `[[site]]`: its keys, their defaults, and what must hold between them.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::reader::{Placed, Section};
use super::{
    AccessLogConfig, AccessLogTarget, EdgeConfig, LogConfig, LogFormat, LogLevel, TlsConfig, TlsVersion, UnknownName,
    place, preflight, value,
};

/// A listen address, to find two that collide.
pub(super) struct Listener {
    pub(super) key: &'static str,
    pub(super) address: SocketAddr,
    /// `None` for a default.
    pub(super) line: Option<usize>,
}

/// `[edge]`
pub(super) fn edge(section: &Section<'_>, listeners: &mut Vec<Listener>) -> EdgeConfig {
    let https = section.filled_list("https", place::listener);
    let http = section.list("http", place::listener);
    let workers = section.bounded("workers", value::count, 0, 0..=MAX_WORKERS).value;
    let drain = section.bounded("drain_timeout", value::duration, DRAIN_TIMEOUT, SHORTEST_DRAIN..=LONGEST_DRAIN);
    let networks = |key, everybody: &str| -> Vec<IpNet> {
        let list = section.list(key, place::network).map(|list| list.value).unwrap_or_default();
        for network in list.iter().filter(|network| network.value.prefix_len() == 0) {
            section.pad.warning(network.line, &section.dotted(key), everybody);
        }
        list.into_iter().map(|network| network.value).collect()
    };
    let trusted_proxies = networks("trusted_proxies", EVERYBODY_TRUSTED);
    let proxy_protocol = networks("proxy_protocol", EVERYBODY_INTRODUCES);
    let resolvers = section.list("resolvers", preflight::resolver).map(|list| list.value).unwrap_or_default();
    for (key, list, default) in [("edge.https", &https, HTTPS), ("edge.http", &http, HTTP)] {
        match list {
            Some(list) => listeners.extend(list.value.iter().map(|address| Listener::given(key, address))),
            None => listeners.push(Listener { key, address: default, line: None }),
        }
    }
    EdgeConfig {
        https: addresses(https, HTTPS),
        http: addresses(http, HTTP),
        workers: resolve_workers(workers),
        drain_timeout: drain.value,
        trusted_proxies,
        proxy_protocol,
        resolvers: resolvers.into_iter().map(|resolver| resolver.value).collect(),
    }
}

fn addresses(list: Option<Placed<Vec<Placed<SocketAddr>>>>, default: SocketAddr) -> Vec<SocketAddr> {
    match list {
        Some(list) => list.value.into_iter().map(|address| address.value).collect(),
        None => vec![default],
    }
}

fn resolve_workers(said: u64) -> usize {
    match usize::try_from(said) {
        Ok(workers @ 1..) => workers,
        _ => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// `[tls]`; the line is that of the default site's name.
pub(super) fn tls(section: &Section<'_>) -> (TlsConfig, usize) {
    let min_version = section.word("min_version", &[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)]);
    let uses_default = section.word("unknown_name", &[("refuse", false), ("default", true)]);
    let is_given = section.entries().any(|entry| entry.value == "default_site");
    let site = section.value("default_site", place::host);
    let line = site.as_ref().map_or(section.line, |site| site.line);
    let unknown_name = match (uses_default, site) {
        (Some(Placed { value: true, .. }), Some(site)) => UnknownName::Default(site.value),
        (Some(Placed { value: true, line }), None) if !is_given => {
            let text = "is needed with unknown_name = \"default\"; name a host of one of the sites";
            section.pad.missing(line, "tls.default_site", text);
            UnknownName::Refuse
        }
        (None | Some(Placed { value: false, .. }), Some(site)) => {
            section.pad.warning(site.line, "tls.default_site", "has no effect without unknown_name = \"default\"");
            UnknownName::Refuse
        }
        _ => UnknownName::Refuse,
    };
    let min_version = min_version.map_or(TlsVersion::V1_2, |version| version.value);
    (TlsConfig { min_version, unknown_name }, line)
}

/// `[log]`
pub(super) fn log(section: &Section<'_>) -> LogConfig {
    let format = section.word("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]);
    let levels =
        [("error", LogLevel::Error), ("warn", LogLevel::Warn), ("info", LogLevel::Info), ("debug", LogLevel::Debug)];
    LogConfig {
        format: format.map_or(LogFormat::Text, |format| format.value),
        level: section.word("level", &levels).map_or(LogLevel::Info, |level| level.value),
    }
}

/// `[access_log]`
pub(super) fn access_log(section: &Section<'_>) -> AccessLogConfig {
    let to = section.value("to", value::path).map(|to| to.value);
    let mode = section.word("mode", &[("off", Mode::Off), ("sampled", Mode::Sampled), ("all", Mode::All)]);
    let sample = section.value("sample", value::share);
    let chosen = mode.as_ref().map_or(if to.is_some() { Mode::All } else { Mode::Off }, |mode| mode.value);
    let is_given = section.entries().any(|entry| entry.value == "to");
    if let Some(mode) = mode.filter(|mode| mode.value != Mode::Off && !is_given) {
        let text = "is needed when mode is not \"off\"; write to = \"stdout\" or the path of a file";
        section.pad.missing(mode.line, "access_log.to", text);
    }
    if let Some(sample) = sample.as_ref().filter(|_| chosen != Mode::Sampled) {
        section.pad.warning(sample.line, "access_log.sample", "has no effect without mode = \"sampled\"");
    }
    let to = to.filter(|_| chosen != Mode::Off).map(|to| match to.to_str() {
        Some("stdout") => AccessLogTarget::Stdout,
        _ => AccessLogTarget::File(to),
    });
    AccessLogConfig {
        to,
        sample: if chosen == Mode::Sampled { sample.map_or(SAMPLE, |sample| sample.value) } else { 1.0 },
        query: section.value_or("query", value::switch, false),
        truncate_client: section.value_or("truncate_client", value::switch, false),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Off,
    Sampled,
    All,
}

impl Listener {
    pub(super) fn given(key: &'static str, address: &Placed<SocketAddr>) -> Self {
        Self { key, address: address.value, line: Some(address.line) }
    }
}

/// Finds listeners that cannot stand beside each other, before the kernel says so in its own words.
pub(super) fn check_listeners(top: &Section<'_>, mut listeners: Vec<Listener>) {
    // Defaults go first: between a default and a given address the given one is to mend.
    listeners.sort_by_key(|listener| listener.line.is_some());
    for (index, later) in listeners.iter().enumerate() {
        let earlier = listeners[..index].iter().find(|earlier| collide(earlier.address, later.address));
        if let (Some(earlier), Some(line)) = (earlier, later.line) {
            let text = format!(
                "\"{}\" cannot be listened on beside \"{}\" of {}; give it another port or take one out",
                later.address, earlier.address, earlier.key
            );
            top.pad.mistake(line, later.key, text);
        }
    }
}

/// The same port on the same address, or on "any address". An IPv6 "any" is dual stack and takes IPv4 with it.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    let covers = |any: std::net::IpAddr, ip: std::net::IpAddr| any.is_unspecified() && (any.is_ipv6() || ip.is_ipv4());
    // Port 0 lets the system pick a free one for each.
    one.port() != 0 && one.port() == other.port() && (a == b || covers(a, b) || covers(b, a))
}

const EVERYBODY_INTRODUCES: &str = "is everybody: any client can then claim any address, and who says nothing is shut out; \
                                    name the balancers alone";
const EVERYBODY_TRUSTED: &str = "trusts everybody: any client can then claim any address; name your proxies' networks";

/// Dual stack: IPv4 comes in on the same socket.
const HTTPS: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), 443);
/// Redirects, well-known objects, later ACME's http-01.
const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), 80);
/// More threads than any machine's CPUs are a slip of the keyboard.
const MAX_WORKERS: u64 = 1024;
/// A checkout page ends in this time; systemd kills after 90 s.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
const SHORTEST_DRAIN: Duration = Duration::from_millis(1);
const LONGEST_DRAIN: Duration = Duration::from_secs(24 * 3600);
/// One in a hundred shows the mix and costs next to nothing.
const SAMPLE: f64 = 0.01;
