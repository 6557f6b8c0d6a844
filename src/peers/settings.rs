//! What peers say for each shop, or for each listener, and the main file says once: the most generous of it holds.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use super::keys::quoted_list;
use super::plan::{Place, Plan};

/// Values for the main file, as they are met.
#[derive(Default)]
pub(super) struct Settings {
    numbers: BTreeMap<&'static str, Vec<(u64, Place)>>,
    https: Vec<SocketAddr>,
    http: Vec<SocketAddr>,
    /// Lists of networks of `[edge]`.
    networks: BTreeMap<&'static str, Vec<IpNet>>,
    /// Whether TLS 1.3 alone is spoken, wherever that is said.
    only_v1_3: Vec<bool>,
}

/// A key of `[limits]` that is a duration, and what it may be, in milliseconds.
struct Bounds {
    key: &'static str,
    least: u64,
    most: u64,
}

impl Settings {
    /// A duration in milliseconds, or a size in octets, for a key of `[limits]`.
    pub(super) fn limit(&mut self, key: &'static str, value: u64, place: &Place) {
        self.numbers.entry(key).or_default().push((value, place.clone()));
    }

    /// An address that speaks TLS, or plain HTTP.
    pub(super) fn listen(&mut self, address: SocketAddr, tls: bool) {
        let list = if tls { &mut self.https } else { &mut self.http };
        if !list.contains(&address) {
            list.push(address);
        }
    }

    /// The protocol versions of a listener or shop: whether it speaks 1.3 alone.
    pub(super) fn versions(&mut self, only_v1_3: bool) {
        self.only_v1_3.push(only_v1_3);
    }

    /// A network of a list of `[edge]`.
    pub(super) fn network(&mut self, key: &'static str, network: IpNet) {
        let list = self.networks.entry(key).or_default();
        if !list.contains(&network) {
            list.push(network);
        }
    }

    /// Whether some of it speaks TLS 1.3 alone and some does not, so that each site says what it speaks.
    pub(super) fn versions_differ(&self) -> bool {
        self.only_v1_3.contains(&true) && self.only_v1_3.contains(&false)
    }

    /// Writes everything into the plan.
    pub(super) fn settle(self, plan: &mut Plan) {
        for (key, networks) in &self.networks {
            let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
            plan.set("edge", key, quoted_list(&networks));
        }
        for (key, values) in self.numbers {
            settle_limit(key, &values, plan);
        }
        if !self.https.is_empty() {
            plan.set("edge", "https", addresses(&self.https));
            plan.set("edge", "http", addresses(&self.http));
        }
        // Where some speak TLS 1.3 alone and some do not, their sites say so.
        if !self.only_v1_3.is_empty() && !self.only_v1_3.contains(&false) {
            plan.set("tls", "min_version", "\"1.3\"");
        }
    }
}

/// A value of `[limits]` or of a site's own, in milliseconds or octets, as TOML writes it; `None`: it is out of bounds.
pub(super) fn written(key: &str, value: u64) -> Option<String> {
    match BOUNDS.iter().find(|bounds| bounds.key == key) {
        Some(bounds) => (bounds.least..=bounds.most).contains(&value).then(|| duration(value)),
        None => Some(size(value)),
    }
}

fn settle_limit(key: &'static str, values: &[(u64, Place)], plan: &mut Plan) {
    // No limit at all is the most generous size; no timeout is.
    let is_size = key == "body_size";
    let most_generous = values.iter().max_by_key(|(value, _)| if is_size && *value == 0 { u64::MAX } else { *value });
    let Some((value, place)) = most_generous else { return };
    if values.iter().any(|(other, _)| other != value) {
        let text = format!("limits.{key} is one value for all sites; this one, the most generous of several, holds");
        plan.note(place, text, "lower it in the main file if another was meant");
    }
    let written = if is_size { size(*value) } else { duration(*value) };
    match BOUNDS.iter().find(|bounds| bounds.key == key) {
        Some(bounds) if !(bounds.least..=bounds.most).contains(value) => {
            let (least, most) = (duration(bounds.least), duration(bounds.most));
            let text = format!("limits.{key} is between {least} and {most}, and {written} is not; its default holds");
            plan.left_out(place, text, "see whether the default will do");
        }
        Some(_) => plan.set("limits", key, written),
        None if key == "connections" => plan.set("limits", key, value.to_string()),
        None => plan.set("limits", key, written),
    }
}

/// As the main file writes them. An IPv4 address that stands for all goes where its IPv6 kin is there: that one is dual stack.
fn addresses(list: &[SocketAddr]) -> String {
    let everywhere = |port| list.contains(&SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
    let kept = list.iter().filter(|one| one.ip() != IpAddr::V4(Ipv4Addr::UNSPECIFIED) || !everywhere(one.port()));
    let quoted: Vec<String> = kept.map(|address| format!("\"{address}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

/// As TOML writes it.
pub(super) fn duration(milliseconds: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let whole = units.into_iter().find(|(unit, _)| milliseconds > *unit && milliseconds.is_multiple_of(*unit));
    match whole {
        Some((unit, sign)) => format!("\"{}{sign}\"", milliseconds / unit),
        None if milliseconds == 1000 => "\"1s\"".into(),
        None => format!("\"{milliseconds}ms\""),
    }
}

fn size(octets: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| octets >= *unit && octets.is_multiple_of(*unit)) {
        _ if octets == 0 => "\"0\"".into(),
        Some((unit, sign)) => format!("\"{}{sign}\"", octets / unit),
        None => format!("\"{octets}B\""),
    }
}

/// A duration such as `1m30s` in milliseconds; a number without a unit counts in `unit` milliseconds.
pub(super) fn read_duration(text: &str, unit: u64) -> Option<u64> {
    let units =
        [("us", 0), ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];
    let (mut rest, mut sum) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(rest.len());
        let scale = match &rest[..letters] {
            "" => unit,
            sign => units.iter().find(|(known, _)| *known == sign)?.1,
        };
        sum = sum.checked_add(if scale == 0 { number / 1000 } else { number.checked_mul(scale)? })?;
        rest = rest[letters..].trim_start();
    }
    (!text.is_empty()).then_some(sum)
}

/// A size such as `10m` in octets.
pub(super) fn read_size(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let scale = match text[digits..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(scale)
}

/// An address as listeners write it: a port, `*:port`, or address and port.
pub(super) fn read_address(text: &str, port: u16) -> Option<SocketAddr> {
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    if let Ok(port) = text.parse::<u16>() {
        return Some(SocketAddr::new(any, port));
    }
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Some(SocketAddr::new(address, port));
    }
    let (host, given) = match text.rsplit_once(':') {
        Some((host, given)) => (host, given.parse().ok()?),
        None => (text, port),
    };
    match host {
        "" | "*" => Some(SocketAddr::new(any, given)),
        "::" => Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), given)),
        "localhost" => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), given)),
        _ => None,
    }
}

const DAY: u64 = 86_400_000;
/// As `config/bounds.rs` has them.
const BOUNDS: [Bounds; 7] = [
    Bounds { key: "header_timeout", least: 1, most: 3_600_000 },
    Bounds { key: "idle_timeout", least: 1, most: DAY },
    Bounds { key: "handshake_timeout", least: 1, most: 3_600_000 },
    Bounds { key: "body_idle_timeout", least: 1, most: DAY },
    Bounds { key: "write_stall_timeout", least: 1, most: DAY },
    Bounds { key: "upstream_connect_timeout", least: 1000, most: 300_000 },
    Bounds { key: "upstream_response_timeout", least: 1, most: DAY },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_and_written() {
        let read = ["90", "1m30s", "1h 30m", "500ms", "", "5x", "99999999999999999999"];
        let milliseconds = read.map(|text| read_duration(text, 1000));
        assert_eq!(milliseconds, [Some(90_000), Some(90_000), Some(5_400_000), Some(500), None, None, None]);
        assert_eq!(
            [90_000, 60_000, 1000, 500, 7_200_000].map(duration),
            ["\"90s\"", "\"60s\"", "\"1s\"", "\"500ms\"", "\"2h\""]
        );
        assert_eq!(["10m", "1k", "0", "7", "2x"].map(read_size), [Some(10 << 20), Some(1024), Some(0), Some(7), None]);
        assert_eq!([0, 10 << 20, 1000].map(size), ["\"0\"", "\"10MiB\"", "\"1000B\""]);
    }

    #[test]
    fn one_dual_stack_listener_stands_for_both() {
        let list = ["443", "[::]:443", "127.0.0.1:8443", "*:444"].map(|text| read_address(text, 80).expect("one"));
        assert_eq!(addresses(&list), "[\"[::]:443\", \"127.0.0.1:8443\", \"0.0.0.0:444\"]");
        assert_eq!(read_address("10.0.0.1", 80), "10.0.0.1:80".parse().ok());
        assert_eq!(["unix:/x", "a:b", "shop.example:1"].map(|text| read_address(text, 80)), [None, None, None]);
    }
}
