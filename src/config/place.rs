//! Values that say where something is: socket addresses, networks, host patterns, path prefixes.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use toml::de::DeValue;

use super::value::{expected, text};
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

/// Where people reach something: `"https://edge.shop.example"`. The slash at its end is left out.
pub(super) fn public_url(value: &DeValue<'_>) -> Result<String, String> {
    let what = "an address such as \"https://edge.shop.example\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_plain = |octet: u8| octet.is_ascii_graphic() && !b"?#@\"'<>\\".contains(&octet);
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with(['/', ':']) && rest.bytes().all(is_plain) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(expected(what, value)),
    }
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
