//! Every key there is: what may stand where, and what comes in a later version.

/// Sections with their keys; `""` is the top of the file. `docs/configuration.md` and `config/vitrine.toml` name each
/// one, and a test compares.
pub(super) const KEYS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "include",
            "edge",
            "tls",
            "limits",
            "certificates",
            "acme",
            "admin",
            "mail",
            "notices",
            "reports",
            "log",
            "access_log",
            "site",
        ],
    ),
    ("edge", &["https", "http", "workers", "drain_timeout", "trusted_proxies", "proxy_protocol", "resolvers"]),
    ("tls", &["min_version", "unknown_name", "default_site"]),
    (
        "limits",
        &[
            "header_timeout",
            "idle_timeout",
            "handshake_timeout",
            "body_idle_timeout",
            "write_stall_timeout",
            "upstream_connect_timeout",
            "upstream_response_timeout",
            "upstream_idle_timeout",
            "head_size",
            "headers",
            "uri_length",
            "body_size",
            "connection_age",
            "connection_requests",
            "h2_streams",
            "h2_stream_window",
            "h2_connection_window",
            "h2_send_buffer",
            "connections",
            "connections_per_client",
            "memory",
        ],
    ),
    (
        "certificates",
        &["drop_directory", "state_directory", "state_key_file", "trusted_roots", "local_ca_suffixes", "drop"],
    ),
    ("certificates.drop", &["directory", "hosts", "password_file"]),
    (
        "acme",
        &[
            "contact",
            "terms_of_service_agreed",
            "challenges",
            "key_types",
            "reuse_key",
            "on_demand_per_hour",
            "on_demand_per_client",
            "preflight",
            "resolvers",
            "http_port",
            "https_port",
            "preflight_networks",
            "orders_at_once",
            "partial",
            "partial_after",
            "dns",
            "issuer",
        ],
    ),
    (
        "acme.dns",
        &[
            "zone",
            "server",
            "tsig_key_name",
            "tsig_algorithm",
            "tsig_secret_file",
            "hook",
            "hook_timeout",
            "propagation_timeout",
            "propagation_servers",
        ],
    ),
    (
        "acme.issuer",
        &[
            "name",
            "directory",
            "profile",
            "ca_file",
            "eab_key_id",
            "eab_hmac_key_file",
            "orders_per_3h",
            "certificates_per_domain_per_week",
            "certificates_per_names_per_week",
            "failed_validations_per_hour",
        ],
    ),
    (
        "admin",
        &[
            "listen",
            "tls",
            "host",
            "hsts",
            "trusted_header",
            "metrics_listen",
            "allowed_hosts",
            "export",
            "public_url",
            "session_idle",
            "session_lifetime",
        ],
    ),
    ("admin.trusted_header", &["header", "secret_header", "secret_file", "networks"]),
    ("mail", &["server", "security", "user", "password_file", "from"]),
    ("notices", &["language", "webhook_networks", "contact"]),
    (
        "notices.contact",
        &["name", "mail", "webhook_file", "format", "secret_file", "site", "organisation", "language", "events"],
    ),
    (
        "reports",
        &[
            "time_zone",
            "recipients",
            "networks",
            "organisations",
            "managed",
            "daily",
            "daily_days",
            "weekly",
            "weekly_days",
            "monthly",
            "monthly_days",
        ],
    ),
    ("log", &["format", "level"]),
    ("access_log", &["to", "mode", "sample", "query", "truncate_client"]),
    (
        "site",
        &[
            "name",
            "hosts",
            "like",
            "certificate",
            "key_types",
            "reuse_key",
            "before_issue",
            "minimum_validation",
            "staging",
            "on_demand",
            "ask",
            "allow",
            "deny",
            "rate_limit",
            "connections",
            "maintenance",
            "error_pages",
            "compression",
            "www",
            "redirect",
            "tls",
            "hsts",
            "request_headers",
            "response_headers",
            "limits",
            "upstreams",
            "send_proxy_protocol",
            "retries",
            "balance",
            "health",
            "upstream_tls",
            "route",
        ],
    ),
    ("site.redirect", &["hosts", "path", "to", "status", "keep_path", "keep_query"]),
    ("site.tls", &["min_version", "client_certificates", "client_ca", "client_crl", "client_headers"]),
    ("site.hsts", &["max_age", "include_subdomains", "preload"]),
    ("site.request_headers", &["set", "add", "remove"]),
    ("site.response_headers", &["set", "add", "remove"]),
    ("site.rate_limit", RATE_LIMIT),
    ("site.connections", &["per_client", "ipv4_prefix", "ipv6_prefix"]),
    ("site.maintenance", &["on", "retry_after", "allow"]),
    ("site.compression", &["on", "types", "min_size", "algorithms"]),
    ("site.limits", OWN_LIMITS),
    ("site.route", &["path", "upstreams", "send_proxy_protocol", "allow", "deny", "limits", "rate_limit"]),
    ("site.route.limits", OWN_LIMITS),
    ("site.route.rate_limit", RATE_LIMIT),
    ("site.balance", &["method", "cookie", "sticky", "sticky_max_age", "connections", "queue", "queue_timeout"]),
    (
        "site.health",
        &[
            "eject_after",
            "eject_for",
            "failure_statuses",
            "eject_slower_than",
            "slow_start",
            "path",
            "host",
            "interval",
            "timeout",
            "statuses",
            "healthy_after",
            "unhealthy_after",
        ],
    ),
    ("site.upstream_tls", &["server_name", "roots", "verify", "certificate", "key"]),
];

const RATE_LIMIT: &[&str] = &["rate", "burst", "ipv4_prefix", "ipv6_prefix"];
const OWN_LIMITS: &[&str] =
    &["body_size", "body_idle_timeout", "write_stall_timeout", "upstream_connect_timeout", "upstream_response_timeout"];

/// The keys that may stand in `section`.
pub(super) fn of(section: &str) -> &'static [&'static str] {
    KEYS.iter().find(|(name, _)| *name == section).map_or(&[], |(_, keys)| keys)
}

/// `section.key`, or the key alone at the top of the file.
pub(super) fn dotted(section: &str, key: &str) -> String {
    if section.is_empty() { key.into() } else { format!("{section}.{key}") }
}

/// What to say of a key that may not stand in `section`.
pub(super) fn why_not(section: &str, key: &str) -> String {
    if let Some(near) = nearest(key, of(section).iter().copied()) {
        return format!("unknown key; did you mean {near:?}?");
    }
    let mut homes = KEYS.iter().filter(|(_, keys)| keys.contains(&key)).map(|(home, _)| *home);
    match (homes.next(), homes.next()) {
        (Some(""), None) if key == "include" => "unknown key; it belongs at the top of the main file".into(),
        (Some(""), _) if key == "site" => "unknown key; it belongs at the top, as [[site]]".into(),
        (Some(""), None) => format!("unknown key; it belongs at the top, as [{key}]"),
        (
            Some(
                home @ ("site" | "site.redirect" | "site.route" | "certificates.drop" | "acme.dns" | "acme.issuer"
                | "notices.contact"),
            ),
            None,
        ) => {
            format!("unknown key; it belongs in [[{home}]]")
        }
        (Some(home), None) => format!("unknown key; it belongs in [{home}]"),
        _ => format!("unknown key; known here are {}", of(section).join(", ")),
    }
}

/// What to say of a key at the top of an included file other than `site`.
pub(super) fn why_not_included(key: &str) -> &'static str {
    if of("").contains(&key) {
        "belongs in the main file; an included file holds [[site]] alone"
    } else {
        "unknown key; an included file holds [[site]] alone"
    }
}

/// The candidate that a slip of the fingers away is `word`, if there is one.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A key is never long: what is much longer than all of them is no slip, and the comparison is quadratic.
    if word.len() > LONGEST_WORD {
        return None;
    }
    let word = word.to_lowercase().replace('-', "_");
    candidates
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len() / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and replacements that make one word the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

const LONGEST_WORD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_slips() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("headers", "header"), 1);
    }

    #[test]
    fn an_unknown_key_is_told_where_it_belongs() {
        let said = [
            ("limits", "idle_timout", "unknown key; did you mean \"idle_timeout\"?"),
            ("limits", "idle-timeout", "unknown key; did you mean \"idle_timeout\"?"),
            ("edge", "idle_timeout", "unknown key; it belongs in [limits]"),
            ("edge", "minimum_validation", "unknown key; it belongs in [[site]]"),
            ("edge", "access_log", "unknown key; it belongs at the top, as [access_log]"),
            ("edge", "include", "unknown key; it belongs at the top of the main file"),
            ("edge", "site", "unknown key; it belongs at the top, as [[site]]"),
            ("log", "colour", "unknown key; known here are format, level"),
            (
                "",
                "directory",
                "unknown key; known here are include, edge, tls, limits, certificates, acme, admin, mail, notices, reports, log, access_log, site",
            ),
        ];
        for (section, key, text) in said {
            assert_eq!(why_not(section, key), text, "{section} {key}");
        }
    }
}
