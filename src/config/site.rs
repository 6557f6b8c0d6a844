//! `[[site]]` and `[[site.route]]`.

use std::collections::HashMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::balance::ReadBalance;
use super::care::ReadCare;
use super::on_demand::Kinship;
use super::ordered::Ordered;
use super::policy::{self, ReadPolicy};
use super::reader::{Pad, Placed, Section};
use super::upstream_tls::{ReadTls, TermsJudge, terms_of};
use super::upstreams::{read_announcement, read_upstreams};
use super::{place, value};
use crate::live::{
    Balance, Care, GroupSpec, MemberSpec, OnDemand, OrderSpec, Provision, ProxyVersion, RoutePolicy, SiteSpec,
    TlsTerms, ValidationLevel,
};
use crate::name::{HostName, HostPattern};

/// What the rest of the file says that sites must agree with.
#[derive(Default)]
pub(super) struct Ground {
    /// What the names of self-signed sites end with.
    pub(super) suffixes: Vec<HostName>,
    /// Whether certificates may be ordered.
    pub(super) terms_agreed: bool,
    /// Whether those for wildcards may be.
    pub(super) dns_01: bool,
    /// How, where a site says nothing else.
    pub(super) orders: OrderSpec,
    /// Who looks into the files by which upstreams are known, if anybody does.
    pub(super) judge: Option<TermsJudge>,
}

/// What could be read of one site. It is worth something only if its pad is clean.
pub(super) struct ReadSite {
    /// The given name, else the first host.
    pub(super) name: Option<Placed<String>>,
    pub(super) hosts: Vec<Placed<HostPattern>>,
    routes: Vec<(String, Vec<MemberSpec>)>,
    care: ReadCare,
    balance: ReadBalance,
    tls: ReadTls,
    /// What it says of the PROXY protocol, if anything.
    announces: Option<Option<ProxyVersion>>,
    minimum_validation: Option<ValidationLevel>,
    staging: bool,
    provision: Placed<Provision>,
    kinship: Kinship,
    model: Option<OnDemand>,
    /// As the site that it is like has them.
    model_care: Option<(Care, Balance)>,
    model_tls: Option<Arc<TlsTerms>>,
    ordered: Ordered,
    /// As the site that it is like has it.
    model_orders: Option<OrderSpec>,
    policy: ReadPolicy,
}

impl ReadSite {
    pub(super) fn read<'a>(pad: &'a Pad<'a>, table: &'a Spanned<DeValue<'a>>) -> Self {
        let section = Section::one_of(pad, "site", table);
        let given = |key: &str| section.entries().any(|entry| entry.value == key);
        let hosts = section.filled_list("hosts", place::pattern);
        // A table of the wrong kind has been remarked on and has no keys to miss.
        if !given("hosts") && table.get_ref().is_table() {
            pad.missing(section.line, "site.hosts", "is needed: the names this site answers for");
        }
        let hosts = hosts.map(|hosts| hosts.value).unwrap_or_default();
        let mut seen = HashMap::new();
        for host in &hosts {
            if let Some(line) = seen.insert(&host.value, host.line) {
                let text = format!("{:?} is in this list on line {line} already", host.value.to_string());
                pad.mistake(host.line, "site.hosts", text);
            }
        }
        let name = match section.value("name", place::site_name) {
            None if !given("name") => hosts
                .first()
                .filter(|_| first_holds(table))
                .map(|host| Placed { value: host.value.to_string(), line: host.line }),
            name => name,
        };
        let words = [Provision::Uploaded, Provision::Managed, Provision::SelfSigned].map(|one| (one.word(), one));
        let provision = section.word("certificate", &words);
        let provision = provision.unwrap_or(Placed { value: Provision::Uploaded, line: section.line });
        let ordered = Ordered::for_one(&section);
        let minimum_validation = section.word("minimum_validation", &LEVELS).map(|level| level.value);
        let staging = section.value_or("staging", value::switch, false);
        let announces = read_announcement(&section);
        let upstreams = read_upstreams(&section, announces.flatten());
        let mut routes: Vec<Placed<(String, Vec<MemberSpec>)>> = Vec::new();
        if let Some(upstreams) = upstreams {
            routes.push(Placed { value: ("/".into(), upstreams.value), line: upstreams.line });
        }
        let tables = section.tables("route");
        let mut route_policies = Vec::new();
        for table in tables {
            let Some((route, policy)) = read_route(pad, table, announces.flatten()) else { continue };
            if let Some(earlier) = routes.iter().find(|earlier| earlier.value.0 == route.value.0) {
                let text = match (route.value.0.as_str(), earlier.line) {
                    ("/", line) if given("upstreams") => {
                        format!("\"/\" is what the site's upstreams on line {line} serve")
                    }
                    (path, line) => format!("{path:?} has a route on line {line} already"),
                };
                pad.mistake(route.line, "site.route.path", text + "; take one out");
                continue;
            }
            routes.push(route);
            route_policies.extend(policy);
        }
        let (kinship, care, balance) = (Kinship::read(&section), ReadCare::read(&section), ReadBalance::read(&section));
        let tls = ReadTls::read(&section);
        let has_routes = given("upstreams") || !tables.is_empty();
        if !has_routes && !kinship.is_like_another() && table.get_ref().is_table() {
            let text = "is needed: where requests go, such as [\"http://10.0.0.11:8080\"]; or a [[site.route]]";
            pad.missing(section.line, "site.upstreams", text);
        }
        let routes = routes.into_iter().map(|route| route.value).collect();
        let (model, model_care, model_tls, model_orders) = (None, None, None, None);
        let policy = ReadPolicy::read(&section).with_routes(route_policies);
        Self {
            name,
            hosts,
            routes,
            care,
            balance,
            tls,
            announces,
            minimum_validation,
            staging,
            provision,
            kinship,
            model,
            model_care,
            model_tls,
            ordered,
            model_orders,
            policy,
        }
    }

    /// Takes over what it has from the site that it is like, one of `sites`, and remarks on what does not go together and on hosts
    /// for which certificates cannot come from where they are to come from.
    pub(super) fn agree(&mut self, pad: &Pad<'_>, ground: &Ground, sites: &[SiteSpec]) {
        if let Some(model) = self.kinship.model(pad, sites) {
            if self.routes.is_empty() {
                self.policy.inherit_routes(&model.policy);
                let announces = self.announces;
                let announced = |member: &MemberSpec| {
                    let announces = announces.unwrap_or(member.upstream.announces);
                    member.clone().announced(announces)
                };
                let upstreams = |group: &GroupSpec| group.upstreams.iter().map(announced).collect();
                self.routes = model.routes.iter().map(|(path, group)| (path.clone(), upstreams(group))).collect();
            }
            self.minimum_validation = self.minimum_validation.or(model.minimum_validation);
            self.staging |= model.staging;
            self.model = Some(model.on_demand.clone());
            self.model_care = model.routes.first().map(|(_, group)| (group.care.clone(), group.balance.clone()));
            self.model_tls = terms_of(&model.routes);
            self.model_orders = Some(model.orders.clone());
            self.policy.inherit(&model.policy);
        }
        let mut upstreams = self.routes.iter().flat_map(|(_, upstreams)| upstreams);
        if let Some(line) = self.tls.line().filter(|_| upstreams.all(|member| member.upstream.tls.is_none())) {
            pad.warning(line, "site.upstream_tls", "has no effect without an upstream that begins with \"https://\"");
        }
        self.tls.check(pad, ground.judge);
        self.policy.check(pad, &self.hosts);
        self.kinship.check(pad, &self.provision);
        match self.provision.value {
            Provision::Uploaded => {}
            Provision::SelfSigned => self.check_suffixes(pad, &ground.suffixes),
            Provision::Managed => self.check_orders(pad, ground),
        }
    }

    fn check_orders(&self, pad: &Pad<'_>, ground: &Ground) {
        if !ground.terms_agreed {
            let text = "\"managed\" orders certificates, which needs terms_of_service_agreed = true in [acme]: read the terms of \
                        each issuer first";
            pad.mistake(self.provision.line, "site.certificate", text);
        }
        // Below a wildcard of an on-demand site each name has a certificate of its own.
        let is_ordered = |host: &&Placed<HostPattern>| !self.kinship.is_on_demand() && is_wildcard(&host.value);
        for host in self.hosts.iter().filter(is_ordered).filter(|_| !ground.dns_01) {
            let text = format!(
                "\"managed\" for {:?} needs dns-01: say in [[acme.dns]] how records are written and have \"dns-01\" in \
                 acme.challenges; or name each host, or use \"uploaded\"",
                host.value.to_string()
            );
            pad.mistake(self.provision.line, "site.certificate", text);
        }
    }

    fn check_suffixes(&self, pad: &Pad<'_>, suffixes: &[HostName]) {
        let is_outside = |host: &&Placed<HostPattern>| !suffixes.iter().any(|suffix| host.value.is_under(suffix));
        for host in self.hosts.iter().filter(is_outside) {
            let known: Vec<String> = suffixes.iter().map(|suffix| format!(".{suffix}")).collect();
            let text = format!(
                "\"self-signed\" is for names that end with {}, found {:?}; use \"uploaded\", or add the suffix to \
                 certificates.local_ca_suffixes if nobody else can have such a name",
                known.join(", "),
                host.value.to_string()
            );
            pad.mistake(self.provision.line, "site.certificate", text);
        }
    }

    pub(super) fn name(&self) -> Option<String> {
        self.name.as_ref().map(|name| name.value.clone())
    }

    /// The site, which a site without mistakes always is. `orders` is what holds where it says nothing else.
    pub(super) fn finish(self, orders: &OrderSpec) -> Option<SiteSpec> {
        let name = self.name?.value;
        let hosts = self.hosts.into_iter().map(|host| host.value).collect();
        let on_demand = self.kinship.finish(self.model.as_ref());
        let Self {
            routes,
            care,
            balance,
            tls,
            model_care,
            model_tls,
            minimum_validation,
            staging,
            provision,
            ordered,
            model_orders,
            policy,
            ..
        } = self;
        let (model_care, model_balance) = model_care.unwrap_or_default();
        let (care, balance) = (care.over(&model_care), balance.over(&model_balance));
        let terms = tls.over(&model_tls.unwrap_or_default());
        let dressed = |member: MemberSpec| match member.upstream.tls {
            Some(_) => MemberSpec { upstream: member.upstream.over_tls(&terms), ..member },
            None => member,
        };
        let group = |upstreams: Vec<MemberSpec>| GroupSpec {
            upstreams: upstreams.into_iter().map(dressed).collect(),
            care: care.clone(),
            balance: balance.clone(),
        };
        let routes = routes.into_iter().map(|(path, upstreams)| (path, group(upstreams))).collect();
        let (provision, orders) = (provision.value, ordered.over(model_orders.as_ref().unwrap_or(orders)));
        let policy = policy.finish();
        Some(SiteSpec { name, hosts, routes, minimum_validation, staging, provision, orders, on_demand, policy })
    }
}

const fn is_wildcard(host: &HostPattern) -> bool {
    matches!(host, HostPattern::Wildcard(_))
}

/// Whether the host that stands first is one: with a slip in it the second must not lend the site its name.
fn first_holds(site: &Spanned<DeValue<'_>>) -> bool {
    let first = site.get_ref().get("hosts").and_then(|hosts| hosts.get_ref().get(0));
    first.is_some_and(|first| place::pattern(first.get_ref()).is_ok())
}

type ReadRoute = (Placed<(String, Vec<MemberSpec>)>, Option<RoutePolicy>);

fn read_route<'a>(
    pad: &'a Pad<'a>,
    table: &'a Spanned<DeValue<'a>>,
    announces: Option<ProxyVersion>,
) -> Option<ReadRoute> {
    let section = Section::one_of(pad, "site.route", table);
    let path = section.value("path", place::prefix);
    let upstreams = read_upstreams(&section, read_announcement(&section).unwrap_or(announces));
    if table.get_ref().is_table() {
        let given = |key: &str| section.entries().any(|entry| entry.value == key);
        if !given("path") {
            pad.missing(section.line, "site.route.path", "is needed: the path prefix this route serves");
        }
        if !given("upstreams") {
            pad.missing(section.line, "site.route.upstreams", "is needed: where the requests of this route go");
        }
    }
    let policy = policy::of_route(&section, path.as_ref().map_or("", |path| &path.value));
    let (path, upstreams) = (path?, upstreams?);
    Some((Placed { value: (path.value, upstreams.value), line: path.line }, policy))
}

/// Few authorities check persons (`iv`); who asks for an organisation does not mean them.
const LEVELS: [(&str, ValidationLevel); 3] =
    [("dv", ValidationLevel::Domain), ("ov", ValidationLevel::Organisation), ("ev", ValidationLevel::Extended)];
