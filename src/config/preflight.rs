//! `[acme]`: what is looked at before a certificate is ordered.

use std::net::SocketAddr;

use ipnet::IpNet;
use toml::de::DeValue;

use super::reader::Section;
use super::value::expected;
use super::{place, value};
use crate::outbound::dns::dns_server;

/// What is looked at before a certificate is ordered, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightConfig {
    /// What becomes of an order when a check fails.
    pub mode: PreflightMode,
    /// The port that stands for the world's port 80.
    pub http_port: u16,
    /// The port that stands for the world's port 443.
    pub https_port: u16,
    /// Where probes may go besides the addresses that the whole world reaches.
    pub networks: Vec<IpNet>,
}

impl Default for PreflightConfig {
    fn default() -> Self {
        Self { mode: PreflightMode::Enforce, http_port: HTTP_PORT, https_port: HTTPS_PORT, networks: Vec::new() }
    }
}

/// What becomes of an order when a check before it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreflightMode {
    /// It is not made.
    Enforce,
    /// It is made all the same, and what failed is told.
    Warn,
    /// Nothing is looked at.
    Off,
}

/// Reads what is looked at before an order.
pub(super) fn preflight(section: &Section<'_>) -> PreflightConfig {
    let modes = [("enforce", PreflightMode::Enforce), ("warn", PreflightMode::Warn), ("off", PreflightMode::Off)];
    let default = PreflightConfig::default();
    let mode = section.word("preflight", &modes).map_or(default.mode, |mode| mode.value);
    let port = |key, default: u16| {
        let said = section.bounded(key, value::count, default.into(), 1..=u16::MAX.into()).value;
        u16::try_from(said).unwrap_or(default)
    };
    let networks = section.list("preflight_networks", place::network).map(|list| list.value).unwrap_or_default();
    for network in networks.iter().filter(|network| network.value.prefix_len() == 0) {
        section.pad.warning(network.line, "acme.preflight_networks", ANYWHERE);
    }
    PreflightConfig {
        mode,
        http_port: port("http_port", default.http_port),
        https_port: port("https_port", default.https_port),
        networks: networks.into_iter().map(|network| network.value).collect(),
    }
}

/// Who is asked about names: `"10.0.0.53"`, `"10.0.0.53:5353"`, `"[2001:db8::53]:5353"`.
pub(super) fn resolver(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    let what = "the address of a DNS server such as \"10.0.0.53\" or \"10.0.0.53:5353\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    dns_server(text).ok_or_else(|| expected(what, value))
}

const ANYWHERE: &str = "lets whoever writes the DNS of a managed name send probes to any machine that this one reaches; \
                        name the networks where the authority looks too";
/// RFC 8555 §8.3: where an authority looks for http-01.
const HTTP_PORT: u16 = 80;
/// RFC 8737 §3: where it looks for tls-alpn-01.
const HTTPS_PORT: u16 = 443;
