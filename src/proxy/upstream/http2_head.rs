//! The head of a request as HTTP/2 has it, of the one that was written for HTTP/1.1 (RFC 9113 §8.2.2, §8.3.1).

use h2::ext::Protocol;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Of the octets of a head that the edge wrote itself. `None`: they hold something that HTTP/2 has no way to say. The handshake
/// of a WebSocket is a CONNECT (RFC 8441 §5), beside which is what its client takes for agreement.
pub(super) fn of(head: &[u8], is_secure: bool) -> Option<(Request<()>, Option<String>)> {
    let lines = head.iter().filter(|octet| **octet == b'\n').count();
    let mut room = vec![httparse::EMPTY_HEADER; lines];
    let mut read = httparse::Request::new(&mut room);
    read.parse(head).ok().filter(httparse::Status::is_complete)?;
    let (mut authority, mut fields) = (None, HeaderMap::with_capacity(read.headers.len()));
    // The edge names no other protocol.
    let is_handshake = read.headers.iter().any(|field| field.name == "upgrade");
    let mut accept = None;
    for field in read.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        match name.as_str() {
            "sec-websocket-key" if is_handshake => accept = Some(derive_accept_key(field.value)),
            // A GET may say that it has no content; of a CONNECT it would be said of the tunnel.
            "content-length" if is_handshake => {}
            "host" => authority = Some(Authority::try_from(field.value).ok()?),
            "connection" | "transfer-encoding" | "upgrade" | "keep-alive" | "proxy-connection" => {}
            _ => drop(fields.append(name, HeaderValue::from_bytes(field.value).ok()?)),
        }
    }
    if is_handshake && accept.is_none() {
        return None;
    }
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if is_secure { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = authority;
    parts.path_and_query = Some(PathAndQuery::try_from(read.path?).ok()?);
    let mut request = Request::new(());
    *request.method_mut() = match is_handshake {
        true => Method::CONNECT,
        false => Method::from_bytes(read.method?.as_bytes()).ok()?,
    };
    if is_handshake {
        request.extensions_mut().insert(Protocol::from_static("websocket"));
    }
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = Uri::from_parts(parts).ok()?;
    *request.headers_mut() = fields;
    Some((request, accept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_a_connection_stays_and_the_rest_goes() {
        let head = "POST /shop.Buy?x=1 HTTP/1.1\r\nhost: shop.example:8443\r\nconnection: te\r\nte: trailers\r\n\
                    transfer-encoding: chunked\r\nx-a: 1\r\nx-a: \u{e9}\r\n\r\n";
        let (request, accept) = of(head.as_bytes(), true).expect("a request");
        assert_eq!((request.method(), accept), (&Method::POST, None));
        assert_eq!(request.uri().to_string(), "https://shop.example:8443/shop.Buy?x=1");
        let fields: Vec<_> = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(fields, [("te", &b"trailers"[..]), ("x-a", b"1"), ("x-a", "\u{e9}".as_bytes())]);
    }

    #[test]
    fn a_websocket_is_asked_for_by_connect() {
        let head = "GET /chat?a=1 HTTP/1.1\r\nhost: shop.example\r\nsec-websocket-version: 13\r\ncontent-length: 0\r\n\
                    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        let (request, accept) = of(head.as_bytes(), false).expect("a request");
        assert_eq!(
            (request.method(), request.uri().to_string().as_str()),
            (&Method::CONNECT, "http://shop.example/chat?a=1")
        );
        assert_eq!(request.extensions().get(), Some(&Protocol::from_static("websocket")));
        let fields: Vec<_> = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(fields, [("sec-websocket-version", &b"13"[..])]);
        assert_eq!(accept.as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }

    #[test]
    fn a_head_may_have_as_many_fields_as_the_edge_lets_through() {
        let mut head = "OPTIONS * HTTP/1.1\r\nhost: a\r\n".to_owned();
        (0..1000).for_each(|number| head += &format!("x-{number}: 1\r\n"));
        let (request, _) = of((head + "\r\n").as_bytes(), false).expect("a request");
        assert_eq!((request.headers().len(), request.uri().path()), (1000, "*"));
        assert!(of(b"GET / HTTP/1.1\r\nhost: a\r\n", false).is_none(), "not whole");
    }
}
