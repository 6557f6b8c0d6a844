//! How a managed site is doing: what was ordered, what came of it, when it goes on.

use std::sync::Arc;

use super::timestamp;
use crate::acme::{AcmeHandle, LastFailure, Outcome, RenewalInfo, SiteStanding};
use crate::admin::answers::{KeyOrders, Managed, OrderFailure, Orders, PastOrder, SuggestedRenewal};
use crate::live::OrderedKey;
use crate::overview::{SiteState, is_late};

/// A site as it is at a moment, seconds since the Unix epoch; `None`: it is not managed.
pub(super) fn managed(ordering: &AcmeHandle, site: &SiteState, at: i64, with_history: bool) -> Option<Managed> {
    let each = ordering.each_of(&site.name).into_iter();
    let key = |(key, standing): (OrderedKey, Arc<SiteStanding>)| KeyOrders {
        key_type: key.word().into(),
        orders: orders(&standing, is_late(&standing, at)),
        history: with_history.then(|| standing.history.iter().map(past).collect()),
    };
    let keys = each.map(key).collect();
    Some(Managed { gravest: orders(&*ordering.of(&site.name)?, site.is_late), keys })
}

fn orders(standing: &SiteStanding, is_late: bool) -> Orders {
    let suggested = |info: &RenewalInfo| {
        let (from, until) = info.window?;
        Some(SuggestedRenewal { from: timestamp(from), until: timestamp(until), explanation: info.explanation.clone() })
    };
    Orders {
        state: standing.phase.word().into(),
        waits_for: standing.waits_for.as_ref().map(ToString::to_string),
        wait: standing.waits_for.clone(),
        next: standing.next.map(timestamp),
        renewal: standing.renewal.map(timestamp),
        is_late,
        left_out: standing.left_out.clone(),
        suggested: standing.renewal_info.as_ref().and_then(suggested),
        issuer: standing.issuer.clone(),
        issued: standing.issued.map(timestamp),
        failures: standing.failures,
        failed_checks: standing.failed_checks,
        warning: standing.warning.as_ref().map(failure),
        last_failure: standing.last_failure.as_ref().map(failure),
    }
}

fn past(outcome: &Outcome) -> PastOrder {
    PastOrder {
        at: timestamp(outcome.at),
        issuer: outcome.issuer.clone(),
        reason: outcome.reason.map(|reason| reason.label().into()),
        detail: outcome.text.clone(),
    }
}

fn failure(last: &LastFailure) -> OrderFailure {
    OrderFailure {
        issuer: last.issuer.clone(),
        reason: last.reason.label().into(),
        detail: last.text.clone(),
        at: timestamp(last.at),
    }
}
