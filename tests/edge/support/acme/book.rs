//! What the server knows: accounts, orders, and what it was asked.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::issue;
use super::request::Asked;
use super::{Fault, Ways};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Directory,
    Nonce,
    NewAccount,
    Account,
    OrderList,
    NewOrder,
    Order,
    Authorization,
    Challenge,
    Finalize,
    Certificate,
    RenewalInfo,
}

/// An order as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) names: Vec<String>,
    pub(crate) replaces: Option<String>,
    pub(crate) profile: Option<String>,
}

pub(super) struct Book {
    pub(super) ways: Ways,
    pub(super) asked: Vec<Resource>,
    pub(super) issued: Vec<String>,
    base: String,
    nonces: HashSet<String>,
    next_nonce: u64,
    /// Their keys.
    accounts: Vec<String>,
    orders: Vec<Order>,
    replaced: BTreeSet<String>,
}

struct Order {
    placed: Placed,
    /// `pending`, `valid` or `invalid`, for each name.
    looks: Vec<&'static str>,
    chain: Option<String>,
}

/// What goes over the wire.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: String,
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Reply {
    fn json(status: u16, body: &Value) -> Self {
        Self { status, kind: "application/json", body: body.to_string(), fields: Vec::new() }
    }

    fn with(mut self, field: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((field, value.into()));
        self
    }
}

fn problem(status: u16, kind: &str, detail: &str) -> Reply {
    let body = json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail, "status": status });
    Reply { kind: "application/problem+json", ..Reply::json(status, &body) }
}

impl Book {
    pub(super) fn new(ways: Ways, address: SocketAddr) -> Self {
        Self {
            ways,
            asked: Vec::new(),
            issued: Vec::new(),
            base: format!("https://{address}"),
            nonces: HashSet::new(),
            next_nonce: 0,
            accounts: Vec::new(),
            orders: Vec::new(),
            replaced: BTreeSet::new(),
        }
    }

    pub(super) fn placed(&self) -> Vec<Placed> {
        self.orders.iter().map(|order| order.placed.clone()).collect()
    }

    /// The answer; `None`: there is none, ever.
    pub(super) fn answer(&mut self, asked: &Asked) -> Option<Reply> {
        let Some((resource, number)) = resource(&asked.path) else {
            return Some(problem(404, "malformed", "no such path"));
        };
        self.asked.push(resource);
        if resource == Resource::NewOrder && asked.names().iter().any(|name| self.ways.ignores.contains(name)) {
            return None;
        }
        let fault = self.ways.faults.iter_mut().find(|(at, times, _)| *at == resource && *times > 0);
        if let Some((_, times, fault)) = fault {
            *times -= 1;
            let fault = fault.clone();
            if self.ways.acts_despite_faults {
                let _ = self.signed(resource, number, asked);
            }
            let reply = match fault {
                Fault::Silence => return None,
                Fault::Problem(status, kind, again) => (problem(status, kind, "as the test wants it"), again),
                Fault::Page(status, again) => {
                    let body = "<html><body>an error of the network in between</body></html>".into();
                    (Reply { status, kind: "text/html", body, fields: Vec::new() }, again)
                }
                Fault::Body(body) => (Reply { body: body.into(), ..Reply::json(200, &Value::Null) }, None),
            };
            let (reply, again) = reply;
            let reply = again.into_iter().fold(reply, |reply, again| reply.with("retry-after", again));
            return Some(self.with_nonce(reply));
        }
        let reply = match resource {
            Resource::Directory => self.directory(),
            Resource::Nonce => Reply::json(200, &Value::Null),
            Resource::RenewalInfo => self.renewal_info(),
            _ => self.signed(resource, number, asked).unwrap_or_else(|problem| problem),
        };
        Some(self.with_nonce(reply))
    }

    fn with_nonce(&mut self, reply: Reply) -> Reply {
        self.next_nonce += 1;
        let nonce = format!("nonce-{}", self.next_nonce);
        self.nonces.insert(nonce.clone());
        reply.with("replay-nonce", nonce)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    fn directory(&self) -> Reply {
        let profiles: serde_json::Map<String, Value> =
            self.ways.profiles.iter().map(|name| ((*name).to_owned(), "as the test wants it".into())).collect();
        let mut directory = json!({
            "newNonce": self.url("nonce"), "newAccount": self.url("new-account"), "newOrder": self.url("new-order"),
            "revokeCert": self.url("revoke"), "keyChange": self.url("key-change"), "meta": { "profiles": profiles },
        });
        if self.ways.suggests.is_some() {
            directory["renewalInfo"] = self.url("renewal-info").into();
        }
        Reply::json(200, &directory)
    }

    fn renewal_info(&self) -> Reply {
        let Some(suggestion) = &self.ways.suggests else { return problem(404, "malformed", "no suggestions") };
        let (start, end) = suggestion.window;
        let mut told = json!({ "suggestedWindow": { "start": issue::date(start), "end": issue::date(end) } });
        if let Some(explanation) = suggestion.explanation {
            told["explanationURL"] = explanation.into();
        }
        Reply::json(200, &told).with("retry-after", suggestion.retry_after)
    }

    fn signed(&mut self, resource: Resource, number: (usize, usize), asked: &Asked) -> Result<Reply, Reply> {
        let wrong = |what: &str| problem(400, "malformed", what);
        let signed = asked.signed().ok_or_else(|| wrong("not signed as RFC 8555 §6.2 says"))?;
        if !self.nonces.remove(&signed.nonce) {
            return Err(problem(400, "badNonce", "not given, or used before"));
        }
        if signed.url != format!("{}{}", self.base, asked.path) {
            return Err(problem(403, "unauthorized", "signed for another address"));
        }
        if resource == Resource::NewAccount {
            return Ok(self.open(signed.key.as_deref().ok_or_else(|| wrong("no key"))?));
        }
        let known =
            signed.account.as_ref().is_some_and(|url| (0..self.accounts.len()).any(|n| *url == self.account(n)));
        if !known {
            return Err(problem(400, "accountDoesNotExist", "no such account"));
        }
        let (order, name) = number;
        let is_about_one = !matches!(resource, Resource::NewOrder | Resource::Account | Resource::OrderList);
        let exists = !is_about_one || order < self.orders.len();
        match resource {
            _ if !exists => Err(problem(404, "malformed", "no such order")),
            Resource::NewOrder => self.place(&signed.payload),
            Resource::Authorization => Ok(Reply::json(200, &self.authorization(order, name))),
            Resource::Challenge => {
                let believed = !self.ways.disbelieves.contains(&self.orders[order].placed.names[name]);
                self.orders[order].looks[name] = if believed { "valid" } else { "invalid" };
                // It looks after it has answered.
                let mut challenge = self.authorization(order, name)["challenges"][0].clone();
                challenge["status"] = "processing".into();
                challenge.as_object_mut().map(|challenge| challenge.remove("error"));
                Ok(Reply::json(200, &challenge))
            }
            Resource::Finalize => {
                if self.status(order) != "ready" {
                    return Err(problem(403, "orderNotReady", "not all names were shown"));
                }
                let request = signed.payload["csr"].as_str().unwrap_or_default();
                let (from, until) = self.ways.life;
                let life = (from + i64::try_from(self.issued.len()).unwrap_or(0), until);
                let issued = issue::issue(request, &self.orders[order].placed.names, life);
                let (chain, id) = issued.ok_or_else(|| problem(400, "badCSR", "not for the names of the order"))?;
                self.issued.push(id);
                self.orders[order].chain = Some(chain);
                Ok(Reply::json(200, &self.order(order)))
            }
            Resource::Certificate => match &self.orders[order].chain {
                Some(chain) => {
                    let body = chain.clone();
                    Ok(Reply { status: 200, kind: "application/pem-certificate-chain", body, fields: Vec::new() })
                }
                None => Err(problem(404, "malformed", "nothing is issued")),
            },
            Resource::Order => Ok(Reply::json(200, &self.order(order))),
            Resource::OrderList => Ok(self.order_list(order)),
            _ if self.ways.lists_orders => {
                Ok(Reply::json(200, &json!({ "status": "valid", "orders": self.url("order-list/0/0") })))
            }
            _ => Ok(Reply::json(200, &json!({ "status": "valid" }))),
        }
    }

    /// A page of all orders, the oldest first.
    fn order_list(&self, page: usize) -> Reply {
        let (from, until) = (page * ON_A_PAGE, self.orders.len().min((page + 1) * ON_A_PAGE));
        let orders: Vec<String> = (from..until).map(|number| self.url(&format!("order/{number}/0"))).collect();
        let reply = Reply::json(200, &json!({ "orders": orders }));
        let reply = reply.with("link", format!("<{}>;rel=\"index\"", self.url("dir")));
        match until < self.orders.len() {
            true => reply.with("link", format!("<{}>;rel=\"next\"", self.url(&format!("order-list/{}/0", page + 1)))),
            false => reply,
        }
    }

    fn account(&self, number: usize) -> String {
        self.url(&format!("account/{number}/0"))
    }

    fn open(&mut self, key: &str) -> Reply {
        let known = self.accounts.iter().position(|known| known == key);
        let number = known.unwrap_or(self.accounts.len());
        if known.is_none() {
            self.accounts.push(key.to_owned());
        }
        let status = if known.is_some() { 200 } else { 201 };
        Reply::json(status, &json!({ "status": "valid" })).with("location", self.account(number))
    }

    fn place(&mut self, payload: &Value) -> Result<Reply, Reply> {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let names = payload["identifiers"].as_array().into_iter().flatten().filter_map(|one| text(&one["value"]));
        let placed =
            Placed { names: names.collect(), replaces: text(&payload["replaces"]), profile: text(&payload["profile"]) };
        if let Some(profile) = placed.profile.as_deref().filter(|profile| !self.ways.profiles.contains(profile)) {
            return Err(problem(400, "invalidProfile", &format!("{profile} is none of its profiles")));
        }
        if let Some(replaces) = &placed.replaces {
            if self.ways.is_all_replaced || !self.replaced.insert(replaces.clone()) {
                return Err(problem(409, "alreadyReplaced", "it was replaced before"));
            }
            if !self.issued.contains(replaces) {
                return Err(problem(404, "malformed", "no such certificate"));
            }
        }
        let looks = vec!["pending"; placed.names.len()];
        self.orders.push(Order { placed, looks, chain: None });
        let number = self.orders.len() - 1;
        let location = self.url(&format!("order/{number}/0"));
        Ok(Reply::json(201, &self.order(number)).with("location", location))
    }

    fn status(&self, number: usize) -> &'static str {
        let order = &self.orders[number];
        match () {
            () if order.chain.is_some() => "valid",
            () if order.looks.contains(&"invalid") => "invalid",
            () if order.looks.contains(&"pending") => "pending",
            () => "ready",
        }
    }

    fn order(&self, number: usize) -> Value {
        let order = &self.orders[number];
        let names: Vec<Value> = order.placed.names.iter().map(|name| json!({ "type": "dns", "value": name })).collect();
        let authorizations: Vec<String> =
            (0..names.len()).map(|name| self.url(&format!("authorization/{number}/{name}"))).collect();
        let mut told = json!({
            "status": self.status(number), "identifiers": names, "authorizations": authorizations,
            "finalize": self.url(&format!("finalize/{number}/0")),
        });
        if order.chain.is_some() {
            told["certificate"] = self.url(&format!("certificate/{number}/0")).into();
        }
        if let Some(replaces) = &order.placed.replaces {
            told["replaces"] = replaces.clone().into();
        }
        told
    }

    fn authorization(&self, number: usize, name: usize) -> Value {
        let order = &self.orders[number];
        let status = order.looks[name];
        let url = self.url(&format!("challenge/{number}/{name}"));
        let challenges: Vec<Value> = ["tls-alpn-01", "http-01"]
            .into_iter()
            .map(|kind| {
                let token = format!("token-{number}-{name}");
                let mut challenge = json!({ "type": kind, "url": url, "status": status, "token": token });
                if status == "invalid" {
                    let kind = "urn:ietf:params:acme:error:unauthorized";
                    challenge["error"] = json!({ "type": kind, "detail": "it saw another shop", "status": 403 });
                }
                challenge
            })
            .collect();
        let identifier = json!({ "type": "dns", "value": order.placed.names[name] });
        json!({ "status": status, "identifier": identifier, "challenges": challenges })
    }
}

/// What lies at a path, with the numbers at its end.
fn resource(path: &str) -> Option<(Resource, (usize, usize))> {
    let mut parts = path.trim_start_matches('/').split('/');
    let resource = match parts.next()? {
        "dir" => Resource::Directory,
        "nonce" => Resource::Nonce,
        "new-account" => Resource::NewAccount,
        "account" => Resource::Account,
        "order-list" => Resource::OrderList,
        "new-order" => Resource::NewOrder,
        "order" => Resource::Order,
        "authorization" => Resource::Authorization,
        "challenge" => Resource::Challenge,
        "finalize" => Resource::Finalize,
        "certificate" => Resource::Certificate,
        "renewal-info" => Resource::RenewalInfo,
        _ => return None,
    };
    let mut number = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    Some((resource, (number(), number())))
}

/// So few that lists go on.
const ON_A_PAGE: usize = 2;
