//! Who may ask what, before anything else looks at a request.
//!
//! A browser on the operator's machine reaches a loopback listener too. A page somewhere else can make it send requests
//! (CVE-2026-27589 in Caddy's admin interface), and can give its own name our address (DNS rebinding); hence the rules about
//! `Origin`, `Sec-Fetch-Site` and `Host`.

use std::net::IpAddr;

use http::header::{self, HeaderMap};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, Method};

use super::problem::{Kind, Problem};
use super::rights::Way;
use crate::name::{HostName, NameBuffer};

/// The way a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// `admin.listen`.
    Admin {
        /// The address the connection was made to.
        local: IpAddr,
        /// The address it comes from.
        peer: IpAddr,
        /// Whether it speaks TLS.
        is_encrypted: bool,
    },
    /// `admin.metrics_listen`: metrics and health alone. Behind a container's mapped port the address it is called by is none
    /// of its own; so any literal will do, which no stranger can point anywhere.
    Metrics,
    /// The Unix socket, which file permissions and the peer's user guard. A browser reaches it through a port that leads there, as
    /// `ssh -L` makes one: the operator's, and then so may pages of strangers in it.
    Socket {
        /// Who is at the other end.
        user: u32,
    },
}

impl Door {
    /// The address on the other side of the network.
    pub(super) const fn peer(self) -> Option<IpAddr> {
        match self {
            Self::Admin { peer, .. } => Some(peer),
            Self::Metrics | Self::Socket { .. } => None,
        }
    }

    /// Whether nobody on the way can read along.
    pub(super) const fn is_encrypted(self) -> bool {
        matches!(self, Self::Admin { is_encrypted: true, .. })
    }

    /// The way to the API and the panel, if it is one.
    pub(super) const fn way(self) -> Option<Way> {
        match self {
            Self::Admin { peer, is_encrypted, .. } => Some(Way::Network { peer, is_encrypted }),
            Self::Socket { user } => Some(Way::Socket(user)),
            Self::Metrics => None,
        }
    }
}

/// Refuses what a page elsewhere may have made a browser send.
pub(super) fn admit(door: Door, request: &Parts, allowed_hosts: &[HostName]) -> Result<(), Problem> {
    let host = host(request)?;
    if !is_ours(&host, door, allowed_hosts) {
        return Err(refused(format!(
            "the Host {:?} is neither this listener's address nor localhost nor in admin.allowed_hosts",
            host.as_str()
        )));
    }
    if is_visit(request) { Ok(()) } else { same_site(&request.headers, door) }
}

/// Whether somebody comes to a page by a link of another site, such as that of a mail or of whoever signs people in. What is looked at
/// changes nothing, and the page that leads here sees nothing of it.
fn is_visit(request: &Parts) -> bool {
    let path = request.uri.path();
    let says = |name, wanted: &[u8]| request.headers.get(name).is_some_and(|value| value.as_bytes() == wanted);
    request.method == Method::GET
        && !request.headers.contains_key(header::ORIGIN)
        && path != "/api"
        && !path.starts_with("/api/")
        && says(SEC_FETCH_MODE, b"navigate")
        && says(SEC_FETCH_DEST, b"document")
}

/// The one name the request gives, wherever it gives it (RFC 9112 §3.2).
fn host(request: &Parts) -> Result<Authority, Problem> {
    let mut values = request.headers.get_all(header::HOST).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refused("exactly one Host is needed".into()));
    };
    let host = Authority::try_from(value.as_bytes())
        .ok()
        .filter(|host| !host.as_str().contains('@'))
        .ok_or_else(|| refused("the Host is malformed".into()))?;
    match request.uri.authority() {
        Some(target) if *target != host => Err(refused("the Host is not the target's authority".into())),
        _ => Ok(host),
    }
}

fn is_ours(host: &Authority, door: Door, allowed_hosts: &[HostName]) -> bool {
    let name = host.host();
    let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    if let Ok(address) = literal.parse::<IpAddr>() {
        return match door {
            Door::Admin { local, .. } => address.to_canonical() == local.to_canonical(),
            Door::Metrics | Door::Socket { .. } => true,
        };
    }
    let mut buffer = NameBuffer::new();
    match buffer.normalise(name) {
        Some(name) => name == "localhost" || allowed_hosts.iter().any(|allowed| allowed.as_str() == name),
        None => false,
    }
}

fn same_site(headers: &HeaderMap, door: Door) -> Result<(), Problem> {
    let is_foreign = |value: &[u8]| !matches!(value, b"same-origin" | b"none");
    if headers.get_all(SEC_FETCH_SITE).iter().any(|value| is_foreign(value.as_bytes())) {
        return Err(refused("the request comes from a page of another site".into()));
    }
    let own = headers.get(header::HOST).map_or(&b""[..], |host| host.as_bytes());
    let is_own = |origin: &[u8]| {
        // Behind a proxy that speaks TLS the listener does not know of it; a page that came without is no page of one that does.
        let unencrypted = || origin.strip_prefix(b"http://").filter(|_| !door.is_encrypted());
        let authority = origin.strip_prefix(b"https://").or_else(unencrypted);
        authority.is_some_and(|authority| !own.is_empty() && authority.eq_ignore_ascii_case(own))
    };
    if headers.get_all(header::ORIGIN).iter().any(|origin| !is_own(origin.as_bytes())) {
        return Err(refused("the Origin is not this listener".into()));
    }
    Ok(())
}

fn refused(detail: String) -> Problem {
    Problem::new(Kind::Foreign, detail)
}

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const LOOPBACK: Door = at(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    const fn at(local: IpAddr) -> Door {
        Door::Admin { local, peer: local, is_encrypted: false }
    }

    fn admitted(door: Door, target: &str, fields: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let allowed = [HostName::parse("Edge.internal").expect("a name")];
        admit(door, &parts, &allowed).is_ok()
    }

    #[test]
    fn only_names_that_no_stranger_can_point_here_are_answered() {
        let six = at("::1".parse().expect("an address"));
        let mapped = at("::ffff:127.0.0.1".parse().expect("an address"));
        for (door, host, expected) in [
            (LOOPBACK, "127.0.0.1:9180", true),
            (LOOPBACK, "127.0.0.1", true),
            (LOOPBACK, "localhost:9180", true),
            (LOOPBACK, "LocalHost.", true),
            (LOOPBACK, "edge.internal:9180", true),
            (LOOPBACK, "EDGE.internal.:1", true),
            (mapped, "127.0.0.1:9180", true),
            (six, "[::1]:9180", true),
            (six, "[0:0:0:0:0:0:0:1]", true),
            (LOOPBACK, "rebound.attacker.example:9180", false),
            (LOOPBACK, "localhost.attacker.example", false),
            (LOOPBACK, "edge.internal.attacker.example", false),
            (LOOPBACK, "127.0.0.2:9180", false),
            (LOOPBACK, "10.0.0.1", false),
            (LOOPBACK, "127.1", false),
            (LOOPBACK, "[::1]", false),
            (LOOPBACK, "user@localhost", false),
            (LOOPBACK, "localhost, evil.example", false),
            (LOOPBACK, "", false),
            (LOOPBACK, "*", false),
        ] {
            assert_eq!(admitted(door, "/livez", &[("host", host)]), expected, "{host:?} at {door:?}");
        }
    }

    #[test]
    fn there_is_one_host_and_the_target_agrees_with_it() {
        let ours = ("host", "localhost");
        assert!(!admitted(LOOPBACK, "/livez", &[]));
        assert!(!admitted(LOOPBACK, "/livez", &[ours, ours]));
        assert!(!admitted(LOOPBACK, "http://evil.example/livez", &[ours]));
        assert!(admitted(LOOPBACK, "http://localhost/livez", &[ours]));
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        for (name, value, expected) in [
            ("origin", "http://localhost:9180", true),
            ("origin", "https://LOCALHOST:9180", true),
            ("origin", "http://localhost", false),
            ("origin", "http://localhost:3000", false),
            ("origin", "http://evil.example", false),
            ("origin", "null", false),
            ("origin", "", false),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "none", true),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "cross-site", false),
        ] {
            let fields = [("host", "localhost:9180"), (name, value)];
            assert_eq!(admitted(LOOPBACK, "/metrics", &fields), expected, "{name}: {value}");
            assert_eq!(admitted(Door::Metrics, "/metrics", &fields), expected, "{name}: {value}");
        }
        let twice = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://evil.example")];
        assert!(!admitted(LOOPBACK, "/metrics", &twice));
    }

    #[test]
    fn a_link_of_another_site_leads_to_pages_and_to_nothing_else() {
        let link = [("host", "localhost"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        let with = |more: &[(&'static str, &'static str)]| [&link[..], more].concat();
        let document = ("sec-fetch-dest", "document");
        assert!(admitted(LOOPBACK, "/certificates?x=1", &with(&[document])));
        assert!(!admitted(LOOPBACK, "/api/v1/sites", &with(&[document])));
        assert!(!admitted(LOOPBACK, "/certificates", &with(&[("sec-fetch-dest", "iframe")])));
        assert!(!admitted(LOOPBACK, "/certificates", &link));
        assert!(!admitted(LOOPBACK, "/certificates", &with(&[document, ("origin", "http://evil.example")])));
    }

    #[test]
    fn the_socket_is_called_as_the_port_that_leads_to_it() {
        let socket = Door::Socket { user: 0 };
        for (host, expected) in [
            ("localhost", true),
            ("127.0.0.1:9180", true),
            ("edge.internal", true),
            ("rebound.attacker.example:9180", false),
        ] {
            assert_eq!(admitted(socket, "/api/v1/sites", &[("host", host)]), expected, "{host}");
        }
        let foreign = [("host", "localhost:9180"), ("origin", "http://evil.example")];
        assert!(!admitted(socket, "/api/v1/certificates/confirm-withdrawal", &foreign));
    }

    #[test]
    fn a_scraper_calls_the_metrics_listener_by_any_address_or_an_allowed_name() {
        for (host, expected) in [
            ("10.1.2.3:9181", true),
            ("[2001:db8::1]:9181", true),
            ("localhost:9181", true),
            ("edge.internal:9181", true),
            ("rebound.attacker.example:9181", false),
        ] {
            assert_eq!(admitted(Door::Metrics, "/metrics", &[("host", host)]), expected, "{host}");
        }
    }
}
