//! `[site.rate_limit]`

use std::time::Duration;

use toml::de::DeValue;

use crate::config::reader::Section;
use crate::config::value::{self, expected};
use crate::live::RateLimit;

/// What is said; `None`: nothing, or it is wrong.
pub(super) fn read(site: &Section<'_>) -> Option<RateLimit> {
    let section = site.table_of("rate_limit", "site.rate_limit");
    let rate = section.value("rate", rate).map(|rate| rate.value);
    let burst = section.bounded("burst", value::count, rate.map_or(1, |rate| rate.requests), 1..=MOST).value;
    let ipv4_prefix = section.bounded("ipv4_prefix", value::count, 32, 1..=32).value;
    let ipv6_prefix = section.bounded("ipv6_prefix", value::count, 64, 1..=128).value;
    if section.is_there() && !section.has("rate") {
        let text = "is needed: how often each client network may ask, such as \"10/s\"";
        section.pad.missing(section.line, "site.rate_limit.rate", text);
    }
    let Rate { requests, within } = rate?;
    Some(RateLimit {
        interval: within / u32::try_from(requests).ok()?,
        burst: u32::try_from(burst).ok()?,
        ipv4_prefix: u8::try_from(ipv4_prefix).ok()?,
        ipv6_prefix: u8::try_from(ipv6_prefix).ok()?,
    })
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
