//! `[site.balance]`, and the weights of upstreams: how requests are shared out.

use std::time::Duration;

use toml::de::DeValue;

use super::reader::Section;
use super::upstreams;
use super::value::{self, Found, expected};
use crate::live::{Balance, BalanceMethod, MOST_WEIGHT, MemberSpec, OpenLimit, Sticky};

/// What a site says of how requests are shared out; `None` for what it does not say.
#[derive(Default)]
pub(super) struct ReadBalance {
    method: Option<BalanceMethod>,
    sticky: Option<Sticky>,
    /// `Some(None)`: any number, whatever the model says.
    limit: Option<Option<OpenLimit>>,
}

impl ReadBalance {
    pub(super) fn read(site: &Section<'_>) -> Self {
        let section = site.table_of("balance", "site.balance");
        Self { method: method(&section), sticky: sticky(&section), limit: limit(&section) }
    }

    /// All of it, with what holds for the site that it is like, or for all, where it says nothing.
    pub(super) fn over(&self, model: &Balance) -> Balance {
        Balance {
            method: self.method.clone().unwrap_or_else(|| model.method.clone()),
            sticky: self.sticky.clone().or_else(|| model.sticky.clone()),
            limit: self.limit.clone().unwrap_or_else(|| model.limit.clone()),
        }
    }
}

fn method(section: &Section<'_>) -> Option<BalanceMethod> {
    let word = section.word("method", &METHODS);
    let cookie = section.value("cookie", cookie_name);
    let Some(word) = word else {
        if let Some(cookie) = cookie.filter(|_| !section.is_given("method")) {
            section.pad.mistake(cookie.line, &section.dotted("cookie"), "needs method = \"cookie\"");
        }
        return None;
    };
    match (word.value, cookie) {
        (Word::RoundRobin, None) => Some(BalanceMethod::RoundRobin),
        (Word::LeastRequests, None) => Some(BalanceMethod::LeastRequests),
        (Word::Client, None) => Some(BalanceMethod::Client),
        (Word::Cookie, Some(name)) => Some(BalanceMethod::Cookie(name.value)),
        (Word::Cookie, None) => {
            if !section.is_given("cookie") {
                let text = "\"cookie\" needs cookie: the name of the one whose value decides, such as \"PHPSESSID\"";
                section.pad.mistake(word.line, &section.dotted("method"), text);
            }
            None
        }
        (_, Some(cookie)) => {
            let text = "decides nothing unless method is \"cookie\"; say so, or take it out";
            section.pad.mistake(cookie.line, &section.dotted("cookie"), text);
            None
        }
    }
}

fn sticky(section: &Section<'_>) -> Option<Sticky> {
    let name = section.value("sticky", cookie_name);
    let age = section.bounded("sticky_max_age", value::duration, LONGEST_AGE, SHORTEST_AGE..=LONGEST_AGE);
    let max_age = section.is_given("sticky_max_age").then_some(age.value);
    if max_age.is_some() && !section.is_given("sticky") {
        let text = "says nothing without site.balance.sticky, the name of the edge's own cookie";
        section.pad.mistake(age.line, &section.dotted("sticky_max_age"), text);
    }
    Some(Sticky { name: name?.value, max_age })
}

fn limit(section: &Section<'_>) -> Option<Option<OpenLimit>> {
    let connections = section.bounded("connections", value::count, 0, 0..=MOST_OPEN).value;
    let queue = section.bounded("queue", value::count, QUEUE, 0..=MOST_OPEN);
    let patience = section.bounded("queue_timeout", value::duration, PATIENCE, SHORTEST_PATIENCE..=LONGEST_PATIENCE);
    if !section.is_given("connections") {
        for (key, line) in [("queue", queue.line), ("queue_timeout", patience.line)] {
            if section.is_given(key) {
                let text = "says nothing without site.balance.connections, how many requests an upstream may have";
                section.pad.mistake(line, &section.dotted(key), text);
            }
        }
        return None;
    }
    let narrow = |count| u32::try_from(count).unwrap_or(u32::MAX);
    let limit = OpenLimit { connections: narrow(connections), queue: narrow(queue.value), patience: patience.value };
    Some((connections > 0).then_some(limit))
}

/// A cookie's name (RFC 6265 §4.1.1).
fn cookie_name(value: &DeValue<'_>) -> Result<Box<str>, String> {
    let is_part = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    let fits = |name: &&str| (1..=LONGEST_COOKIE).contains(&name.len()) && name.bytes().all(is_part);
    let name = value.as_str().filter(fits).ok_or_else(|| expected("a cookie's name such as \"PHPSESSID\"", value))?;
    Ok(name.into())
}

/// One of `upstreams`: where it is, or a table of that and its weight.
pub(super) fn member(value: &DeValue<'_>) -> Result<MemberSpec, String> {
    let DeValue::Table(table) = value else { return upstreams::upstream(value).map(MemberSpec::from) };
    if let Some(unknown) = table.keys().find(|key| !["url", "weight"].contains(&&**key.get_ref())) {
        return Err(format!("unknown key {:?} in a table; known here are url, weight", unknown.get_ref()));
    }
    let url = table
        .get("url")
        .ok_or("expected a url in the table, such as { url = \"http://10.0.0.11:8080\", weight = 3 }")?;
    let upstream = upstreams::upstream(url.get_ref())?;
    let Some(weight) = table.get("weight") else { return Ok(upstream.into()) };
    let number = value::count(weight.get_ref()).ok().and_then(|number| u32::try_from(number).ok());
    let weight = number
        .filter(|number| *number <= MOST_WEIGHT)
        .ok_or_else(|| format!("expected a weight of 0 to {MOST_WEIGHT}, found {}", Found(weight.get_ref())))?;
    Ok(MemberSpec { upstream, weight })
}

#[derive(Clone, Copy)]
enum Word {
    RoundRobin,
    LeastRequests,
    Client,
    Cookie,
}

const METHODS: [(&str, Word); 4] = [
    ("round-robin", Word::RoundRobin),
    ("least-requests", Word::LeastRequests),
    ("client", Word::Client),
    ("cookie", Word::Cookie),
];
const LONGEST_COOKIE: usize = 64;
const SHORTEST_AGE: Duration = Duration::from_secs(1);
/// Browsers keep no cookie for longer (RFC 6265bis).
const LONGEST_AGE: Duration = Duration::from_secs(400 * 24 * 3600);
/// A burst may wait; a shop that hangs should not gather thousands.
const QUEUE: u64 = 100;
const MOST_OPEN: u64 = 1_000_000;
/// Who clicks has patience for about that.
const PATIENCE: Duration = Duration::from_secs(5);
const SHORTEST_PATIENCE: Duration = Duration::from_millis(1);
const LONGEST_PATIENCE: Duration = Duration::from_secs(300);
