//! `site.retries` and `[site.health]`: when a site's upstreams are left alone, and what is asked of another.

use std::time::Duration;

use toml::de::DeValue;

use super::reader::Section;
use super::value::{self, expected};
use crate::live::{Care, Check, LONGEST_REST};

/// What a site says of its upstreams; `None` for what it does not say.
#[derive(Default)]
pub(super) struct ReadCare {
    retries: Option<u32>,
    eject_after: Option<u32>,
    eject_for: Option<Duration>,
    failure_statuses: Option<Vec<u16>>,
    eject_slower_than: Option<Duration>,
    slow_start: Option<Duration>,
    check: Option<Check>,
}

impl ReadCare {
    pub(super) fn read(site: &Section<'_>) -> Self {
        let health = site.table_of("health", "site.health");
        let default = Care::default();
        let count = |section: &Section<'_>, key, default: u32, most| {
            let given = section.is_given(key);
            let found = section.bounded(key, value::count, default.into(), 0..=most).value;
            given.then(|| u32::try_from(found).unwrap_or(u32::MAX))
        };
        let eject_for = health.bounded("eject_for", value::duration, default.eject_for, SHORTEST_REST..=LONGEST_REST);
        let time = |key| {
            let time = health.bounded(key, value::duration, LONGEST_TIME, SHORTEST_TIME..=LONGEST_TIME).value;
            health.is_given(key).then_some(time)
        };
        let statuses = health.list("failure_statuses", status);
        Self {
            retries: count(site, "retries", default.retries, MOST_RETRIES),
            eject_after: count(&health, "eject_after", default.eject_after, MOST_FAILURES),
            eject_for: health.is_given("eject_for").then_some(eject_for.value),
            failure_statuses: statuses.map(|list| list.value.into_iter().map(|status| status.value).collect()),
            eject_slower_than: time("eject_slower_than"),
            slow_start: time("slow_start"),
            check: check(&health),
        }
    }

    /// All of it, with what holds for the site that it is like, or for all, where it says nothing.
    pub(super) fn over(&self, model: &Care) -> Care {
        Care {
            retries: self.retries.unwrap_or(model.retries),
            eject_after: self.eject_after.unwrap_or(model.eject_after),
            eject_for: self.eject_for.unwrap_or(model.eject_for),
            failure_statuses: self.failure_statuses.clone().unwrap_or_else(|| model.failure_statuses.clone()),
            eject_slower_than: self.eject_slower_than.or(model.eject_slower_than),
            slow_start: self.slow_start.or(model.slow_start),
            check: self.check.clone().or_else(|| model.check.clone()),
        }
    }
}

/// What the edge asks by itself, if a path says so.
fn check(health: &Section<'_>) -> Option<Check> {
    let path = health.value("path", path);
    let host = health.value("host", value::text).map(|host| host.value.into());
    let time = |key, default, from| health.bounded(key, value::duration, default, from..=LONGEST_REST);
    let (interval, timeout) = (time("interval", INTERVAL, SHORTEST_REST), time("timeout", TIMEOUT, SHORTEST_REST));
    let statuses = health.value_or("statuses", statuses, (200, 399));
    let count = |key, default| health.bounded(key, value::count, default, 1..=1000).value;
    let (healthy_after, unhealthy_after) = (count("healthy_after", 2), count("unhealthy_after", 3));
    let with_path = ["host", "interval", "timeout", "statuses", "healthy_after", "unhealthy_after"];
    if let Some(key) = with_path.into_iter().find(|key| health.is_given(key)).filter(|_| !health.is_given("path")) {
        let text = "says nothing without site.health.path, which the edge asks for to see whether an upstream is there";
        health.pad.mistake(health.line, &health.dotted(key), text);
    }
    let narrow = |count| u32::try_from(count).unwrap_or(u32::MAX);
    Some(Check {
        path: path?.value.into(),
        host,
        interval: interval.value,
        timeout: timeout.value,
        statuses,
        healthy_after: narrow(healthy_after),
        unhealthy_after: narrow(unhealthy_after),
    })
}

fn path(value: &DeValue<'_>) -> Result<String, String> {
    let fits =
        |text: &&str| text.starts_with('/') && text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#');
    let text = value.as_str().filter(fits).ok_or_else(|| expected("a path such as \"/healthz\"", value))?;
    Ok(text.to_owned())
}

/// `"204"` or `"200-399"`.
fn statuses(value: &DeValue<'_>) -> Result<(u16, u16), String> {
    let wrong = || expected("statuses such as \"200\" or \"200-399\"", value);
    let text = value.as_str().ok_or_else(wrong)?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let status = |text: &str| text.trim().parse().ok().filter(|status| (200..600).contains(status));
    let (first, last) = status(first).zip(status(last)).ok_or_else(wrong)?;
    if first <= last { Ok((first, last)) } else { Err(wrong()) }
}

fn status(value: &DeValue<'_>) -> Result<u16, String> {
    let number = value::count(value).ok().and_then(|number| u16::try_from(number).ok());
    number.filter(|number| (400..600).contains(number)).ok_or_else(|| expected("a status of 400 to 599", value))
}

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(2);
const SHORTEST_REST: Duration = Duration::from_millis(100);
const SHORTEST_TIME: Duration = Duration::from_millis(1);
const LONGEST_TIME: Duration = Duration::from_secs(3600);
const MOST_RETRIES: u64 = 10;
const MOST_FAILURES: u64 = 1_000_000;
