//! Strict-Transport-Security (RFC 6797): browsers come over HTTPS alone, for as long as it says.

use std::time::Duration;

use http::HeaderValue;

/// What a site says to browsers over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hsts {
    /// For how long, in whole seconds; zero makes browsers forget it.
    pub max_age: Duration,
    /// Whether it is for all names below too.
    pub include_subdomains: bool,
    /// Whether browsers may ship with it.
    pub preload: bool,
    /// All of it, as it is sent.
    pub value: HeaderValue,
}

impl Hsts {
    /// With the value made of the parts.
    #[must_use]
    pub fn new(max_age: Duration, include_subdomains: bool, preload: bool) -> Self {
        let mut text = format!("max-age={}", max_age.as_secs());
        if include_subdomains {
            text.push_str("; includeSubDomains");
        }
        if preload {
            text.push_str("; preload");
        }
        let value = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("max-age=0"));
        Self { max_age, include_subdomains, preload, value }
    }
}
