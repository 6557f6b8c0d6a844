//! `reverse_proxy`: the servers, how they are spoken to, and how requests are shared out among them.

use super::Reading;
use super::grammar::Segment;
use crate::peers::fields::{self, Way as To};
use crate::peers::keys::Keys;
use crate::peers::plan::Place;
use crate::peers::settings::{duration, read_duration, written};
use crate::peers::upstream::Upstream;
use crate::peers::upstream::{self, Speech};

/// What a `reverse_proxy` says.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    pub(super) upstreams: Vec<Upstream>,
    /// What a site says of its servers, and of fields.
    pub(super) group: Keys,
    /// What a route has of its own.
    pub(super) own: Keys,
}

/// What is known of it on the way.
struct Found {
    proxy: Proxy,
    /// By `transport`.
    speech: Speech,
    shares: Vec<u32>,
    /// Milliseconds for which one that fails is left alone.
    rest: Option<u64>,
}

impl Reading<'_> {
    /// Reads a line with its block; `words` are those behind its matcher. `None`: no server could be carried over.
    pub(super) fn proxy(&mut self, line: &Segment, words: &[String]) -> Option<Proxy> {
        let mut targets: Vec<(&str, &Place)> = words.iter().map(|word| (word.as_str(), &line.place)).collect();
        let proxy = Proxy { upstreams: Vec::new(), group: Keys::default(), own: Keys::default() };
        let mut found = Found { proxy, speech: Speech::HTTP1, shares: Vec::new(), rest: None };
        let rest = line.inner().iter().find(|inner| inner.word(0) == "fail_duration");
        found.rest = rest.and_then(|inner| read_duration(inner.word(1), 1)).filter(|time| *time > 0);
        for inner in line.inner() {
            match inner.word(0) {
                "to" => targets.extend(inner.rest().iter().map(|word| (word.as_str(), &inner.place))),
                "transport" if inner.word(1) == "http" => {
                    inner.inner().iter().for_each(|one| self.transport(one, &mut found))
                }
                name if name.starts_with("health_") => {}
                _ => self.proxy_option(inner, &mut found),
            }
        }
        self.asked(line, &mut found.proxy.group);
        let Found { mut proxy, speech, shares, .. } = found;
        for (index, (text, place)) in targets.into_iter().enumerate() {
            let weight = shares.get(index).copied().unwrap_or(1);
            match target(text, speech).map(|server| Upstream { weight, ..server }) {
                Ok(server) if !proxy.upstreams.contains(&server) => proxy.upstreams.push(server),
                Ok(_) => {}
                Err(why) => self.plan.left_out(place, why, upstream::MEND),
            }
        }
        (!proxy.upstreams.is_empty()).then_some(proxy)
    }

    fn proxy_option(&mut self, line: &Segment, found: &mut Found) {
        let (place, group) = (&line.place, &mut found.proxy.group);
        let text = format!("{:?} is not carried over", line.shown());
        match (line.word(0), line.word(1)) {
            ("lb_policy", "round_robin" | "random" | "first") => {}
            ("lb_policy", "least_conn" | "random_choose") => group.text("balance", "method", "least-requests"),
            ("lb_policy", "ip_hash" | "client_ip_hash") => group.text("balance", "method", "client"),
            ("lb_policy", "cookie") if line.inner().is_empty() && is_name(line.word(2)) => {
                group.text("balance", "sticky", if line.word(2).is_empty() { "lb" } else { line.word(2) });
            }
            ("lb_policy", "weighted_round_robin") => {
                let shares = line.rest()[1..].iter().map(|share| share.parse().ok());
                match shares.collect::<Option<Vec<u32>>>() {
                    Some(shares) if shares.iter().all(|share| *share <= upstream::MOST_WEIGHT) => found.shares = shares,
                    _ => self.plan.left_out(place, text, "see site.upstreams"),
                }
            }
            ("lb_policy", _) => self.plan.left_out(place, text, "see [site.balance]"),
            ("fail_duration", _) => {
                if let Some(rest) = found.rest {
                    group.set("health", "eject_for", duration(rest.clamp(100, 300_000)));
                    group.set("health", "eject_after", "1");
                }
            }
            ("max_fails", most) => {
                if let Some(most) = most.parse::<u32>().ok().filter(|most| *most > 0 && found.rest.is_some()) {
                    group.replace("health", "eject_after", most.to_string());
                }
            }
            ("unhealthy_latency", most) => match read_duration(most, 1).filter(|time| (1..=3_600_000).contains(time)) {
                Some(most) if found.rest.is_some() => group.set("health", "eject_slower_than", duration(most)),
                _ => self.plan.note(place, text, "see site.health.eject_slower_than"),
            },
            ("unhealthy_status", _) => {
                let list =
                    line.rest().iter().map(|status| status.parse().ok().filter(|code: &u16| (400..600).contains(code)));
                match list.collect::<Option<Vec<u16>>>().filter(|_| found.rest.is_some()) {
                    Some(list) => group.set("health", "failure_statuses", format!("{list:?}")),
                    None => self.plan.note(place, text, "see site.health.failure_statuses"),
                }
            }
            ("header_up", "Host" | "X-Forwarded-For" | "X-Forwarded-Proto" | "X-Forwarded-Host")
                if matches!(line.word(2), "{host}" | "{remote_host}" | "{scheme}" | "{http.request.host}") => {}
            ("header_up", _) if field(group, To::ToShop, line.rest()) => {}
            ("header_down", _) if field(group, To::ToClient, line.rest()) => {}
            ("header_up", _) => self.plan.left_out(place, text, "see [site.request_headers], or have the shop do it"),
            ("header_down", _) => {
                self.plan.left_out(place, text, "see [site.response_headers], or have the shop do it")
            }
            (
                "flush_interval"
                | "lb_try_duration"
                | "lb_try_interval"
                | "lb_retries"
                | "unhealthy_request_count"
                | "buffer_requests"
                | "buffer_responses"
                | "request_buffers"
                | "response_buffers"
                | "trusted_proxies",
                _,
            ) => self.plan.note(place, text, ""),
            _ => self.plan.left_out(place, text, "have the shop do it"),
        }
    }

    /// `transport http`
    fn transport(&mut self, line: &Segment, found: &mut Found) {
        let (place, value) = (&line.place, line.word(1));
        let text = format!("{:?} is not carried over", line.shown());
        let (group, own) = (&mut found.proxy.group, &mut found.proxy.own);
        let path = |file: &str| self.folder.join(file).to_string_lossy().into_owned();
        if line.word(0).starts_with("tls") {
            found.speech = found.speech.secure();
        }
        match line.word(0) {
            "tls" | "tls_timeout" | "tls_renegotiation" => {}
            "tls_insecure_skip_verify" => {
                group.set("upstream_tls", "verify", "false");
                let text = "the shop need not prove who it is, as it had not to before";
                self.plan.note(place, text, "name its root in site.upstream_tls.roots, and take verify out");
            }
            "tls_server_name" if !value.contains('{') => group.text("upstream_tls", "server_name", value),
            "tls_trusted_ca_certs" => {
                line.rest().iter().for_each(|file| group.push("upstream_tls", "roots", path(file)))
            }
            "tls_trust_pool" if value == "file" => {
                let below = line.inner().iter().filter(|inner| inner.word(0) == "pem_file").flat_map(Segment::rest);
                let files: Vec<String> = line.rest()[1..].iter().chain(below).map(|file| path(file)).collect();
                files.into_iter().for_each(|file| group.push("upstream_tls", "roots", file));
            }
            "tls_client_auth" if line.rest().len() == 2 => {
                group.text("upstream_tls", "certificate", &path(value));
                group.text("upstream_tls", "key", &path(line.word(2)));
            }
            "versions" => match line.rest() {
                [one] if matches!(one.as_str(), "h2c" | "2") => found.speech.is_http2 = true,
                [one, other] if one == "h2c" && other == "2" => found.speech.is_http2 = true,
                list if list.iter().any(|version| version == "1.1") => {}
                _ => self.plan.left_out(place, text, "write the upstream as h2://, h2c:// or https://"),
            },
            "proxy_protocol" if matches!(value, "v1" | "v2") => own.text("", "send_proxy_protocol", value),
            name @ ("dial_timeout" | "response_header_timeout") => {
                let key = if name == "dial_timeout" { "upstream_connect_timeout" } else { "upstream_response_timeout" };
                match read_duration(value, 1).and_then(|time| written(key, time)) {
                    Some(time) => own.set("limits", key, time),
                    None => self.plan.note(place, text, "see [site.limits]"),
                }
            }
            name if name.starts_with("keepalive") => {}
            "compression"
            | "max_conns_per_host"
            | "read_buffer"
            | "write_buffer"
            | "read_timeout"
            | "write_timeout"
            | "dial_fallback_delay"
            | "expect_continue_timeout"
            | "max_response_header"
            | "local_address" => {
                self.plan.note(place, text, "");
            }
            _ => self.plan.left_out(place, text, "see [site.upstream_tls]"),
        }
    }

    /// `health_uri` and what belongs to it.
    fn asked(&mut self, line: &Segment, group: &mut Keys) {
        let of = |name: &str| line.inner().iter().find(|inner| inner.word(0) == name);
        let Some(question) = of("health_uri") else { return };
        let path = question.word(1);
        let statuses = match of("health_status").map_or("2xx", |inner| inner.word(1)) {
            code if code.len() == 3 && code.parse::<u16>().is_ok_and(|code| (100..600).contains(&code)) => {
                code.to_owned()
            }
            code if code.len() == 3 && code.ends_with("xx") && code.starts_with(['1', '2', '3', '4', '5']) => {
                format!("{0}00-{0}99", &code[..1])
            }
            _ => String::new(),
        };
        let stranger =
            ["health_port", "health_upstream", "health_method", "health_request_body"].into_iter().find_map(of);
        let is_plain = path.starts_with('/') && path.bytes().all(|octet| octet.is_ascii_graphic());
        if !is_plain || statuses.is_empty() || stranger.is_some() {
            let place = stranger.map_or(&question.place, |inner| &inner.place);
            let text = "how upstreams are asked whether they are well is not carried over";
            return self.plan.note(place, text, "see [site.health]");
        }
        for name in ["health_body", "health_headers", "health_follow_redirects"] {
            if let Some(inner) = of(name) {
                self.plan.note(&inner.place, format!("{:?} is not carried over", inner.shown()), "see [site.health]");
            }
        }
        let time = |name: &str, default: u64| {
            let said = of(name).and_then(|inner| read_duration(inner.word(1), 1));
            duration(said.unwrap_or(default).clamp(100, 300_000))
        };
        let count =
            |name: &str| of(name).and_then(|inner| inner.word(1).parse::<u32>().ok()).unwrap_or(1).clamp(1, 1000);
        group.text("health", "path", path);
        group.text("health", "statuses", &statuses);
        group.set("health", "interval", time("health_interval", 30_000));
        group.set("health", "timeout", time("health_timeout", 5_000));
        group.set("health", "healthy_after", count("health_passes").to_string());
        group.set("health", "unhealthy_after", count("health_fails").to_string());
    }
}

/// `NAME VALUE`, `+NAME VALUE`, `-NAME`, `>NAME VALUE`; gives whether it could be taken.
pub(super) fn field(keys: &mut Keys, way: To, words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_fixed = |value: &str| !value.contains('{');
    match words[..] {
        [name] => name.strip_prefix('-').is_some_and(|name| fields::remove(keys, way, name)),
        [name, value] if is_fixed(value) && !name.starts_with(['-', '?']) => match name.strip_prefix('+') {
            Some(name) => fields::say(keys, way, "add", name, value),
            None => fields::say(keys, way, "set", name.strip_prefix('>').unwrap_or(name), value),
        },
        _ => false,
    }
}

fn is_name(cookie: &str) -> bool {
    cookie.is_empty() || upstream::is_cookie(cookie)
}

/// An upstream as Caddy writes it: `:8080` is this machine's.
fn target(text: &str, speech: Speech) -> Result<Upstream, String> {
    if text.contains('@') {
        return upstream::url(text, 80).map(Upstream::from);
    }
    if let Some(path) = text.strip_prefix("unix/") {
        return Upstream::from(upstream::url(path, 80)?).spoken(speech);
    }
    if let Some(path) = text.strip_prefix("unix+h2c/") {
        return Upstream::from(upstream::url(path, 80)?).spoken(Speech::HTTP2);
    }
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let speech = match scheme {
        "http" => speech,
        "https" => speech.secure(),
        "h2c" => Speech::HTTP2,
        _ => return Err(format!("the upstream {text:?} is spoken to in {scheme}, which is not carried over")),
    };
    // A scheme's own port, where it is one; `transport` alone does not change it.
    let port = if scheme == "https" { 443 } else { 80 };
    let url = match rest.strip_prefix(':') {
        Some(_) => upstream::url(&format!("localhost{rest}"), port)?,
        None => upstream::url(rest, port)?,
    };
    Upstream::from(url).spoken(speech)
}
