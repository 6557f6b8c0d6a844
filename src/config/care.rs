//! `site.retries` and `[site.health]`: when a site's upstreams are left alone, and what is asked of another.

use std::time::Duration;

use toml::de::DeValue;

use super::reader::Section;
use super::value::{self, expected};
use crate::live::{Care, LONGEST_REST};

/// What a site says of its upstreams; `None` for what it does not say.
#[derive(Default)]
pub(super) struct ReadCare {
    retries: Option<u32>,
    eject_after: Option<u32>,
    eject_for: Option<Duration>,
    failure_statuses: Option<Vec<u16>>,
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
        let statuses = health.list("failure_statuses", status);
        Self {
            retries: count(site, "retries", default.retries, MOST_RETRIES),
            eject_after: count(&health, "eject_after", default.eject_after, MOST_FAILURES),
            eject_for: health.is_given("eject_for").then_some(eject_for.value),
            failure_statuses: statuses.map(|list| list.value.into_iter().map(|status| status.value).collect()),
        }
    }

    /// All of it, with what holds for the site that it is like, or for all, where it says nothing.
    pub(super) fn over(&self, model: &Care) -> Care {
        Care {
            retries: self.retries.unwrap_or(model.retries),
            eject_after: self.eject_after.unwrap_or(model.eject_after),
            eject_for: self.eject_for.unwrap_or(model.eject_for),
            failure_statuses: self.failure_statuses.clone().unwrap_or_else(|| model.failure_statuses.clone()),
        }
    }
}

fn status(value: &DeValue<'_>) -> Result<u16, String> {
    let number = value::count(value).ok().and_then(|number| u16::try_from(number).ok());
    number.filter(|number| (400..600).contains(number)).ok_or_else(|| expected("a status of 400 to 599", value))
}

const SHORTEST_REST: Duration = Duration::from_millis(100);
const MOST_RETRIES: u64 = 10;
const MOST_FAILURES: u64 = 1_000_000;
