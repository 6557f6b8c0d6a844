//! Header fields that peers set, as far as a site may.

use http::{HeaderName, HeaderValue};

use super::keys::Keys;
use crate::config::may_touch_field;

/// Where a field goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToShop,
    ToClient,
}

impl Way {
    const fn table(self) -> &'static str {
        match self {
            Self::ToShop => "request_headers",
            Self::ToClient => "response_headers",
        }
    }
}

/// Takes a field that is said with `how` (`set` or `add`); gives whether it could be taken. What may be a secret is not: a site
/// file is for everybody to read. An empty value removes the field from requests, as with nginx.
pub(super) fn say(keys: &mut Keys, way: Way, how: &'static str, name: &str, value: &str) -> bool {
    let is_name = HeaderName::from_bytes(name.as_bytes()).is_ok();
    let is_value = HeaderValue::from_str(value).is_ok() && value.trim() == value;
    let lower = name.to_ascii_lowercase();
    if way == Way::ToClient && lower == "strict-transport-security" {
        return hsts(keys, value);
    }
    if !is_name || !is_value || (way == Way::ToShop && tells(&lower)) {
        return false;
    }
    if value.is_empty() {
        return way == Way::ToShop && remove(keys, way, name);
    }
    let fits = may_touch_field(&lower, way == Way::ToShop, false);
    if fits {
        keys.push(way.table(), how, format!("{name}: {value}"));
    }
    fits
}

/// Takes a field away; gives whether that may be.
pub(super) fn remove(keys: &mut Keys, way: Way, name: &str) -> bool {
    let fits = HeaderName::from_bytes(name.as_bytes()).is_ok()
        && may_touch_field(&name.to_ascii_lowercase(), way == Way::ToShop, true);
    if fits {
        keys.push(way.table(), "remove", name);
    }
    fits
}

/// `max-age=63072000; includeSubDomains; preload`
fn hsts(keys: &mut Keys, value: &str) -> bool {
    let parts: Vec<String> = value.split(';').map(|part| part.trim().to_ascii_lowercase()).collect();
    let age = parts.iter().find_map(|part| part.strip_prefix("max-age=")?.trim_matches('"').parse::<u64>().ok());
    let is_known = |part: &String| {
        part.is_empty() || part.starts_with("max-age=") || matches!(&**part, "includesubdomains" | "preload")
    };
    let Some(age) = age.filter(|age| *age <= LONGEST && parts.iter().all(is_known)) else { return false };
    let has = |word: &str| parts.iter().any(|part| part == word);
    keys.text("hsts", "max_age", &format!("{age}s"));
    if has("includesubdomains") {
        keys.set("hsts", "include_subdomains", "true");
    }
    // Anything less cannot be on the list.
    if has("preload") && has("includesubdomains") && age >= PRELOADED {
        keys.set("hsts", "preload", "true");
    }
    true
}

/// Whether a name says that its value is nobody's business.
fn tells(name: &str) -> bool {
    ["auth", "token", "secret", "key", "passw", "cookie", "credential", "session"]
        .iter()
        .any(|sign| name.contains(sign))
}

/// As `site.hsts.max_age` has it.
const LONGEST: u64 = 3650 * 86_400;
const PRELOADED: u64 = 365 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    fn said(way: Way, name: &str, value: &str) -> Option<Vec<(&'static str, Vec<String>)>> {
        let mut keys = Keys::default();
        say(&mut keys, way, "set", name, value).then(|| keys.tables())
    }

    #[test]
    fn fields_are_taken_that_a_site_may_touch_and_that_are_no_secrets() {
        let set = |table, line: &str| Some(vec![(table, vec![line.to_owned()])]);
        assert_eq!(said(Way::ToClient, "X-A", "b c"), set("response_headers", "set = [\"X-A: b c\"]"));
        assert_eq!(said(Way::ToShop, "X-Env", "live"), set("request_headers", "set = [\"X-Env: live\"]"));
        assert_eq!(said(Way::ToShop, "Accept-Encoding", ""), set("request_headers", "remove = [\"Accept-Encoding\"]"));
        for (way, name, value) in [
            (Way::ToShop, "Authorization", "Basic x"),
            (Way::ToShop, "X-Api-Key", "x"),
            (Way::ToShop, "X-Real-IP", "1.2.3.4"),
            (Way::ToShop, "Host", "shop"),
            (Way::ToClient, "Content-Length", "1"),
            (Way::ToClient, "X A", "1"),
            (Way::ToClient, "X-A", "ä\n"),
            (Way::ToClient, "X-A", ""),
            (Way::ToClient, "Strict-Transport-Security", "for ever"),
        ] {
            assert_eq!(said(way, name, value), None, "{name}");
        }
    }

    #[test]
    fn what_browsers_are_told_is_typed() {
        let hsts =
            |value: &str| said(Way::ToClient, "strict-transport-security", value).map(|mut tables| tables.remove(0).1);
        let lines = |lines: &[&str]| Some(lines.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(hsts("max-age=300"), lines(&["max_age = \"300s\""]));
        let all = lines(&["include_subdomains = true", "max_age = \"31536000s\"", "preload = true"]);
        assert_eq!(hsts("max-age=31536000; includeSubDomains; preload"), all);
        assert_eq!(hsts("max-age=300; preload"), lines(&["max_age = \"300s\""]));
        assert_eq!(hsts("max-age=999999999999"), None);
    }
}
