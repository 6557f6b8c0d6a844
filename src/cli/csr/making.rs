//! A request's form on the command line.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::words::fields;
use super::{REQUESTS, hand_out, of};
use crate::admin::answers::Request;
use crate::cli::Running;
use crate::cli::output::complain;
use crate::outbound::{CallError, EdgeSocket};

#[derive(Args, Debug)]
pub(in crate::cli) struct Making {
    #[command(flatten)]
    running: Running,
    /// A site that it is for; may come several times. Without names, all hosts of the sites are meant
    #[arg(long = "site", value_name = "NAME")]
    sites: Vec<String>,
    /// A host name or a wildcard that it is to serve; may come several times
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
    /// What it is for: server, apple-merchant-identity or apple-payment-processing
    #[arg(long, value_name = "KIND", default_value = "server")]
    kind: String,
    /// The kind of key: ecdsa-p256 (unless said), ecdsa-p384, rsa-2048, rsa-3072 or rsa-4096
    #[arg(long, value_name = "TYPE")]
    key: Option<String>,
    /// Let the key be exported one day, where the configuration allows that; without it, it never leaves the edge
    #[arg(long)]
    exportable: bool,
    /// CN; without it, the first name
    #[arg(long, visible_alias = "cn", value_name = "TEXT")]
    common_name: Option<String>,
    /// O
    #[arg(long, visible_alias = "o", value_name = "TEXT")]
    organisation: Option<String>,
    /// OU; may come several times. Public authorities take none any more
    #[arg(long = "unit", visible_alias = "ou", value_name = "TEXT")]
    units: Option<Vec<String>>,
    /// L
    #[arg(long, visible_alias = "l", value_name = "TEXT")]
    locality: Option<String>,
    /// ST
    #[arg(long, visible_alias = "st", value_name = "TEXT")]
    state: Option<String>,
    /// C, two letters
    #[arg(long, visible_alias = "c", value_name = "CC")]
    country: Option<String>,
    /// Take no company data from the newest request
    #[arg(long)]
    blank: bool,
    #[command(flatten)]
    order: Order,
    /// Write the request into this file instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Noting {
    #[command(flatten)]
    running: Running,
    /// Its name in the list
    id: String,
    #[command(flatten)]
    order: Order,
}

/// What is noted down of an order that is placed elsewhere. An empty text takes a note away.
#[derive(Args, Debug)]
struct Order {
    /// Where it is ordered
    #[arg(long, value_name = "TEXT")]
    provider: Option<String>,
    /// What is ordered
    #[arg(long, value_name = "TEXT")]
    product: Option<String>,
    /// What the provider calls the order
    #[arg(long, value_name = "TEXT")]
    number: Option<String>,
    /// For how long
    #[arg(long, value_name = "TEXT")]
    period: Option<String>,
    /// The mail address that approves it
    #[arg(long, value_name = "MAIL")]
    approver: Option<String>,
    /// Whatever else is to be known
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The file that the authority asks for; served at once below /.well-known/pki-validation/
    #[arg(long, value_name = "FILE")]
    validation_file: Option<PathBuf>,
    /// From when on an alarm asks to look after it, like 2026-12-31
    #[arg(long, value_name = "DAY")]
    remind: Option<String>,
    /// Whom it reminds; may come several times
    #[arg(long = "contact", value_name = "MAIL", requires = "remind")]
    contacts: Vec<String>,
}

impl Making {
    pub(super) fn running(&self) -> &Running {
        &self.running
    }

    pub(super) async fn make(&self, edge: &EdgeSocket) -> Result<String, CallError> {
        let mut form = self.form();
        if !self.blank {
            let known: Vec<Request> = edge.get(REQUESTS).await?;
            if let Some(newest) = known.first() {
                let taken = fill_in(&mut form, &fields(&newest.request));
                if !taken.is_empty() {
                    complain(&format!("as in {}: {}; --blank leaves it out", newest.id, taken.join(", ")));
                }
            }
        }
        let order = json!({ "request": form, "order": self.order.notes()? });
        let request: Request = edge.post_json(REQUESTS, &order).await?;
        hand_out(&request, self.out.as_deref())
    }

    fn form(&self) -> Map<String, Value> {
        let given = [
            ("kind", Some(json!(self.kind))),
            ("names", Some(json!(self.names))),
            ("sites", Some(json!(self.sites))),
            ("key_type", self.key.as_ref().map(|key| json!(key))),
            ("exportable", self.exportable.then_some(json!(true))),
            ("common_name", self.common_name.as_ref().map(|text| json!(text))),
            ("organisation", self.organisation.as_ref().map(|text| json!(text))),
            ("organisational_units", self.units.as_ref().map(|units| json!(units))),
            ("locality", self.locality.as_ref().map(|text| json!(text))),
            ("state", self.state.as_ref().map(|text| json!(text))),
            ("country", self.country.as_ref().map(|text| json!(text))),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

impl Noting {
    pub(super) fn running(&self) -> &Running {
        &self.running
    }

    pub(super) async fn note(&self, edge: &EdgeSocket) -> Result<String, CallError> {
        let notes = self.order.notes()?;
        let noted = notes.keys().map(|name| name.replace('_', " ")).collect::<Vec<_>>().join(", ");
        if noted.is_empty() {
            return Err(CallError::Own("nothing is to be noted; see vitrine csr note --help".into()));
        }
        let request: Request = edge.patch_json(&of(&self.id), &json!({ "order": notes })).await?;
        Ok(format!("noted for {}: {noted}", request.id))
    }
}

impl Order {
    fn notes(&self) -> Result<Map<String, Value>, CallError> {
        let mut notes = Map::new();
        for (name, text) in [
            ("provider", &self.provider),
            ("product", &self.product),
            ("number", &self.number),
            ("period", &self.period),
            ("approver", &self.approver),
            ("note", &self.note),
        ] {
            if let Some(text) = text {
                notes.insert(name.into(), json!(text));
            }
        }
        if let Some(file) = &self.validation_file {
            let failed = |why: String| CallError::Own(format!("{}: {why}", file.display()));
            let content = fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
            let name =
                file.file_name().and_then(|name| name.to_str()).ok_or_else(|| failed("it has no name".into()))?;
            notes.insert("validation_file".into(), json!({ "name": name, "content": content }));
        }
        if let Some(date) = &self.remind {
            let reminder = json!({ "date": date, "contacts": self.contacts });
            notes.insert("reminder".into(), if date.is_empty() { Value::Null } else { reminder });
        }
        Ok(notes)
    }
}

/// Company data that was not given, as it was last time. Gives what was taken.
fn fill_in(form: &mut Map<String, Value>, known: &Map<String, Value>) -> Vec<String> {
    let mut taken = Vec::new();
    for name in COMPANY {
        if !form.contains_key(name)
            && let Some(value) = known.get(name)
        {
            taken.push(format!("{} {value}", name.replace('_', " ")));
            form.insert(name.into(), value.clone());
        }
    }
    taken
}

/// What is the same from one request to the next.
const COMPANY: [&str; 5] = ["organisation", "organisational_units", "locality", "state", "country"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn company_data_is_taken_from_last_time_unless_it_is_given_or_taken_away() {
        let map = |value: Value| value.as_object().expect("an object").clone();
        let known =
            map(json!({ "organisation": "A GmbH", "locality": "Bonn", "country": "DE", "common_name": "a.example" }));
        let mut form = map(json!({ "locality": "Berlin", "country": "" }));
        assert_eq!(fill_in(&mut form, &known), ["organisation \"A GmbH\""]);
        assert_eq!(Value::from(form), json!({ "organisation": "A GmbH", "locality": "Berlin", "country": "" }));
    }
}
