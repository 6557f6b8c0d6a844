//! `[admin]`: where operators are answered, and how nobody overhears that.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::header::{self, HeaderName};
use ipnet::IpNet;
use toml::de::DeValue;

use super::notices::owner_only;
use super::reader::Section;
use super::sections::Listener;
use super::value::expected;
use super::{place, value};
use crate::name::HostName;

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// Address of metrics, health, the API and the panel.
    pub listen: SocketAddr,
    /// Whether it speaks TLS; it does so beyond loopback.
    pub tls: bool,
    /// The name whose certificate it shows, and by which it may be called.
    pub host: Option<HostName>,
    /// Whether browsers are told to come over HTTPS alone; `None`: unless a site has the name too.
    pub hsts: Option<bool>,
    /// `[admin.trusted_header]`; without it nobody vouches for anybody.
    pub trusted_header: Option<TrustedHeaderConfig>,
    /// A second address for `/metrics`, `/livez` and `/readyz` alone.
    pub metrics_listen: Option<SocketAddr>,
    /// Values of `Host` allowed besides the listener's own address, its name and `localhost`.
    pub allowed_hosts: Vec<HostName>,
    /// Whether private keys may leave at all.
    pub export: bool,
    /// Where people reach the panel, without a slash at its end.
    pub public_url: Option<String>,
    /// How long a session holds without a request.
    pub session_idle: Duration,
    /// How long a session holds in all.
    pub session_lifetime: Duration,
}

/// `[admin.trusted_header]`: a proxy that says who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedHeaderConfig {
    /// The header field with the user's name.
    pub header: HeaderName,
    /// The header field with the secret.
    pub secret_header: HeaderName,
    /// The file of the secret, which is not read here.
    pub secret_file: PathBuf,
    /// Where the proxy is.
    pub networks: Vec<IpNet>,
}

/// `[admin]`
pub(super) fn admin(section: &Section<'_>, listeners: &mut Vec<Listener>) -> AdminConfig {
    let listen = section.value("listen", place::private_listener);
    let metrics = section.value("metrics_listen", place::private_listener);
    let hosts = section.list("allowed_hosts", place::host).map(|list| list.value).unwrap_or_default();
    let idle = section.bounded("session_idle", value::duration, SESSION_IDLE, SHORTEST_SESSION..=LONGEST_SESSION);
    let lifetime =
        section.bounded("session_lifetime", value::duration, SESSION_LIFETIME, SHORTEST_SESSION..=LONGEST_SESSION);
    listeners.push(match &listen {
        Some(listen) => Listener::given("admin.listen", listen),
        None => Listener { key: "admin.listen", address: ADMIN, line: None },
    });
    listeners.extend(metrics.iter().map(|metrics| Listener::given("admin.metrics_listen", metrics)));
    let listen = listen.map_or(ADMIN, |listen| listen.value);
    let (tls, host) = (tls(section, listen), section.value("host", place::host));
    let hsts = section.value("hsts", value::switch);
    for (key, line) in
        [("admin.host", host.as_ref().map(|host| host.line)), ("admin.hsts", hsts.as_ref().map(|hsts| hsts.line))]
    {
        if let Some(line) = line.filter(|_| !tls) {
            section.pad.warning(line, key, "has no effect without tls = true, or a listener beyond loopback");
        }
    }
    AdminConfig {
        listen,
        tls,
        host: host.map(|host| host.value),
        hsts: hsts.map(|hsts| hsts.value),
        trusted_header: trusted_header(section),
        metrics_listen: metrics.map(|metrics| metrics.value),
        allowed_hosts: hosts.into_iter().map(|host| host.value).collect(),
        export: section.value_or("export", value::switch, false),
        public_url: section.value("public_url", place::public_url).map(|url| url.value),
        session_idle: idle.value,
        session_lifetime: lifetime.value,
    }
}

/// Passwords and keys go over it: only what never leaves this machine may go without.
fn tls(section: &Section<'_>, listen: SocketAddr) -> bool {
    let is_here = listen.ip().to_canonical().is_loopback();
    let said = section.value("tls", value::switch);
    if let Some(said) = said.as_ref().filter(|said| !said.value && !is_here) {
        let text = format!("expected true beside listen = \"{listen}\", found false; {NOT_IN_THE_CLEAR}");
        section.pad.mistake(said.line, "admin.tls", text);
    }
    said.map_or(!is_here, |said| said.value)
}

/// `[admin.trusted_header]`
fn trusted_header(section: &Section<'_>) -> Option<TrustedHeaderConfig> {
    let is_given = section.is_given("trusted_header");
    let section = section.table_of("trusted_header", "admin.trusted_header");
    let header = section.value("header", field);
    let secret_header = section.value("secret_header", field);
    let secret_file = section.value("secret_file", value::path);
    let networks = section.filled_list("networks", place::network);
    if !is_given {
        return None;
    }
    let needed = [
        ("header", section.is_given("header"), "the header field with the user's name"),
        ("secret_file", section.is_given("secret_file"), "a file with a secret that nobody but the proxy knows"),
        ("networks", section.is_given("networks"), "where the proxy is, such as [\"10.0.0.5/32\"]"),
    ];
    for (key, _, what) in needed.iter().filter(|(_, is_there, _)| !is_there) {
        section.pad.missing(section.line, &section.dotted(key), format!("is needed: {what}"));
    }
    if let Some(file) = &secret_file {
        owner_only(&section, "admin.trusted_header.secret_file", file);
    }
    for network in networks.iter().flat_map(|list| &list.value).filter(|network| network.value.prefix_len() == 0) {
        let text = "is everybody: the secret alone keeps strangers from being anybody; name the proxy alone";
        section.pad.warning(network.line, "admin.trusted_header.networks", text);
    }
    let secret_name = secret_header.as_ref().map_or(SECRET_HEADER, |header| header.value.clone());
    if let Some(header) = header.as_ref().filter(|header| header.value == secret_name) {
        let text = format!("expected another field than that of the secret, found \"{secret_name}\" for both");
        section.pad.mistake(header.line, "admin.trusted_header.header", text);
    }
    Some(TrustedHeaderConfig {
        header: header?.value,
        secret_header: secret_name,
        secret_file: secret_file?.value,
        networks: networks?.value.into_iter().map(|network| network.value).collect(),
    })
}

/// The name of a header field that means nothing else.
fn field(value: &DeValue<'_>) -> Result<HeaderName, String> {
    let what = "a header field such as \"X-Remote-User\"";
    let name: HeaderName = value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| expected(what, value))?;
    match TAKEN.contains(&name) {
        true => Err(format!("{}; that one has a meaning already", expected(what, value))),
        false => Ok(name),
    }
}

const SECRET_HEADER: HeaderName = HeaderName::from_static("x-vitrine-secret");
const TAKEN: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::HOST,
    header::ORIGIN,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
];
const NOT_IN_THE_CLEAR: &str = "passwords and keys go over it: leave the key out, or listen on a loopback address and let a proxy \
                                on this machine speak TLS; for metrics and health alone there is admin.metrics_listen";
/// Operators on this machine.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9180);
/// Somebody who has left his desk for lunch signs in again.
const SESSION_IDLE: Duration = Duration::from_secs(3600);
/// A day's work.
const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 3600);
const SHORTEST_SESSION: Duration = Duration::from_secs(60);
const LONGEST_SESSION: Duration = Duration::from_secs(30 * 24 * 3600);
