//! `vitrine sites plan`: when certificates will be ordered, and what makes them wait.

use std::collections::BTreeMap;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use crate::cli::Running;
use crate::cli::output::{complain, some_of, table};
use crate::outbound::{CallError, EdgeSocket};
use crate::telemetry::printable;

#[derive(Args, Debug)]
pub(in crate::cli) struct Planning {
    #[command(flatten)]
    pub(super) running: Running,
    /// For how many days from now, 400 at most
    #[arg(long, default_value_t = 30)]
    days: u64,
    /// As if so many more sites without a certificate were there, each with a domain of its own
    #[arg(long, value_name = "SITES", default_value_t = 0)]
    new: usize,
    /// A line for each order instead of one for every three hours, or every day
    #[arg(long)]
    sites: bool,
    /// Print the API's answer instead of a table
    #[arg(long, conflicts_with = "sites")]
    json: bool,
}

#[derive(Deserialize)]
struct Plan {
    until: String,
    under_way: usize,
    later: usize,
    issuers: Vec<Issuer>,
    orders: Vec<Order>,
}

#[derive(Deserialize)]
struct Issuer {
    issuer: String,
    orders_per_3h: Option<u32>,
    left_for_renewals: Option<u32>,
    left_for_new: Option<u32>,
    certificates_per_domain_per_week: Option<u32>,
}

#[derive(Deserialize)]
struct Order {
    at: String,
    site: String,
    key_type: String,
    kind: String,
    issuer: String,
    is_too_late: bool,
    waits_for: Option<String>,
}

pub(super) async fn plan(edge: &EdgeSocket, planning: &Planning) -> Result<String, CallError> {
    let path = format!("/api/v1/acme/plan?days={}&new={}", planning.days, planning.new);
    if planning.json {
        let answer: Value = edge.get(&path).await?;
        return Ok(format!("{answer:#}"));
    }
    let plan: Plan = edge.get(&path).await?;
    if let Some(line) = plan.remark() {
        complain(&line);
    }
    Ok(match (plan.orders.is_empty(), planning.sites) {
        (true, _) => plan.summary(),
        (_, true) => format!("{}\n\n{}", plan.each(), plan.summary()),
        (_, false) => format!("{}\n\n{}", plan.by_time(), plan.summary()),
    })
}

impl Plan {
    /// What needs a hand.
    fn remark(&self) -> Option<String> {
        let late = self.orders.iter().filter(|order| order.is_too_late);
        let late: Vec<String> = late.map(|order| printable(&order.site)).collect();
        (!late.is_empty()).then(|| {
            format!(
                "{}: too late, the certificates end before; another issuer, or higher limits, would take them sooner",
                some_of(&late, SOME)
            )
        })
    }

    /// A line for each order.
    fn each(&self) -> String {
        let row = |order: &Order| {
            let waits = order.waits_for.clone().unwrap_or_default();
            let (site, key, kind) = (order.site.clone(), order.key_type.clone(), order.kind.clone());
            [order.at.clone(), site, key, kind, order.issuer.clone(), waits]
        };
        let rows: Vec<_> = self.orders.iter().map(row).collect();
        table(["AT", "SITE", "KEY", "FOR", "ISSUER", "WAITS FOR"], &rows)
    }

    /// How many orders there are when, at whom: for every three hours, or if they take longer than four days for each day.
    fn by_time(&self) -> String {
        let days = |order: Option<&Order>| order.and_then(|order| order.at.get(..DAY)).map(str::to_owned);
        let (first, last) = (days(self.orders.first()), days(self.orders.last()));
        let is_long = days_apart(first.as_deref(), last.as_deref()) > LONG;
        let mut spans: BTreeMap<(String, &str), [usize; 4]> = BTreeMap::new();
        for order in &self.orders {
            let counts = spans.entry((span_of(&order.at, is_long), &order.issuer)).or_default();
            let kind = KINDS.iter().position(|kind| *kind == order.kind);
            kind.into_iter()
                .chain(order.waits_for.is_some().then_some(KINDS.len()))
                .for_each(|place| counts[place] += 1);
        }
        let rows = spans.into_iter().map(|((span, issuer), counts)| {
            let [new, renewals, on_demand, waited] = counts.map(|count| count.to_string());
            [span, issuer.to_owned(), new, renewals, on_demand, waited]
        });
        table(["FROM (UTC)", "ISSUER", "NEW", "RENEWALS", "ON DEMAND", "WAITED"], &rows.collect::<Vec<_>>())
    }

    fn summary(&self) -> String {
        let Self { until, under_way, later, issuers, orders, .. } = self;
        let mut lines = vec![format!(
            "{} to be ordered until {until}, {under_way} being ordered now, {later} not before then",
            orders.len()
        )];
        let some = |amount: Option<u32>| amount.map_or_else(|| "any number".into(), |amount| amount.to_string());
        for limits in issuers {
            let Issuer { issuer, orders_per_3h, left_for_renewals, left_for_new, certificates_per_domain_per_week } =
                limits;
            let mut line = match orders_per_3h {
                None => format!("{issuer}: as many orders as are needed"),
                Some(most) => format!(
                    "{issuer}: {most} orders in 3 hours, of which {} are left for renewals and {} for new sites",
                    some(*left_for_renewals),
                    some(*left_for_new)
                ),
            };
            if let Some(most) = certificates_per_domain_per_week {
                line += &format!("; {most} certificates a week for one registered domain");
            }
            lines.push(line);
        }
        lines.join("\n")
    }
}

/// The three hours, or the day, that a moment of RFC 3339 is in.
fn span_of(at: &str, is_long: bool) -> String {
    let (day, hour) = (at.get(..DAY).unwrap_or(at), at.get(11..13).and_then(|hour| hour.parse::<u8>().ok()));
    match hour.filter(|_| !is_long) {
        Some(hour) => format!("{day} {:02}:00", hour / 3 * 3),
        None => day.to_owned(),
    }
}

/// From a day to another, each as in RFC 3339.
fn days_apart(first: Option<&str>, last: Option<&str>) -> i32 {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    let day = |text: Option<&str>| time::Date::parse(text?, format).ok().map(time::Date::to_julian_day);
    day(last).zip(day(first)).map_or(0, |(last, first)| last - first)
}

/// As the interface writes them, in the order of the columns.
const KINDS: [&str; 3] = ["new", "renewal", "on-demand"];
/// Octets of a date in RFC 3339.
const DAY: usize = 10;
const LONG: i32 = 4;
/// Names in a line.
const SOME: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn order(at: &str, kind: &str, waits_for: Option<&str>) -> Order {
        Order {
            at: at.into(),
            site: format!("{at} shop"),
            key_type: "ecdsa".into(),
            kind: kind.into(),
            issuer: "le".into(),
            is_too_late: at > "2026-12-01T11",
            waits_for: waits_for.map(Into::into),
        }
    }

    fn plan(orders: Vec<Order>) -> Plan {
        let limits = Issuer {
            issuer: "le".into(),
            orders_per_3h: Some(300),
            left_for_renewals: Some(299),
            left_for_new: Some(269),
            certificates_per_domain_per_week: Some(50),
        };
        Plan { until: "2026-12-31T00:00:00Z".into(), under_way: 1, later: 2, issuers: vec![limits], orders }
    }

    #[test]
    fn orders_are_counted_for_three_hours_or_days_as_long_as_they_take() {
        let first = || order("2026-12-01T10:59:59Z", "new", None);
        let second = || order("2026-12-01T12:00:00Z", "renewal", Some("orders at le"));
        let soon = plan(vec![first(), first(), second()]);
        assert_eq!(
            soon.by_time(),
            "FROM (UTC)        ISSUER  NEW  RENEWALS  ON DEMAND  WAITED\n\
             2026-12-01 09:00  le        2         0          0       0\n\
             2026-12-01 12:00  le        0         1          0       1"
        );
        assert!(soon.remark().is_some_and(|line| line.starts_with("2026-12-01T12:00:00Z shop: too late")));
        let long = plan(vec![first(), order("2026-12-06T00:00:00Z", "on-demand", None)]);
        assert_eq!(
            long.by_time(),
            "FROM (UTC)  ISSUER  NEW  RENEWALS  ON DEMAND  WAITED\n\
             2026-12-01  le        1         0          0       0\n\
             2026-12-06  le        0         0          1       0"
        );
        assert_eq!(
            soon.summary(),
            "3 to be ordered until 2026-12-31T00:00:00Z, 1 being ordered now, 2 not before then\n\
             le: 300 orders in 3 hours, of which 299 are left for renewals and 269 for new sites; 50 certificates a week for one \
             registered domain"
        );
    }
}
