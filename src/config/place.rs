//! Values that say where something is: socket addresses, networks, upstreams, host patterns, path prefixes.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use toml::de::DeValue;

use super::keys::NOT_IN_THIS_VERSION;
use super::value::{Found, expected, text};
use crate::live::Upstream;
use crate::name::{HostName, HostPattern};

/// The address of a public listener: `"[::]:443"`.
pub(super) fn listener(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    address(value, "[::]:443", "[::]")
}

/// The address of a listener for operators: `"127.0.0.1:9180"`.
pub(super) fn private_listener(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    address(value, "127.0.0.1:9180", "127.0.0.1")
}

fn address(value: &DeValue<'_>, example: &str, anywhere: &str) -> Result<SocketAddr, String> {
    let what = format!("an address and port such as {example:?}");
    let text = match value {
        DeValue::String(text) => text,
        DeValue::Integer(port) if port.as_str().parse::<u16>().is_ok() => {
            return Err(format!("{}; write \"{anywhere}:{port}\"", expected(&what, value)));
        }
        _ => return Err(expected(&what, value)),
    };
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let mend = match text.rsplit_once(':') {
        Some(("" | "*", port)) => format!("; write \"{anywhere}:{port}\""),
        None if text.parse::<u16>().is_ok() => format!("; write \"{anywhere}:{text}\""),
        Some(("localhost", port)) => format!("; write \"127.0.0.1:{port}\""),
        _ => match text.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => format!("; add a port: \"{ip}:443\""),
            Ok(IpAddr::V6(ip)) => format!("; add a port: \"[{ip}]:443\""),
            Err(_) => String::new(),
        },
    };
    Err(expected(&what, value) + &mend)
}

/// A network: `"10.0.0.0/8"`.
pub(super) fn network(value: &DeValue<'_>) -> Result<IpNet, String> {
    let what = "a network such as \"10.0.0.0/8\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Err(format!("{}; write \"{}\" for this address alone", expected(what, value), IpNet::from(ip)));
    }
    let network: IpNet = text.parse().map_err(|_| expected(what, value))?;
    if network != network.trunc() {
        return Err(format!("{}; write \"{}\" for the whole network", expected(what, value), network.trunc()));
    }
    Ok(network)
}

/// A host name.
pub(super) fn host(value: &DeValue<'_>) -> Result<HostName, String> {
    HostName::parse(&text(value)?).map_err(|error| error.to_string())
}

/// What names end with: `.test`, or `test`.
pub(super) fn suffix(value: &DeValue<'_>) -> Result<HostName, String> {
    let text = text(value)?;
    HostName::parse(text.strip_prefix('.').unwrap_or(&text)).map_err(|error| error.to_string())
}

/// A host name or a wildcard.
pub(super) fn pattern(value: &DeValue<'_>) -> Result<HostPattern, String> {
    HostPattern::parse(&text(value)?).map_err(|error| error.to_string())
}

/// A site's identity. It becomes a file's name and a metric's label.
pub(super) fn site_name(value: &DeValue<'_>) -> Result<String, String> {
    let name = text(value)?;
    let sound = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.*".contains(&octet);
    if name.is_empty() || name.len() > 253 || name.starts_with('.') || !name.bytes().all(sound) {
        return Err(expected(
            "a name of letters, digits, '-', '_' and '.', 253 at most, not beginning with '.'",
            value,
        ));
    }
    Ok(name)
}

/// A path prefix: `"/api"`.
pub(super) fn prefix(value: &DeValue<'_>) -> Result<String, String> {
    let what = "a path such as \"/api\"";
    let path = text(value).map_err(|_| expected(what, value))?;
    let mend = if !path.starts_with('/') {
        "it begins with a slash"
    } else if path.contains(['?', '#']) {
        "the query and the fragment take no part in routing, leave them out"
    } else if !path.bytes().all(|octet| octet.is_ascii_graphic()) {
        "write spaces and letters beyond ASCII as they are sent, in percent encoding"
    } else if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        "leave out the segments \".\" and \"..\""
    } else if path.contains('*') {
        "a path covers everything below it, leave out the '*'"
    } else {
        return Ok(path);
    };
    Err(format!("{}; {mend}", expected(what, value)))
}

/// A server behind the edge: `"http://10.0.0.11:8080"`; the port is 80 unless given.
pub(super) fn upstream(value: &DeValue<'_>) -> Result<Upstream, String> {
    let what = "an upstream such as \"http://10.0.0.11:8080\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    // Looked for first: no mend below may repeat it.
    if text.contains('@') {
        return Err(format!("{}; leave out what stands before the '@'", expected(what, value)));
    }
    let Some((scheme, rest)) = text.split_once(':').filter(|(_, rest)| rest.starts_with('/')) else {
        return Err(format!("{}; write \"http://{}\"", expected(what, value), text.escape_debug()));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" => {}
        "https" | "h2c" | "unix" => {
            return Err(format!("{} as an upstream is {NOT_IN_THIS_VERSION}; {HTTP}", Found(value)));
        }
        _ => return Err(format!("{}; {HTTP}", expected(what, value))),
    }
    let authority = rest.strip_prefix("//").ok_or_else(|| expected(what, value))?;
    if let Some(end) = authority.find(['/', '?', '#']) {
        let bare = authority[..end].escape_debug();
        return Err(format!("{}; the request brings its own path, write \"http://{bare}\"", expected(what, value)));
    }
    parse_authority(authority).map_err(|mend| format!("{}; {mend}", expected(what, value)))
}

fn parse_authority(authority: &str) -> Result<Upstream, String> {
    let (host, port) = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => HTTP_PORT,
        None => return Err("only a port may follow the ']'".into()),
        Some(port) => match port.parse() {
            Ok(number) if number > 0 && port.bytes().all(|octet| octet.is_ascii_digit()) => number,
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
    Ok(Upstream { host: host.into(), port })
}

const HTTP: &str = "use http://";
/// RFC 9110 §4.2.1.
const HTTP_PORT: u16 = 80;
