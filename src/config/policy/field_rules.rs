//! `[site.request_headers]` and `[site.response_headers]`: which fields a site may touch.

use http::{HeaderName, HeaderValue};
use toml::de::DeValue;

use crate::config::reader::{Placed, Section};
use crate::config::value::expected;
use crate::live::{FieldRules, has_underscore, is_claim, is_hop_by_hop};

/// Where the message goes that the fields are of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToShop,
    ToClient,
}

/// How they are touched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    Say,
    Remove,
}

/// Of requests to the shop.
pub(super) fn of_requests(site: &Section<'_>) -> Option<FieldRules> {
    read(&site.table_of("request_headers", "site.request_headers"), Way::ToShop)
}

/// Of responses to the client.
pub(super) fn of_responses(site: &Section<'_>) -> Option<FieldRules> {
    read(&site.table_of("response_headers", "site.response_headers"), Way::ToClient)
}

fn read(section: &Section<'_>, way: Way) -> Option<FieldRules> {
    let refuse = |key: &str, line: usize, name: &HeaderName, touch| {
        if let Some(why) = untouchable(name.as_str(), way, touch) {
            let text = format!("{:?} cannot be touched: {why}; take it out", name.as_str());
            section.pad.mistake(line, &section.dotted(key), text);
        }
    };
    let said = |key: &'static str| -> Vec<(HeaderName, HeaderValue)> {
        let fields = section.secret_list(key, field).map(|list| list.value).unwrap_or_default();
        let each = fields.into_iter().map(|Placed { value: (name, mut value), line }| {
            refuse(key, line, &name, Touch::Say);
            // A shop's keys are told this way. What goes to clients is no secret, and HTTP/2 could not compress it.
            value.set_sensitive(way == Way::ToShop);
            ((name, value), line)
        });
        let mut taken: Vec<((HeaderName, HeaderValue), usize)> = Vec::new();
        for (field, line) in each {
            if key == "set"
                && let Some((_, earlier)) = taken.iter().find(|(known, _)| known.0 == field.0)
            {
                let text = format!("{:?} is set on line {earlier} already; take one out, or add it", field.0.as_str());
                section.pad.mistake(line, &section.dotted(key), text);
                continue;
            }
            taken.push((field, line));
        }
        taken.into_iter().map(|(field, _)| field).collect()
    };
    let (set, add) = (said("set").into(), said("add").into());
    let names = section.list("remove", name).map(|list| list.value).unwrap_or_default();
    for name in &names {
        refuse("remove", name.line, &name.value, Touch::Remove);
    }
    let remove = names.into_iter().map(|name| name.value).collect();
    section.is_there().then_some(FieldRules { remove, set, add })
}

/// Whether a site may say a field (or only take it away) of requests to the shop, or else of responses; its name is in small letters.
#[must_use]
pub fn may_touch_field(name: &str, of_requests: bool, only_away: bool) -> bool {
    let (way, touch) =
        (if of_requests { Way::ToShop } else { Way::ToClient }, if only_away { Touch::Remove } else { Touch::Say });
    untouchable(name, way, touch).is_none()
}

/// Why a field is not the site's to touch.
fn untouchable(name: &str, way: Way, touch: Touch) -> Option<&'static str> {
    let is_request = way == Way::ToShop;
    Some(match name {
        "content-length" | "transfer-encoding" | "trailer" => "it says where a message ends",
        _ if is_hop_by_hop(name) => "it concerns one connection alone",
        "sec-websocket-key" | "sec-websocket-accept" | "sec-websocket-version" | "sec-websocket-extensions" => {
            "it belongs to the handshake of a WebSocket"
        }
        "strict-transport-security" => "[site.hsts] is for it",
        "host" if is_request => "it says which site is asked for",
        "expect" | "proxy-authorization" if is_request => "it is for the edge",
        "cookie" if is_request && touch == Touch::Say => "a request has one line of cookies, the client's",
        _ if is_request && is_claim(name) => "the edge says there who asked, which nobody else may",
        _ if is_request && has_underscore(name) => "shops may read it as the same name with a dash",
        _ => return None,
    })
}

/// `"X-Frame-Options: DENY"`. The value may be a secret, and no message repeats it.
fn field(value: &DeValue<'_>) -> Result<(HeaderName, HeaderValue), String> {
    let what = "a field such as \"X-Frame-Options: DENY\"";
    let DeValue::String(text) = value else { return Err(format!("expected {what}, found something else")) };
    let Some((name, value)) = text.split_once(':') else {
        return Err(format!("expected {what}, found a text without a colon; write \"Name: value\""));
    };
    let name = HeaderName::from_bytes(name.trim().as_bytes());
    let name = name.map_err(|_| format!("expected {what}, found another name than fields have before the colon"))?;
    let value = HeaderValue::from_str(value.trim())
        .map_err(|_| format!("expected printable ASCII behind \"{name}:\", found other characters; encode them"))?;
    Ok((name, value))
}

fn name(value: &DeValue<'_>) -> Result<HeaderName, String> {
    let what = "the name of a field such as \"Server\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
        let mend = if text.contains(':') { "; leave out the colon and what follows" } else { "" };
        format!("expected {what}, found a text that is none{mend}")
    })
}
