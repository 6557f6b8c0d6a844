//! Telling browsers to come over HTTPS alone (RFC 6797): what they remember holds for a name with all its ports, shops included.

use http::header::{self, HeaderValue};
use http::request::Parts;

use super::AdminTls;
use super::problem::Answer;
use crate::live::RouteTable;
use crate::name::{HostName, NameBuffer};

/// Whom it is told of.
#[derive(Debug)]
pub(super) struct Hsts {
    host: HostName,
    /// Whether it is told although a site has the name too.
    even_shared: bool,
}

impl Hsts {
    /// `None`: nobody is told.
    pub(super) fn of(terms: &AdminTls) -> Option<Self> {
        let host = terms.host.clone().filter(|_| terms.hsts != Some(false))?;
        Some(Self { host, even_shared: terms.hsts == Some(true) })
    }

    /// Tells whoever asked for the listener by its name.
    pub(super) fn tell(&self, request: &Parts, routes: &RouteTable, answer: &mut Answer) {
        let mut buffer = NameBuffer::new();
        let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
        let is_it = name.and_then(|name| buffer.normalise(name)).is_some_and(|name| name == self.host.as_str());
        if is_it && (self.even_shared || routes.site_of(self.host.as_str()).is_none()) {
            answer.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HALF_A_YEAR));
        }
    }
}

/// Of this name alone: names below it are not this listener's to speak for.
const HALF_A_YEAR: &str = "max-age=15552000";
