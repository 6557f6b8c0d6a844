//! What a site does besides passing on: fields, compression, limits, redirects, certificates of clients.

use super::Reading;
use super::grammar::Segment;
use super::proxy::field;
use super::ways::{Match, Ways};
use crate::peers::fields::Way as To;
use crate::peers::keys::Keys;
use crate::peers::networks::network;
use crate::peers::redirect::{Redirect, is_target};
use crate::peers::settings::{read_size, written};
use crate::peers::upstream::is_route;

impl Reading<'_> {
    /// Takes a directive that holds for all of a site; gives whether it was one that a site can say.
    pub(super) fn rule(&mut self, line: &Segment, words: &[String], ways: &mut Ways) -> bool {
        let keys = &mut ways.keys;
        match line.word(0) {
            "header" if line.inner().is_empty() => field(keys, To::ToClient, words),
            "header" if words.is_empty() => {
                for inner in line.inner().iter().filter(|inner| inner.word(0) != "defer") {
                    if !field(keys, To::ToClient, &inner.words) {
                        let text = format!("{:?} is not carried over", inner.shown());
                        self.plan.left_out(&inner.place, text, "see [site.response_headers]");
                    }
                }
                true
            }
            "encode" => encode(line, words, keys),
            "request_body" => {
                let most = line.inner().iter().find(|inner| inner.word(0) == "max_size");
                let most = most.and_then(|inner| read_size(inner.word(1))).and_then(|size| written("body_size", size));
                let is_alone = line.inner().len() == 1;
                most.filter(|_| is_alone).map(|most| keys.set("limits", "body_size", most)).is_some()
            }
            _ => false,
        }
    }

    /// `redir TO [CODE]` for what is matched; gives whether it could be taken.
    pub(super) fn redir(&mut self, line: &Segment, matched: &Match, words: &[String], ways: &mut Ways) -> bool {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (to, code) = match words[..] {
            [to] => (to, "302"),
            [to, "permanent"] => (to, "301"),
            [to, "temporary"] => (to, "302"),
            [to, code] => (to, code),
            _ => return false,
        };
        let Some(status) = [301, 302, 307, 308].into_iter().find(|known: &u16| known.to_string() == code) else {
            return false;
        };
        let (to, keep) = to.strip_suffix("{uri}").map_or((to, false), |origin| (origin, true));
        let hosts = self.plan.hosts(&line.place, matched.hosts.iter().flatten().map(String::as_str));
        let everything = vec!["*".to_owned()];
        let mut found = Vec::new();
        for pattern in matched.paths.as_ref().unwrap_or(&everything) {
            let path = if matches!(&**pattern, "*" | "/*") { "/" } else { pattern.strip_suffix('*').unwrap_or("") };
            // Behind an origin the whole path goes, and here what is behind the rule's own.
            if !is_target(to) || to.starts_with(path) || path.is_empty() || (path != "/" && (keep || !is_route(path))) {
                return false;
            }
            found.push(Redirect { hosts: hosts.clone(), path: path.to_owned(), to: to.to_owned(), status, keep });
        }
        ways.redirects.extend(found);
        true
    }

    /// `client_auth` of a site's `tls`; gives whether it could be taken.
    pub(super) fn clients(&self, line: &Segment, keys: &mut Keys) -> bool {
        let of = |name: &str| line.inner().iter().find(|inner| inner.word(0) == name);
        let mut files: Vec<String> = Vec::new();
        for inner in line.inner() {
            match (inner.word(0), inner.word(1)) {
                ("mode", _) => {}
                ("trusted_ca_cert_file", file) => files.push(file.to_owned()),
                ("trust_pool", "file") => {
                    let below = inner.inner().iter().filter(|one| one.word(0) == "pem_file").flat_map(Segment::rest);
                    files.extend(inner.rest()[1..].iter().chain(below).cloned());
                }
                _ => return false,
            }
        }
        let word = match of("mode").map_or("require_and_verify", |mode| mode.word(1)) {
            "require_and_verify" => "required",
            "verify_if_given" => "optional",
            _ => return false,
        };
        if files.is_empty() {
            return false;
        }
        keys.text("tls", "client_certificates", word);
        for file in files {
            keys.push("tls", "client_ca", self.folder.join(file).to_string_lossy());
        }
        true
    }

    /// The global option `servers`; what of it is not taken is remarked on.
    pub(super) fn servers(&mut self, option: &Segment) {
        for inner in option.inner() {
            let place = &inner.place;
            let taken = match (inner.word(0), inner.word(1)) {
                ("trusted_proxies", "static") => self.networks("trusted_proxies", &inner.rest()[1..]),
                ("listener_wrappers", _) => {
                    let wrapper = inner.inner().iter().find(|one| one.word(0) == "proxy_protocol");
                    let allowed = wrapper.and_then(|one| one.inner().iter().find(|line| line.word(0) == "allow"));
                    let only = inner.inner().iter().all(|one| matches!(one.word(0), "proxy_protocol" | "tls"));
                    only && (wrapper.is_none()
                        || allowed.is_some_and(|line| self.networks("proxy_protocol", line.rest())))
                }
                ("protocols", _) => !inner.rest().iter().any(|one| one == "h2c"),
                (
                    "metrics" | "name" | "log_credentials" | "max_header_size" | "keepalive_interval"
                    | "strict_sni_host",
                    _,
                ) => true,
                _ => false,
            };
            if !taken {
                self.plan.left_out(place, format!("{:?} is not carried over", inner.shown()), super::SHOP);
            }
        }
    }

    fn networks(&mut self, key: &'static str, words: &[String]) -> bool {
        let spelled = words.iter().flat_map(|word| match word.as_str() {
            "private_ranges" => PRIVATE.to_vec(),
            word => vec![word],
        });
        let Some(networks) = spelled.map(network).collect::<Option<Vec<_>>>() else { return false };
        let names_some = !networks.is_empty();
        networks.into_iter().for_each(|network| self.settings.network(key, network));
        names_some
    }
}

/// `encode zstd gzip`, or with a block.
fn encode(line: &Segment, words: &[String], keys: &mut Keys) -> bool {
    let mut algorithms: Vec<&str> = words.iter().map(String::as_str).collect();
    let (mut least, mut kinds) = (512, Vec::new());
    for inner in line.inner() {
        match inner.word(0) {
            "minimum_length" => match inner.word(1).parse() {
                Ok(length) => least = length,
                Err(_) => return false,
            },
            "match" => {
                let mut lines: Vec<&[String]> = inner.inner().iter().map(|one| &one.words[..]).collect();
                lines.extend((!inner.rest().is_empty()).then(|| inner.rest()));
                for one in lines {
                    match one {
                        [what, name, kind] if what == "header" && name.eq_ignore_ascii_case("content-type") => {
                            kinds.push(kind.trim_end_matches('*').trim_end_matches(';').to_ascii_lowercase());
                        }
                        _ => return false,
                    }
                }
            }
            algorithm => algorithms.push(algorithm),
        }
    }
    if algorithms.is_empty() {
        algorithms = vec!["zstd", "gzip"];
    }
    if !algorithms.iter().all(|algorithm| matches!(*algorithm, "zstd" | "gzip" | "br")) {
        return false;
    }
    let is_kind = |kind: &String| kind.split('/').filter(|part| !part.is_empty()).count() == 2;
    let is_family = |kind: &String| kind.ends_with('/') && kind.matches('/').count() == 1 && kind.len() > 1;
    if !kinds.iter().all(|kind| is_kind(kind) || is_family(kind)) {
        return false;
    }
    keys.set("compression", "on", "true");
    algorithms.iter().for_each(|algorithm| keys.push("compression", "algorithms", *algorithm));
    keys.text("compression", "min_size", &format!("{}B", std::cmp::min(least, 1_u64 << 30)));
    for kind in kinds {
        keys.push("compression", "types", if is_family(&kind) { kind + "*" } else { kind });
    }
    true
}

/// What Caddy means by `private_ranges`.
const PRIVATE: [&str; 6] = ["192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8", "127.0.0.0/8", "fd00::/8", "::1/128"];
