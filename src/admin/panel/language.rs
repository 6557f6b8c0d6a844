//! In which language pages are.

use http::header::{self, HeaderMap, HeaderValue};

use super::page::{FORM_TOKEN, Page, Visit};
use crate::admin::problem::{Answer, Problem, see};
use crate::words::Language;

/// `language`
pub(super) static PAGES: &[Page] =
    &[Page::post("language", &[FORM_TOKEN, "language", "back"], |visit| Box::pin(choose(visit)))];

/// What the reader chose, else what the browser says.
pub(super) fn of(headers: &HeaderMap) -> Language {
    let chosen = cookie(headers, COOKIE).and_then(Language::of_tag);
    chosen.unwrap_or_else(|| {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Language::accepted(accepted.unwrap_or_default())
    })
}

/// The value of a cookie (RFC 6265 §5.4).
pub(in crate::admin) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

async fn choose(visit: Visit) -> Result<Answer, Problem> {
    let language = Language::of_tag(visit.field("language")?);
    let language = language.ok_or_else(|| {
        Problem::malformed(format!("language: expected {}", Language::ALL.map(Language::tag).join(" or ")))
    })?;
    let mut answer = see(back(visit.field("back")?));
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict", language.tag());
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(answer)
}

/// A page of ours to come back to; whatever else is said is not followed.
pub(super) fn back(place: &str) -> &str {
    let is_ours = place.starts_with('/')
        && !place.starts_with("//")
        && !place.contains(|letter: char| letter == '\\' || letter.is_control());
    if is_ours { place } else { "/sites" }
}

const COOKIE: &str = "vitrine_language";

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str, accepted: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookie).expect("a field"));
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_str(accepted).expect("a field"));
        headers
    }

    #[test]
    fn what_the_reader_chose_goes_before_what_the_browser_says() {
        assert_eq!(of(&headers("a=b; vitrine_language=de", "en")), Language::De);
        assert_eq!(of(&headers("vitrine_language=fr", "de")), Language::De);
        assert_eq!(of(&HeaderMap::new()), Language::En);
    }

    #[test]
    fn nobody_is_sent_to_another_host() {
        for place in
            ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "", "/a\r\nb"]
        {
            assert_eq!(back(place), "/sites", "{place:?}");
        }
        assert_eq!(back("/sites?q=shop"), "/sites?q=shop");
    }
}
