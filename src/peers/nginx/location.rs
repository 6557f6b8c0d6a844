//! `location` blocks: where requests go.

use super::Reading;
use super::challenges::is_challenge;
use super::grammar::Directive;
use super::rules::{self, Chain};
use crate::peers::fields::{self, Way as To};
use crate::peers::keys::Keys;
use crate::peers::networks::Verdicts;
use crate::peers::redirect::Redirect;
use crate::peers::upstream::Upstream;
use crate::peers::upstream::is_route;

/// What is behind a server: its upstreams, and paths that go elsewhere.
#[derive(Default)]
pub(super) struct Ways {
    pub(super) root: Option<Way>,
    pub(super) routes: Vec<(String, Way)>,
    /// Paths that lead elsewhere.
    pub(super) redirects: Vec<Redirect>,
}

/// Servers, and what is said of them.
#[derive(Clone, Default)]
pub(super) struct Way {
    pub(super) upstreams: Vec<Upstream>,
    /// What a site says of its servers.
    pub(super) group: Keys,
    /// What the route has for itself.
    pub(super) own: Keys,
}

/// What is looked at together with a location.
struct Around<'a> {
    /// The one location that forwards, if it is for everything: what it says, it says for the site.
    whole: Option<&'a Directive>,
    keeps_host: bool,
}

/// The one location that forwards, if it is for everything.
pub(super) fn whole(block: &[Directive]) -> Option<&Directive> {
    let locations: Vec<&Directive> = block.iter().filter(|one| one.name == "location").collect();
    let mut forwarding = locations.iter().filter(|location| forwards(location));
    match (forwarding.next(), forwarding.next()) {
        (Some(location), None) if matches!(&location.words[..], [path] if path == "/") => Some(location),
        _ => None,
    }
}

fn forwards(location: &Directive) -> bool {
    let inner = location.block.as_deref().unwrap_or_default();
    inner
        .iter()
        .any(|one| matches!(&*one.name, "proxy_pass" | "grpc_pass") || (one.name == "location" && forwards(one)))
}

impl<'a> Reading<'a> {
    /// The ways that the locations of a server lead. `keeps_host`: unless they say otherwise, shops are sent the visitor's Host.
    pub(super) fn ways(&mut self, block: &'a [Directive], above: &'a [Directive], keeps_host: bool) -> Ways {
        let mut ways = Ways::default();
        let around = Around { whole: whole(block), keeps_host };
        self.collect(&[block, above], &around, &mut ways);
        // A route that names nobody is as the server has it, not as "/" does.
        let is_closed = |way: &Way| way.own.has("", "allow") || way.own.has("", "deny");
        if ways.root.as_ref().is_some_and(is_closed) {
            let server = self.verdicts(&[block, above]).unwrap_or_else(Verdicts::open);
            for (_, route) in ways.routes.iter_mut().filter(|(_, route)| !is_closed(route)) {
                server.write(&mut route.own);
            }
        }
        ways
    }

    fn collect(&mut self, chain: Chain<'_, 'a>, around: &Around<'a>, ways: &mut Ways) {
        let block: &'a [Directive] = chain.first().copied().unwrap_or_default();
        for location in block.iter().filter(|one| one.name == "location") {
            let inner = location.block.as_deref().unwrap_or_default();
            let place = &location.place;
            // Who answers authorities is looked at with whoever does over plain HTTP.
            if is_challenge(location) {
                continue;
            }
            let path = match location.words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                [path] if path.starts_with('/') => path,
                ["^~", path] => path,
                ["=", path] => {
                    let text = format!("{path} alone goes elsewhere, and routes here are for a path and all below it");
                    self.plan.left_out(place, text, "add a [[site.route]] if what is below it may go there too");
                    continue;
                }
                [path] if path.starts_with('@') => {
                    self.plan.left_out(place, format!("the named location {path} is not carried over"), SHOP);
                    continue;
                }
                _ => {
                    let text = format!(
                        "location {} chooses by a pattern, and routes here are path prefixes",
                        location.words.join(" ")
                    );
                    self.plan.left_out(place, text, "add a [[site.route]] for each path that it stands for");
                    continue;
                }
            };
            let within = [&[inner], chain].concat();
            if within.len() < DEEPEST {
                self.collect(&within, around, ways);
            }
            self.location(location, (path, &within), around, ways);
        }
    }

    fn location(
        &mut self,
        location: &'a Directive,
        (path, chain): (&str, Chain<'_, 'a>),
        around: &Around<'a>,
        ways: &mut Ways,
    ) {
        let inner = location.block.as_deref().unwrap_or_default();
        let (mut target, mut own) = (None, Keys::default());
        let is_whole = around.whole.is_some_and(|whole| std::ptr::eq(whole, location));
        // Those above count where there are none here.
        let mut keeps_host = around.keeps_host && !inner.iter().any(|one| one.name == "proxy_set_header");
        for directive in inner {
            match directive.name.as_str() {
                "proxy_pass" | "grpc_pass" => target = Some(directive),
                "location" => {}
                // A site says it for all of its routes.
                "proxy_set_header" => keeps_host |= self.header(directive, None) || is_host(directive),
                "return" if directive.words.iter().any(|word| word.starts_with("https://$host")) => {}
                "return" | "rewrite" => match self.redirect(directive, path) {
                    Some(redirect) => ways.redirects.push(redirect),
                    None => self.remark_on(directive),
                },
                _ if is_whole && rules::is_rule(directive) => {}
                _ if rules::is_routes(directive) => {}
                name if name.starts_with("proxy_ssl_") || name.starts_with("grpc_ssl_") => {}
                _ => self.remark_on(directive),
            }
        }
        let Some(target) = target else {
            // What keeps visitors out keeps them out of what lies there, which is not carried over either.
            inner.iter().filter(|one| rules::is_about_access(one)).for_each(|one| self.remark_on(one));
            return;
        };
        let Some((upstreams, group)) = self.target(target, path, chain) else { return };
        if !is_whole {
            // Those around it count where it says nothing itself; what the server says holds for all.
            let within = &chain[..chain.len().saturating_sub(2)];
            if within.iter().any(|block| block.iter().any(rules::is_about_access)) {
                self.access(chain, &mut own);
            }
            if inner.iter().any(|one| one.name == "limit_req") {
                match path {
                    // What "/" says would hold for the other routes too.
                    "/" => inner.iter().filter(|one| one.name == "limit_req").for_each(|one| self.remark_on(one)),
                    _ => self.rate(chain, &mut own),
                }
            }
            self.own_limits(inner, "limits", &mut own);
        }
        if !keeps_host {
            let text = "the shop was sent a Host of its own, and here it is sent the visitor's";
            self.plan.note(&target.place, text, "see that the shop knows its names");
        }
        let way = Way { upstreams, group, own };
        if path == "/" {
            ways.root = Some(way);
            return;
        }
        if !is_route(path) {
            let text = format!("{path:?} cannot be the path of a route");
            self.plan.left_out(&location.place, text, "write it as it is sent, in percent encoding, without '*'");
            return;
        }
        if !path.ends_with('/') {
            let text = format!("{path} is for itself and what is below it; nginx has it for {path}… too");
            self.plan.note(&location.place, text, "");
        }
        if !ways.routes.iter().any(|(known, _)| known == path) {
            ways.routes.push((path.to_owned(), way));
        }
    }

    /// Takes a field of requests to the shop into `keys`, if there are any for it. Whether it is the visitor's Host.
    pub(super) fn header(&mut self, directive: &Directive, keys: Option<&mut Keys>) -> bool {
        let value = directive.words.get(1).map_or("", String::as_str);
        match directive.first().to_ascii_lowercase().as_str() {
            "host" if is_host(directive) => return true,
            "x-forwarded-for" | "x-forwarded-proto" | "x-forwarded-host" | "x-forwarded-port" | "forwarded"
            | "upgrade" | "connection" => {}
            "x-real-ip" => {
                let text = "X-Real-IP is not set: X-Forwarded-For and Forwarded tell the visitor's address";
                self.plan.left_out(&directive.place, text, "have the shop read X-Forwarded-For");
            }
            name => {
                let is_taken = !value.contains('$')
                    && keys.is_some_and(|keys| fields::say(keys, To::ToShop, "set", directive.first(), value));
                if !is_taken {
                    let text = format!("the field {name:?} is not set for the shop");
                    self.plan.left_out(&directive.place, text, HEADERS);
                }
                return name == "host";
            }
        }
        false
    }
}

/// Whether it sends the shop the visitor's Host.
pub(super) fn is_host(directive: &Directive) -> bool {
    let value = directive.words.get(1).map_or("", String::as_str);
    directive.first().eq_ignore_ascii_case("host") && matches!(value, "$host" | "$http_host" | "$server_name")
}

const SHOP: &str = "have the shop do it";
const HEADERS: &str = "see [site.request_headers], or have the shop do it";
const DEEPEST: usize = 32;
