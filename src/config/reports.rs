//! `[reports]`: what is told of certificates at regular times.

use ipnet::IpNet;
use toml::de::DeValue;

use super::place;
use super::reader::Section;
use super::value::{self, expected};
use crate::calendar::{Rhythm, Schedule, Zone, daily, monthly, weekly};
use crate::mail_address::MailAddress;

/// `[reports]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportsConfig {
    /// Whose clocks count.
    pub time_zone: Zone,
    /// Who gets them; none: the contacts that are told of everything by mail.
    pub recipients: Vec<MailAddress>,
    /// Whether the contacts of an organisation, and those whom it names, get a report of its sites.
    pub organisations: bool,
    /// Networks of one's own in which URLs that others serve are looked at all the same.
    pub networks: Vec<IpNet>,
    /// Whether certificates that renew themselves are listed although they are not late.
    pub managed: bool,
    /// What has to be done today.
    pub daily: ReportConfig,
    /// What has to be done this month.
    pub weekly: ReportConfig,
    /// What has to be planned for.
    pub monthly: ReportConfig,
}

/// When one kind of report is made, and what it lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportConfig {
    /// `None`: only when somebody asks for it.
    pub schedule: Option<Schedule>,
    /// What ends in so many days, both included.
    pub days: (i64, i64),
}

/// `[reports]`
pub(super) fn reports(section: &Section<'_>) -> ReportsConfig {
    let recipients = section.list("recipients", address).map(|list| list.value).unwrap_or_default();
    let networks = section.list("networks", place::network).map(|list| list.value).unwrap_or_default();
    let report = |schedule: Option<Option<Schedule>>, usual: Option<Schedule>, days| ReportConfig {
        schedule: schedule.unwrap_or(usual),
        days,
    };
    let given = |key, parse| section.value(key, parse).map(|placed| placed.value);
    ReportsConfig {
        time_zone: section.value_or("time_zone", zone, Zone::default()),
        recipients: recipients.into_iter().map(|placed| placed.value).collect(),
        networks: networks.into_iter().map(|network| network.value).collect(),
        organisations: section.value_or("organisations", value::switch, true),
        managed: section.value_or("managed", value::switch, false),
        daily: report(given("daily", every_day), DAILY.parse(), section.value_or("daily_days", days, (0, 3))),
        weekly: report(given("weekly", every_week), None, section.value_or("weekly_days", days, (4, 30))),
        monthly: report(
            given("monthly", every_month),
            MONTHLY.parse(),
            section.value_or("monthly_days", days, (30, 60)),
        ),
    }
}

/// A schedule that is known to be one.
struct Usual(&'static str, fn(&str) -> Option<Rhythm>);

impl Usual {
    fn parse(&self) -> Option<Schedule> {
        Schedule::parse(self.0, self.1).ok()
    }
}

fn every_day(value: &DeValue<'_>) -> Result<Option<Schedule>, String> {
    schedule(value, daily)
}

fn every_week(value: &DeValue<'_>) -> Result<Option<Schedule>, String> {
    schedule(value, weekly)
}

fn every_month(value: &DeValue<'_>) -> Result<Option<Schedule>, String> {
    schedule(value, monthly)
}

fn schedule(value: &DeValue<'_>, rhythm: fn(&str) -> Option<Rhythm>) -> Result<Option<Schedule>, String> {
    match value::text(value)?.as_str() {
        "off" => Ok(None),
        text => Schedule::parse(text, rhythm).map(Some).map_err(|wrong| format!("{wrong}; \"off\" for none")),
    }
}

/// `"30-60"`
fn days(value: &DeValue<'_>) -> Result<(i64, i64), String> {
    let wrong = || expected("days from and until, such as \"30-60\", 3650 at most", value);
    let text = value::text(value)?;
    let (from, until) = text.split_once('-').ok_or_else(wrong)?;
    let day = |text: &str| text.trim().parse::<u16>().ok().filter(|day| *day <= LONGEST).map(i64::from);
    let (from, until) = (day(from).ok_or_else(wrong)?, day(until).ok_or_else(wrong)?);
    if from <= until { Ok((from, until)) } else { Err(wrong()) }
}

fn zone(value: &DeValue<'_>) -> Result<Zone, String> {
    Zone::parse(&value::text(value)?)
}

fn address(value: &DeValue<'_>) -> Result<MailAddress, String> {
    let text = value::text(value)?;
    MailAddress::parse(&text).map_err(|_| expected("an address such as \"ops@shop.example\"", value))
}

/// When people have come to work, and before they have left: what has to be done today can be.
const DAILY: Usual = Usual("10:00-10:30", daily);
/// The first thing of a month.
const MONTHLY: Usual = Usual("1 00:00-01:00", monthly);
/// Ten years.
const LONGEST: u16 = 3650;
