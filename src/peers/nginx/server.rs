//! `server` blocks: who speaks TLS, under which names, with which certificates.

use std::path::PathBuf;

use super::Reading;
use super::challenges::is_challenge;
use super::grammar::Directive;
use super::location::{Ways, is_host, whole};
use super::rules::{self, Chain, all};
use crate::live::OrderedKey;
use crate::name::HostPattern;
use crate::peers::certbot::Lineage;
use crate::peers::keys::Keys;
use crate::peers::networks::network;
use crate::peers::plan::{Plan, Provision, Route, Site};
use crate::peers::redirect::Elsewhere;
use crate::peers::settings::read_address;

/// A `server` block as far as it stands for itself.
pub(super) struct Server<'a> {
    directive: &'a Directive,
    pub(super) block: &'a [Directive],
    /// What is above it, where what it does not say is said.
    pub(super) above: &'a [Directive],
    is_tls: bool,
    /// It was chosen to answer for names that nobody has.
    is_default: bool,
    pub(super) hosts: Vec<HostPattern>,
}

impl<'a> Server<'a> {
    /// Every directive of this name, from the server or else from above.
    fn all(&self, name: &'a str) -> Vec<&'a Directive> {
        let of = |list: &'a [Directive]| list.iter().filter(|one| one.name == name).collect::<Vec<_>>();
        let own = of(self.block);
        if own.is_empty() { of(self.above) } else { own }
    }
}

/// Whether TLS 1.3 alone is spoken.
fn only_v1_3(protocols: &[&Directive]) -> bool {
    !protocols.is_empty() && protocols.iter().flat_map(|one| &one.words).all(|word| word == "TLSv1.3")
}

impl<'a> Reading<'a> {
    /// Reads one, and takes its listeners.
    pub(super) fn server(&mut self, directive: &'a Directive, above: &'a [Directive]) -> Option<Server<'a>> {
        let block = directive.block.as_deref()?;
        let has_ssl = block.iter().any(|one| one.name == "ssl" && one.first() == "on");
        let (mut is_tls, mut is_default) = (has_ssl, false);
        for listen in block.iter().filter(|one| one.name == "listen") {
            let flag = |flag: &str| listen.words.iter().skip(1).any(|word| word == flag);
            let tls = has_ssl || flag("ssl");
            is_tls |= tls;
            is_default |= tls && (flag("default_server") || flag("default"));
            if flag("quic") {
                self.plan.note(&listen.place, "HTTP/3 is not in this version: the name is served over TCP", "");
                continue;
            }
            if flag("proxy_protocol") && !self.balancers(&[block, above], "proxy_protocol") {
                let text = "which balancers speak the PROXY protocol here is not said";
                self.plan.left_out(&listen.place, text, "name their networks in edge.proxy_protocol");
            }
            match read_address(listen.first(), 80) {
                Some(address) => self.settings.listen(address, tls),
                None => {
                    let text = format!("cannot listen at {:?}: an IP address and a port are needed", listen.first());
                    self.plan.left_out(&listen.place, text, "put the address into edge.https or edge.http");
                }
            }
        }
        self.balancers(&[block, above], "X-Forwarded-For");
        let mut server = Server { directive, block, above, is_tls, is_default, hosts: Vec::new() };
        server.hosts = self.names(block);
        // nginx speaks TLS 1.2 too where nothing is said.
        if is_tls && !server.hosts.is_empty() && server.all("ssl_protocols").is_empty() {
            self.settings.versions(false);
        }
        if is_tls && !server.all("ssl_protocols").is_empty() {
            for protocols in server.all("ssl_protocols") {
                self.settings.versions(only_v1_3(&[protocols]));
                if protocols.words.iter().any(|word| matches!(word.as_str(), "TLSv1" | "TLSv1.1" | "SSLv3")) {
                    self.plan.note(&protocols.place, "TLS 1.0 and 1.1 are not spoken here; 1.2 is the oldest", "");
                }
            }
        }
        Some(server)
    }

    /// Takes the networks that `set_real_ip_from` names, if they say by `field` whom they speak for; gives whether they do.
    fn balancers(&mut self, chain: Chain<'_, 'a>, field: &str) -> bool {
        let says = all(chain, "real_ip_header").first().is_some_and(|one| one.first().eq_ignore_ascii_case(field));
        let key = if field == "proxy_protocol" { "proxy_protocol" } else { "trusted_proxies" };
        let named = all(chain, "set_real_ip_from");
        for one in named.iter().filter(|_| says) {
            match network(one.first()) {
                Some(network) => self.settings.network(key, network),
                None => self.remark_on(one),
            }
        }
        if let Some(other) = all(chain, "real_ip_header").first().filter(|_| !says && key == "trusted_proxies")
            && other.first() != "proxy_protocol"
        {
            self.remark_on(other);
        }
        says && !named.is_empty()
    }

    fn names(&mut self, block: &[Directive]) -> Vec<HostPattern> {
        let mut hosts = Vec::new();
        for names in block.iter().filter(|one| one.name == "server_name") {
            for name in &names.words {
                let place = &names.place;
                if name == "_" || name.is_empty() {
                    continue;
                }
                if name.starts_with('~') || name.contains('$') || name.ends_with(".*") {
                    let text = format!("the name {name:?} is a pattern, and hosts here are names or *.name");
                    self.plan.left_out(place, text, "name each host that it stands for in site.hosts");
                    continue;
                }
                let both = name.strip_prefix('.').map(|bare| [bare.to_owned(), format!("*.{bare}")]);
                let spelled = both.map_or_else(|| vec![name.clone()], Vec::from);
                let found = self.plan.hosts(place, spelled.iter().map(String::as_str));
                if found.iter().any(|host| matches!(host, HostPattern::Wildcard(_))) {
                    let text = format!("{name:?} covers one label here, where nginx has it cover any number");
                    self.plan.note(place, text, "add names with more labels to site.hosts");
                }
                hosts.extend(found.into_iter().filter(|host| !hosts.contains(host)).collect::<Vec<_>>());
            }
        }
        hosts
    }

    /// Makes sites of those that speak TLS, and looks whether the others are more than a redirect.
    pub(super) fn add_servers(&mut self, servers: Vec<Server<'a>>) {
        let (secure, plain): (Vec<_>, Vec<_>) = servers.into_iter().partition(|server| server.is_tls);
        for server in &secure {
            self.add_secure(server, &plain);
        }
        for elsewhere in std::mem::take(&mut self.elsewhere) {
            self.plan.add_elsewhere(elsewhere);
        }
        self.tell_default(&secure);
        let names_limit = secure.iter().any(|server| !server.all("client_max_body_size").is_empty());
        if !secure.is_empty() && !names_limit {
            self.plan.note_overall(
                "nginx refuses request bodies of more than 1 MiB where client_max_body_size says nothing, and Vitrine has no limit",
                "set limits.body_size if one is wanted",
            );
        }
        for server in &plain {
            self.see_plain(server);
        }
    }

    fn add_secure(&mut self, server: &Server<'a>, plain: &[Server<'a>]) {
        let place = &server.directive.place;
        let (provision, key_type) = self.certificates(server);
        let keeps_host = server.all("proxy_set_header").into_iter().any(is_host);
        let mut ways = self.ways(server.block, server.above, keeps_host);
        if ways.root.is_some() || !ways.routes.is_empty() {
            self.challenged((server, plain), provision, &mut ways);
        }
        let Ways { root, routes, mut redirects } = ways;
        let mut keys = Keys::default();
        let inner = whole(server.block).and_then(|location| location.block.as_deref());
        let chain: Vec<&'a [Directive]> = inner.into_iter().chain([server.block, server.above]).collect();
        self.site_rules(&chain, &mut keys);
        if self.settings.versions_differ() && only_v1_3(&server.all("ssl_protocols")) {
            keys.text("tls", "min_version", "1.3");
        }
        let groups = root.iter().chain(routes.iter().map(|(_, way)| way));
        let group = self.plan.agree(place, groups.map(|way| (&way.group, way.upstreams.len() == 1)));
        keys.join(&group);
        // What "/" has for itself holds for the site; who needs it otherwise says so.
        let root = root.map(|way| {
            let mut own = way.own;
            own.join(&keys);
            keys = own;
            way.upstreams
        });
        let upstreams = root.unwrap_or_default();
        let routes: Vec<Route> =
            routes.into_iter().map(|(path, way)| Route { path, upstreams: way.upstreams, keys: way.own }).collect();
        for directive in server.block {
            match directive.name.as_str() {
                "listen"
                | "server_name"
                | "ssl"
                | "ssl_certificate"
                | "ssl_certificate_key"
                | "ssl_protocols"
                | "ssl_password_file"
                | "ssl_reject_handshake"
                | "location"
                | "return"
                | "proxy_set_header"
                | "proxy_pass" => {}
                "rewrite" => match self.redirect(directive, "/") {
                    Some(redirect) => redirects.push(redirect),
                    None => self.remark_on(directive),
                },
                _ if rules::is_rule(directive) => {}
                _ if self.number(directive) => {}
                _ => self.remark_on(directive),
            }
        }
        // A server that only redirects is a part of the site that it leads to.
        let back = server.block.iter().find(|one| one.name == "return");
        if let Some(back) = back.filter(|back| back.first() != "444") {
            match self.redirect(back, "/") {
                Some(redirect) => redirects.push(redirect),
                None => {
                    let text = format!("{:?} is not carried over", back.shown());
                    let mend = "write it as a [[site.redirect]] of the site that it is for";
                    self.plan.left_out(&back.place, text, mend);
                }
            }
        }
        if upstreams.is_empty() && routes.is_empty() && redirects.iter().any(|redirect| redirect.path == "/") {
            self.elsewhere.push(Elsewhere { hosts: server.hosts.clone(), redirects, provision, place: place.clone() });
            return;
        }
        let says_nothing = back.is_none();
        if says_nothing && server.hosts.is_empty() {
            if server.is_default && server.block.iter().any(|one| one.name == "location" || one.name == "root") {
                let text = "the server has no name, so it cannot be a site";
                self.plan.left_out(place, text, "name the hosts that it is for in a [[site]]");
            }
        } else if says_nothing && upstreams.is_empty() && routes.is_empty() {
            let text = "the server passes nothing to an upstream that could be carried over, so it is no site";
            self.plan.left_out(place, text, "put the shop behind a port of its own, and add a [[site]] with it");
        }
        if !(server.hosts.is_empty() || upstreams.is_empty() && routes.is_empty()) {
            self.plan.add_site(Site {
                hosts: server.hosts.clone(),
                upstreams,
                routes,
                redirects,
                keys,
                provision,
                key_type,
                place: place.clone(),
            });
        }
    }

    /// Takes the certificates of a server, and says who had them issued.
    fn certificates(&mut self, server: &Server<'a>) -> (Provision, Option<OrderedKey>) {
        let (chains, keys) = (server.all("ssl_certificate"), server.all("ssl_certificate_key"));
        let (mut provision, mut key_type) = (Provision::Uploaded, None);
        for (chain, key) in chains.iter().zip(&keys) {
            let place = &chain.place;
            if [chain, key].iter().any(|one| one.first().contains('$') || one.first().starts_with("data:")) {
                let text = format!("{:?} is found out per handshake", chain.shown());
                self.plan.left_out(place, text, "put each certificate with its key into the drop folder");
                continue;
            }
            let files: Vec<PathBuf> = [chain, key].map(|one| self.prefix.join(one.first())).into();
            if let Some(lineage) = Lineage::of_file(&files[0], self.files) {
                lineage.add_to(&mut self.plan, self.files);
                key_type = lineage.key_type();
                provision = Provision::Managed;
                continue;
            }
            let passwords = server.all("ssl_password_file").first().map(|file| self.prefix.join(file.first()));
            let fallback = chain.first().rsplit('/').next().unwrap_or_default().to_owned();
            let name = server.hosts.first().map_or(fallback, ToString::to_string);
            self.plan.add_certificate_with(&name, files, passwords, place);
        }
        if chains.len() != keys.len() || (chains.is_empty() && !server.hosts.is_empty()) {
            let text = format!("{} certificates and {} keys are named for this server", chains.len(), keys.len());
            self.plan.left_out(&server.directive.place, text, "put what is missing into the drop folder");
        }
        (provision, key_type)
    }

    /// What a client gets that asks for a name nobody has.
    fn tell_default(&mut self, secure: &[Server<'a>]) {
        let chosen = secure.iter().find(|server| server.is_default);
        let exact = |server: &Server<'_>| {
            server.hosts.iter().find(|host| matches!(host, HostPattern::Exact(_))).map(ToString::to_string)
        };
        let serves =
            |plan: &Plan, host: &str| plan.sites.iter().any(|site| site.hosts.iter().any(|one| one.covers(host)));
        match chosen.map(|server| (server, exact(server))) {
            Some((_, Some(host))) if serves(&self.plan, &host) => {
                self.plan.set("tls", "unknown_name", "\"default\"");
                self.plan.set("tls", "default_site", format!("\"{host}\""));
                self.first_default = Some(host);
            }
            Some((server, None)) => {
                let rejects = server.block.iter().any(|one| one.name == "ssl_reject_handshake" && one.first() == "on");
                if !rejects {
                    let text = "clients that ask for a name nobody has were shown this server's certificate, and are refused here";
                    self.plan.note(&server.directive.place, text, "see tls.unknown_name if that is missed");
                }
            }
            _ if secure.len() > 1 => self.plan.note_overall(
                "clients that ask for a name nobody has were shown the first server's certificate, and are refused here",
                "see tls.unknown_name if that is missed",
            ),
            _ => {}
        }
    }

    /// Plain HTTP: a redirect to HTTPS is what the edge does by itself.
    fn see_plain(&mut self, server: &Server<'a>) {
        let redirects = |list: &[Directive]| {
            let to_https = |one: &Directive| one.words.iter().any(|word| word.starts_with("https://"));
            list.iter().any(|one| (one.name == "return" || one.name == "rewrite") && to_https(one))
        };
        let locations = server.block.iter().filter(|one| one.name == "location");
        let mut does_more = false;
        for location in locations {
            does_more |= !is_challenge(location) && !redirects(location.block.as_deref().unwrap_or_default());
        }
        let closes = server.block.iter().any(|one| one.name == "return" && !one.first().starts_with(['2', '3']));
        let serves = server.block.iter().any(|one| one.name == "root" || one.name == "proxy_pass");
        if !(does_more || serves) || closes || (redirects(server.block) && !does_more) {
            return;
        }
        let place = &server.directive.place;
        let names: Vec<String> = server.hosts.iter().map(ToString::to_string).collect();
        if names.is_empty() {
            let text = "names that nobody has are answered over plain HTTP, and get 404 here";
            self.plan.note(place, text, "");
            return;
        }
        let text = format!("{} is served over plain HTTP, where the edge only redirects to HTTPS", names.join(", "));
        self.plan.left_out(place, text, "get a certificate for it and add a [[site]], or keep nginx for it");
    }
}
