//! `frontend` and `listen`: listeners, and which backend has which names and paths.

use super::Reading;
use super::backend::is_own;
use super::certificates::Shown;
use super::choice::{Acls, Choice};
use super::lines::{Line, Section};
use crate::name::HostPattern;
use crate::peers::plan::{Place, Provision, Route, Site};
use crate::peers::settings::read_address;
use crate::peers::upstream::is_route;

/// A `use_backend`, or what holds when none of them does.
struct Rule {
    choices: Vec<Choice>,
    backend: String,
    place: Place,
}

impl Reading<'_> {
    /// Makes sites of a section that speaks TLS.
    pub(super) fn frontend(&mut self, section: &Section) {
        let (mut acls, mut rules, mut default) = (Acls::default(), Vec::new(), None);
        let (mut shown, mut is_tls) = (Shown::default(), false);
        if section.kind() == "listen" && section.lines.iter().any(|line| line.word(0) == "server") {
            default = Some((section.name().to_owned(), section.head.place.clone()));
        }
        for line in section.lines.iter().filter(|line| line.word(0) == "acl") {
            acls.add(line);
        }
        let mut rest = Vec::new();
        for line in &section.lines {
            match line.word(0) {
                "acl" => {}
                "server" if section.kind() == "listen" => {}
                "bind" => is_tls |= self.bind(line, &mut shown),
                "ssl-f-use" => self.use_certificate(line, &mut shown),
                "use_backend" => rules.extend(self.rule(line, &acls)),
                "default_backend" => default = Some((line.word(1).to_owned(), line.place.clone())),
                _ => rest.push(line),
            }
        }
        let redirects = rest.iter().any(|line| is_own(line) && line.words.iter().any(|word| word == "scheme"));
        for line in rest {
            if !is_own(line) && !self.common(line) {
                self.unknown(line);
            }
        }
        if !is_tls {
            if !redirects && (default.is_some() || !rules.is_empty()) {
                let text =
                    format!("{:?} serves over plain HTTP, where the edge only redirects to HTTPS", section.name());
                self.plan.left_out(&section.head.place, text, "get certificates for its names, or keep HAProxy for it");
            }
            return;
        }
        if let Some((backend, place)) = default {
            rules.push(Rule { choices: vec![Choice::default()], backend, place });
        }
        self.sites(&section.head.place, &rules, &shown);
    }

    /// Takes a listener; gives whether it speaks TLS.
    fn bind(&mut self, line: &Line, shown: &mut Shown) -> bool {
        let tls = line.words.iter().any(|word| word == "ssl");
        for address in line.word(1).split(',') {
            match read_address(address.trim_start_matches("ipv4@").trim_start_matches("ipv6@"), 80) {
                Some(address) => self.settings.listen(address, tls),
                None => {
                    let text = format!("cannot listen at {address:?}: an IP address and a port are needed");
                    self.plan.left_out(&line.place, text, "put the address into edge.https or edge.http");
                }
            }
        }
        if line.words.iter().any(|word| word == "accept-proxy") {
            let text = "which balancers speak the PROXY protocol here is not said";
            self.plan.left_out(&line.place, text, "name their networks in edge.proxy_protocol");
        }
        if line.after("verify").is_some_and(|verify| verify != "none") {
            let text = "clients are asked for certificates, which is not carried over";
            self.plan.left_out(&line.place, text, "see [site.tls]; until it is set, these names are open to everybody");
        }
        if tls {
            if line.after("ssl-min-ver").is_some() {
                self.versions(line);
            }
            if !line.words.iter().any(|word| word == "strict-sni") {
                let text =
                    "clients that ask for a name nobody has were shown the first certificate, and are refused here";
                self.plan.note(&line.place, text, "see tls.unknown_name if that is missed");
            }
            shown.names.extend(self.shown(line).names);
        }
        tls
    }

    fn rule(&mut self, line: &Line, acls: &Acls) -> Option<Rule> {
        let (backend, place) = (line.word(1), &line.place);
        if backend.contains("%[") {
            let text = format!("{:?} finds the backend per request", line.shown());
            self.plan.left_out(place, text, "write a site file for each name of the map");
            return None;
        }
        let choices = match line.word(2) {
            "" => Some(vec![Choice::default()]),
            "if" => acls.choices(&line.words[3..]),
            _ => None,
        };
        let Some(choices) = choices else {
            let text = format!("{:?} chooses by more than hosts and path prefixes", line.shown());
            self.plan.left_out(place, text, "have the shop decide, or add a [[site]] or [[site.route]] that does it");
            return None;
        };
        Some(Rule { choices, backend: backend.to_owned(), place: place.clone() })
    }

    /// Each name with its ways; names that go the same ways are one site.
    fn sites(&mut self, head: &Place, rules: &[Rule], shown: &Shown) {
        let mut hosts: Vec<(HostPattern, Place)> = Vec::new();
        let mut asks_none = None;
        for rule in rules {
            for choice in rule.choices.iter().filter(|choice| !choice.is_plain) {
                let Some(named) = &choice.hosts else {
                    asks_none.get_or_insert(rule.place.clone());
                    continue;
                };
                for host in self.plan.hosts(&rule.place, named.iter().map(String::as_str)) {
                    if !hosts.iter().any(|(known, _)| *known == host) {
                        hosts.push((host, rule.place.clone()));
                    }
                }
            }
        }
        // Where a rule asks for no name, the certificates say which there are.
        if let Some(place) = asks_none {
            for (name, _) in &shown.names {
                if !hosts.iter().any(|(known, _)| known == name) {
                    hosts.push((name.clone(), place.clone()));
                }
            }
        }
        if hosts.is_empty() {
            let text = "no name is known: neither a rule nor a certificate says one";
            return self.plan.left_out(head, text, "name the hosts in a [[site]]");
        }
        let mut sites: Vec<Site> = Vec::new();
        for (host, place) in hosts {
            let (upstreams, routes) = self.ways(&host, rules);
            if upstreams.is_empty() && routes.is_empty() {
                let text = format!("{host} has no upstream that could be carried over, so it is no site");
                self.plan.left_out(&place, text, "add a [[site]] with one");
                continue;
            }
            let covers = |name: &HostPattern| match &host {
                HostPattern::Exact(exact) => name.covers(exact.as_str()),
                HostPattern::Wildcard(_) => *name == host,
            };
            let managed = shown.names.iter().find(|(name, _)| covers(name)).is_some_and(|(_, managed)| *managed);
            let provision = if managed { Provision::Managed } else { Provision::Uploaded };
            let alike =
                |site: &&mut Site| (&site.upstreams, &site.routes, site.provision) == (&upstreams, &routes, provision);
            match sites.iter_mut().find(alike) {
                Some(site) => site.hosts.push(host),
                None => sites.push(Site { hosts: vec![host], upstreams, routes, provision, key_type: None, place }),
            }
        }
        for site in sites {
            self.plan.add_site(site);
        }
    }

    /// The first rule that holds has a request: what an earlier one covers, a later one does not get.
    fn ways(&mut self, host: &HostPattern, rules: &[Rule]) -> (Vec<String>, Vec<Route>) {
        let (mut upstreams, mut routes) = (Vec::new(), Vec::<Route>::new());
        let mut covered: Vec<String> = Vec::new();
        for rule in rules {
            for choice in rule.choices.iter().filter(|choice| !choice.is_plain && names(choice, host)) {
                let everything = vec!["/".to_owned()];
                for path in choice.paths.as_ref().unwrap_or(&everything) {
                    if covered.iter().any(|known| path.starts_with(known.as_str())) {
                        continue;
                    }
                    covered.push(path.clone());
                    let Some(servers) = self.backends.get(&rule.backend).filter(|servers| !servers.is_empty()).cloned()
                    else {
                        let text = format!("the backend {:?} has no server that could be carried over", rule.backend);
                        self.plan.left_out(&rule.place, text, "give the site an upstream in plain HTTP");
                        continue;
                    };
                    if path == "/" {
                        upstreams = servers;
                    } else if is_route(path) {
                        if !path.ends_with('/') {
                            let text =
                                format!("{path} is for itself and what is below it; HAProxy has it for {path}… too");
                            self.plan.note(&rule.place, text, "");
                        }
                        routes.push(Route { path: path.clone(), upstreams: servers });
                    } else {
                        let text = format!("{path:?} cannot be the path of a route");
                        self.plan.left_out(
                            &rule.place,
                            text,
                            "write it as it is sent, in percent encoding, without '*'",
                        );
                    }
                }
            }
        }
        (upstreams, routes)
    }
}

/// Whether a choice is for this name.
fn names(choice: &Choice, host: &HostPattern) -> bool {
    let Some(named) = &choice.hosts else { return true };
    named.iter().filter_map(|name| HostPattern::parse(name).ok()).any(|name| match host {
        HostPattern::Exact(exact) => name.covers(exact.as_str()),
        HostPattern::Wildcard(_) => name == *host,
    })
}
