//! A site: where in its life it is, what serves its hosts, and how its orders are doing.

use serde::{Deserialize, Serialize};

use super::{Minimum, Provided};
use crate::words::instead::{Instead, Shown};
use crate::words::wait::Wait;

/// A site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Site {
    pub(crate) name: String,
    /// The file it is written in.
    pub(crate) origin: String,
    /// Where in its life it is.
    pub(crate) state: String,
    /// What is to be done.
    pub(crate) action: String,
    /// Why.
    pub(crate) reason: SiteReason,
    pub(crate) served: String,
    pub(crate) band: String,
    pub(crate) days_left: Option<i64>,
    pub(crate) not_after: Option<String>,
    pub(crate) renewal: Option<String>,
    pub(crate) last_error: Option<String>,
    /// The same as a code with its details, where it is about what clients are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wrong: Option<Shown>,
    /// The request that is to bring its next certificate.
    pub(crate) request: Option<String>,
    /// What the authority of its certificates must have checked at least.
    pub(crate) minimum: Minimum,
    pub(crate) certificate: Provided,
    /// `None`: it is not managed.
    pub(crate) managed: Option<Managed>,
    pub(crate) hosts: Vec<SiteHost>,
    pub(crate) routes: Vec<SiteRoute>,
}

/// Why a site is in its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SiteReason {
    pub(crate) code: String,
    pub(crate) text: String,
    pub(crate) detail: String,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SiteRoute {
    pub(crate) path: String,
    pub(crate) upstreams: Vec<String>,
}

/// A host, and what serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SiteHost {
    pub(crate) host: String,
    /// `served`, or why clients are not.
    pub(crate) state: String,
    /// When what clients are shown was last looked at; `None`: not yet.
    pub(crate) checked: Option<String>,
    /// `as published`, or what is wrong with what they are shown.
    pub(crate) served: Option<String>,
    /// The same as a code with its details, where something is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wrong: Option<Instead>,
    /// One for each type of key.
    pub(crate) certificates: Vec<Serving>,
}

/// A certificate that serves a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Serving {
    pub(crate) key_type: String,
    pub(crate) fingerprint: String,
    pub(crate) not_after: String,
    /// By which it was chosen.
    pub(crate) rule: String,
    /// As with hosts.
    pub(crate) checked: Option<String>,
    pub(crate) served: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wrong: Option<Instead>,
}

/// A managed site: what needs most attention, then each type of key by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Managed {
    #[serde(flatten)]
    pub(crate) gravest: Orders,
    pub(crate) keys: Vec<KeyOrders>,
}

/// How the orders for one type of key are doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyOrders {
    pub(crate) key_type: String,
    #[serde(flatten)]
    pub(crate) orders: Orders,
    /// What the last ones came to, the newest last; of one site that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<Vec<PastOrder>>,
}

/// How orders are doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) state: String,
    /// Whose order it waits for.
    pub(crate) waits_for: Option<String>,
    /// The same as a code with its details.
    pub(crate) wait: Option<Wait>,
    /// When something will be done by itself.
    pub(crate) next: Option<String>,
    /// When its certificate is to be renewed.
    pub(crate) renewal: Option<String>,
    /// Whether that should have been more than a day ago.
    pub(crate) is_late: bool,
    pub(crate) issuer: Option<String>,
    pub(crate) issued: Option<String>,
    /// Names that the certificate was ordered without.
    pub(crate) left_out: Vec<String>,
    pub(crate) suggested: Option<SuggestedRenewal>,
    pub(crate) failures: u32,
    pub(crate) failed_checks: u32,
    /// What an order may come to nothing for.
    pub(crate) warning: Option<OrderFailure>,
    pub(crate) last_failure: Option<OrderFailure>,
}

/// When the authority wants the certificate renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SuggestedRenewal {
    pub(crate) from: String,
    pub(crate) until: String,
    pub(crate) explanation: Option<String>,
}

/// What an order came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PastOrder {
    pub(crate) at: String,
    pub(crate) issuer: String,
    /// `None`: a certificate was issued.
    pub(crate) reason: Option<String>,
    pub(crate) detail: String,
}

/// Why an order came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderFailure {
    pub(crate) issuer: String,
    pub(crate) reason: String,
    pub(crate) detail: String,
    pub(crate) at: String,
}

/// A site of which a test says as much as it is about.
#[cfg(test)]
pub(crate) fn site_with(said: &serde_json::Value) -> Site {
    use serde_json::{Value, json};

    fn over(mut whole: Value, said: &Value) -> Value {
        for (name, value) in said.as_object().into_iter().flatten() {
            whole[name] = value.clone();
        }
        whole
    }
    let nothing = |names: &[&str]| Value::Object(names.iter().map(|name| ((*name).to_owned(), json!(""))).collect());
    let whole = |whole: Value, list: &Value| -> Value {
        list.as_array().into_iter().flatten().map(|said| over(whole.clone(), said)).collect()
    };
    let failure = |said: &Value| match said {
        Value::Null => Value::Null,
        said => over(nothing(&["issuer", "reason", "detail", "at"]), said),
    };
    let mut site = over(nothing(&["name", "origin", "state", "action", "served", "band"]), said);
    site["reason"] = over(nothing(&["code", "text", "detail"]), &site["reason"]);
    site["minimum"] = over(json!({}), &site["minimum"]);
    site["certificate"] = over(json!({ "effective": "", "configured": "", "pinned": [] }), &site["certificate"]);
    site["routes"] = json!([]);
    site["hosts"] = whole(json!({ "host": "", "state": "", "certificates": [] }), &site["hosts"]);
    for host in site["hosts"].as_array_mut().into_iter().flatten() {
        let serving = nothing(&["key_type", "fingerprint", "not_after", "rule"]);
        host["certificates"] = whole(serving, &host["certificates"]);
    }
    if site["managed"].is_object() {
        let orders =
            json!({ "state": "", "is_late": false, "left_out": [], "failures": 0, "failed_checks": 0, "keys": [] });
        let mut managed = over(orders, &site["managed"]);
        for name in ["warning", "last_failure"] {
            managed[name] = failure(&managed[name]);
        }
        site["managed"] = managed;
    }
    serde_json::from_value(site).expect("a site")
}
