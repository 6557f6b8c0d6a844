//! Caddy: site blocks become sites, what they hand to `reverse_proxy` routes; certificates and the account lie in its storage.

mod grammar;
mod proxy;
mod rules;
mod site;
mod storage;
mod tls;
mod ways;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use self::grammar::Segment;
use super::files::Files;
use super::plan::{Plan, Weight};
use super::settings::{Settings, duration, read_duration};

/// Reads a Caddyfile with all that it imports, and Caddy's storage. Without `storage` the file says where that is, or it is looked
/// for where Debian's package and a user of one's own have it.
///
/// # Errors
/// When a file cannot be read, or is not in the Caddyfile's grammar.
pub fn caddy(path: &Path, storage: Option<&Path>, files: &Files) -> Result<Plan, String> {
    let mut segments = grammar::read(path, files)?;
    let mut reading = Reading::new(path.parent().unwrap_or(Path::new("")), files);
    if segments.first().is_some_and(|first| first.words.is_empty()) {
        let options = segments.remove(0);
        options.inner().iter().for_each(|option| reading.option(option));
    }
    // A file with one site may leave out its braces.
    if segments.first().is_some_and(|first| first.block.is_none()) {
        let mut first = segments.remove(0);
        first.block = Some(segments);
        segments = vec![first];
    }
    for segment in &segments {
        reading.site(segment);
    }
    reading.add_elsewhere();
    reading.listen();
    reading.authorities();
    if let Some(storage) = storage.map(Path::to_owned).or_else(|| reading.storage_folder()) {
        reading.storage(&storage);
    }
    let Reading { mut plan, settings, .. } = reading;
    settings.settle(&mut plan);
    if plan.sites.is_empty() && !plan.remarks.iter().any(|remark| remark.weight == Weight::LeftOut) {
        return Err(format!("{}: there is no site in it that speaks TLS; name the Caddyfile", path.display()));
    }
    Ok(plan)
}

/// What is known so far.
struct Reading<'a> {
    plan: Plan,
    settings: Settings,
    files: &'a Files,
    folder: &'a Path,
    http_port: u16,
    https_port: u16,
    /// Addresses of `bind`, in place of all.
    bound: Vec<IpAddr>,
    /// Ports of sites that are served over TLS.
    ports: Vec<u16>,
    /// `acme_ca` and its root.
    directory: Option<String>,
    root: Option<PathBuf>,
    storage: Option<PathBuf>,
    /// Names that only lead elsewhere.
    elsewhere: Vec<site::Elsewhere>,
    /// Certificates of Caddy's own authority alone.
    is_local: bool,
}

impl<'a> Reading<'a> {
    fn new(folder: &'a Path, files: &'a Files) -> Self {
        Self {
            plan: Plan::default(),
            settings: Settings::default(),
            files,
            folder,
            http_port: 80,
            https_port: 443,
            bound: Vec::new(),
            ports: Vec::new(),
            directory: None,
            root: None,
            storage: None,
            elsewhere: Vec::new(),
            is_local: false,
        }
    }

    /// A global option.
    fn option(&mut self, option: &Segment) {
        let (value, place) = (option.word(1), &option.place);
        match option.word(0) {
            "email" => self.plan.add_contact(value),
            "acme_ca" => self.directory = Some(value.to_owned()),
            "acme_ca_root" => self.root = Some(self.folder.join(value)),
            "key_type" => self.key_type(value, place),
            "http_port" => self.http_port = value.parse().unwrap_or(80),
            "https_port" => self.https_port = value.parse().unwrap_or(443),
            "default_bind" => self.bind(option),
            "local_certs" => self.is_local = true,
            "default_sni" | "fallback_sni" => {
                self.plan.set("tls", "unknown_name", "\"default\"");
                self.plan.set("tls", "default_site", format!("{value:?}"));
            }
            "storage" if value == "file_system" => {
                let below = option.inner().iter().find(|inner| inner.word(0) == "root");
                let path = below.map_or(option.word(2), |root| root.word(1));
                self.storage = Some(self.folder.join(path));
            }
            "storage" => {
                let text = format!("certificates and accounts in the storage {value:?} are not read");
                self.plan.left_out(place, text, "export them to files, and name their folder with --storage");
            }
            "grace_period" => {
                if let Some(milliseconds) = read_duration(value, 1000).filter(|time| (1..=DAY).contains(time)) {
                    self.plan.set("edge", "drain_timeout", duration(milliseconds));
                }
            }
            "auto_https" if value == "off" => {
                self.plan.left_out(place, "auto_https is off: what was plain HTTP stays out", "keep Caddy for it");
            }
            "on_demand_tls" => {
                let text = "certificates for names that come up in handshakes are not carried over";
                self.plan.left_out(place, text, "see site.on_demand and site.ask, or name each host in a [[site]]");
            }
            "acme_dns" => {
                let text =
                    format!("names are shown by DNS ({value}), and where its records are written is not carried over");
                self.plan.note(
                    place,
                    text,
                    "say in [[acme.dns]] how records are written, or let each name lead to this edge",
                );
            }
            "acme_eab" => {
                let text = "the external account is not carried over";
                self.plan.left_out(place, text, "see acme.issuer.eab_key_id and eab_hmac_key_file");
            }
            "servers" => self.servers(option),
            "cert_issuer" | "order" | "events" | "layer4" => {
                self.plan.left_out(place, format!("{:?} is not carried over", option.shown()), SHOP);
            }
            "admin"
            | "log"
            | "debug"
            | "persist_config"
            | "ocsp_stapling"
            | "skip_install_trust"
            | "renew_interval"
            | "storage_clean_interval"
            | "auto_https"
            | "metrics"
            | "preferred_chains"
            | "ocsp_interval"
            | "shutdown_delay"
            | "pki" => {}
            _ => self.plan.note(place, format!("the option {:?} is not carried over", option.shown()), ""),
        }
    }

    fn bind(&mut self, line: &Segment) {
        for address in line.rest() {
            match address.trim_matches(['[', ']']).parse() {
                Ok(address) if !self.bound.contains(&address) => self.bound.push(address),
                Ok(_) => {}
                Err(_) => {
                    let text = format!("cannot listen at {address:?}: an IP address is needed");
                    self.plan.left_out(&line.place, text, "put the address into edge.https and edge.http");
                }
            }
        }
    }

    /// Caddy listens everywhere unless told otherwise, and redirects from plain HTTP.
    fn listen(&mut self) {
        if self.bound.is_empty() {
            self.bound.push(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        }
        for address in &self.bound {
            for port in &self.ports {
                self.settings.listen(SocketAddr::new(*address, *port), true);
            }
            self.settings.listen(SocketAddr::new(*address, self.http_port), false);
        }
    }
}

const SHOP: &str = "see what it does for the shop, and have the shop do it";
const DAY: u64 = 86_400_000;
