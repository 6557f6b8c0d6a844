//! `[site.rate_limit]`, `[site.route.rate_limit]` and `[site.connections]`: what each client network may have.

use std::time::Duration;

use toml::de::DeValue;

use crate::config::reader::Section;
use crate::config::value::{self, expected};
use crate::live::{Connections, RateLimit};

/// What is said in this section of a site or a route; `None`: nothing, or it is wrong.
pub(super) fn read(section: &Section<'_>) -> Option<RateLimit> {
    let rate = section.value("rate", rate).map(|rate| rate.value);
    let burst = section.bounded("burst", value::count, rate.map_or(1, |rate| rate.requests), 1..=MOST).value;
    let (ipv4_prefix, ipv6_prefix) = prefixes(section);
    if section.is_there() && !section.has("rate") {
        let text = "is needed: how often each client network may ask, such as \"10/s\"";
        section.pad.missing(section.line, &section.dotted("rate"), text);
    }
    let Rate { requests, within } = rate?;
    Some(RateLimit {
        interval: within / u32::try_from(requests).ok()?,
        burst: u32::try_from(burst).ok()?,
        ipv4_prefix,
        ipv6_prefix,
    })
}

/// `[site.connections]`
pub(super) fn connections(site: &Section<'_>) -> Option<Connections> {
    let section = site.table_of("connections", "site.connections");
    let per_client = section.bounded("per_client", value::count, 1, 1..=MOST).value;
    let (ipv4_prefix, ipv6_prefix) = prefixes(&section);
    if section.is_there() && !section.has("per_client") {
        let text = "is needed: how many requests of each client network may be under way, such as 20";
        section.pad.missing(section.line, "site.connections.per_client", text);
    }
    let per_client = u32::try_from(per_client).ok()?;
    section.has("per_client").then_some(Connections { per_client, ipv4_prefix, ipv6_prefix })
}

/// How many bits of an address are the client's network.
fn prefixes(section: &Section<'_>) -> (u8, u8) {
    let ipv4 = section.bounded("ipv4_prefix", value::count, 32, 1..=32).value;
    let ipv6 = section.bounded("ipv6_prefix", value::count, 64, 1..=128).value;
    (u8::try_from(ipv4).unwrap_or(32), u8::try_from(ipv6).unwrap_or(64))
}

/// So many requests within a time.
#[derive(Clone, Copy)]
struct Rate {
    requests: u64,
    within: Duration,
}

/// `"10/s"`: a whole number and a second, a minute or an hour.
fn rate(value: &DeValue<'_>) -> Result<Rate, String> {
    let what = "a rate such as \"10/s\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    let wrong = |mend: &str| Err(format!("{}; {mend}", expected(what, value)));
    let Some((number, unit)) = text.split_once('/') else { return wrong("write a number, a slash, and s, m or h") };
    let within = match unit {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3600),
        _ => return wrong("behind the slash stands s, m or h"),
    };
    let most = MOST_A_SECOND * within.as_secs();
    match number.parse() {
        Ok(requests) if (1..=most).contains(&requests) && number.bytes().all(|octet| octet.is_ascii_digit()) => {
            Ok(Rate { requests, within })
        }
        _ => wrong(&format!("a whole number of 1 to {most} is needed before /{unit}")),
    }
}

/// More than that of one network is no visitor, and what keeps count has no finer time.
const MOST_A_SECOND: u64 = 1000;
const MOST: u64 = 1_000_000;
