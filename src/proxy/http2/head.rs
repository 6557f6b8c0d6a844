//! The head of a request, and its trailers, as they are gathered from a block's fields (RFC 9113 §8.2 and §8.3).

use std::ops::ControlFlow;

use bytes::Bytes;
use http::header::{CONNECTION, TE, TRANSFER_ENCODING, UPGRADE};
use http::uri::{self, Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};

use super::hpack::{Field, Pseudo};

/// The fields of one block, as far as they are worth keeping.
pub(super) struct Gathered {
    method: Option<Bytes>,
    scheme: Option<Bytes>,
    authority: Option<Bytes>,
    path: Option<Bytes>,
    protocol: Option<Bytes>,
    fields: HeaderMap,
    /// Octets, as RFC 9113 §6.5.2 counts them.
    size: usize,
    most: usize,
    most_fields: usize,
    is_malformed: bool,
    has_pseudo: bool,
}

/// What a CONNECT asks for (RFC 8441 §4), in a request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Protocol(Box<str>);

impl Protocol {
    pub(in crate::proxy) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What comes of a block.
#[derive(Debug)]
pub(super) enum Read<T> {
    Whole(T),
    /// It is longer than was allowed.
    TooLong,
    /// It breaks RFC 9113 §8.
    Malformed,
    /// It is so long that there is no sense in reading on.
    Endless,
}

impl Gathered {
    /// `most` are the octets that were allowed, `most_fields` how many fields are kept at most: no more are ever needed to tell that there
    /// are too many.
    pub(super) fn new(most: usize, most_fields: usize) -> Self {
        Self {
            method: None,
            scheme: None,
            authority: None,
            path: None,
            protocol: None,
            fields: HeaderMap::new(),
            size: 0,
            most,
            most_fields,
            is_malformed: false,
            has_pseudo: false,
        }
    }

    /// Takes the next field of so many octets; break: there is no sense in any that follows.
    pub(super) fn take(&mut self, field: Field, size: usize) -> ControlFlow<()> {
        self.size += size;
        if self.size > self.most.saturating_mul(ENDLESS) {
            return ControlFlow::Break(());
        }
        match field {
            Field::Malformed => self.is_malformed = true,
            Field::Pseudo(pseudo, value) => self.take_pseudo(pseudo, value),
            Field::Regular(name, value) => self.take_regular(name, value),
        }
        ControlFlow::Continue(())
    }

    fn take_pseudo(&mut self, pseudo: Pseudo, value: Bytes) {
        let place = match pseudo {
            Pseudo::Method => &mut self.method,
            Pseudo::Scheme => &mut self.scheme,
            Pseudo::Authority => &mut self.authority,
            Pseudo::Path => &mut self.path,
            Pseudo::Protocol => &mut self.protocol,
            Pseudo::Status => return self.is_malformed = true,
        };
        // Once each, before everything else.
        self.is_malformed |= place.replace(value).is_some() || !self.fields.is_empty();
        self.has_pseudo = true;
    }

    fn take_regular(&mut self, name: HeaderName, value: HeaderValue) {
        // What is about one connection is no part of a message (RFC 9113 §8.2.2).
        let is_malformed = match name.as_str() {
            "keep-alive" | "proxy-connection" => true,
            _ if name == CONNECTION || name == TRANSFER_ENCODING || name == UPGRADE => true,
            _ => name == TE && value != "trailers",
        };
        self.is_malformed |= is_malformed;
        if self.fields.len() < self.most_fields && self.size <= self.most {
            if self.fields.is_empty() {
                self.fields.reserve(USUAL);
            }
            self.fields.append(name, value);
        }
    }

    fn read<T>(self, read: impl FnOnce(Self) -> Option<T>) -> Read<T> {
        if self.size > self.most.saturating_mul(ENDLESS) {
            Read::Endless
        } else if self.is_malformed {
            Read::Malformed
        } else if self.size > self.most {
            Read::TooLong
        } else {
            read(self).map_or(Read::Malformed, Read::Whole)
        }
    }

    /// Trailers (RFC 9113 §8.1).
    pub(super) fn trailers(self) -> Read<HeaderMap> {
        self.read(|gathered| (!gathered.has_pseudo).then_some(gathered.fields))
    }

    /// A request (RFC 9113 §8.3.1, §8.5; RFC 8441 §4).
    pub(super) fn request(self) -> Read<Request<()>> {
        self.read(|gathered| {
            let method = Method::from_bytes(&gathered.method?).ok()?;
            let (is_connect, extended) = (method == Method::CONNECT, gathered.protocol.is_some());
            if extended && !is_connect {
                return None;
            }
            let has_target = gathered.scheme.is_some() && gathered.path.is_some();
            match is_connect && !extended {
                true if gathered.scheme.is_some() || gathered.path.is_some() => return None,
                false if !has_target => return None,
                _ => {}
            }
            let mut parts = uri::Parts::default();
            parts.authority = gathered.authority.map(Authority::from_maybe_shared).transpose().ok()?;
            let scheme = gathered.scheme.map(|scheme| Scheme::try_from(&scheme[..])).transpose().ok()?;
            // An address without a host has no scheme either.
            parts.scheme = scheme.filter(|_| parts.authority.is_some());
            parts.path_and_query = match gathered.path {
                Some(path) if path.is_empty() => return None,
                path => path.map(PathAndQuery::from_maybe_shared).transpose().ok()?,
            };
            let mut request = Request::new(());
            if let Some(protocol) = gathered.protocol {
                request.extensions_mut().insert(Protocol(std::str::from_utf8(&protocol).ok()?.into()));
            }
            *request.method_mut() = method;
            *request.version_mut() = Version::HTTP_2;
            *request.uri_mut() = Uri::from_parts(parts).ok()?;
            *request.headers_mut() = gathered.fields;
            Some(request)
        })
    }
}

/// How many times longer than allowed a head may be and still get an answer.
const ENDLESS: usize = 4;
/// Room for what a browser says.
const USUAL: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(fields: &[(&str, &str)]) -> Gathered {
        let mut gathered = Gathered::new(1000, 20);
        for (name, value) in fields {
            let (size, value) = (name.len() + value.len() + 32, Bytes::copy_from_slice(value.as_bytes()));
            let field = match *name {
                ":method" => Field::Pseudo(Pseudo::Method, value),
                ":scheme" => Field::Pseudo(Pseudo::Scheme, value),
                ":authority" => Field::Pseudo(Pseudo::Authority, value),
                ":path" => Field::Pseudo(Pseudo::Path, value),
                ":protocol" => Field::Pseudo(Pseudo::Protocol, value),
                ":status" => Field::Pseudo(Pseudo::Status, value),
                name => Field::Regular(
                    HeaderName::try_from(name).expect("a name"),
                    HeaderValue::from_maybe_shared(value).expect("a value"),
                ),
            };
            let _ = gathered.take(field, size);
        }
        gathered
    }

    const USUAL: [(&str, &str); 4] =
        [(":method", "GET"), (":scheme", "https"), (":authority", "a.example"), (":path", "/x")];

    #[test]
    fn a_request_is_whole_or_malformed() {
        let Read::Whole(request) = gathered(&[&USUAL[..], &[("x-a", "1"), ("x-a", "2")]].concat()).request() else {
            panic!("a request")
        };
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::GET, "https://a.example/x"));
        assert_eq!((request.version(), request.headers().len()), (Version::HTTP_2, 2));
        for (name, fields) in [
            ("a pseudo-header field twice", &[(":path", "/y")][..]),
            ("behind others", &[("x-a", "1"), (":protocol", "websocket")]),
            ("of a response", &[(":status", "200")]),
            ("of CONNECT", &[(":protocol", "websocket")]),
            ("of a connection", &[("connection", "close")]),
            ("of a connection", &[("te", "gzip")]),
        ] {
            let read = gathered(&[&USUAL[..], fields].concat()).request();
            assert!(matches!(read, Read::Malformed), "{name}: {read:?}");
        }
        for left_out in [0, 1, 3] {
            let mut fields = USUAL.to_vec();
            fields.remove(left_out);
            assert!(matches!(gathered(&fields).request(), Read::Malformed), "{left_out}");
        }
    }

    #[test]
    fn a_long_head_is_refused_and_an_endless_one_not_even_that() {
        let long = "x".repeat(300);
        let with = |count: usize| {
            let fields: Vec<_> = USUAL.into_iter().chain(std::iter::repeat_n(("x-a", long.as_str()), count)).collect();
            gathered(&fields)
        };
        assert!(matches!(with(2).request(), Read::Whole(_)));
        assert!(matches!(with(3).request(), Read::TooLong));
        assert!(matches!(with(12).request(), Read::Endless));
    }

    #[test]
    fn trailers_have_no_pseudo_header_fields() {
        assert!(matches!(gathered(&[("x-sum", "1")]).trailers(), Read::Whole(fields) if fields.len() == 1));
        assert!(matches!(gathered(&[(":path", "/")]).trailers(), Read::Malformed));
    }

    #[test]
    fn of_many_fields_as_many_are_kept_as_tell_that_they_are_too_many() {
        let fields: Vec<_> = USUAL.into_iter().chain(std::iter::repeat_n(("a", ""), 22)).collect();
        assert!(matches!(gathered(&fields).request(), Read::Whole(request) if request.headers().len() == 20));
    }
}
