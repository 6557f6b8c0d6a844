//! `location` blocks: where requests go.

use super::Reading;
use super::grammar::Directive;
use crate::peers::plan::Route;
use crate::peers::upstream::{self, is_route};

/// What is behind a server: its upstreams, and paths that go elsewhere.
type Ways = (Vec<String>, Vec<Route>);

impl Reading<'_> {
    /// The ways that the locations of a server lead. `keeps_host`: unless they say otherwise, shops are sent the visitor's Host.
    pub(super) fn ways(&mut self, block: &[Directive], keeps_host: bool) -> Ways {
        let mut ways = (Vec::new(), Vec::new());
        self.collect(block, &mut ways, keeps_host, 0);
        ways
    }

    fn collect(&mut self, block: &[Directive], ways: &mut Ways, keeps_host: bool, depth: usize) {
        for location in block.iter().filter(|one| one.name == "location") {
            let inner = location.block.as_deref().unwrap_or_default();
            let place = &location.place;
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
            // The edge answers what an authority asks.
            if path.starts_with("/.well-known/acme-challenge") {
                continue;
            }
            if depth < DEEPEST {
                self.collect(inner, ways, keeps_host, depth + 1);
            }
            self.location(location, path, keeps_host, ways);
        }
    }

    fn location(&mut self, location: &Directive, path: &str, keeps_host: bool, ways: &mut Ways) {
        let inner = location.block.as_deref().unwrap_or_default();
        let mut target = None;
        // Those above count where there are none here.
        let mut keeps_host = keeps_host && !inner.iter().any(|one| one.name == "proxy_set_header");
        for directive in inner {
            match directive.name.as_str() {
                "proxy_pass" => target = Some(directive),
                "location" => {}
                "proxy_set_header" => keeps_host |= self.header(directive),
                "return" if directive.words.iter().any(|word| word.starts_with("https://$host")) => {}
                _ if self.number(directive) => {}
                _ => self.remark_on(directive),
            }
        }
        let Some(target) = target else { return };
        let Some(upstreams) = self.target(target, path) else { return };
        if !keeps_host {
            let text = "the shop was sent a Host of its own, and here it is sent the visitor's";
            self.plan.note(&target.place, text, "see that the shop knows its names");
        }
        if path == "/" {
            ways.0 = upstreams;
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
        if !ways.1.iter().any(|route| route.path == path) {
            ways.1.push(Route { path: path.to_owned(), upstreams });
        }
    }

    /// What `proxy_pass` says.
    fn target(&mut self, directive: &Directive, path: &str) -> Option<Vec<String>> {
        let (text, place) = (directive.first(), &directive.place);
        if text.contains('@') {
            self.plan.left_out(place, "the upstream has a name or a password in it", upstream::MEND);
            return None;
        }
        let Some(rest) = text.strip_prefix("http://") else {
            let said = format!("{text:?} is no plain HTTP, which is what upstreams are spoken to in");
            self.plan.left_out(place, said, upstream::MEND);
            return None;
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
        if let Some(group) = self.groups.get(authority) {
            if group.servers.is_empty() {
                let said = format!("the upstream {authority:?} has no server that can be carried over");
                self.plan.left_out(place, said, upstream::MEND);
                return None;
            }
            return Some(group.servers.clone());
        }
        match upstream::url(authority, 80) {
            Ok(url) => Some(vec![url]),
            Err(why) => {
                self.plan.left_out(place, why, upstream::MEND);
                None
            }
        }
    }

    /// Whether it sends the shop the visitor's Host.
    pub(super) fn header(&mut self, directive: &Directive) -> bool {
        let value = directive.words.get(1).map_or("", String::as_str);
        match directive.first().to_ascii_lowercase().as_str() {
            "host" if matches!(value, "$host" | "$http_host" | "$server_name") => return true,
            "x-forwarded-for" | "x-forwarded-proto" | "x-forwarded-host" | "x-forwarded-port" | "forwarded"
            | "upgrade" | "connection" => {}
            "x-real-ip" => {
                let text = "X-Real-IP is not set: X-Forwarded-For and Forwarded tell the visitor's address";
                self.plan.left_out(&directive.place, text, "have the shop read X-Forwarded-For");
            }
            name => {
                let text = format!("the field {name:?} is not set for the shop");
                self.plan.left_out(&directive.place, text, SHOP);
                return name == "host";
            }
        }
        false
    }
}

const UNIX: &str = "unix:";
const SHOP: &str = "have the shop do it";
const DEEPEST: usize = 32;
