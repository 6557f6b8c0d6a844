//! What the operator wants otherwise than the configuration says.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::live::Lever;
use crate::telemetry::LogLevel;

/// Everything that is wanted otherwise. What is absent is as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pulled {
    /// By upstream, as lists call it.
    pub upstreams: BTreeMap<String, Held<Lever>>,
    /// By the site's name: whether it is being worked on.
    pub maintenance: BTreeMap<String, Held<bool>>,
    /// By network: why its clients are turned away.
    pub denied: BTreeMap<Network, Held<String>>,
    /// Nothing is taken in, ordered or reloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Held<String>>,
    /// How much is logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<Held<LogLevel>>,
}

/// Something that is wanted, by whom and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held<T> {
    /// What.
    pub value: T,
    /// Whose word it is.
    pub by: String,
    /// Since when, seconds since the Unix epoch.
    pub at: i64,
    /// The second at which it is over; `None`: until it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// Whether it outlasts the process.
    pub kept: bool,
}

impl<T> Held<T> {
    const fn is_over(&self, now: i64) -> bool {
        matches!(self.until, Some(until) if until <= now)
    }
}

/// A network of clients, written in one way alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Network(IpNet);

impl Network {
    /// The network itself.
    #[must_use]
    pub const fn net(self) -> IpNet {
        self.0
    }
}

impl From<Network> for String {
    fn from(Network(network): Network) -> Self {
        network.to_string()
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for Network {
    type Err = String;

    /// An address, or a network with its prefix; what stands beyond the prefix is left out.
    fn from_str(text: &str) -> Result<Self, String> {
        let address = || text.parse().map(|address: std::net::IpAddr| IpNet::from(address.to_canonical())).ok();
        let network = text.parse::<IpNet>().ok().or_else(address);
        network
            .map(|network| Self(network.trunc()))
            .ok_or_else(|| format!("expected an address or a network such as 203.0.113.0/24, found {text:?}"))
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One thing that is wanted otherwise from now on, or as configured again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An upstream takes no part, or does again.
    Upstream(String, Lever),
    /// A site is being worked on, or is not; `None`: as configured.
    Maintenance(String, Option<bool>),
    /// A network's clients are turned away, and why.
    Deny(Network, String),
    /// They are no longer.
    Admit(Network),
    /// Nothing is taken in, ordered or reloaded, and why.
    Freeze(String),
    /// It is again.
    Thaw,
    /// So much is logged; `None`: as configured.
    Log(Option<LogLevel>),
}

/// Who wants it, and for how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// Whose word it is.
    pub by: String,
    /// The second since the Unix epoch at which it is over; `None`: until it is taken back.
    pub until: Option<i64>,
    /// Whether it outlasts the process.
    pub kept: bool,
}

impl Pulled {
    /// Takes a change over.
    pub(super) fn take(&mut self, change: Change, hold: Hold, now: i64) {
        let Hold { by, until, kept } = hold;
        match change {
            Change::Upstream(upstream, Lever::Ready) => drop(self.upstreams.remove(&upstream)),
            Change::Upstream(upstream, value) => {
                self.upstreams.insert(upstream, Held { value, by, at: now, until, kept });
            }
            Change::Maintenance(site, None) => drop(self.maintenance.remove(&site)),
            Change::Maintenance(site, Some(value)) => {
                self.maintenance.insert(site, Held { value, by, at: now, until, kept });
            }
            Change::Deny(network, value) => {
                self.denied.insert(network, Held { value, by, at: now, until, kept });
            }
            Change::Admit(network) => drop(self.denied.remove(&network)),
            Change::Freeze(value) => self.frozen = Some(Held { value, by, at: now, until, kept }),
            Change::Thaw => self.frozen = None,
            Change::Log(value) => self.log_level = value.map(|value| Held { value, by, at: now, until, kept }),
        }
    }

    /// What of it is not over.
    pub(super) fn at(mut self, now: i64) -> Self {
        self.upstreams.retain(|_, held| !held.is_over(now));
        self.maintenance.retain(|_, held| !held.is_over(now));
        self.denied.retain(|_, held| !held.is_over(now));
        self.frozen = self.frozen.filter(|held| !held.is_over(now));
        self.log_level = self.log_level.filter(|held| !held.is_over(now));
        self
    }

    /// What of it outlasts the process.
    pub(super) fn kept(mut self) -> Self {
        self.upstreams.retain(|_, held| held.kept);
        self.maintenance.retain(|_, held| held.kept);
        self.denied.retain(|_, held| held.kept);
        self.frozen = self.frozen.filter(|held| held.kept);
        self.log_level = self.log_level.filter(|held| held.kept);
        self
    }

    /// When the next of it is over.
    pub(super) fn next_end(&self) -> Option<i64> {
        let upstreams = self.upstreams.values().filter_map(|held| held.until);
        let sites = self.maintenance.values().filter_map(|held| held.until);
        let denied = self.denied.values().filter_map(|held| held.until);
        let others =
            [self.frozen.as_ref().and_then(|held| held.until), self.log_level.as_ref().and_then(|held| held.until)];
        upstreams.chain(sites).chain(denied).chain(others.into_iter().flatten()).min()
    }
}
