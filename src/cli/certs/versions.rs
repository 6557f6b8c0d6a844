//! `vitrine certs show|history|rollback|delete`: one certificate and its versions.

use serde_json::Value;

use super::import::Arrived;
use super::pick::{FEWEST, digits, pick};
use crate::admin::answers::Version;
use crate::cli::output::{some_of, table};
use crate::outbound::{CallError, EdgeSocket};

/// Everything about one certificate in service.
pub(super) async fn show(edge: &EdgeSocket, wanted: &str, json: bool) -> Result<String, CallError> {
    let fingerprint = pick(edge, wanted).await?;
    let answer: Value = edge.get(&format!("{CERTIFICATES}/{fingerprint}")).await?;
    if json {
        return Ok(format!("{answer:#}"));
    }
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Value::Null => "not told".into(),
        other => other.to_string(),
    };
    let mut lines: Vec<String> =
        FIELDS.iter().map(|(name, key)| format!("{name:<13}{}", text(&answer[key])).trim_end().to_owned()).collect();
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        let [code, reason, mend] = ["code", "reason", "mend"].map(|key| text(&warning[key]));
        lines.push(format!("{code}: {reason}; {mend}"));
    }
    Ok(lines.join("\n"))
}

/// The versions of a certificate.
pub(super) async fn history(edge: &EdgeSocket, wanted: &str, json: bool) -> Result<String, CallError> {
    let target = format!("{CERTIFICATES}/{}/history", pick(edge, wanted).await?);
    if json {
        let answer: Value = edge.get(&target).await?;
        return Ok(format!("{answer:#}"));
    }
    let day = |time: &str| time.get(..10).unwrap_or(time).to_owned();
    let row = |version: Version| {
        let state = match (version.turned_down, version.current) {
            (Some(why), _) => why.words().into(),
            (None, true) if version.state == "valid" => "current".into(),
            (None, true) => format!("current, {}", version.state.replace('_', " ")),
            (None, false) => "older".into(),
        };
        [
            version.fingerprint,
            day(&version.not_before),
            day(&version.not_after),
            day(&version.added),
            version.source.word().into(),
            state,
            some_of(&version.names, NAMES),
        ]
    };
    let rows: Vec<_> = edge.get::<Vec<Version>>(&target).await?.into_iter().map(row).collect();
    Ok(table(["FINGERPRINT", "ISSUED", "EXPIRES", "ADDED", "SOURCE", "STATE", "NAMES"], &rows))
}

/// Lets an older version serve again.
pub(super) async fn roll_back(edge: &EdgeSocket, wanted: &str, to: Option<&str>) -> Result<String, CallError> {
    let fingerprint = pick(edge, wanted).await?;
    let versions: Vec<Version> = edge.get(&format!("{CERTIFICATES}/{fingerprint}/history")).await?;
    let target = match to {
        Some(to) => {
            let digits = digits(to).filter(|digits| digits.len() >= FEWEST).unwrap_or_default();
            let is_meant = |version: &&Version| !digits.is_empty() && version.fingerprint.starts_with(&digits);
            versions.iter().find(is_meant).ok_or_else(|| {
                CallError::NotFound(format!("no version of it has the fingerprint {to:?}; see `vitrine certs history`"))
            })?
        }
        None => {
            let before = versions.iter().skip_while(|version| !version.current).skip(1);
            before.filter(|version| version.state == "valid").map(Some).next().flatten().ok_or_else(|| {
                CallError::NotFound(
                    "there is no valid version before the current one; see `vitrine certs history`".into(),
                )
            })?
        }
    };
    let arrived: Arrived = edge.post(&format!("{CERTIFICATES}/{}/rollback", target.fingerprint)).await?;
    Ok(arrived.told(false))
}

/// Deletes a version with its key.
pub(super) async fn delete(edge: &EdgeSocket, fingerprint: &str, last_good: bool) -> Result<String, CallError> {
    let digits = digits(fingerprint).unwrap_or_else(|| crate::outbound::escaped(fingerprint));
    let _: Value = edge.delete(&format!("{CERTIFICATES}/{digits}?last_good={last_good}")).await?;
    Ok(format!("deleted: {digits}"))
}

const CERTIFICATES: &str = "/api/v1/certificates";
const NAMES: usize = 3;
const FIELDS: [(&str, &str); 12] = [
    ("names", "names"),
    ("sites", "sites"),
    ("state", "state"),
    ("verdict", "verdict"),
    ("subject", "subject"),
    ("issuer", "issuer"),
    ("level", "level"),
    ("key", "key_type"),
    ("valid from", "not_before"),
    ("valid until", "not_after"),
    ("file", "file"),
    ("fingerprint", "fingerprint"),
];
