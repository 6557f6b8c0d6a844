//! nginx: `server` blocks that speak TLS become sites, their prefix locations routes.

mod challenges;
mod grammar;
mod group;
mod location;
mod rules;
mod server;
mod target;

use std::collections::HashMap;
use std::path::Path;

use self::grammar::Directive;
use self::group::Group;
use self::rules::Zone;
use self::server::Server;
use super::files::Files;
use super::plan::Plan;
use super::redirect::Elsewhere;
use super::settings::{Settings, read_duration};

/// Reads nginx's main file and all that it includes.
///
/// # Errors
/// When a file cannot be read, or is not in nginx's grammar.
pub fn nginx(path: &Path, files: &Files) -> Result<Plan, String> {
    let directives = grammar::read(path, files)?;
    let mut reading = Reading {
        plan: Plan::default(),
        settings: Settings::default(),
        groups: HashMap::new(),
        zones: HashMap::new(),
        files,
        prefix: path.parent().unwrap_or(Path::new("")),
        first_default: None,
        elsewhere: Vec::new(),
    };
    for directive in &directives {
        match (directive.name.as_str(), &directive.block) {
            ("http", Some(block)) => reading.http(block),
            ("stream" | "mail", Some(_)) => {
                let text = format!("{} is not HTTP, and Vitrine serves HTTP alone", directive.name);
                reading.plan.left_out(&directive.place, text, "keep nginx for it, on ports of its own");
            }
            _ => {}
        }
    }
    let Reading { mut plan, settings, .. } = reading;
    settings.settle(&mut plan);
    if plan.sites.is_empty() && plan.remarks.is_empty() {
        return Err(format!("{}: no server speaks TLS in it; name nginx's main file", path.display()));
    }
    Ok(plan)
}

/// What is known so far.
struct Reading<'a> {
    plan: Plan,
    settings: Settings,
    /// `upstream` blocks by name.
    groups: HashMap<&'a str, Group>,
    /// What requests and clients are counted by, by name.
    zones: HashMap<String, Zone>,
    files: &'a Files,
    prefix: &'a Path,
    /// Whether a default server was found.
    first_default: Option<String>,
    /// Names that only lead elsewhere.
    elsewhere: Vec<Elsewhere>,
}

impl<'a> Reading<'a> {
    fn http(&mut self, block: &'a [Directive]) {
        for directive in block.iter().filter(|directive| directive.name == "upstream") {
            let group = self.group(directive);
            self.groups.insert(directive.words.first().map_or("", String::as_str), group);
        }
        let zones = block.iter().filter(|one| matches!(&*one.name, "limit_req_zone" | "limit_conn_zone"));
        zones.for_each(|zone| self.zone(zone));
        let servers = block.iter().filter(|directive| directive.name == "server");
        let servers: Vec<Server<'a>> = servers.filter_map(|directive| self.server(directive, block)).collect();
        let settings = block.iter().filter(|directive| !SEEN.contains(&&*directive.name));
        for directive in settings {
            if !self.number(directive) && !rules::is_rule(directive) {
                self.remark_on(directive);
            }
        }
        self.add_servers(servers);
    }

    /// Takes a directive that sets a limit of the main file.
    fn number(&mut self, directive: &Directive) -> bool {
        if directive.name == "client_max_body_size" {
            if let Some(octets) = super::settings::read_size(directive.first()) {
                self.settings.limit("body_size", octets, &directive.place);
                return true;
            }
            return false;
        }
        let Some((_, key)) = TIMES.iter().find(|(name, _)| *name == directive.name) else { return false };
        match read_duration(directive.first(), 1000) {
            Some(milliseconds) => self.settings.limit(key, milliseconds, &directive.place),
            None => return false,
        }
        true
    }

    /// What is not carried over: said of what is missed, noted of what Vitrine does by itself or has no use for.
    fn remark_on(&mut self, directive: &Directive) {
        let (name, place) = (directive.name.as_str(), &directive.place);
        if OWN.iter().any(|own| name == *own || own.strip_suffix('*').is_some_and(|start| name.starts_with(start))) {
            return;
        }
        let text = format!("{:?} is not carried over", directive.shown());
        match MENDS.iter().find(|(known, _)| *known == name) {
            Some((_, mend)) => self.plan.left_out(place, text, *mend),
            None if NOTED.contains(&name) => self.plan.note(place, text, ""),
            None => self.plan.left_out(place, text, "see what it does for the shop, and have the shop do it"),
        }
    }
}

/// What is looked at for each server.
const SEEN: [&str; 8] = [
    "upstream",
    "server",
    "ssl_protocols",
    "ssl_certificate",
    "ssl_certificate_key",
    "ssl_password_file",
    "proxy_set_header",
    "include",
];
/// Directives that are a key of `[limits]`.
const TIMES: [(&str, &str); 6] = [
    ("proxy_connect_timeout", "upstream_connect_timeout"),
    ("proxy_read_timeout", "upstream_response_timeout"),
    ("client_header_timeout", "header_timeout"),
    ("client_body_timeout", "body_idle_timeout"),
    ("send_timeout", "write_stall_timeout"),
    ("keepalive_timeout", "idle_timeout"),
];
/// What Vitrine does without being asked, or what only nginx needs.
const OWN: &[&str] = &[
    "sendfile",
    "tcp_nopush",
    "tcp_nodelay",
    "aio",
    "directio",
    "types",
    "types_hash_*",
    "default_type",
    "server_names_hash_*",
    "variables_hash_*",
    "map_hash_*",
    "proxy_headers_hash_*",
    "log_format",
    "access_log",
    "error_log",
    "log_not_found",
    "server_tokens",
    "http2",
    "http3",
    "quic_*",
    "ssl_session_*",
    "ssl_ciphers",
    "ssl_prefer_server_ciphers",
    "ssl_ecdh_curve",
    "ssl_dhparam",
    "ssl_buffer_size",
    "ssl_early_data",
    "ssl_conf_command",
    "proxy_http_version",
    "proxy_buffer*",
    "proxy_busy_buffers_size",
    "proxy_request_buffering",
    "proxy_temp_*",
    "proxy_max_temp_file_size",
    "proxy_send_timeout",
    "proxy_socket_keepalive",
    "proxy_next_upstream*",
    "client_body_buffer_size",
    "client_header_buffer_size",
    "large_client_header_buffers",
    "client_body_temp_path",
    "reset_timedout_connection",
    "keepalive_requests",
    "keepalive_time",
    "resolver",
    "resolver_timeout",
    "open_file_cache*",
    "underscores_in_headers",
    "ignore_invalid_headers",
    "msie_padding",
    "port_in_redirect",
    "server_name_in_redirect",
    "absolute_redirect",
    "merge_slashes",
    "lingering_*",
    "output_buffers",
    "postpone_output",
];
/// What is worth knowing and changes nothing that a visitor needs.
const NOTED: &[&str] = &[
    "gzip_vary",
    "gzip_proxied",
    "gzip_comp_level",
    "gzip_disable",
    "gzip_buffers",
    "gzip_http_version",
    "brotli",
    "brotli_types",
    "brotli_comp_level",
    "ssl_stapling",
    "ssl_stapling_verify",
    "ssl_trusted_certificate",
    "status_zone",
    "proxy_redirect",
    "index",
    "charset",
];
/// What else does it.
const MENDS: &[(&str, &str)] = &[
    ("add_header", "write it into [site.response_headers] of the site file"),
    ("gzip", "see [site.compression]"),
    ("gzip_types", "see site.compression.types"),
    ("gzip_min_length", "see site.compression.min_size"),
    ("proxy_hide_header", "see site.response_headers.remove"),
    ("auth_basic", "have the shop ask for the password"),
    ("auth_basic_user_file", "have the shop ask for the password"),
    ("allow", "name the networks in site.allow; the narrowest decides there, not the first"),
    ("deny", "name the networks in site.deny; the narrowest decides there, not the first"),
    ("limit_req", "see [site.rate_limit] and [site.route.rate_limit]"),
    ("limit_req_zone", "see [site.rate_limit] and [site.route.rate_limit]"),
    ("limit_conn", "see [site.connections]"),
    ("limit_conn_zone", "see [site.connections]"),
    ("ssl_client_certificate", "name the file in site.tls.client_ca"),
    ("ssl_verify_client", "see site.tls.client_certificates; until it is set, this name is open to everybody"),
    ("real_ip_header", "name the balancer's networks in edge.trusted_proxies"),
    ("set_real_ip_from", "name the balancer's networks in edge.trusted_proxies"),
    ("rewrite", "see [[site.redirect]], or have the shop rewrite"),
    ("return", "see [[site.redirect]], or have the shop answer"),
    ("if", "have the shop decide"),
    ("map", "have the shop decide"),
    ("geo", "have the shop decide"),
    ("root", "Vitrine serves no files: run a web server behind it and name that one as upstream"),
    ("alias", "Vitrine serves no files: run a web server behind it and name that one as upstream"),
    ("try_files", "Vitrine serves no files: run a web server behind it and name that one as upstream"),
    ("error_page", "put the pages into a folder, and name it in site.error_pages"),
    ("proxy_cache", "nothing is cached: put a cache between the edge and the shop"),
    ("proxy_cache_path", "nothing is cached: put a cache between the edge and the shop"),
    ("fastcgi_pass", "upstreams speak HTTP: put a web server before the program"),
    ("uwsgi_pass", "upstreams speak HTTP: have the program speak it, or put a web server before it"),
];
