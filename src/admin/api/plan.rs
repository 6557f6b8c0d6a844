//! When what is to be ordered will be.

use serde::Serialize;

use super::acme::{authorities, not_done};
use super::realm::Realm;
use super::{Call, Operation, Resource, aside, now, timestamp};
use crate::acme::{Plan, PlannedIssuer, PlannedOrder};
use crate::admin::problem::{Answer, Problem, json};
use crate::words::wait::Wait;

/// `acme/plan`.
pub(super) static RESOURCE: Resource = Resource {
    operations: &[Operation::get("acme/plan", |call| Box::pin(aside(call, plan)))
        .about(Realm::Edge)
        .asking(&["days", "new"])],
    description: include_str!("plan.json"),
};

#[derive(Serialize)]
struct Planned {
    from: String,
    until: String,
    under_way: usize,
    later: usize,
    issuers: Vec<Limited>,
    orders: Vec<Order>,
}

/// What an issuer takes; `None` for a limit: as many as are needed.
#[derive(Serialize)]
struct Limited {
    issuer: String,
    orders_per_3h: Option<u32>,
    left_for_renewals: Option<u32>,
    left_for_new: Option<u32>,
    certificates_per_domain_per_week: Option<u32>,
}

#[derive(Serialize)]
struct Order {
    at: String,
    site: String,
    key_type: &'static str,
    kind: &'static str,
    issuer: String,
    renewal: Option<String>,
    ends: Option<String>,
    is_too_late: bool,
    waits_for: Option<String>,
    /// The same as a code with its details.
    wait: Option<Wait>,
}

fn plan(call: &Call) -> Result<Answer, Problem> {
    let days = call.query.number("days", MOST_DAYS)?.unwrap_or(USUAL_DAYS);
    let from = now();
    let until = from + i64::try_from(days).unwrap_or(0) * 86_400;
    let more = usize::try_from(call.query.number("new", MOST_NEW)?.unwrap_or(0)).unwrap_or(0);
    let plan = authorities(call)?.plan((from, until), more).map_err(|why| not_done(&why))?;
    let Plan { orders, under_way, later, issuers } = plan;
    Ok(json(&Planned {
        from: timestamp(from),
        until: timestamp(until),
        under_way,
        later,
        issuers: issuers.into_iter().map(Limited::from).collect(),
        orders: orders.into_iter().map(Order::from).collect(),
    }))
}

impl From<PlannedIssuer> for Limited {
    fn from(PlannedIssuer { limits, left }: PlannedIssuer) -> Self {
        let limit = |most: u32| Some(most).filter(|most| *most > 0);
        Self {
            issuer: left.issuer,
            orders_per_3h: limit(limits.orders),
            left_for_renewals: left.renewals,
            left_for_new: left.new,
            certificates_per_domain_per_week: limit(limits.certificates_per_domain),
        }
    }
}

impl From<PlannedOrder> for Order {
    fn from(order: PlannedOrder) -> Self {
        Self {
            at: timestamp(order.at),
            key_type: order.key.word(),
            kind: order.kind.word(),
            renewal: order.renewal.map(timestamp),
            ends: order.ends.map(timestamp),
            is_too_late: order.is_too_late(),
            site: order.site,
            issuer: order.issuer,
            waits_for: order.waits_for.as_ref().map(ToString::to_string),
            wait: order.waits_for,
        }
    }
}

const USUAL_DAYS: u64 = 30;
const MOST_DAYS: u64 = 400;
const MOST_NEW: u64 = 100_000;
