//! A request of the API, and how it is told.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::admin::answers::{ReceivedCertificate, Request};
use crate::cli::output::{some_of, table};
use crate::telemetry::printable;

/// A line for each.
pub(super) fn listed(requests: &[Request]) -> String {
    if requests.is_empty() {
        return "there is no request; make one with `vitrine csr new --name shop.example`".into();
    }
    let row = |request: &Request| {
        let newest = request.certificates.last();
        [
            request.id.clone(),
            request.request.kind.clone(),
            request.status.clone(),
            some_of(&request.request.names, NAMES),
            day(&request.created),
            newest.map(|newest| day(&newest.not_after)).unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = requests.iter().map(row).collect();
    table(["ID", "KIND", "STATUS", "NAMES", "MADE", "VALID UNTIL"], &rows)
}

/// Everything about one, a line for each field.
pub(super) fn shown(request: &Request) -> String {
    let mut lines = vec![("request".to_owned(), request.id.clone()), ("status".into(), request.status.clone())];
    lines.extend(request.next.iter().map(|next| ("next".to_owned(), next.clone())));
    lines.push(("made".into(), request.created.clone()));
    lines.extend(request.renews.iter().map(|id| ("renews".to_owned(), id.clone())));
    lines.extend(request.renewed_by.iter().map(|id| ("renewed by".to_owned(), id.clone())));
    for (name, value) in fields(&request.request).iter().chain(&fields(&request.order)) {
        lines.push((name.replace('_', " "), plain(value)));
    }
    for certificate in &request.certificates {
        let ReceivedCertificate { subject, issuer, not_after, state, received, from, .. } = certificate;
        let told = format!("{subject} by {issuer}, {state} until {not_after}, came {} by {from}", day(received));
        lines.push(("certificate".into(), told));
    }
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines = lines.iter().map(|(name, value)| format!("{name:width$}  {}", printable(value)));
    lines.collect::<Vec<_>>().join("\n")
}

fn text(fields: &Map<String, Value>, name: &str) -> String {
    fields.get(name).map(plain).unwrap_or_default()
}

/// What is said of it.
pub(super) fn fields(said: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(said) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        // Of the validation file its name is enough.
        Value::Object(fields) => ["name", "date"].map(|name| text(fields, name)).concat(),
        other => other.to_string(),
    }
}

fn day(time: &str) -> String {
    time.get(..10).unwrap_or(time).to_owned()
}

/// As many as leave room for the dates on a line.
const NAMES: usize = 2;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn requests() -> Vec<Request> {
        serde_json::from_value(json!([
            { "id": "shop.example-0a1b2c3d", "status": "completed", "next": null, "pem": "", "created": "2026-11-24T01:02:03Z",
              "request": { "kind": "server", "names": ["shop.example", "www.shop.example", "a.example"], "country": "DE" },
              "renews": null, "renewed_by": null,
              "order": { "number": "7", "validation_file": { "name": "a.txt", "content": "b" } },
              "certificates": [{ "fingerprint": "00", "serial": "01", "not_before": "2026-11-25T00:00:00Z",
                                 "subject": "shop.example", "issuer": "Test", "not_after": "2027-02-01T00:00:00Z",
                                 "state": "valid", "received": "2026-11-25T00:00:00Z", "from": "certs/a.crt" }] },
            { "id": "merchant-00000001", "status": "pending", "next": "hand it in", "pem": "", "created": "2026-11-20T00:00:00Z",
              "request": { "kind": "apple-merchant-identity" }, "renews": "merchant-00000000", "renewed_by": null,
              "order": {}, "certificates": [] },
        ]))
        .expect("requests")
    }

    #[test]
    fn a_list_has_a_line_for_each() {
        assert_eq!(
            listed(&requests()),
            "ID                     KIND                     STATUS     NAMES                             MADE        VALID UNTIL\n\
             shop.example-0a1b2c3d  server                   completed  shop.example www.shop.example +1  2026-11-24  2027-02-01\n\
             merchant-00000001      apple-merchant-identity  pending                                      2026-11-20"
        );
        assert!(listed(&[]).starts_with("there is no request; make one"));
    }

    #[test]
    fn one_is_told_field_by_field() {
        assert_eq!(
            shown(&requests()[0]),
            "request          shop.example-0a1b2c3d\n\
             status           completed\n\
             made             2026-11-24T01:02:03Z\n\
             country          DE\n\
             kind             server\n\
             names            shop.example, www.shop.example, a.example\n\
             number           7\n\
             validation file  a.txt\n\
             certificate      shop.example by Test, valid until 2027-02-01T00:00:00Z, came 2026-11-25 by certs/a.crt"
        );
    }
}
