//! The cookie that carries a session.

use http::HeaderMap;
use http::header::{self, HeaderValue};

/// The secret that a request's cookie carries; `None` when there is none, or several. Over TLS the cookie has a prefix by which
/// browsers make sure that nobody but this very host has set it (RFC 6265bis §4.1.3.2).
pub(in crate::admin) fn secret(headers: &HeaderMap, is_encrypted: bool) -> Option<&str> {
    let wanted = name(is_encrypted);
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(name, _)| *name == wanted).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(secret), None) if is_secret(secret) => Some(secret),
        _ => None,
    }
}

/// Sets the cookie. It ends with the browser; the session ends by the edge's clock.
pub(in crate::admin) fn carrying(secret: &str, is_encrypted: bool) -> Option<HeaderValue> {
    let mut value =
        HeaderValue::from_str(&format!("{}={secret}{}", name(is_encrypted), attributes(is_encrypted))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Takes the cookie away.
pub(in crate::admin) fn gone(is_encrypted: bool) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{}={}; Max-Age=0", name(is_encrypted), attributes(is_encrypted))).ok()
}

const fn name(is_encrypted: bool) -> &'static str {
    if is_encrypted { "__Host-vitrine" } else { "vitrine" }
}

const fn attributes(is_encrypted: bool) -> &'static str {
    if is_encrypted { "; Path=/; HttpOnly; SameSite=Strict; Secure" } else { "; Path=/; HttpOnly; SameSite=Strict" }
}

fn is_secret(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|octet| octet.is_ascii_hexdigit() && !octet.is_ascii_uppercase())
}

/// 256 bits in hexadecimal.
const LENGTH: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(cookies: &[&str], is_encrypted: bool) -> Option<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_str(cookie).expect("a value"));
        }
        secret(&headers, is_encrypted).map(str::to_owned)
    }

    #[test]
    fn the_one_cookie_that_is_ours_is_read() {
        let secret = "0a".repeat(32);
        let ours = format!("vitrine={secret}");
        assert_eq!(read(&[&ours], false), Some(secret.clone()));
        assert_eq!(read(&[&format!("a=b; {ours};c"), "x=y"], false), Some(secret.clone()));
        assert_eq!(read(&[&format!("__Host-vitrine={secret}; vitrine=x")], true), Some(secret.clone()));
        for cookies in [
            &[][..],
            &["vitrine="],
            &["vitrine=0a"],
            &[&ours.to_uppercase()],
            &[&format!("{ours}0")],
            &[&ours.replace("0a", "0A")],
            &[&ours, &ours],
            &[&format!("{ours}; vitrine=x")],
        ] {
            assert_eq!(read(cookies, false), None, "{cookies:?}");
        }
        assert_eq!(read(&[&ours], true), None);
    }

    #[test]
    fn no_script_and_no_other_site_gets_the_cookie() {
        let secret = "0a".repeat(32);
        let value = |is_encrypted| carrying(&secret, is_encrypted).expect("a value");
        assert_eq!(value(true), format!("__Host-vitrine={secret}; Path=/; HttpOnly; SameSite=Strict; Secure"));
        assert_eq!(value(false), format!("vitrine={secret}; Path=/; HttpOnly; SameSite=Strict"));
        assert!(!format!("{:?}", value(true)).contains("0a0a"));
        assert_eq!(gone(false).expect("a value"), "vitrine=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    }

    proptest! {
        #[test]
        fn no_cookie_brings_what_is_no_secret(text in "[ -~]{0,200}", is_encrypted: bool) {
            if let Some(secret) = read(&[&text], is_encrypted) {
                prop_assert!(is_secret(&secret) && text.contains(&secret));
            }
        }

        #[test]
        fn what_was_set_is_read_among_others(secret in "[0-9a-f]{64}", before in "[a-z]{1,9}=[a-z]{0,9}", is_encrypted: bool) {
            let set = carrying(&secret, is_encrypted).expect("a value");
            let pair = set.to_str().expect("text").split(';').next().expect("a pair").to_owned();
            prop_assert_eq!(read(&[&format!("{before}; {pair}")], is_encrypted), Some(secret));
        }
    }
}
