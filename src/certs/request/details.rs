//! What a certificate is requested with: read from a form, whole and valid.

use serde::{Deserialize, Serialize};

use super::form::{Form, Mistakes};
use super::kind::{KeyAlgorithm, RequestKind};
use super::subject::{Subject, Written};
use crate::name::HostPattern;

/// A request's form as somebody filled it in: in a body of the API, on the command line. What is empty is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Draft {
    /// See [`RequestKind::label`]; a server's if nothing is said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// CN
    #[serde(skip_serializing_if = "String::is_empty")]
    pub common_name: String,
    /// O
    #[serde(skip_serializing_if = "String::is_empty")]
    pub organisation: String,
    /// OU, each on its own
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organisational_units: Vec<String>,
    /// L
    #[serde(skip_serializing_if = "String::is_empty")]
    pub locality: String,
    /// ST
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// C
    #[serde(skip_serializing_if = "String::is_empty")]
    pub country: String,
    /// Host names and wildcards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// See [`KeyAlgorithm::parse`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key_type: String,
    /// The sites it is for, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<String>,
    /// Whether its key may leave the edge one day.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exportable: bool,
}

/// What a certificate is requested with. Whoever holds one can have a request made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// What it is for.
    pub kind: RequestKind,
    /// Who it is for.
    pub subject: Subject,
    /// The names it is to serve; the common name is among them when it is one. None for Apple's.
    pub names: Box<[HostPattern]>,
    /// The kind of its key.
    pub key_type: KeyAlgorithm,
    /// The sites it is for, by name.
    pub sites: Vec<Box<str>>,
    /// Whether its key may leave the edge one day.
    pub exportable: bool,
}

impl Draft {
    /// Reads the whole form.
    ///
    /// # Errors
    /// All [`Mistakes`] at once.
    pub fn read(&self) -> Result<Details, Mistakes> {
        let mut form = Form::default();
        let kind = self.kind(&mut form);
        let key_type = self.key_type(kind, &mut form);
        let mut subject = Subject::read(&self.written(), &mut form);
        let names = match kind {
            RequestKind::Server => self.names(&mut subject, &mut form),
            RequestKind::AppleMerchantIdentity | RequestKind::ApplePaymentProcessing => {
                self.of_apple(&subject, &mut form);
                Vec::new()
            }
        };
        let sites = self.sites.iter().filter_map(|site| form.line("sites", site, LONGEST_NAME)).collect();
        form.done(Details { kind, subject, names: names.into(), key_type, sites, exportable: self.exportable })
    }

    fn written(&self) -> Written<'_> {
        Written {
            common_name: &self.common_name,
            organisation: &self.organisation,
            organisational_units: &self.organisational_units,
            locality: &self.locality,
            state: &self.state,
            country: &self.country,
        }
    }

    fn kind(&self, form: &mut Form) -> RequestKind {
        let text = self.kind.trim();
        if text.is_empty() {
            return RequestKind::default();
        }
        RequestKind::parse(text).unwrap_or_else(|| {
            form.mistake("kind", format!("one of {} is expected", list(RequestKind::ALL.map(RequestKind::label))));
            RequestKind::default()
        })
    }

    fn key_type(&self, kind: RequestKind, form: &mut Form) -> KeyAlgorithm {
        let text = self.key_type.trim();
        if text.is_empty() {
            return kind.required_key().unwrap_or_default();
        }
        let Some(wanted) = KeyAlgorithm::parse(text) else {
            form.mistake(
                "key_type",
                format!("one of {} is expected", list(KeyAlgorithm::ALL.map(KeyAlgorithm::label))),
            );
            return KeyAlgorithm::default();
        };
        if let Some(required) = kind.required_key().filter(|required| *required != wanted) {
            form.mistake(
                "key_type",
                format!("Apple takes {required} for {kind}, and {wanted} was found; leave it out"),
            );
        }
        wanted
    }

    /// The names of a server's certificate. A common name that is a host name is put into its normal form and among them
    /// (CA/Browser Forum, Baseline Requirements §7.1.4.3); where none is given, the first name is it.
    fn names(&self, subject: &mut Subject, form: &mut Form) -> Vec<HostPattern> {
        let mut names: Vec<HostPattern> = Vec::new();
        let mut add = |name: HostPattern| {
            if !names.contains(&name) {
                names.push(name);
            }
        };
        if let Some(common_name) = subject.common_name.as_ref().filter(|text| is_meant_as_host(text)) {
            match HostPattern::parse(common_name) {
                Ok(name) => {
                    let normal: Box<str> = name.to_string().into();
                    add(name);
                    subject.common_name = form.line("common_name", &normal, LONGEST_COMMON_NAME);
                }
                Err(error) => form.mistake("common_name", error.to_string()),
            }
        }
        for name in self.names.iter().filter(|name| !name.trim().is_empty()) {
            match HostPattern::parse(name) {
                Ok(name) => add(name),
                Err(error) => form.mistake("names", error.to_string()),
            }
        }
        if names.len() > MOST_NAMES {
            form.mistake("names", format!("at most {MOST_NAMES} are expected, and there are {}", names.len()));
        }
        match names.first() {
            Some(first) if subject.common_name.is_none() && self.common_name.trim().is_empty() => {
                let first = first.to_string();
                // A longer one has no room there, and needs none: clients look at the names alone.
                subject.common_name = (first.len() <= LONGEST_COMMON_NAME).then(|| first.into());
            }
            Some(_) => {}
            None if self.names.iter().all(|name| name.trim().is_empty()) => form.mistake(
                "names",
                "at least one host name is expected, here or as the common name: it is what the certificate serves",
            ),
            None => {}
        }
        names
    }

    fn of_apple(&self, subject: &Subject, form: &mut Form) {
        if !self.names.is_empty() {
            form.mistake(
                "names",
                "none are expected: Apple's certificates have no host names; say which sites it is for",
            );
        }
        if subject.common_name.is_none() && self.common_name.trim().is_empty() {
            form.mistake("common_name", "what to call it is expected, like the merchant identifier at Apple");
        }
    }
}

impl Details {
    /// The form that reads as these.
    #[must_use]
    pub fn draft(&self) -> Draft {
        let text = |field: &Option<Box<str>>| field.as_deref().unwrap_or_default().to_owned();
        let texts = |list: &[Box<str>]| list.iter().map(|text| text.to_string()).collect();
        Draft {
            kind: self.kind.label().into(),
            common_name: text(&self.subject.common_name),
            organisation: text(&self.subject.organisation),
            organisational_units: texts(&self.subject.organisational_units),
            locality: text(&self.subject.locality),
            state: text(&self.subject.state),
            country: text(&self.subject.country),
            names: self.names.iter().map(ToString::to_string).collect(),
            key_type: self.key_type.label().into(),
            sites: texts(&self.sites),
            exportable: self.exportable,
        }
    }

    /// What lists call it.
    #[must_use]
    pub fn title(&self) -> String {
        let first = || self.names.first().map(ToString::to_string);
        self.subject.common_name.as_deref().map(str::to_owned).or_else(first).unwrap_or_default()
    }
}

/// An organisation's name may have a dot; a host name has no space, and something that a host name has.
fn is_meant_as_host(text: &str) -> bool {
    !text.contains(char::is_whitespace) && text.contains(['.', '*'])
}

fn list<const N: usize>(labels: [&str; N]) -> String {
    labels.join(", ")
}

/// RFC 5280 appendix A.1, ub-common-name; those of the other fields are where they are read.
const LONGEST_COMMON_NAME: usize = 64;
/// A site is named by a host.
const LONGEST_NAME: usize = 255;
/// The largest public authorities take 250 in one certificate.
const MOST_NAMES: usize = 250;
