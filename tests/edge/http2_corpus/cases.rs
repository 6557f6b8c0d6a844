//! The cases: what is sent otherwise than in a usual request, and what is to come of it.

use super::client::Part::{self, Data, Last, MoreFields, Padded, Trailers};

/// A request.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// In place of the usual pseudo-header fields, or besides: a name with nothing in the usual list is left out where the value is
    /// [`ABSENT`].
    fields: &'static [(&'static str, &'static str)],
    pub(super) parts: &'static [Part],
    pub(super) wanted: Wanted,
}

/// What is to come of a request.
pub(super) enum Wanted {
    /// The shop hears nothing of it.
    Refused,
    /// The shop gets no whole request, and the client no answer of the shop's.
    Broken,
    /// The shop gets the handshake of a WebSocket with these fields (as below) and nothing of what is behind it, and says something else
    /// than that it agrees.
    Declined(&'static [(&'static str, &'static str)]),
    /// One request, whole: its first line, fields (an empty value: none of the name), body.
    Passed { start: &'static str, fields: &'static [(&'static str, &'static str)], body: &'static str },
}

impl Case {
    /// The fields of a usual GET.
    pub(super) fn usual() -> Vec<(&'static str, &'static str)> {
        vec![(":method", "GET"), (":scheme", "https"), (":authority", "shop.example"), (":path", "/")]
    }

    /// Usual ones first, as this case has them, then what is added.
    pub(super) fn all_fields(&self) -> Vec<(&'static str, &'static str)> {
        let mut fields = Self::usual();
        let mut added = Vec::new();
        for (name, value) in self.fields {
            match fields.iter().position(|(usual, _)| usual == name) {
                Some(place) if *value == ABSENT => drop(fields.remove(place)),
                Some(place)
                    if added.iter().all(|(other, _)| other != name)
                        && fields[place].1 != *value
                        && !is_twice(self.fields, name) =>
                {
                    fields[place].1 = value;
                }
                _ => added.push((*name, *value)),
            }
        }
        fields.extend(added);
        fields
    }
}

/// Whether a case names a field twice, and means both.
fn is_twice(fields: &[(&str, &str)], name: &str) -> bool {
    fields.iter().filter(|(other, _)| *other == name).count() > 1
}

/// No usual field of the name.
const ABSENT: &str = "\u{0}absent";

const fn refused(name: &'static str, fields: &'static [(&'static str, &'static str)]) -> Case {
    Case { name, fields, parts: &[], wanted: Wanted::Refused }
}

const fn broken(name: &'static str, fields: &'static [(&'static str, &'static str)], parts: &'static [Part]) -> Case {
    Case { name, fields, parts, wanted: Wanted::Broken }
}

const fn passed(
    name: &'static str,
    fields: &'static [(&'static str, &'static str)],
    start: &'static str,
    seen: &'static [(&'static str, &'static str)],
) -> Case {
    Case { name, fields, parts: &[], wanted: Wanted::Passed { start, fields: seen, body: "" } }
}

const fn sent(
    name: &'static str,
    fields: &'static [(&'static str, &'static str)],
    parts: &'static [Part],
    seen: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> Case {
    Case { name, fields, parts, wanted: Wanted::Passed { start: "POST / HTTP/1.1", fields: seen, body } }
}

const ROOT: &str = "GET / HTTP/1.1";
const HOST: (&str, &str) = ("host", "shop.example");
const POST: (&str, &str) = (":method", "POST");
const CONNECT: (&str, &str) = (":method", "CONNECT");
const WEBSOCKET: (&str, &str) = (":protocol", "websocket");
const HANDSHAKE: &[(&str, &str)] =
    &[HOST, ("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-accept", "")];
/// Of no use in HTTP/2, where the edge has a key of its own.
pub(super) const CLIENT_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const OPEN: &[Part] = &[Data(b"x")];
const EARLY: &[Part] = &[Data(b"GET /smuggled HTTP/1.1\r\nhost: shop.example\r\n\r\n")];

pub(super) const CASES: &[Case] = &[
    // Pseudo-header fields (RFC 9113 §8.3).
    passed("usual", &[], ROOT, &[HOST, ("x-forwarded-proto", "https")]),
    refused("no method", &[(":method", ABSENT)]),
    refused("no scheme", &[(":scheme", ABSENT)]),
    refused("no path", &[(":path", ABSENT)]),
    refused("neither authority nor host", &[(":authority", ABSENT)]),
    refused("empty path", &[(":path", "")]),
    refused("empty method", &[(":method", "")]),
    refused("two methods", &[(":method", "GET"), (":method", "POST")]),
    refused("two paths", &[(":path", "/"), (":path", "/admin")]),
    refused("two schemes", &[(":scheme", "https"), (":scheme", "http")]),
    refused("two authorities", &[(":authority", "shop.example"), (":authority", "evil.example")]),
    refused("unknown pseudo", &[(":admin", "1")]),
    refused("pseudo of a response", &[(":status", "200")]),
    refused("pseudo behind a field", &[(":path", ABSENT), ("x-first", "1"), (":path", "/")]),
    refused("method with a space", &[(":method", "GET /x")]),
    refused("method with a line", &[(":method", "GET / HTTP/1.1\r\nhost: evil.example\r\n\r\nGET")]),
    refused("method no token", &[(":method", "GE@T")]),
    refused("method too long", &[(":method", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]),
    refused("TRACE", &[(":method", "TRACE")]),
    refused("CONNECT", &[(":method", "CONNECT"), (":scheme", ABSENT), (":path", ABSENT)]),
    refused("CONNECT with a path", &[(":method", "CONNECT")]),
    refused("protocol without CONNECT", &[(":protocol", "websocket")]),
    refused("CONNECT for another protocol", &[(":method", "CONNECT"), (":protocol", "connect-udp")]),
    refused("CONNECT for two protocols in one", &[CONNECT, (":protocol", "websocket, h2c")]),
    refused("CONNECT for an upgrade", &[CONNECT, (":protocol", "h2c")]),
    refused("CONNECT for a protocol in capitals", &[CONNECT, (":protocol", "WebSocket")]),
    refused("CONNECT for no protocol", &[CONNECT, (":protocol", "")]),
    refused("CONNECT for two protocols", &[CONNECT, WEBSOCKET, WEBSOCKET]),
    refused("protocol with a line", &[CONNECT, (":protocol", "websocket\r\nx: y")]),
    refused("protocol behind a field", &[CONNECT, ("x-first", "1"), WEBSOCKET]),
    refused("WebSocket that has ended", &[CONNECT, WEBSOCKET]),
    refused("WebSocket without a scheme", &[CONNECT, WEBSOCKET, (":scheme", ABSENT)]),
    refused("WebSocket without a path", &[CONNECT, WEBSOCKET, (":path", ABSENT)]),
    refused("WebSocket in small letters", &[(":method", "connect"), WEBSOCKET]),
    Case { parts: OPEN, ..refused("WebSocket with a length", &[CONNECT, WEBSOCKET, ("content-length", "0")]) },
    Case { parts: OPEN, ..refused("WebSocket with a body", &[CONNECT, WEBSOCKET, ("content-length", "5")]) },
    Case { parts: OPEN, ..refused("WebSocket with a connection", &[CONNECT, WEBSOCKET, ("connection", "upgrade")]) },
    Case { parts: OPEN, ..refused("WebSocket with an upgrade", &[CONNECT, WEBSOCKET, ("upgrade", "websocket")]) },
    Case { parts: OPEN, ..refused("WebSocket for a fragment of a place", &[CONNECT, WEBSOCKET, (":path", "*")]) },
    Case { parts: OPEN, ..refused("WebSocket for another host", &[CONNECT, WEBSOCKET, ("host", "evil.example")]) },
    Case { parts: OPEN, ..refused("WebSocket by another scheme", &[CONNECT, WEBSOCKET, (":scheme", "wss")]) },
    // A shop that says yes without switching has not agreed; what the client sends meanwhile is not for it.
    Case { wanted: Wanted::Declined(HANDSHAKE), parts: EARLY, ..refused("WebSocket", &[CONNECT, WEBSOCKET]) },
    Case {
        wanted: Wanted::Declined(HANDSHAKE),
        parts: EARLY,
        ..refused(
            "WebSocket with a key",
            &[CONNECT, WEBSOCKET, ("sec-websocket-key", CLIENT_KEY), ("sec-websocket-accept", "x")],
        )
    },
    passed("method in small letters is another", &[(":method", "get")], "get / HTTP/1.1", &[HOST]),
    passed("unknown method", &[(":method", "PURGE")], "PURGE / HTTP/1.1", &[HOST]),
    refused("path with a space", &[(":path", "/a b")]),
    refused("path with a line", &[(":path", "/ HTTP/1.1\r\nx: y\r\n\r\nGET /smuggled")]),
    refused("path with a line feed", &[(":path", "/a\nb")]),
    refused("path with a NUL", &[(":path", "/a\u{0}b")]),
    refused("path with a tab", &[(":path", "/a\tb")]),
    refused("path with a delete", &[(":path", "/a\u{7f}")]),
    refused("path without a slash", &[(":path", "admin")]),
    refused("path of another place", &[(":path", "http://evil.example/")]),
    refused("path with a question first", &[(":path", "?a=b")]),
    // Cut off as it is read, before anybody sees it: what is routed is what is passed on.
    passed("path with a fragment", &[(":path", "/a#b")], "GET /a HTTP/1.1", &[HOST]),
    refused("asterisk for GET", &[(":path", "*")]),
    passed("asterisk for OPTIONS", &[(":method", "OPTIONS"), (":path", "*")], "OPTIONS * HTTP/1.1", &[HOST]),
    passed("dots are the shop's", &[(":path", "/a/../b")], "GET /a/../b HTTP/1.1", &[HOST]),
    passed("two slashes are the shop's", &[(":path", "//evil.example/x")], "GET //evil.example/x HTTP/1.1", &[HOST]),
    passed("escapes are the shop's", &[(":path", "/%2e%2e/%00?%0d%0a")], "GET /%2e%2e/%00?%0d%0a HTTP/1.1", &[HOST]),
    passed("query", &[(":path", "/a?b=c&d")], "GET /a?b=c&d HTTP/1.1", &[HOST]),
    refused("unknown scheme", &[(":scheme", "ftp")]),
    refused("scheme with a line", &[(":scheme", "https\r\nx: y")]),
    refused("scheme that is a place", &[(":scheme", "https://evil.example/?")]),
    passed("plain scheme over TLS", &[(":scheme", "http")], ROOT, &[HOST, ("x-forwarded-proto", "https")]),
    refused("userinfo", &[(":authority", "user@shop.example")]),
    refused("two hosts in one", &[(":authority", "shop.example,evil.example")]),
    refused("authority with a path", &[(":authority", "shop.example/x")]),
    refused("authority with a question", &[(":authority", "shop.example?x")]),
    refused("authority with a fragment", &[(":authority", "shop.example#x")]),
    refused("authority with an escape", &[(":authority", "shop%2eexample")]),
    refused("authority with a space", &[(":authority", "shop.example evil.example")]),
    refused("authority with a line", &[(":authority", "shop.example\r\nx: y")]),
    refused("authority with a NUL", &[(":authority", "shop.example\u{0}")]),
    refused("port too large", &[(":authority", "shop.example:99999")]),
    refused("port no number", &[(":authority", "shop.example:https")]),
    refused("empty port", &[(":authority", "shop.example:")]),
    refused("another site's name", &[(":authority", "evil.example")]),
    passed("name in capitals", &[(":authority", "SHOP.EXAMPLE")], ROOT, &[]),
    passed("name with a port", &[(":authority", "shop.example:443")], ROOT, &[("host", "shop.example:443")]),
    passed("host alone", &[(":authority", ABSENT), HOST], ROOT, &[HOST]),
    passed("host and authority alike", &[HOST], ROOT, &[HOST]),
    refused("host and authority differ", &[("host", "evil.example")]),
    refused("host and authority differ by port", &[("host", "shop.example:80")]),
    refused("two hosts alike", &[HOST, HOST]),
    refused("two hosts", &[HOST, ("host", "evil.example")]),
    refused("empty host", &[("host", "")]),
    // Fields (RFC 9113 §8.2).
    refused("capitals in a name", &[("X-Upper", "1")]),
    refused("empty name", &[("", "1")]),
    refused("name with a space", &[("x y", "1")]),
    refused("name with a colon", &[("x:y", "1")]),
    refused("name with a line", &[("x\r\ny", "1")]),
    refused("name with a NUL", &[("x\u{0}y", "1")]),
    refused("name of eight bits", &[("x\u{e9}", "1")]),
    refused("value with a carriage return", &[("x-a", "a\rb")]),
    refused("value with a line feed", &[("x-a", "a\nb")]),
    refused("value with a field", &[("x-a", "a\r\nhost: evil.example")]),
    refused("value with a request", &[("x-a", "a\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: shop.example\r\n\r\n")]),
    refused("value with a NUL", &[("x-a", "a\u{0}b")]),
    refused("value behind a space", &[("x-a", " a")]),
    refused("value before a space", &[("x-a", "a ")]),
    refused("value before a tab", &[("x-a", "a\t")]),
    refused("connection", &[("connection", "close")]),
    refused("connection that names a field", &[("connection", "x-forwarded-for")]),
    refused("keep-alive", &[("keep-alive", "timeout=5")]),
    refused("proxy-connection", &[("proxy-connection", "keep-alive")]),
    refused("transfer-encoding", &[POST, ("transfer-encoding", "chunked")]),
    refused("upgrade", &[("upgrade", "websocket")]),
    refused("upgrade to h2c", &[("upgrade", "h2c"), ("http2-settings", "AAMAAABk")]),
    refused("te", &[("te", "gzip")]),
    passed("te for trailers", &[("te", "trailers")], ROOT, &[HOST]),
    passed("settings of HTTP/2", &[("http2-settings", "AAMAAABk")], ROOT, &[("http2-settings", "")]),
    passed("said for others", &[("x-forwarded-for", "6.6.6.6")], ROOT, &[("x-forwarded-for", "127.0.0.1")]),
    passed("said for others below", &[("x_forwarded_for", "6.6.6.6")], ROOT, &[("x_forwarded_for", "")]),
    passed("said of the way", &[("forwarded", "for=6.6.6.6")], ROOT, &[HOST]),
    passed("crumbs", &[("cookie", "a=1"), ("cookie", "b=2")], ROOT, &[("cookie", "a=1; b=2")]),
    refused("expectation", &[POST, ("expect", "miracles")]),
    // Lengths (RFC 9113 §8.1.1).
    refused("length no number", &[POST, ("content-length", "+5")]),
    refused("length below nothing", &[POST, ("content-length", "-1")]),
    refused("empty length", &[POST, ("content-length", "")]),
    refused("length as a list", &[POST, ("content-length", "5, 5")]),
    refused("length in hexadecimal", &[POST, ("content-length", "0x5")]),
    refused("length beyond counting", &[POST, ("content-length", "99999999999999999999")]),
    refused("two lengths", &[POST, ("content-length", "5"), ("content-length", "6")]),
    refused("two lengths alike", &[POST, ("content-length", "5"), ("content-length", "5")]),
    refused("length without a body", &[POST, ("content-length", "5")]),
    refused("length of a GET without a body", &[("content-length", "5")]),
    sent("no body", &[POST, ("content-length", "0")], &[], &[("content-length", "0")], ""),
    sent(
        "as long as it says",
        &[POST, ("content-length", "5")],
        &[Last(b"hello")],
        &[("content-length", "5")],
        "hello",
    ),
    sent(
        "in pieces",
        &[POST, ("content-length", "5")],
        &[Data(b"he"), Data(b""), Last(b"llo")],
        &[("content-length", "5")],
        "hello",
    ),
    sent(
        "padding is no content",
        &[POST, ("content-length", "5")],
        &[Padded(b"hello", 9), Last(b"")],
        &[("content-length", "5")],
        "hello",
    ),
    sent(
        "without a length",
        &[POST],
        &[Last(b"hello")],
        &[("transfer-encoding", "chunked"), ("content-length", "")],
        "hello",
    ),
    sent(
        "a body that is a request",
        &[POST],
        &[Last(b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: shop.example\r\n\r\n")],
        &[("transfer-encoding", "chunked")],
        "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: shop.example\r\n\r\n",
    ),
    broken("shorter than it says", &[POST, ("content-length", "5")], &[Last(b"hell")]),
    broken("longer than it says", &[POST, ("content-length", "5")], &[Last(b"hello!")]),
    broken("longer, in pieces", &[POST, ("content-length", "5")], &[Data(b"hello"), Last(b"!")]),
    broken("something where nothing is said", &[POST, ("content-length", "0")], &[Last(b"GET / HTTP/1.1\r\n\r\n")]),
    // Trailers (RFC 9113 §8.1).
    sent("trailers", &[POST], &[Data(b"hello"), Trailers(&[("x-sum", "1")])], &[("x-sum", "")], "hello"),
    sent(
        "trailers that would frame",
        &[POST],
        &[Data(b"hello"), Trailers(&[("content-length", "3")])],
        &[("content-length", "")],
        "hello",
    ),
    sent(
        "trailers that would route",
        &[POST],
        &[Data(b"hello"), Trailers(&[("host", "evil.example")])],
        &[HOST],
        "hello",
    ),
    sent(
        "trailers that would speak for others",
        &[POST],
        &[
            Data(b"hello"),
            Trailers(&[("x-forwarded-for", "6.6.6.6"), ("authorization", "Basic eA=="), ("cookie", "a=1")]),
        ],
        &[("x-forwarded-for", "127.0.0.1"), ("authorization", ""), ("cookie", "")],
        "hello",
    ),
    broken("trailers with a pseudo-header", &[POST], &[Data(b"hello"), Trailers(&[(":path", "/admin")])]),
    broken("trailers of a connection", &[POST], &[Data(b"hello"), Trailers(&[("transfer-encoding", "chunked")])]),
    broken("trailers with a line", &[POST], &[Data(b"hello"), Trailers(&[("x-a", "a\r\nb")])]),
    broken(
        "trailers before their time",
        &[POST, ("content-length", "5")],
        &[Data(b"hell"), Trailers(&[("x-sum", "1")])],
    ),
    broken("fields in between", &[POST], &[Data(b"hello"), MoreFields(&[("x-a", "1")]), Last(b"more")]),
];
