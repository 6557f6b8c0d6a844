//! Which certificate is meant by a name or by some digits of its fingerprint.

use serde::Deserialize;

use crate::outbound::{CallError, EdgeSocket};

/// What tells certificates apart.
#[derive(Deserialize)]
struct Candidate {
    fingerprint: String,
    names: Vec<String>,
    key_type: String,
    sites: Vec<String>,
}

/// The fingerprint of the certificate in service that is meant. A whole fingerprint may be one of a version that is not.
pub(super) async fn pick(edge: &EdgeSocket, wanted: &str) -> Result<String, CallError> {
    let digits = digits(wanted);
    if let Some(whole) = digits.as_ref().filter(|digits| digits.len() == WHOLE) {
        return Ok(whole.clone());
    }
    let candidates: Vec<Candidate> = edge.get("/api/v1/certificates").await?;
    let name = wanted.to_lowercase();
    let by_name: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.names.contains(&name)).collect();
    // What serves goes before what is there besides.
    let serving: Vec<&Candidate> = by_name.iter().copied().filter(|candidate| !candidate.sites.is_empty()).collect();
    let by_digits = candidates.iter().filter(|candidate| {
        digits.as_ref().is_some_and(|digits| digits.len() >= FEWEST && candidate.fingerprint.starts_with(digits))
    });
    let found = match (serving.is_empty(), by_name.is_empty()) {
        (false, _) => serving,
        (true, false) => by_name,
        (true, true) => by_digits.collect(),
    };
    match found[..] {
        [only] => Ok(only.fingerprint.clone()),
        [] => Err(CallError::NotFound(format!(
            "no certificate in service is for {wanted:?} or has such a fingerprint; `vitrine certs list` shows those there are"
        ))),
        _ => {
            let each: Vec<String> =
                found.iter().map(|found| format!("  {} {}", found.fingerprint, found.key_type)).collect();
            Err(CallError::NotFound(format!(
                "several certificates are for {wanted:?}; name one of them:\n{}",
                each.join("\n")
            )))
        }
    }
}

/// The digits of a fingerprint, in any spelling; `None` when there is something else.
pub(super) fn digits(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|letter| *letter != ':').collect::<String>().to_lowercase();
    (!digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(digits)
}

const WHOLE: usize = 64;
/// Fewer are a slip, and might be a name.
pub(super) const FEWEST: usize = 8;
