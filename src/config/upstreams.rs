//! `upstreams` of a site and of its routes: where servers are, and how they are spoken to.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeValue;

use super::balance;
use super::reader::{Placed, Section};
use super::value::expected;
use crate::live::{MemberSpec, ProxyVersion, Upstream};
use crate::name::HostName;

/// By which version of the PROXY protocol upstreams are told who asks, if the section says so or says that they are not.
pub(super) fn read_announcement(section: &Section<'_>) -> Option<Option<ProxyVersion>> {
    let words = [("off", None), ("v1", Some(ProxyVersion::V1)), ("v2", Some(ProxyVersion::V2))];
    section.word("send_proxy_protocol", &words).map(|word| word.value)
}

/// The list, unless it is not there or wrong.
pub(super) fn read_upstreams(
    section: &Section<'_>,
    announces: Option<ProxyVersion>,
) -> Option<Placed<Vec<MemberSpec>>> {
    let list = section.filled_list("upstreams", balance::member)?;
    for (index, member) in list.value.iter().enumerate() {
        let upstream = &member.value.upstream;
        if list.value[..index].iter().any(|earlier| earlier.value.upstream == *upstream) {
            let text = format!("{upstream} is listed twice and gets twice the requests");
            section.pad.warning(member.line, &section.dotted("upstreams"), text);
        }
    }
    Some(Placed {
        value: list.value.into_iter().map(|member| member.value.announced(announces)).collect(),
        line: list.line,
    })
}

/// A server behind the edge: `"http://10.0.0.11:8080"`, the port is 80 unless given; `"https://…"`, the port is 443; or `"unix:/run/shop.sock"`; `h2c:`, `h2:` and `unix+h2c:` for HTTP/2.
pub(super) fn upstream(value: &DeValue<'_>) -> Result<Upstream, String> {
    let what = "an upstream such as \"http://10.0.0.11:8080\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    // Looked for first: no mend below may repeat it.
    if text.contains('@') {
        return Err(format!("{}; leave out what stands before the '@'", expected(what, value)));
    }
    for (scheme, is_http2) in [("unix:", false), ("unix+h2c:", true)] {
        if let Some(path) = text.strip_prefix(scheme) {
            let upstream = unix(scheme, path).map_err(|mend| format!("{}; {mend}", expected(what, value)))?;
            return Ok(if is_http2 { upstream.in_http2() } else { upstream });
        }
    }
    let Some((scheme, rest)) = text.split_once(':').filter(|(_, rest)| rest.starts_with('/')) else {
        return Err(format!("{}; write \"http://{}\"", expected(what, value), text.escape_debug()));
    };
    let scheme = scheme.to_ascii_lowercase();
    let (is_secure, is_http2) = match scheme.as_str() {
        "http" => (false, false),
        "https" => (true, false),
        "h2c" => (false, true),
        "h2" => (true, true),
        _ => return Err(format!("{}; {SCHEMES}", expected(what, value))),
    };
    let authority = rest.strip_prefix("//").ok_or_else(|| expected(what, value))?;
    if let Some(end) = authority.find(['/', '?', '#']) {
        let bare = authority[..end].escape_debug();
        return Err(format!("{}; the request brings its own path, write \"{scheme}://{bare}\"", expected(what, value)));
    }
    let (host, port) = authority_of(authority).map_err(|mend| format!("{}; {mend}", expected(what, value)))?;
    let port = port.unwrap_or(if is_secure { HTTPS_PORT } else { HTTP_PORT });
    let upstream = Upstream::tcp(&host, port);
    let upstream = if is_http2 { upstream.in_http2() } else { upstream };
    // On what terms, the rest of the site says.
    Ok(if is_secure { upstream.over_tls(&Arc::default()) } else { upstream })
}

/// A socket in the file system; `Err`: the mend.
fn unix(scheme: &str, path: &str) -> Result<Upstream, String> {
    if path.is_empty() || path.ends_with('/') || path.contains('\0') {
        return Err(format!("write the path of a socket behind it, such as \"{scheme}/run/shop.sock\""));
    }
    if let Some(bare) = path.strip_prefix("//") {
        return Err(format!("write \"{scheme}/{}\"", bare.trim_start_matches('/').escape_debug()));
    }
    if path.len() > LONGEST_SOCKET_PATH {
        return Err(format!("the path of a socket has at most {LONGEST_SOCKET_PATH} octets"));
    }
    Ok(Upstream::unix(Path::new(path)))
}

/// Host and port; `Err`: the mend.
fn authority_of(authority: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        None => return Err("only a port may follow the ']'".into()),
        Some(port) => match port.parse() {
            Ok(number) if number > 0 && port.bytes().all(|octet| octet.is_ascii_digit()) => Some(number),
            _ if authority.parse::<IpAddr>().is_ok() => return Err("an IPv6 address stands in brackets".into()),
            _ => return Err("a port is a number of 1 to 65535".into()),
        },
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => match address.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => address.to_string(),
            _ => return Err("brackets hold an IPv6 address".into()),
        },
        None => match host.parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) => HostName::parse(host).map_err(|error| error.to_string())?.to_string(),
        },
    };
    Ok((host, port))
}

const SCHEMES: &str = "use http://, https://, h2c:// or h2:// for HTTP/2, or unix: with the path of a socket";
/// RFC 9110 §4.2.1 and §4.2.2.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
/// `sun_path` with the octet that ends it (unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;
