//! What becomes of a request: the site, the certificate and the rule that chose it, what the site does with it, where it goes, and what
//! went wrong there last.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use http::Uri;
use serde::Serialize;

use super::choices;
use super::minimum;
use super::orders::managed;
use super::realm::Realm;
use super::serving::{Asked, Candidates, chosen_by, host};
use super::upstreams::{self, Entry};
use super::{Call, Operation, Resource, aside, now};
use crate::admin::Sources;
use crate::admin::answers::{Managed, SiteHost};
use crate::admin::problem::{Answer, Problem, json};
use crate::certs::minimum_of;
use crate::live::{
    Access, Connections, Course, Policy, RateLimit, Route, RouteTable, Site, Target, Visitor, WellKnownObject,
};
use crate::name::{HostPattern, NameBuffer};

/// `explain`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[Operation::get("explain", |call| Box::pin(aside(call, explain)))
        .about(Realm::Explanation)
        .asking(&["url", "client"])],
    description: include_str!("explain.json"),
};

#[derive(Serialize)]
struct Explanation {
    host: String,
    path: String,
    /// `null`: no site has the name.
    site: Option<SiteFound>,
    /// What a client is shown; `null`: nobody serves the name.
    certificate: Option<SiteHost>,
    /// How its orders are doing; `null`: it is not managed.
    managed: Option<Managed>,
    outcome: Outcome,
    /// Where it goes; `null`: nowhere.
    route: Option<RouteFound>,
    /// What else the site does with such requests.
    rules: Vec<String>,
    /// What of the configuration does not apply now.
    mistakes: Vec<String>,
}

#[derive(Serialize)]
struct SiteFound {
    name: String,
    origin: String,
    /// The host of the site that covers the name.
    by: String,
}

#[derive(Serialize)]
struct Outcome {
    kind: &'static str,
    /// In words, with what to do where it is not as it should be.
    why: String,
    /// Where clients are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

#[derive(Serialize)]
struct RouteFound {
    path: String,
    upstreams: Vec<Entry>,
}

/// A request that somebody might make.
struct Question {
    is_secure: bool,
    host: String,
    path: String,
    query: Option<String>,
    /// Whose it is, where that matters.
    client: Option<IpAddr>,
}

impl Question {
    fn read(call: &Call) -> Result<Self, Problem> {
        let url = call.query.value("url").unwrap_or_default();
        let wrong = || {
            let text = format!("url: expected an address such as https://shop.example/path, found {url:?}");
            Problem::malformed(text)
        };
        let whole = if url.contains("://") { url.to_owned() } else { format!("https://{url}") };
        let uri: Uri = whole.parse().map_err(|_| wrong())?;
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let mut buffer = NameBuffer::new();
        let host = uri.host().and_then(|host| buffer.normalise(host)).ok_or_else(wrong)?.to_owned();
        let client = call.query.value("client").map(|client| {
            let wrong = || Problem::malformed(format!("client: expected an IP address, found {client:?}"));
            client.parse().map(|client: IpAddr| client.to_canonical()).map_err(|_| wrong())
        });
        let path = if uri.path().is_empty() { "/" } else { uri.path() };
        let query = uri.query().map(str::to_owned);
        Ok(Self { is_secure, host, path: path.to_owned(), query, client: client.transpose()? })
    }
}

fn explain(call: &Call) -> Result<Answer, Problem> {
    let question = Question::read(call)?;
    let sources = &call.sources;
    let table = sources.routes.snapshot();
    let site = table.site_of(&question.host);
    let route = site.and_then(|site| site.route(&question.path));
    let standing = sources.configuration.borrow().clone();
    let mistakes = standing.refused.iter().chain(&standing.rejected).map(|trouble| trouble.text.clone()).collect();
    let overview = sources.lookout.look();
    let outcome = outcome(&question, sources, &table, site);
    Ok(json(&Explanation {
        certificate: certificate(&question.host, sources, site),
        managed: site.and_then(|site| managed(&sources.ordering, overview.site(&site.name)?, overview.at, true)),
        site: site.map(|site| found(site, &question.host, sources)),
        route: route.filter(|_| outcome.kind == FORWARDED).map(|route| RouteFound {
            path: route.prefix.to_string(),
            upstreams: upstreams::of_group(&table, route.group),
        }),
        rules: site.and_then(|site| site.policy.as_deref()).map(|policy| rules(policy, route)).unwrap_or_default(),
        outcome,
        mistakes,
        host: question.host,
        path: question.path,
    }))
}

fn found(site: &Site, host: &str, sources: &Sources) -> SiteFound {
    let by = site.hosts.iter().find(|known| matches!(known, HostPattern::Exact(exact) if exact.as_str() == host));
    let by = by.or_else(|| site.hosts.iter().find(|known| known.covers(host)));
    let origin = sources.origins.borrow().of_site(&site.name).map(|file| file.display().to_string());
    SiteFound {
        name: site.name.to_string(),
        origin: origin.unwrap_or_default(),
        by: by.map(ToString::to_string).unwrap_or_default(),
    }
}

fn certificate(name: &str, sources: &Sources, site: Option<&Arc<Site>>) -> Option<SiteHost> {
    let index = sources.certificates.snapshot();
    let asked = Asked { minimum: site.and_then(|site| minimum_of(site, &minimum::decided(sources))), now: now() };
    // What was checked is known of the site's own host.
    let own = site.and_then(|site| site.hosts.iter().find(|known| known.covers(name)).cloned());
    let pattern = HostPattern::parse(name).ok()?;
    let pattern = own.filter(|_| index.standing_for_pattern(&pattern).is_none()).unwrap_or(pattern);
    let found = host(&pattern, &index, &Candidates::of(&index, [&pattern]), &sources.truth, asked);
    let choices = choices::of(sources);
    match site {
        Some(site) => Some(chosen_by(found, site, choices.get(&*site.name))),
        None => Some(found).filter(|host| !host.certificates.is_empty()),
    }
}

fn outcome(question: &Question, sources: &Sources, table: &RouteTable, site: Option<&Arc<Site>>) -> Outcome {
    if question.client.is_some_and(|client| table.turns_away(client)) {
        return Outcome::new("denied", "the operator turns this client away; `vitrine levers` says why");
    }
    let Some(site) = site else {
        return Outcome::new("unknown", "no site has this name: add it to the hosts of one, or add a site");
    };
    let Question { is_secure, host, path, query, client } = question;
    let target = Target { host, path, query: query.as_deref(), is_secure: *is_secure };
    match site.course(&target, table.https_port, &Somebody { client: *client, sources }) {
        Course::WellKnown(_) => {
            Outcome::new("well-known", "the edge answers with an object that lies in certs/well-known or was added")
        }
        Course::ToHttps(location) => Outcome::moved("plain HTTP is sent to HTTPS (308)".into(), location),
        Course::Moved(status, to) => Outcome::moved(format!("the site sends it elsewhere ({})", status.as_u16()), to),
        Course::Denied => Outcome::new("denied", "the site's allow and deny keep this client out (403)"),
        Course::Maintenance(_) => {
            Outcome::new("maintenance", "the site is being worked on (503): `vitrine sites maintenance` ends it")
        }
        Course::TooMuch(never) => match never {},
        Course::NoRoute => {
            Outcome::new("no-route", "no route of the site serves this path (404); a site's own upstreams would")
        }
        Course::Forward(route) => Outcome::new(FORWARDED, format!("it goes to the upstreams of {}", route.prefix)),
    }
}

/// Somebody who might ask, of whom nothing is counted.
struct Somebody<'a> {
    client: Option<IpAddr>,
    sources: &'a Sources,
}

impl Visitor for Somebody<'_> {
    type TooMuch = Infallible;

    fn well_known(&self, host: &str, path: &str) -> Option<Arc<WellKnownObject>> {
        self.sources.well_known.load().find(host, path).cloned()
    }

    /// As long as nobody says who asks, it is one who may.
    fn is_let_in(&self, access: &Access) -> bool {
        self.client.is_none_or(|client| access.lets_in(client))
    }

    fn is_excepted(&self, access: &Access) -> bool {
        self.client.is_some_and(|client| access.lets_in(client))
    }

    fn take_turn(&self, _: &str, _: &RateLimit) -> Result<(), Infallible> {
        Ok(())
    }

    fn enter(&self, _: &str, _: &Connections) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Outcome {
    fn new(kind: &'static str, why: impl Into<String>) -> Self {
        Self { kind, why: why.into(), location: None }
    }

    fn moved(why: String, location: String) -> Self {
        Self { location: Some(location), ..Self::new("redirected", why) }
    }
}

/// What else is done with a request that gets so far.
fn rules(policy: &Policy, route: Option<&Route>) -> Vec<String> {
    let mut rules = Vec::new();
    if route.is_some_and(|route| route.access.is_some()) {
        rules.push("the route has an allow or deny of its own".to_owned());
    } else if policy.access.is_some() {
        rules.push("the site has an allow or deny".into());
    }
    let of_route = route.and_then(|route| route.rate_limit.as_ref()).map(|(_, limit)| limit);
    if let Some(limit) = of_route.or(policy.rate_limit.as_ref()) {
        let milliseconds = limit.interval.as_millis();
        rules.push(format!("each client network gets a request every {milliseconds} ms, {} at once", limit.burst));
    }
    if let Some(limit) = &policy.connections {
        rules.push(format!("each client network may have {} requests under way", limit.per_client));
    }
    if policy.tls.as_ref().is_some_and(|tls| tls.clients.is_some()) {
        rules.push("clients are asked for certificates of their own".into());
    }
    if policy.compression.as_ref().is_some_and(|compression| compression.on) {
        rules.push("the answer may be compressed".into());
    }
    if policy.hsts.is_some() {
        rules.push("browsers are told to come over HTTPS alone (HSTS)".into());
    }
    if policy.request_headers.is_some() {
        rules.push("fields of the request are changed".into());
    }
    if policy.response_headers.is_some() {
        rules.push("fields of the response are changed".into());
    }
    if let Some(limits) = route.and_then(|route| route.limits.as_ref()) {
        let body = if limits.body_size == 0 { "without end".into() } else { format!("of {} octets", limits.body_size) };
        rules
            .push(format!("limits of its own: bodies {body}, an answer within {:?}", limits.upstream_response_timeout));
    }
    rules
}

const FORWARDED: &str = "forwarded";
