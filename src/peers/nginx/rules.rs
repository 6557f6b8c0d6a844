//! What a server does besides passing on: fields, networks, compression, limits, certificates of clients. Each is said once, innermost
//! first, as nginx inherits it.

use super::Reading;
use super::grammar::Directive;
use crate::peers::fields::{self, Way};
use crate::peers::keys::Keys;
use crate::peers::networks::Verdicts;
use crate::peers::settings::{read_duration, read_size, written};

/// A block and those around it, innermost first.
pub(super) type Chain<'b, 'a> = &'b [&'a [Directive]];

/// The directives of this name of the innermost block that has any.
pub(super) fn all<'a>(chain: Chain<'_, 'a>, name: &str) -> Vec<&'a Directive> {
    let of = |block: &&'a [Directive]| block.iter().filter(|one| one.name == name).collect::<Vec<_>>();
    chain.iter().map(of).find(|found| !found.is_empty()).unwrap_or_default()
}

fn first<'a>(chain: Chain<'_, 'a>, name: &str) -> Option<&'a Directive> {
    all(chain, name).first().copied()
}

impl Reading<'_> {
    /// What a site does with all requests.
    pub(super) fn site_rules(&mut self, chain: Chain<'_, '_>, keys: &mut Keys) {
        self.fields(chain, keys);
        self.access(chain, keys);
        self.compression(chain, keys);
        self.rate(chain, keys);
        self.crowd(chain, keys);
        self.clients(chain, keys);
        // What http says holds for all, and stands in the main file.
        for block in &chain[..chain.len().saturating_sub(1)] {
            self.own_limits(block, "limits", keys);
        }
    }

    fn fields(&mut self, chain: Chain<'_, '_>, keys: &mut Keys) {
        for one in all(chain, "add_header") {
            let value = one.words.get(1).map_or("", String::as_str);
            let is_fixed = !value.contains('$') && one.words.len() <= 3;
            if !is_fixed || !fields::say(keys, Way::ToClient, "add", one.first(), value) {
                self.remark_on(one);
            } else if one.words.get(2).map(String::as_str) != Some("always") {
                let text = format!("the field {:?} is added to every answer of the shop, errors too", one.first());
                self.plan.note(&one.place, text, "");
            }
        }
        for one in all(chain, "proxy_hide_header") {
            if !fields::remove(keys, Way::ToClient, one.first()) {
                self.remark_on(one);
            }
        }
        for one in all(chain, "proxy_set_header") {
            self.header(one, Some(&mut *keys));
        }
    }

    /// `allow` and `deny`, which count together.
    pub(super) fn access(&mut self, chain: Chain<'_, '_>, keys: &mut Keys) {
        if let Some(verdicts) = self.verdicts(chain) {
            verdicts.write(keys);
        }
    }

    /// `None`: nobody is named, or not so that it could be carried over, which was told.
    pub(super) fn verdicts(&mut self, chain: Chain<'_, '_>) -> Option<Verdicts> {
        let names_some = |block: &&&[Directive]| block.iter().any(is_about_access);
        let block = chain.iter().find(names_some)?;
        let mut verdicts = Verdicts::default();
        let rules = || block.iter().filter(|one| is_about_access(one));
        let is_whole = rules().all(|one| verdicts.add(one.name == "allow", one.first()));
        // With it a password lets in too, and who has one is not known here.
        if is_whole && first(chain, "satisfy").is_none_or(|one| one.first() != "any") {
            return Some(verdicts);
        }
        rules().for_each(|one| self.remark_on(one));
        None
    }

    fn compression(&mut self, chain: Chain<'_, '_>, keys: &mut Keys) {
        if first(chain, "gzip").is_none_or(|one| one.first() != "on") {
            return;
        }
        keys.set("compression", "on", "true");
        keys.push("compression", "algorithms", "gzip");
        let named = first(chain, "gzip_types");
        let is_kind = |kind: &str| kind.split('/').filter(|part| !part.is_empty() && *part != "*").count() == 2;
        match named {
            Some(types) if !types.words.iter().all(|kind| is_kind(kind)) => {
                let text = format!("{:?} is not carried over: texts are compressed", types.shown());
                self.plan.note(&types.place, text, "see site.compression.types");
            }
            named => {
                keys.push("compression", "types", "text/html");
                let kinds = named.into_iter().flat_map(|types| &types.words);
                kinds.for_each(|kind| keys.push("compression", "types", kind.to_ascii_lowercase()));
            }
        }
        let least = first(chain, "gzip_min_length").and_then(|one| read_size(one.first()));
        keys.text("compression", "min_size", &format!("{}B", least.unwrap_or(GZIP_LEAST).min(1 << 30)));
    }

    /// `limit_req`, where its zone counts client addresses.
    pub(super) fn rate(&mut self, chain: Chain<'_, '_>, keys: &mut Keys) {
        let limits = all(chain, "limit_req");
        let [limit] = limits[..] else {
            limits.iter().for_each(|one| self.remark_on(one));
            return;
        };
        let word = |name: &str| limit.words.iter().find_map(|word| word.strip_prefix(name));
        let rate = word("zone=").and_then(|zone| self.zones.get(zone)).and_then(|zone| zone.rate.clone());
        let burst = word("burst=").map_or(Some(0), |burst| burst.parse::<u64>().ok());
        match (rate, burst) {
            (Some(rate), Some(burst)) if burst < 1_000_000 => {
                keys.text("rate_limit", "rate", &rate);
                // Those that may come at once, and the one that may come now.
                keys.set("rate_limit", "burst", (burst + 1).to_string());
                keys.set("rate_limit", "ipv6_prefix", "128");
                if burst > 0 && !limit.words.iter().any(|word| word == "nodelay") {
                    let text = "requests of a burst were held back, and pass at once here";
                    self.plan.note(&limit.place, text, "see site.rate_limit.burst");
                }
            }
            _ => self.remark_on(limit),
        }
    }

    fn crowd(&mut self, chain: Chain<'_, '_>, keys: &mut Keys) {
        let limits = all(chain, "limit_conn");
        let [limit] = limits[..] else {
            limits.iter().for_each(|one| self.remark_on(one));
            return;
        };
        let counts = self.zones.get(limit.first()).is_some_and(|zone| zone.counts_clients);
        let most = limit.words.get(1).and_then(|most| most.parse::<u64>().ok());
        match most.filter(|most| counts && (1..=1_000_000).contains(most)) {
            Some(most) => {
                keys.set("connections", "per_client", most.to_string());
                keys.set("connections", "ipv6_prefix", "128");
            }
            None => self.remark_on(limit),
        }
    }

    /// `ssl_verify_client`, and what of TLS a server has for itself.
    fn clients(&mut self, chain: Chain<'_, '_>, keys: &mut Keys) {
        let Some(verify) = first(chain, "ssl_verify_client").filter(|one| one.first() != "off") else { return };
        let word = match verify.first() {
            "on" => "required",
            "optional" => "optional",
            _ => return self.remark_on(verify),
        };
        let Some(authorities) = first(chain, "ssl_client_certificate") else { return self.remark_on(verify) };
        let path = |one: &Directive| self.prefix.join(one.first()).to_string_lossy().into_owned();
        keys.text("tls", "client_certificates", word);
        keys.push("tls", "client_ca", path(authorities));
        if let Some(list) = first(chain, "ssl_crl") {
            keys.push("tls", "client_crl", path(list));
        }
    }

    /// Limits that a block sets; they belong into the table.
    pub(super) fn own_limits(&mut self, block: &[Directive], table: &'static str, keys: &mut Keys) {
        for one in block {
            let Some((_, key)) = OWN_LIMITS.iter().find(|(name, _)| *name == one.name) else { continue };
            let value = if *key == "body_size" { read_size(one.first()) } else { read_duration(one.first(), 1000) };
            match value.and_then(|value| written(key, value)) {
                Some(value) => keys.set(table, key, value),
                None => self.remark_on(one),
            }
        }
    }

    /// Zones that count: `limit_req_zone` and `limit_conn_zone`.
    pub(super) fn zone(&mut self, directive: &Directive) {
        let word = |name: &str| directive.words.iter().find_map(|word| word.strip_prefix(name));
        let Some(name) = word("zone=").and_then(|zone| zone.split(':').next()) else { return };
        let counts_clients = matches!(directive.first(), "$binary_remote_addr" | "$remote_addr");
        let rate = word("rate=").and_then(|rate| {
            let (number, unit) = rate.split_once("r/")?;
            let number: u64 = number.parse().ok()?;
            let fits = number > 0 && (unit == "s" && number <= 1000 || unit == "m" && number <= 60_000);
            (fits && counts_clients).then(|| format!("{number}/{unit}"))
        });
        self.zones.insert(name.to_owned(), Zone { rate, counts_clients });
    }
}

/// What a zone counts.
pub(super) struct Zone {
    /// As a site has it, where it counts requests of client addresses.
    rate: Option<String>,
    counts_clients: bool,
}

pub(super) fn is_about_access(directive: &Directive) -> bool {
    matches!(directive.name.as_str(), "allow" | "deny")
}

/// Whether [`Reading::site_rules`] has looked at it, if it stands where that looks.
pub(super) fn is_rule(directive: &Directive) -> bool {
    RULES.contains(&&*directive.name) || OWN_LIMITS.iter().any(|(name, _)| *name == directive.name)
}

/// Whether a route has it of its own.
pub(super) fn is_routes(directive: &Directive) -> bool {
    matches!(directive.name.as_str(), "allow" | "deny" | "limit_req")
        || OWN_LIMITS.iter().any(|(name, _)| *name == directive.name)
}

const RULES: &[&str] = &[
    "add_header",
    "proxy_hide_header",
    "proxy_set_header",
    "allow",
    "deny",
    "satisfy",
    "gzip",
    "gzip_types",
    "gzip_min_length",
    "limit_req",
    "limit_req_zone",
    "limit_req_status",
    "limit_req_log_level",
    "limit_conn",
    "limit_conn_zone",
    "limit_conn_status",
    "limit_conn_log_level",
    "ssl_verify_client",
    "ssl_client_certificate",
    "ssl_crl",
    "ssl_verify_depth",
    "proxy_ssl_verify",
    "proxy_ssl_trusted_certificate",
    "proxy_ssl_name",
    "proxy_ssl_server_name",
    "proxy_ssl_certificate",
    "proxy_ssl_certificate_key",
    "proxy_ssl_protocols",
    "proxy_ssl_ciphers",
    "proxy_ssl_session_reuse",
    "proxy_ssl_verify_depth",
    "grpc_ssl_verify",
    "grpc_ssl_trusted_certificate",
    "grpc_ssl_name",
    "grpc_ssl_server_name",
    "grpc_ssl_certificate",
    "grpc_ssl_certificate_key",
    "set_real_ip_from",
    "real_ip_header",
    "real_ip_recursive",
];
/// Directives that are a key of `[site.limits]`.
const OWN_LIMITS: &[(&str, &str)] = &[
    ("client_max_body_size", "body_size"),
    ("client_body_timeout", "body_idle_timeout"),
    ("send_timeout", "write_stall_timeout"),
    ("proxy_connect_timeout", "upstream_connect_timeout"),
    ("proxy_read_timeout", "upstream_response_timeout"),
];
/// nginx's own least.
const GZIP_LEAST: u64 = 20;
