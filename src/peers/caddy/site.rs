//! Site blocks: their addresses, and what their directives come to.

use super::Reading;
use super::grammar::Segment;
use super::proxy::Proxy;
use super::tls::Keys;
use super::ways::Ways;
use crate::name::HostPattern;
use crate::peers::plan::{Place, Provision, Route, Site};
pub(super) use crate::peers::redirect::Elsewhere;
use crate::peers::redirect::Redirect;

impl Reading<'_> {
    /// Makes a site of a block.
    pub(super) fn site(&mut self, segment: &Segment) {
        let place = &segment.place;
        let words: Vec<&str> =
            segment.words.iter().flat_map(|word| word.split(',')).filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            return self.plan.left_out(place, "the block has no address", "name its hosts in a [[site]]");
        }
        let mut hosts = Vec::new();
        let mut plain = Vec::new();
        for word in words {
            match Address::read(word) {
                Some(Address { is_plain: true, host, port }) => {
                    plain.push(host.unwrap_or_else(|| format!(":{}", port.unwrap_or(80))))
                }
                Some(Address { host: Some(host), port, .. }) => {
                    if port == Some(self.http_port) {
                        plain.push(host);
                        continue;
                    }
                    let port = port.unwrap_or(self.https_port);
                    if !self.ports.contains(&port) {
                        self.ports.push(port);
                    }
                    for host in self.plan.hosts(place, [host.as_str()]) {
                        if !hosts.contains(&host) {
                            hosts.push(host);
                        }
                    }
                }
                Some(Address { host: None, .. }) | None => {
                    let text = format!("the address {word:?} names no host that a site could answer for");
                    self.plan.left_out(place, text, "name the hosts in a [[site]]");
                }
            }
        }
        let mut ways = Ways::default();
        let keys = self.directives(segment.inner(), &mut ways);
        if !plain.is_empty() && !ways.only_redirects() {
            let text =
                format!("{} is served over plain HTTP, where the edge only redirects to HTTPS", plain.join(", "));
            self.plan.left_out(
                place,
                text,
                "leave out http:// in Caddy and have a certificate issued first, or keep Caddy for it",
            );
        }
        if hosts.is_empty() {
            return;
        }
        if ways.only_redirects() && ways.redirects.iter().any(|redirect| redirect.path == "/") {
            let provision = self.provision(&keys, &hosts, place);
            self.elsewhere.push(Elsewhere { hosts, redirects: ways.redirects, provision, place: place.clone() });
            return;
        }
        if ways.is_empty() {
            let text = "the site passes nothing to an upstream that could be carried over, so it is no site";
            return self.plan.left_out(
                place,
                text,
                "put the shop behind a port of its own, and add a [[site]] with it",
            );
        }
        let provision = self.provision(&keys, &hosts, place);
        // Those that no site has in the end.
        let mut elsewhere = ways.redirects.clone();
        for (named, root, routes) in ways.by_host() {
            let own = match named {
                Some(named) => self.plan.hosts(place, named.iter().map(String::as_str)),
                None => hosts.clone(),
            };
            let exact = own.iter().all(|host| matches!(host, HostPattern::Exact(_)));
            // A name under a wildcard has the wildcard's certificate.
            let provision =
                if exact && own != hosts && provision == Provision::Managed { Provision::Managed } else { provision };
            let groups = root.iter().chain(routes.iter().map(|(_, proxy)| proxy));
            let group = self.plan.agree(place, groups.map(|proxy| (&proxy.group, proxy.upstreams.len() == 1)));
            let mut site_keys = ways.keys.clone();
            site_keys.join(&group);
            let (upstreams, root_keys) = root.map(|proxy| (proxy.upstreams, proxy.own)).unwrap_or_default();
            site_keys.join(&root_keys);
            let announces = site_keys.has("", "send_proxy_protocol");
            let route = |(path, proxy): (String, Proxy)| {
                let mut keys = proxy.own;
                if announces {
                    keys.text("", "send_proxy_protocol", "off");
                }
                Route { path, upstreams: proxy.upstreams, keys }
            };
            // Those for some of its hosts alone, and those for all.
            let (ours, others): (Vec<Redirect>, Vec<Redirect>) =
                ways.redirects.iter().cloned().partition(|redirect| redirect.is_of(&own));
            elsewhere.retain(|redirect| others.contains(redirect));
            self.plan.add_site(Site {
                redirects: ours,
                hosts: own,
                upstreams,
                routes: routes.into_iter().map(route).collect(),
                keys: site_keys,
                provision,
                key_type: None,
                place: place.clone(),
            });
        }
        for redirect in elsewhere {
            let text = format!("what leads to {:?} is of no host of the site", redirect.to);
            self.plan.left_out(place, text, "add the host to a site, with a [[site.redirect]]");
        }
    }

    /// Names that lead to a site, and have their certificates from where it has its own, become its names.
    pub(super) fn add_elsewhere(&mut self) {
        for elsewhere in std::mem::take(&mut self.elsewhere) {
            self.plan.add_elsewhere(elsewhere);
        }
    }

    /// Where the certificates of a site come from.
    fn provision(&mut self, keys: &Keys, hosts: &[HostPattern], place: &Place) -> Provision {
        match keys {
            Keys::Files(files, place) => {
                let name = hosts.first().map(ToString::to_string).unwrap_or_default();
                self.plan.add_certificate(&name, files.clone(), place);
                return Provision::Uploaded;
            }
            Keys::Acme if !self.is_local && !hosts.iter().all(is_local_name) => return Provision::Managed,
            Keys::Acme | Keys::Internal => {}
        }
        if hosts.iter().all(is_ours) {
            self.plan.note(
                place,
                "its certificates were Caddy's own authority's, and are our own authority's from now on",
                "have clients trust the root that vitrine sites root prints",
            );
            return Provision::SelfSigned;
        }
        let text =
            "its certificates were Caddy's own authority's, and ours is for .test, .localhost and .internal alone";
        self.plan.left_out(
            place,
            text,
            "drop a certificate, or see certificates.local_ca_suffixes and make the site \"self-signed\"",
        );
        Provision::Uploaded
    }
}

/// Names that no public authority issues for, as certmagic has them.
fn is_local_name(host: &HostPattern) -> bool {
    let text = host.to_string();
    is_ours(host) || text.ends_with(".local") || !text.contains('.')
}

/// What `certificates.local_ca_suffixes` has by default.
fn is_ours(host: &HostPattern) -> bool {
    let text = host.to_string();
    [".test", ".localhost", ".internal"].iter().any(|end| text.ends_with(end)) || text == "localhost"
}

/// `[scheme://]host[:port][/path]`
struct Address {
    is_plain: bool,
    host: Option<String>,
    port: Option<u16>,
}

impl Address {
    fn read(word: &str) -> Option<Self> {
        let (scheme, rest) = word.split_once("://").unwrap_or(("", word));
        if rest.contains('/') || rest.contains('{') {
            return None;
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !rest.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (rest, None),
        };
        let host = (!host.is_empty()).then(|| host.to_owned());
        let is_plain = scheme == "http" || (port == Some(80) && scheme != "https");
        Some(Self { is_plain, host, port })
    }
}
