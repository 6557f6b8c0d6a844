//! `[admin]`: where operators are answered, and how nobody overhears that.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::reader::Section;
use super::sections::Listener;
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
