//! What was seen, in words.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::output::table;
use crate::probe::Sight;
use crate::telemetry::printable;

/// A line for each host, address and type of key.
pub(super) fn table_of(sights: &[Sight]) -> String {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let row = |sight: &Sight| {
        let seen = sight.appearance.as_ref();
        let days = seen.map(|seen| (seen.not_after - now).div_euclid(DAY).to_string()).unwrap_or_default();
        let until = seen.map(|seen| timestamp(seen.not_after)).unwrap_or_default();
        let state = match sight.faults.as_slice() {
            [] => "ok".to_owned(),
            faults => faults.iter().map(|fault| fault.code.word()).collect::<Vec<_>>().join(" "),
        };
        let address = sight.address.map(|address| address.to_string()).unwrap_or_default();
        let issuer = seen.map(|seen| seen.issuer.clone()).unwrap_or_default();
        [sight.name.clone(), address, sight.offer.label().to_owned(), days, until, issuer, state]
    };
    let rows: Vec<_> = sights.iter().map(row).collect();
    table(["HOST", "ADDRESS", "KEY", "DAYS", "UNTIL", "ISSUER", "STATE"], &rows)
}

/// The same for programs.
pub(super) fn json(sights: &[Sight]) -> String {
    let entry = |sight: &Sight| {
        let certificate = sight.appearance.as_ref().map(|seen| {
            json!({
                "fingerprint": seen.fingerprint,
                "subject": seen.subject,
                "issuer": seen.issuer,
                "names": seen.names.iter().flatten().map(ToString::to_string).collect::<Vec<_>>(),
                "not_before": timestamp(seen.not_before),
                "not_after": timestamp(seen.not_after),
                "trusted": seen.is_trusted,
            })
        });
        let fault = |fault: &crate::probe::Fault| json!({ "code": fault.code.word(), "detail": fault.detail });
        json!({
            "name": sight.name,
            "host": sight.host,
            "address": sight.address.map(|address| address.to_string()),
            "key_type": sight.offer.label(),
            "certificate": certificate,
            "faults": sight.faults.iter().map(fault).collect::<Vec<_>>(),
        })
    };
    format!("{:#}", Value::Array(sights.iter().map(entry).collect()))
}

/// What is wrong, with the mend, a line each.
pub(super) fn remarks(sights: &[Sight]) -> Vec<String> {
    let of = |sight: &Sight| -> Vec<String> {
        let at = sight.address.map(|address| format!(" at {address}")).unwrap_or_default();
        let line = |fault| printable(&format!("{}{at}: {fault}", sight.name)).to_string();
        sight.faults.iter().map(line).collect()
    };
    sights.iter().flat_map(of).collect()
}

/// Replaces a file, whole at once: whoever reads it finds the old or the new one.
///
/// # Errors
/// What was in the way, and the mend.
pub(super) fn replace(file: &Path, text: &str) -> Result<(), String> {
    let wrong = |error: std::io::Error| {
        format!("--output {}: {error}; name a file in a folder that this user may write to", file.display())
    };
    let name = file.file_name().ok_or_else(|| format!("--output {}: expected the name of a file", file.display()))?;
    // The collector takes what ends in .prom.
    let beside = file.with_file_name(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let written = File::create(&beside).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, file)).map_err(|error| {
        let _ = fs::remove_file(&beside);
        wrong(error)
    })
}

fn timestamp(unix: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

const DAY: i64 = 86_400;
