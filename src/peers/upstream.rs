//! Servers behind an edge, as peers write them and as `site.upstreams` has them.

use std::net::IpAddr;

use crate::name::HostName;

/// `http://host[:port]` of `host`, `host:port` or an address, `unix:/path` of itself or a path; or why it cannot be one.
pub(super) fn url(text: &str, port: u16) -> Result<String, String> {
    if text.contains('@') {
        return Err("the upstream has a name or a password in it".into());
    }
    let cannot = |why: &str| format!("the upstream {text:?} {why}");
    if text.contains(['$', '%', '{']) {
        return Err(cannot("is not written out here, and one of ours is fixed"));
    }
    if text.starts_with('/') || text.starts_with("unix:") {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        let is_plain = path.starts_with('/') && !path.ends_with('/') && !path.contains(':') && path.len() <= 107;
        let socket = || format!("unix:/{}", path.trim_start_matches('/'));
        return is_plain.then(socket).ok_or_else(|| cannot("is no absolute path of a socket"));
    }
    let (host, given) = match text.rfind(']') {
        Some(end) => text.split_at(end + 1),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match given.strip_prefix(':') {
        None if given.is_empty() => port,
        Some(given) => given.parse().ok().filter(|port| *port > 0).ok_or_else(|| cannot("has no port that is one"))?,
        None => return Err(cannot("is no host and port")),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let host = match bare.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => HostName::parse(host).map_err(|_| cannot("is no host and port"))?.to_string(),
    };
    Ok(if port == 80 { format!("http://{host}") } else { format!("http://{host}:{port}") })
}

/// Whether `site.route.path` takes it.
pub(super) fn is_route(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|octet| octet.is_ascii_graphic())
        && !path.contains(['?', '#', '*'])
        && !path.split('/').any(|part| matches!(part, "." | ".."))
}

pub(super) const MEND: &str =
    "have the shop listen on a TCP port in plain HTTP, and add it to site.upstreams as \"http://host:port\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_become_addresses() {
        for (text, wanted) in [
            ("10.0.0.1:8080", "http://10.0.0.1:8080"),
            ("shop.internal", "http://shop.internal"),
            ("[::1]:80", "http://[::1]"),
            ("LOCALHOST:3000", "http://localhost:3000"),
            ("unix:/run/x", "unix:/run/x"),
            ("//run/x", "unix:/run/x"),
        ] {
            assert_eq!(url(text, 80).as_deref(), Ok(wanted));
        }
        for text in ["unix:run/x", "$host", "", "a:b", "a:0", "[::1", "/run/x:0", "a b"] {
            assert!(url(text, 80).is_err(), "{text:?}");
        }
    }
}
