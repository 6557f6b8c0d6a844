//! Where a location leads: `proxy_pass`, `grpc_pass`, `return` and `rewrite`.

use super::Reading;
use super::grammar::Directive;
use super::rules::{Chain, all};
use crate::name::HostName;
use crate::peers::keys::Keys;
use crate::peers::redirect::{Redirect, is_target};
use crate::peers::upstream::Upstream;
use crate::peers::upstream::{self, Speech, is_route};

impl<'a> Reading<'a> {
    /// What `proxy_pass` or `grpc_pass` says: servers, and what a site says of them.
    pub(super) fn target(
        &mut self,
        directive: &Directive,
        path: &str,
        chain: Chain<'_, 'a>,
    ) -> Option<(Vec<Upstream>, Keys)> {
        let (text, place) = (directive.first(), &directive.place);
        if text.contains('@') {
            self.plan.left_out(place, "the upstream has a name or a password in it", upstream::MEND);
            return None;
        }
        let is_grpc = directive.name == "grpc_pass";
        let (scheme, rest) = text.split_once("://").unwrap_or((if is_grpc { "grpc" } else { "" }, text));
        let speech = match (is_grpc, scheme) {
            (false, "http") => Speech::HTTP1,
            (false, "https") => Speech::HTTP1.secure(),
            (true, "grpc") => Speech::HTTP2,
            (true, "grpcs") => Speech::HTTP2.secure(),
            _ => {
                let said = format!("{text:?} is no address that upstreams have");
                self.plan.left_out(place, said, upstream::MEND);
                return None;
            }
        };
        let (authority, rewritten) = match (rest.strip_prefix(UNIX), rest.find('/')) {
            (Some(path), _) => path.find(':').map_or((rest, ""), |at| (&rest[..UNIX.len() + at], &path[at + 1..])),
            (None, Some(at)) => rest.split_at(at),
            (None, None) => (rest, ""),
        };
        if !rewritten.is_empty() && rewritten != path {
            let said = format!("{text:?} puts {rewritten} in the place of {path}, and paths here stay as they are");
            self.plan.left_out(
                place,
                said,
                "have the shop take the path as visitors send it, and add a [[site.route]]",
            );
            return None;
        }
        let (servers, mut keys) = match self.groups.get(authority) {
            Some(group) => (group.servers.clone(), group.keys.clone()),
            None => match upstream::url(authority, if speech.is_secure { 443 } else { 80 }) {
                Ok(url) => (vec![url.into()], Keys::default()),
                Err(why) => {
                    self.plan.left_out(place, why, upstream::MEND);
                    return None;
                }
            },
        };
        let spoken: Result<Vec<Upstream>, String> = servers.into_iter().map(|server| server.spoken(speech)).collect();
        let servers = match spoken {
            Ok(servers) if !servers.is_empty() => servers,
            Ok(_) => {
                let said = format!("the upstream {authority:?} has no server that can be carried over");
                self.plan.left_out(place, said, upstream::MEND);
                return None;
            }
            Err(why) => {
                self.plan.left_out(place, why, upstream::MEND);
                return None;
            }
        };
        if speech.is_secure {
            let prefix = if is_grpc { "grpc_ssl" } else { "proxy_ssl" };
            self.known_by(directive, (authority, prefix), chain, &mut keys);
        }
        Some((servers, keys))
    }

    /// How servers over TLS are known, and who the edge is to them.
    fn known_by(
        &mut self,
        directive: &Directive,
        (authority, prefix): (&str, &str),
        chain: Chain<'_, 'a>,
        keys: &mut Keys,
    ) {
        let first = |what: &str| all(chain, &format!("{prefix}_{what}")).first().copied();
        let path = |one: &Directive| self.prefix.join(one.first()).to_string_lossy().into_owned();
        if let (Some(certificate), Some(key)) = (first("certificate"), first("certificate_key")) {
            keys.text("upstream_tls", "certificate", &path(certificate));
            keys.text("upstream_tls", "key", &path(key));
        }
        let name = first("name").map_or(authority.split(':').next().unwrap_or_default(), Directive::first);
        let named = HostName::parse(name).ok().filter(|name| name.as_str().parse::<std::net::IpAddr>().is_err());
        // Asked for, or not: what counts is what must be proven.
        if let Some(named) = named.filter(|_| first("name").is_some() || self.groups.contains_key(authority)) {
            keys.text("upstream_tls", "server_name", named.as_str());
        } else if first("name").is_some() {
            let text = format!("the name {name:?} that the shop is asked for is found out per request");
            self.plan.left_out(&directive.place, text, "see site.upstream_tls.server_name");
        }
        if first("verify").is_some_and(|one| one.first() == "on") {
            if let Some(roots) = first("trusted_certificate") {
                keys.push("upstream_tls", "roots", path(roots));
            }
        } else {
            keys.set("upstream_tls", "verify", "false");
            let text = "the shop need not prove who it is, as it had not to before";
            self.plan.note(&directive.place, text, "name its root in site.upstream_tls.roots, and take verify out");
        }
    }

    /// A `return` or `rewrite` that leads elsewhere for good or for now; `None`: it is something else.
    pub(super) fn redirect(&mut self, directive: &Directive, path: &str) -> Option<Redirect> {
        let words: Vec<&str> = directive.words.iter().map(String::as_str).collect();
        let (from, status, to) = match (directive.name.as_str(), &words[..]) {
            ("return", [status @ ("301" | "302" | "307" | "308"), to]) => (path, status.parse().ok()?, *to),
            ("return", [to]) if to.starts_with("http") => (path, 302, *to),
            ("rewrite", [pattern, to, flag @ ("permanent" | "redirect")]) => {
                let status = if *flag == "permanent" { 301 } else { 302 };
                return rewritten(pattern, to, status).filter(|redirect| redirect.path.starts_with(path));
            }
            _ => return None,
        };
        // All that was asked for goes behind it, or nothing does.
        let (to, keep) = match to.strip_suffix("$request_uri") {
            Some(origin) if from == "/" => (origin, true),
            Some(_) => return None,
            None => (to, false),
        };
        // One that leads below where it leads away from would go round in circles.
        if !is_target(to) || to.starts_with(from) || !(from == "/" || is_route(from)) {
            return None;
        }
        if from != "/" && !from.ends_with('/') {
            let text = format!("{from} is for itself and what is below it; nginx has it for {from}… too");
            self.plan.note(&directive.place, text, "");
        }
        Some(Redirect { hosts: Vec::new(), path: from.to_owned(), to: to.to_owned(), status, keep })
    }
}

/// `^/old/(.*)$` to `/new/$1`, and all of a host to another.
fn rewritten(pattern: &str, to: &str, status: u16) -> Option<Redirect> {
    let redirect = |path: &str, to: &str| {
        let fits = is_target(to) && !to.starts_with(path) && (path == "/" || is_route(path));
        fits.then(|| Redirect { hosts: Vec::new(), path: path.to_owned(), to: to.to_owned(), status, keep: true })
    };
    if matches!(pattern, "^" | "^(.*)$" | "^(.*)" | "(.*)" | "^/(.*)$" | "^/(.*)") {
        let bare =
            to.strip_suffix("$request_uri").or_else(|| to.strip_suffix("$uri")).or_else(|| to.strip_suffix("$1"))?;
        return redirect("/", bare.strip_suffix('/').filter(|bare| bare.contains("://")).unwrap_or(bare));
    }
    let path = pattern.strip_prefix('^')?;
    let path = path.strip_suffix("(.*)$").or_else(|| path.strip_suffix("(.*)"))?;
    let to = to.strip_suffix("$1")?;
    redirect(path, to).filter(|_| path.ends_with('/') && to.ends_with('/'))
}

const UNIX: &str = "unix:";
