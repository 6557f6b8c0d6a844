//! `frontend` and `listen`: listeners, and which backend has which names and paths.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Reading;
use super::backend::{Backend, is_own, is_shared_out};
use super::certificates::Shown;
use super::challenges::{Challenges, is_challenge};
use super::choice::{Acls, Choice, WELL_KNOWN};
use super::directory::{Directory, covering};
use super::lines::{Line, Section};
use super::rules::Rules;
use crate::name::HostPattern;
use crate::peers::challenges::{CHALLENGES, some_of};
use crate::peers::keys::Keys;
use crate::peers::plan::{Place, Provision, Route, Site};
use crate::peers::settings::read_address;
use crate::peers::upstream::Upstream;
use crate::peers::upstream::is_route;

/// A `use_backend`, or what holds when none of them does.
#[derive(Clone)]
pub(super) struct Rule {
    pub(super) choices: Vec<Choice>,
    pub(super) backend: String,
    pub(super) place: Place,
}

impl Rule {
    /// The same without what is for authorities alone; `None`: that is all of it.
    fn beside_challenges(mut self) -> Option<Self> {
        self.choices.retain(|choice| !is_challenge(choice));
        (!self.choices.is_empty()).then_some(self)
    }
}

impl Reading<'_> {
    /// Makes sites of a section that speaks TLS.
    pub(super) fn frontend(&mut self, section: &Section) {
        let (mut acls, mut rules, mut default) = (Acls::default(), Vec::new(), None);
        let (mut shown, mut is_tls) = (Shown::default(), false);
        if section.kind() == "listen" && section.lines.iter().any(|line| line.word(0) == "server") {
            default = Some((section.name().to_owned(), section.head.place.clone()));
        }
        let mut does = Rules::default();
        for line in section.lines.iter().filter(|line| line.word(0) == "acl") {
            acls.add(line);
            does.add_acl(line);
        }
        let (mut rest, mut challenges) = (Vec::new(), self.challenges.clone());
        for line in &section.lines {
            challenges.see(line, &acls);
            match line.word(0) {
                "acl" => {}
                "server" if section.kind() == "listen" => {}
                _ if section.kind() == "listen" && is_shared_out(line) => {}
                "bind" => is_tls |= self.bind(line, (&mut shown, &mut does.keys)),
                "ssl-f-use" => self.use_certificate(line, &mut shown),
                "use_backend" => rules.extend(self.rule(line, &acls).into_iter().filter_map(Rule::beside_challenges)),
                "default_backend" => default = Some((line.word(1).to_owned(), line.place.clone())),
                _ => rest.push(line),
            }
        }
        let leads = |line: &&&Line| is_own(line) && line.words.iter().any(|word| word == "scheme");
        let redirects = rest.iter().any(|line| leads(&line));
        let is_conditional = |line: &&Line| line.words.iter().any(|word| matches!(word.as_str(), "if" | "unless"));
        let leads_all = rest.iter().filter(leads).any(|line| !is_conditional(line));
        for line in rest {
            if !is_own(line) && !self.rule_line(line, &acls, &mut does) && !self.common(line) {
                self.unknown(line);
            }
        }
        if !is_tls {
            if !redirects && (default.is_some() || !rules.is_empty()) {
                let text =
                    format!("{:?} serves over plain HTTP, where the edge only redirects to HTTPS", section.name());
                self.plan.left_out(&section.head.place, text, "get certificates for its names, or keep HAProxy for it");
            } else if !leads_all {
                self.led_to_https(&rules);
            }
            return;
        }
        if let Some((backend, place)) = default {
            rules.push(Rule { choices: vec![Choice::default()], backend, place });
        }
        self.sites(&section.head.place, &rules, &shown, (does, challenges));
    }

    /// Takes a listener; gives whether it speaks TLS.
    fn bind(&mut self, line: &Line, (shown, keys): (&mut Shown, &mut Keys)) -> bool {
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
        self.clients(line, keys);
        if tls {
            let only_v1_3 = match line.words.iter().any(|word| matches!(word.as_str(), "ssl-min-ver" | "no-tlsv12")) {
                true => self.versions(line),
                false => self.only_v1_3,
            };
            self.settings.versions(only_v1_3);
            if only_v1_3 {
                keys.text("tls", "min_version", "1.3");
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

    fn rule(&mut self, line: &Line, acls: &Acls) -> Vec<Rule> {
        let (backend, place) = (line.word(1), &line.place);
        if backend.contains("%[") {
            if let Some(rules) = self.mapped(line) {
                return rules;
            }
            let text = format!("{:?} finds the backend per request", line.shown());
            self.plan.left_out(place, text, "write a site file for each name of the map");
            return Vec::new();
        }
        let choices = match line.word(2) {
            "" => Some(vec![Choice::default()]),
            "if" => acls.choices(&line.words[3..]),
            _ => None,
        };
        let Some(choices) = choices else {
            let text = format!("{:?} chooses by more than hosts and path prefixes", line.shown());
            self.plan.left_out(place, text, "have the shop decide, or add a [[site]] or [[site.route]] that does it");
            return Vec::new();
        };
        vec![Rule { choices, backend: backend.to_owned(), place: place.clone() }]
    }

    /// Each name with its ways; names that go the same ways are one site.
    fn sites(&mut self, head: &Place, rules: &[Rule], shown: &Shown, (mut does, mut challenges): (Rules, Challenges)) {
        let mut hosts: Vec<(HostPattern, Place)> = Vec::new();
        let mut known: HashSet<HostPattern> = HashSet::new();
        let mut asks_none = None;
        for rule in rules {
            for choice in rule.choices.iter().filter(|choice| !choice.is_plain) {
                let Some(named) = &choice.hosts else {
                    asks_none.get_or_insert(rule.place.clone());
                    continue;
                };
                for host in self.plan.hosts(&rule.place, named.iter().map(String::as_str)) {
                    if known.insert(host.clone()) {
                        hosts.push((host, rule.place.clone()));
                    }
                }
            }
        }
        // Where a rule asks for no name, the certificates say which there are.
        if let Some(place) = asks_none {
            for (name, _) in &shown.names {
                if known.insert(name.clone()) {
                    hosts.push((name.clone(), place.clone()));
                }
            }
        }
        if hosts.is_empty() {
            let text = "no name is known: neither a rule nor a certificate says one";
            return self.plan.left_out(head, text, "name the hosts in a [[site]]");
        }
        let mut sites: Vec<Site> = Vec::new();
        let (directory, challenge_rules) = (Directory::of(rules), challenges.rules().to_vec());
        let challenge_directory = Directory::of(&challenge_rules);
        // Of several certificates the first that was named counts.
        let mut managed: HashMap<&HostPattern, (usize, bool)> = HashMap::new();
        for (place, (name, is_managed)) in shown.names.iter().enumerate() {
            managed.entry(name).or_insert((place, *is_managed));
        }
        let mut bare: BTreeMap<Place, Vec<HostPattern>> = BTreeMap::new();
        for (host, place) in hosts {
            let first = covering(&host).iter().filter_map(|name| managed.get(name)).min().copied();
            let provision =
                if first.is_some_and(|(_, is_managed)| is_managed) { Provision::Managed } else { Provision::Uploaded };
            let (root, mut routes) = self.ways(&directory.of_host(&host));
            if root.is_some() || !routes.is_empty() {
                let asked = self.challenged(&mut challenges, &challenge_directory, (&host, provision));
                let is_new = routes.iter().all(|(path, _)| path != CHALLENGES);
                routes.extend(asked.filter(|_| is_new).map(|backend| (CHALLENGES.to_owned(), backend)));
            }
            if first.is_none() && !shown.names.is_empty() {
                bare.entry(place.clone()).or_default().push(host.clone());
            }
            let (upstreams, routes, keys) = self.put_together(&place, root, routes, &does.keys);
            if upstreams.is_empty() && routes.is_empty() {
                let text = format!("{host} has no upstream that could be carried over, so it is no site");
                self.plan.left_out(&place, text, "add a [[site]] with one");
                continue;
            }
            let alike = |site: &&mut Site| {
                (&site.upstreams, &site.routes, &site.keys, site.provision) == (&upstreams, &routes, &keys, provision)
            };
            match sites.iter_mut().find(alike) {
                Some(site) => site.hosts.push(host),
                None => sites.push(Site {
                    hosts: vec![host],
                    upstreams,
                    routes,
                    redirects: Vec::new(),
                    keys,
                    provision,
                    key_type: None,
                    place,
                }),
            }
        }
        for (place, hosts) in bare {
            let text =
                format!("no certificate that was found covers {}: who asks for that is refused", some_of(&hosts));
            self.plan.left_out(&place, text, "put one into the drop folder, or make a site \"managed\" of it");
        }
        self.tell_challenges(challenges);
        self.place_redirects(&mut sites, &mut does);
        for site in sites {
            self.plan.add_site(site);
        }
    }

    /// Tells of what a section answers over plain HTTP that leads all else to HTTPS.
    fn led_to_https(&mut self, rules: &[Rule]) {
        for rule in rules {
            let text = format!("what {:?} answers over plain HTTP is led to HTTPS first", rule.backend);
            self.plan.note(&rule.place, text, "see that whoever asks for it follows");
        }
    }

    /// A site's upstreams, its routes, and what else it says.
    fn put_together(
        &mut self,
        place: &Place,
        root: Option<Backend>,
        routes: Vec<(String, Backend)>,
        all: &Keys,
    ) -> (Vec<Upstream>, Vec<Route>, Keys) {
        let groups = root.iter().chain(routes.iter().map(|(_, backend)| backend));
        let group = self.plan.agree(place, groups.map(|backend| (&backend.group, backend.servers.len() == 1)));
        let mut keys = all.clone();
        keys.join(&group);
        let root = root.unwrap_or_default();
        keys.join(&root.own);
        let announces = keys.has("", "send_proxy_protocol");
        let route = |(path, backend): (String, Backend)| {
            let mut own = backend.own;
            if announces {
                own.text("", "send_proxy_protocol", "off");
            }
            Route { path, upstreams: backend.servers, keys: own }
        };
        (root.servers, routes.into_iter().map(route).collect(), keys)
    }

    /// The first rule that holds has a request: what an earlier one covers, a later one does not get.
    fn ways(&mut self, choices: &[(&Rule, &Choice)]) -> (Option<Backend>, Vec<(String, Backend)>) {
        let (mut root, mut routes) = (None, Vec::new());
        let mut covered: Vec<String> = Vec::new();
        for (rule, choice) in choices {
            let everything = vec!["/".to_owned()];
            for path in choice.paths.as_ref().unwrap_or(&everything) {
                if covered.iter().any(|known| has(known, path)) {
                    continue;
                }
                covered.push(path.clone());
                let found = self.backends.get(&rule.backend).filter(|backend| !backend.servers.is_empty());
                let Some(backend) = found.cloned() else {
                    let text = format!("the backend {:?} has no server that could be carried over", rule.backend);
                    self.plan.left_out(&rule.place, text, "give the site an upstream");
                    continue;
                };
                if path == "/" {
                    root = Some(backend);
                } else if is_route(path) {
                    // What lies below /.well-known/ are files.
                    if !path.ends_with('/') && !path.starts_with(WELL_KNOWN) {
                        let text = format!("{path} is for itself and what is below it; HAProxy has it for {path}… too");
                        self.plan.note(&rule.place, text, "");
                    }
                    routes.push((path.clone(), backend));
                } else {
                    let text = format!("{path:?} cannot be the path of a route");
                    self.plan.left_out(&rule.place, text, "write it as it is sent, in percent encoding, without '*'");
                }
            }
        }
        (root, routes)
    }
}

/// Whether what begins like `known` has `path` too. Below `/.well-known/` that is a file, and what lies below it.
fn has(known: &str, path: &str) -> bool {
    match path.strip_prefix(known) {
        Some(rest) if known.starts_with(WELL_KNOWN) && !known.ends_with('/') => {
            rest.is_empty() || rest.starts_with('/')
        }
        Some(_) => true,
        None => false,
    }
}
