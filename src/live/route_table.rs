//! Which site a name belongs to and where its requests go.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::{IpNet, Ipv4Net};

use super::facts::ValidationLevel;
use super::on_demand::OnDemand;
use super::order_spec::OrderSpec;
use super::policy::{Access, Policy, RateLimit};
use super::upstream::{GroupSpec, UpstreamGroup, UpstreamStates};
use crate::limits::Limits;
use crate::name::{self, HostPattern};

/// Everything configuration decides about a request.
pub struct RouteTable {
    exact: HashMap<Box<str>, Arc<Site>>,
    wildcard: HashMap<Box<str>, Arc<Site>>,
    sites: Vec<Arc<Site>>,
    groups: Vec<UpstreamGroup>,
    /// How all upstreams are doing, for this table and the next.
    pub states: UpstreamStates,
    /// What a peer may make the edge do.
    pub limits: Arc<Limits>,
    /// Whom the operator lets in and turns away while the edge runs; `None`: nobody is turned away.
    pub denied: Option<Access>,
    /// Peers whose `X-Forwarded-*` and `Forwarded` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Networks whose connections begin with a header of the PROXY protocol.
    pub proxy_protocol: Vec<IpNet>,
    /// Who is asked where the names of upstreams lead; none: those whom the system asks.
    pub resolvers: Vec<SocketAddr>,
    /// The port of the first HTTPS listener, for redirects from plain HTTP.
    pub https_port: u16,
}

impl RouteTable {
    /// A table with servers of which nothing is known yet.
    #[must_use]
    pub fn new(specs: Vec<SiteSpec>, limits: Limits, trusted_proxies: Vec<IpNet>, https_port: u16) -> Self {
        Self::knowing(&UpstreamStates::default(), specs, limits, trusted_proxies, https_port)
    }

    /// Builds the table from sites as the configuration gives them. The first site that claims a name keeps it.
    #[must_use]
    pub fn knowing(
        states: &UpstreamStates,
        specs: Vec<SiteSpec>,
        limits: Limits,
        trusted_proxies: Vec<IpNet>,
        https_port: u16,
    ) -> Self {
        let mut table = Self {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            sites: Vec::with_capacity(specs.len()),
            groups: Vec::new(),
            states: states.clone(),
            limits: Arc::new(limits),
            denied: None,
            trusted_proxies: trusted_proxies.into_iter().map(canonical).collect(),
            proxy_protocol: Vec::new(),
            resolvers: Vec::new(),
            https_port,
        };
        let mut places = Places { states, known: HashMap::new() };
        for (index, spec) in specs.into_iter().enumerate() {
            let site = Arc::new(table.site(index, spec, &mut places));
            for host in &site.hosts {
                let (names, text) = match host {
                    HostPattern::Exact(exact) => (&mut table.exact, exact.as_str()),
                    HostPattern::Wildcard(base) => (&mut table.wildcard, base.as_str()),
                };
                names.entry(text.into()).or_insert_with(|| Arc::clone(&site));
            }
            table.sites.push(site);
        }
        table
    }

    /// The same table, with balancers in these networks that say first whom they speak for.
    #[must_use]
    pub fn introduced_by(self, balancers: &[IpNet]) -> Self {
        Self { proxy_protocol: balancers.iter().copied().map(canonical).collect(), ..self }
    }

    /// The site of `host`, which is in normal form: exact name first, then the wildcard one label up.
    #[must_use]
    pub fn site_of(&self, host: &str) -> Option<&Arc<Site>> {
        self.exact.get(host).or_else(|| self.wildcard.get(name::parent(host)?))
    }

    /// Whether the operator turns this client away.
    #[inline]
    #[must_use]
    pub fn turns_away(&self, client: IpAddr) -> bool {
        self.denied.as_ref().is_some_and(|denied| !denied.lets_in(client))
    }

    /// All sites in the order of the configuration; a site's place is [`Site::index`].
    #[must_use]
    pub fn sites(&self) -> &[Arc<Site>] {
        &self.sites
    }

    /// All groups of upstreams; a group's place is what [`Route::group`] says.
    #[must_use]
    pub fn groups(&self) -> &[UpstreamGroup] {
        &self.groups
    }

    fn site(&mut self, index: usize, spec: SiteSpec, places: &mut Places<'_>) -> Site {
        let policy = spec.policy;
        let mut routes: Vec<Route> = spec
            .routes
            .into_iter()
            .map(|(prefix, group)| {
                let group = self.group(group, places);
                let limits = policy.limits_of(&prefix, &self.limits).map(Arc::new);
                let access = policy.access_of(&prefix);
                let rate_limit = policy.rate_of(&prefix).map(|limit| (format!("{} {prefix}", spec.name).into(), limit));
                Route { prefix: prefix.into(), group, limits, access, rate_limit }
            })
            .collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        let (name, hosts, minimum_validation) = (spec.name.into(), spec.hosts.into(), spec.minimum_validation);
        let (staging, provision, on_demand) = (spec.staging, spec.provision, spec.on_demand);
        let policy = policy.kept();
        Site { name, index, hosts, minimum_validation, staging, provision, on_demand, routes: routes.into(), policy }
    }

    /// The place of a group; sites with the same upstreams share one, and with it its connections.
    fn group(&mut self, wanted: GroupSpec, places: &mut Places<'_>) -> usize {
        let Places { states, known } = places;
        *known.entry(wanted).or_insert_with_key(|wanted| {
            self.groups.push(states.group(wanted));
            self.groups.len() - 1
        })
    }
}

/// Where each group lies, while the table is built: there may be as many as sites.
struct Places<'a> {
    states: &'a UpstreamStates,
    known: HashMap<GroupSpec, usize>,
}

/// A network as addresses are compared with it: an IPv4 peer of a dual-stack listener has its IPv4 address, whatever the
/// system calls it, so that `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
pub(super) fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let v4 = mapped.addr().to_ipv4_mapped().zip(mapped.prefix_len().checked_sub(MAPPED));
    v4.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}

/// Whether one of these networks, as the table has them, holds an address that is in its own form.
#[must_use]
pub fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// How many bits of an IPv4-mapped address say that it is one (RFC 4291 §2.5.5.2).
const MAPPED: u8 = 96;

/// A site as the configuration gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSpec {
    /// Its stable identity; also its label in metrics.
    pub name: String,
    /// The names it answers for.
    pub hosts: Vec<HostPattern>,
    /// Path prefixes with their upstreams; `/` is the rest.
    pub routes: Vec<(String, GroupSpec)>,
    /// What the authority of its certificates must have checked at least.
    pub minimum_validation: Option<ValidationLevel>,
    /// Whether nobody but who builds the shop comes there.
    pub staging: bool,
    /// Where its certificates come from.
    pub provision: Provision,
    /// What it has to do with names that nobody serves.
    pub on_demand: OnDemand,
    /// How they are ordered, if they are.
    pub orders: OrderSpec,
    /// What it does with requests besides passing them on.
    pub policy: Policy,
}

/// Where a site's certificates come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provision {
    /// From the operator: the best of what was dropped or uploaded.
    #[default]
    Uploaded,
    /// From an authority that the edge orders them from.
    Managed,
    /// From the edge's own authority, which only those trust who were given its root.
    SelfSigned,
}

impl Provision {
    /// The word that configuration and interface have for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Managed => "managed",
            Self::SelfSigned => "self-signed",
        }
    }
}

/// A configured site.
#[derive(Debug)]
pub struct Site {
    /// Its stable identity.
    pub name: Box<str>,
    /// Its place in the table.
    pub index: usize,
    /// The names it answers for; the first is its label.
    pub hosts: Box<[HostPattern]>,
    /// What the authority of its certificates must have checked at least.
    pub minimum_validation: Option<ValidationLevel>,
    /// Whether nobody but who builds the shop comes there.
    pub staging: bool,
    /// Where its certificates come from, as it is configured.
    pub provision: Provision,
    /// What it has to do with names that nobody serves.
    pub on_demand: OnDemand,
    /// What it does with requests besides passing them on; `None`: nothing.
    pub policy: Option<Arc<Policy>>,
    routes: Box<[Route]>,
}

impl Site {
    /// Where a request for `path` goes: the longest prefix that ends at a segment's end. `/api` serves `/api` and `/api/x`,
    /// not `/apix`.
    #[must_use]
    pub fn route(&self, path: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.serves(path))
    }

    /// Whether a certificate of its own is there for a host, or is to come: below a wildcard of a site that asks, each name has one
    /// when it is asked for.
    #[must_use]
    pub const fn awaits(&self, host: &HostPattern) -> bool {
        !matches!((&self.on_demand, host), (OnDemand::Asks(_), HostPattern::Wildcard(_)))
    }

    /// All routes, longest prefix first.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// What metrics and lists call it: its first host as the configuration writes it.
    #[must_use]
    pub fn label(&self) -> String {
        self.hosts.first().map_or_else(|| self.name.to_string(), ToString::to_string)
    }
}

/// A path prefix and the upstreams behind it.
#[derive(Debug)]
pub struct Route {
    /// Begins with a slash.
    pub prefix: Box<str>,
    /// Place in [`RouteTable::groups`].
    pub group: usize,
    /// All limits, where some differ from those of the edge.
    pub limits: Option<Arc<Limits>>,
    /// Who may come, where that differs from the site.
    pub access: Option<Access>,
    /// How often each client network may ask, where that differs from the site, and under which name it is counted.
    pub rate_limit: Option<(Box<str>, RateLimit)>,
}

impl Route {
    fn serves(&self, path: &str) -> bool {
        path_is_under(path, &self.prefix)
    }
}

/// Whether a path is `prefix` or lies below it.
pub(super) fn path_is_under(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{Upstream, UpstreamAddress};

    fn upstream(port: u16) -> Upstream {
        Upstream::tcp("127.0.0.1", port)
    }

    fn site(hosts: &[&str], routes: &[(&str, u16)]) -> SiteSpec {
        SiteSpec {
            name: hosts[0].into(),
            hosts: hosts.iter().map(|host| HostPattern::parse(host).expect("a pattern")).collect(),
            routes: routes.iter().map(|(prefix, port)| ((*prefix).into(), vec![upstream(*port)].into())).collect(),
            minimum_validation: None,
            staging: false,
            provision: Provision::Uploaded,
            on_demand: Default::default(),
            orders: Default::default(),
            policy: Default::default(),
        }
    }

    fn table(specs: Vec<SiteSpec>) -> RouteTable {
        RouteTable::new(specs, Limits::default(), Vec::new(), 443)
    }

    fn port_of(table: &RouteTable, host: &str, path: &str) -> Option<u16> {
        let route = table.site_of(host)?.route(path)?;
        match table.groups()[route.group].members[0].upstream.address {
            UpstreamAddress::Tcp { port, .. } => Some(port),
            UpstreamAddress::Unix(_) => None,
        }
    }

    #[test]
    fn the_longest_prefix_that_ends_at_a_segment_wins() {
        let table = table(vec![site(&["shop.example"], &[("/", 1), ("/api", 2), ("/api/v2/", 3)])]);
        assert_eq!(port_of(&table, "shop.example", "/"), Some(1));
        assert_eq!(port_of(&table, "shop.example", "/apix"), Some(1));
        assert_eq!(port_of(&table, "shop.example", "/api"), Some(2));
        assert_eq!(port_of(&table, "shop.example", "/api/v1"), Some(2));
        assert_eq!(port_of(&table, "shop.example", "/api/v2"), Some(2));
        assert_eq!(port_of(&table, "shop.example", "/api/v2/x"), Some(3));
    }

    #[test]
    fn an_exact_host_goes_before_a_wildcard() {
        let table = table(vec![site(&["*.shop.example"], &[("/", 1)]), site(&["a.shop.example"], &[("/", 2)])]);
        assert_eq!(port_of(&table, "a.shop.example", "/"), Some(2));
        assert_eq!(port_of(&table, "b.shop.example", "/"), Some(1));
        assert_eq!(port_of(&table, "shop.example", "/"), None);
        assert_eq!(port_of(&table, "a.b.shop.example", "/"), None);
    }

    #[test]
    fn a_trusted_network_is_found_however_it_is_written() {
        let networks = ["::ffff:10.0.0.0/104", "10.0.0.0/8", "2001:db8::/32", "::/0", "::ffff:0:0/96"];
        let parsed = networks.map(|network| network.parse().expect("a network")).to_vec();
        let table = RouteTable::new(Vec::new(), Limits::default(), parsed, 443);
        let kept: Vec<_> = table.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(kept, ["10.0.0.0/8", "10.0.0.0/8", "2001:db8::/32", "::/0", "0.0.0.0/0"]);
    }

    #[test]
    fn sites_with_the_same_upstreams_share_a_group() {
        let table = table(vec![site(&["a.example"], &[("/", 1)]), site(&["b.example"], &[("/", 1)])]);
        assert_eq!(table.groups().len(), 1);
    }
}
