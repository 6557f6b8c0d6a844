//! `vitrine certs list|confirm`: what a running edge serves, and what it holds back.

use serde::Deserialize;
use serde_json::Value;

use crate::cli::output::{complain, some_of, table};
use crate::outbound::{CallError, EdgeSocket};

/// The certificates in service, soonest to expire first. What else there is to say goes to standard error.
pub(super) async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let answer: Value = edge.get("/api/v1/certificates").await?;
        return Ok(format!("{answer:#}"));
    }
    let certificates: Vec<Certificate> = edge.get("/api/v1/certificates").await?;
    let rejected: Vec<Rejected> = edge.get("/api/v1/rejected").await?;
    let alarms: Vec<Alarm> = edge.get("/api/v1/alarms").await?;
    for line in remarks(&rejected, &alarms) {
        complain(&line);
    }
    Ok(listed(certificates))
}

/// Passes on the operator's word that certificates are meant to go.
pub(super) async fn confirm(edge: &EdgeSocket, names: Option<usize>) -> Result<String, CallError> {
    let seen = names.map(|names| format!("?names={names}")).unwrap_or_default();
    let Confirmed { confirmed } = edge.post(&format!("/api/v1/certificates/confirm-withdrawal{seen}")).await?;
    Ok(format!(
        "confirmed: {confirmed} certificates whose files are gone are withdrawn in a minute, or go on without their chain where that is gone"
    ))
}

#[derive(Deserialize)]
struct Certificate {
    names: Vec<String>,
    key_type: String,
    days_left: i64,
    file: String,
    state: String,
    in_grace: bool,
    held: bool,
    warnings: Vec<Warning>,
}

/// What clients will have against a certificate.
#[derive(Deserialize)]
pub(super) struct Warning {
    pub(super) code: String,
    pub(super) reason: String,
    pub(super) mend: String,
}

#[derive(Deserialize)]
struct Rejected {
    file: String,
    state: String,
    code: String,
    reason: String,
    mend: String,
}

#[derive(Deserialize)]
struct Alarm {
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct Confirmed {
    confirmed: u64,
}

fn listed(mut certificates: Vec<Certificate>) -> String {
    if certificates.is_empty() {
        return "no certificate is served; drop one into the folder that certificates.drop_directory names".into();
    }
    certificates.sort_by_key(|certificate| certificate.days_left);
    let row = |certificate: &Certificate| {
        let validity = Some(certificate.state.replace('_', " ")).filter(|state| state != "valid");
        let leaving = match certificate {
            Certificate { held: true, .. } => Some("held".to_owned()),
            Certificate { in_grace: true, .. } => Some("withdrawn".to_owned()),
            _ => None,
        };
        // What the state says already is not said twice.
        let warnings = certificate.warnings.iter().map(|warning| warning.code.clone());
        let warnings = warnings.filter(|code| code.replace('-', "_") != certificate.state);
        let state = validity.into_iter().chain(leaving).chain(warnings).collect::<Vec<_>>().join(", ");
        [
            some_of(&certificate.names, NAMES),
            certificate.key_type.clone(),
            certificate.days_left.to_string(),
            certificate.file.clone(),
            state,
        ]
    };
    let rows: Vec<_> = certificates.iter().map(row).collect();
    table(["NAMES", "KEY", "DAYS LEFT", "FILE", "STATE"], &rows)
}

fn remarks(rejected: &[Rejected], alarms: &[Alarm]) -> Vec<String> {
    let alarms = alarms.iter().map(|alarm| format!("alarm ({}): {}", alarm.code, alarm.message));
    let rejected = rejected.iter().map(|file| {
        let Rejected { file, state, code, reason, mend } = file;
        format!("{state}: {file} ({code}): {reason}; {mend}")
    });
    alarms.chain(rejected).collect()
}

/// As many as leave room for the file on a line; `--json` has them all.
const NAMES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str], days_left: i64, state: &str, in_grace: bool) -> Certificate {
        Certificate {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            key_type: "ecdsa".into(),
            days_left,
            file: "certs/a.pem".into(),
            state: state.into(),
            in_grace,
            held: false,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn who_expires_first_stands_first() {
        let list = listed(vec![
            certificate(&["a.example", "b.example", "c.example", "d.example"], 60, "valid", false),
            certificate(&["old.example"], -2, "expired", true),
            Certificate { held: true, ..certificate(&["held.example"], 70, "valid", false) },
        ]);
        assert_eq!(
            list,
            "NAMES                             KEY    DAYS LEFT  FILE         STATE\n\
             old.example                       ecdsa         -2  certs/a.pem  expired, withdrawn\n\
             a.example b.example c.example +1  ecdsa         60  certs/a.pem\n\
             held.example                      ecdsa         70  certs/a.pem  held"
        );
    }

    #[test]
    fn an_empty_edge_says_what_to_do() {
        assert!(listed(Vec::new()).starts_with("no certificate is served; drop one"));
    }
}
