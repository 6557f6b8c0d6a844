//! `[[acme.dns]]`: how records are written that show an authority that a name is ours.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::reader::{Placed, Section};
use super::value::expected;
use super::{preflight, value};
use crate::outbound::dns::{DnsName, TsigAlgorithm};

/// `[[acme.dns]]`: who writes records, and whom one asks whether they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsConfig {
    /// The zone that it is for; `None`: every one that no other is for.
    pub zone: Option<DnsName>,
    /// How records are written.
    pub writer: DnsWriter,
    /// How long the zone's servers are waited for.
    pub propagation_timeout: Duration,
    /// Who is asked whether a record is there; empty: the zone's own servers.
    pub propagation_servers: Vec<SocketAddr>,
}

/// How records are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsWriter {
    /// By updates that are signed with a key (RFC 2136, RFC 8945).
    Update {
        /// Who takes them.
        server: SocketAddr,
        /// As the server calls the key.
        key_name: DnsName,
        /// How is signed.
        algorithm: TsigAlgorithm,
        /// Holds the secret.
        secret_file: PathBuf,
    },
    /// By a program.
    Hook {
        /// Its absolute path, and what it is given.
        command: Vec<String>,
        /// What one run may take.
        timeout: Duration,
    },
}

/// Every `[[acme.dns]]` that holds.
pub(super) fn ways(section: &Section<'_>) -> Vec<DnsConfig> {
    let mut ways: Vec<Placed<DnsConfig>> = Vec::new();
    for table in section.tables("dns") {
        let Some(way) = way(section, table) else { continue };
        if let Some(earlier) = ways.iter().find(|earlier| earlier.value.zone == way.value.zone) {
            let text = match &way.value.zone {
                Some(zone) => {
                    format!("the [[acme.dns]] on line {} is for \"{zone}\" already; take one out", earlier.line)
                }
                None => format!("only one [[acme.dns]] can be for every zone, and that on line {} is", earlier.line),
            };
            section.pad.mistake(way.line, "acme.dns.zone", text);
            continue;
        }
        ways.push(way);
    }
    ways.into_iter().map(|way| way.value).collect()
}

fn way<'a>(section: &Section<'a>, table: &'a Spanned<DeValue<'a>>) -> Option<Placed<DnsConfig>> {
    let section = Section::one_of(section.pad, "acme.dns", table);
    let given = |key: &str| section.entries().any(|entry| entry.value == key);
    let zone = section.value("zone", dns_name);
    let update = update(&section);
    let hook = hook(&section);
    let propagation_timeout =
        section.bounded("propagation_timeout", value::duration, PROPAGATION_TIMEOUT, SHORTEST..=LONGEST).value;
    let servers = section.filled_list("propagation_servers", preflight::resolver).map(|list| list.value);
    if table.get_ref().is_table() {
        let of_updates = ["server", "tsig_key_name", "tsig_algorithm", "tsig_secret_file"];
        match (of_updates.iter().find(|key| given(key)), given("hook")) {
            (Some(key), true) => {
                let text = format!("a record is written by updates or by a program, not both: take out hook or {key}");
                section.pad.mistake(section.line, "acme.dns.hook", text);
            }
            (None, false) => section.pad.missing(section.line, "acme.dns.server", NO_WAY),
            (Some(_), false) => {
                let needed = [
                    ("server", "who takes updates, such as \"10.0.0.53\""),
                    ("tsig_key_name", "what the server calls the key that updates are signed with"),
                    ("tsig_secret_file", "a file with the key's secret, or what tsig-keygen(8) wrote"),
                ];
                for (key, what) in needed.into_iter().filter(|(key, _)| !given(key)) {
                    section.pad.missing(section.line, &section.dotted(key), format!("is needed: {what}"));
                }
            }
            (None, true) => {}
        }
        if given("hook_timeout") && !given("hook") {
            section.pad.warning(section.line, "acme.dns.hook_timeout", "has no effect without hook");
        }
    }
    if zone.is_none() && given("zone") {
        return None;
    }
    let config = DnsConfig {
        zone: zone.map(|zone| zone.value),
        writer: if given("hook") { hook? } else { update? },
        propagation_timeout,
        propagation_servers: servers.unwrap_or_default().into_iter().map(|server| server.value).collect(),
    };
    Some(Placed { value: config, line: section.line })
}

fn update(section: &Section<'_>) -> Option<DnsWriter> {
    let server = section.value("server", preflight::resolver);
    let key_name = section.value("tsig_key_name", dns_name);
    let algorithms = TsigAlgorithm::ALL.map(|algorithm| (algorithm.word(), algorithm));
    let algorithm = section.word("tsig_algorithm", &algorithms).map_or(ALGORITHM, |algorithm| algorithm.value);
    let secret_file = section.value("tsig_secret_file", value::path);
    if let Some(file) = &secret_file
        && fs::metadata(&file.value).is_ok_and(|facts| facts.mode() & 0o077 != 0)
    {
        let text = format!(
            "{}: may be read or written by others than its owner; chmod 0600, and if others may have read it, make a new key",
            file.value.display()
        );
        section.pad.mistake(file.line, "acme.dns.tsig_secret_file", text);
    }
    let (server, key_name, secret_file) = (server?.value, key_name?.value, secret_file?.value);
    Some(DnsWriter::Update { server, key_name, algorithm, secret_file })
}

fn hook(section: &Section<'_>) -> Option<DnsWriter> {
    let command = section.filled_list("hook", word);
    let timeout = section.bounded("hook_timeout", value::duration, HOOK_TIMEOUT, SHORTEST..=LONGEST).value;
    let command = command?;
    let program = command.value.first()?;
    let path = Path::new(&program.value);
    if !path.is_absolute() {
        let text =
            format!("expected the absolute path of a program, found {:?}; no folders are searched", program.value);
        section.pad.mistake(program.line, "acme.dns.hook", text);
    } else if !fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.mode() & 0o111 != 0) {
        let text = format!("{:?} is no program that can be started; no record can be written by it", program.value);
        section.pad.warning(program.line, "acme.dns.hook", text);
    }
    Some(DnsWriter::Hook { command: command.value.into_iter().map(|word| word.value).collect(), timeout })
}

fn dns_name(value: &DeValue<'_>) -> Result<DnsName, String> {
    let what = "a name in the DNS such as \"shop.example\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    DnsName::parse(text).map_err(|_| expected(what, value))
}

/// A word of a command line: what the system takes.
fn word(value: &DeValue<'_>) -> Result<String, String> {
    match value.as_str() {
        Some(text) if !text.contains('\0') => Ok(text.into()),
        _ => Err(expected("a text in quotes", value)),
    }
}

const NO_WAY: &str = "is needed, or hook: records are written by signed updates to a server, or by a program";
/// What every server knows, and tsig-keygen(8) makes.
const ALGORITHM: TsigAlgorithm = TsigAlgorithm::HmacSha256;
/// Secondaries follow a NOTIFY within seconds; panels of registrars take a minute.
const PROPAGATION_TIMEOUT: Duration = Duration::from_mins(2);
/// A provider's API takes seconds, and some wait for their own servers.
const HOOK_TIMEOUT: Duration = Duration::from_mins(1);
const SHORTEST: Duration = Duration::from_secs(1);
/// An authority forgets a pending order after days; nobody watches one for longer than this.
const LONGEST: Duration = Duration::from_mins(60);
