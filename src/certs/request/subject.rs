//! Who a certificate is for, within the bounds of X.509.

use serde::Serialize;

use super::form::Form;
use crate::certs::formats::value;

/// The fields of a subject, each valid. `None` and an empty list are fields that are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// CN: a host name, or what it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_name: Option<Box<str>>,
    /// O: the organisation's legal name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Box<str>>,
    /// OU: parts of the organisation. Public authorities take none any more; private ones do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organisational_units: Vec<Box<str>>,
    /// L: the town.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<Box<str>>,
    /// ST: the state or the province.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<str>>,
    /// C: two capital letters (ISO 3166-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Box<str>>,
}

/// The fields as somebody wrote them.
pub(super) struct Written<'a> {
    pub(super) common_name: &'a str,
    pub(super) organisation: &'a str,
    pub(super) organisational_units: &'a [String],
    pub(super) locality: &'a str,
    pub(super) state: &'a str,
    pub(super) country: &'a str,
}

impl Subject {
    /// Reads the fields; mistakes go into the form.
    pub(super) fn read(written: &Written<'_>, form: &mut Form) -> Self {
        let units = written.organisational_units;
        if units.len() > MOST_UNITS {
            form.mistake(
                "organisational_units",
                format!("at most {MOST_UNITS} are expected, and there are {}", units.len()),
            );
        }
        let mut read_units: Vec<Box<str>> = Vec::new();
        for unit in units.iter().take(MOST_UNITS) {
            if let Some(unit) = form.line("organisational_units", unit, UB_ORGANIZATIONAL_UNIT_NAME)
                && !read_units.contains(&unit)
            {
                read_units.push(unit);
            }
        }
        Self {
            common_name: form.line("common_name", written.common_name, UB_COMMON_NAME),
            organisation: form.line("organisation", written.organisation, UB_ORGANIZATION_NAME),
            organisational_units: read_units,
            locality: form.line("locality", written.locality, UB_LOCALITY_NAME),
            state: form.line("state", written.state, UB_STATE_NAME),
            country: country(written.country, form),
        }
    }

    /// Whether no field is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A Name (RFC 5280 §4.1.2.4), from the country down to the common name.
    pub(super) fn der(&self) -> Vec<u8> {
        let units = self.organisational_units.iter().map(|unit| (ORGANIZATIONAL_UNIT_NAME, UTF8_STRING, unit));
        let field = |arc, tag, text: &'_ Option<Box<str>>| text.as_ref().map(|text| attribute(arc, tag, text));
        let names: Vec<Vec<u8>> = [
            // RFC 5280 appendix A: X520countryName is a PrintableString, which also openssl writes.
            field(COUNTRY_NAME, PRINTABLE_STRING, &self.country),
            field(STATE_NAME, UTF8_STRING, &self.state),
            field(LOCALITY_NAME, UTF8_STRING, &self.locality),
            field(ORGANIZATION_NAME, UTF8_STRING, &self.organisation),
        ]
        .into_iter()
        .flatten()
        .chain(units.map(|(arc, tag, unit)| attribute(arc, tag, unit)))
        .chain(field(COMMON_NAME, UTF8_STRING, &self.common_name))
        .collect();
        value(SEQUENCE, &names.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}

/// One RelativeDistinguishedName with one attribute.
fn attribute(arc: u8, tag: u8, text: &str) -> Vec<u8> {
    // 2.5.4.arc
    let kind = value(OBJECT_IDENTIFIER, &[&[0x55, 0x04, arc]]);
    value(SET, &[&value(SEQUENCE, &[&kind, &value(tag, &[text.as_bytes()])])])
}

fn country(written: &str, form: &mut Form) -> Option<Box<str>> {
    let text = written.trim();
    if text.is_empty() {
        return None;
    }
    if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        form.mistake(
            "country",
            "the two letters of ISO 3166-1 are expected, like DE or GB, and something else was found",
        );
        return None;
    }
    Some(text.to_ascii_uppercase().into())
}

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SET: u8 = 0x31;
const PRINTABLE_STRING: u8 = 0x13;
const UTF8_STRING: u8 = 0x0C;

/// The last arcs of 2.5.4 (RFC 5280 appendix A.1).
const COMMON_NAME: u8 = 3;
const COUNTRY_NAME: u8 = 6;
const LOCALITY_NAME: u8 = 7;
const STATE_NAME: u8 = 8;
const ORGANIZATION_NAME: u8 = 10;
const ORGANIZATIONAL_UNIT_NAME: u8 = 11;

/// The upper bounds of RFC 5280 appendix A.1, in characters.
const UB_COMMON_NAME: usize = 64;
const UB_ORGANIZATION_NAME: usize = 64;
const UB_ORGANIZATIONAL_UNIT_NAME: usize = 64;
const UB_LOCALITY_NAME: usize = 128;
const UB_STATE_NAME: usize = 128;
/// More than any organisation has above a shop.
const MOST_UNITS: usize = 8;
