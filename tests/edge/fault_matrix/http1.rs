//! Upstreams that speak HTTP/1.1, or should.

use std::io::{self, Read};
use std::net::Ipv4Addr;

use rustix::net::connect_unspec;
use socket2::{Domain, Socket, Type};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{BrokenOff, Case, Seen, Whole, patience, surprises};
use crate::support::{Exchange, Origin, SWITCHING, Setup, Then, authority};

#[test]
fn whatever_an_upstream_does_a_client_sees_the_truth() {
    let origin = Origin::new(misbehave);
    // Bound and not listening: who comes is refused, and nobody else gets the port.
    let nobody = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    nobody.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("bound");
    let nobody = (nobody.local_addr().expect("an address").as_socket().expect("IPv4"), nobody);
    let mut setup = Setup::new();
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [{:?}]\nhealth = {{ eject_after = 0 }}\n\
         [[site.route]]\npath = \"/refused\"\nupstreams = [\"http://{}\"]\n",
        origin.url(),
        nobody.0
    ));
    setup.raw_site(&patience(
        &origin.url(),
        &["/silent", "/drips", "/endless-hints"],
        &["/stalls", "/stalls-in-a-chunk"],
    ));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    // One worker has one pool, in which all meet.
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    let cases: Vec<Case> =
        FAULTS.iter().flat_map(|(fault, seen, of_websockets)| Case::all(fault, *seen, Some(*of_websockets))).collect();
    assert_eq!(surprises(edge.https, &cases), Vec::<String>::new());
}

/// Where it is asked for, what is seen of it, and what by who asks for a WebSocket, over HTTP/1.1 and over HTTP/2: there 200 is what
/// opens a tunnel, and a shop's own would.
const FAULTS: &[(&str, Seen, [Seen; 2])] = &[
    // Nobody is there, or somebody who says nothing.
    ("/refused", Whole(502), [Whole(502), Whole(502)]),
    ("/silent", Whole(504), [Whole(504), Whole(504)]),
    ("/closes", Whole(502), [Whole(502), Whole(502)]),
    ("/resets", Whole(502), [Whole(502), Whole(502)]),
    // Heads that are none.
    ("/half-a-head", Whole(502), [Whole(502), Whole(502)]),
    ("/half-a-head-and-a-reset", Whole(502), [Whole(502), Whole(502)]),
    ("/drips", Whole(504), [Whole(504), Whole(504)]),
    ("/endless-head", Whole(502), [Whole(502), Whole(502)]),
    ("/endless-hints", Whole(504), [Whole(504), Whole(504)]),
    ("/no-status", Whole(502), [Whole(502), Whole(502)]),
    ("/no-field", Whole(502), [Whole(502), Whole(502)]),
    ("/two-lengths", Whole(502), [Whole(502), Whole(502)]),
    // Bodies that stop short.
    ("/head-only", BrokenOff, [BrokenOff, Whole(502)]),
    ("/head-only-and-a-reset", BrokenOff, [BrokenOff, Whole(502)]),
    ("/short", BrokenOff, [BrokenOff, Whole(502)]),
    ("/short-and-a-reset", BrokenOff, [BrokenOff, Whole(502)]),
    ("/stalls", BrokenOff, [BrokenOff, Whole(502)]),
    ("/no-last-chunk", BrokenOff, [BrokenOff, Whole(502)]),
    ("/half-a-chunk", BrokenOff, [BrokenOff, Whole(502)]),
    ("/stalls-in-a-chunk", BrokenOff, [BrokenOff, Whole(502)]),
    ("/no-chunk-size", BrokenOff, [BrokenOff, Whole(502)]),
    ("/huge-chunk-size", BrokenOff, [BrokenOff, Whole(502)]),
    ("/half-a-trailer", BrokenOff, [BrokenOff, Whole(502)]),
    ("/unframed-and-a-reset", BrokenOff, [BrokenOff, Whole(502)]),
    // Answers that are whole, from who is not to be asked again.
    ("/unframed", Whole(200), [Whole(200), Whole(502)]),
    ("/early", Whole(200), [Whole(200), Whole(502)]),
    ("/early-and-a-reset", Whole(200), [Whole(200), Whole(502)]),
    ("/more-than-asked", Whole(200), [Whole(200), Whole(502)]),
    // Other protocols that nobody asked for, or that end at once.
    ("/switches", Whole(502), [Whole(101), Whole(200)]),
    ("/switches-and-resets", Whole(502), [Whole(101), BrokenOff]),
];

/// Does what the path says.
fn misbehave(exchange: &mut Exchange<'_>) -> io::Result<Then> {
    let path = exchange.asked().1.to_owned();
    let whole = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len());
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    if !path.starts_with("/early") {
        exchange.body()?;
    }
    let said = match path.as_str() {
        "/silent" => String::new(),
        "/closes" | "/resets" => String::new(),
        "/half-a-head" | "/half-a-head-and-a-reset" => "HTTP/1.1 200 OK\r\ncontent-le".to_owned(),
        "/endless-head" => format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20)),
        "/no-status" => "HTTP/1.1 2OO OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "/no-field" => "HTTP/1.1 200 OK\r\nno field\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "/two-lengths" => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 50\r\n\r\nhello".to_owned(),
        "/head-only" | "/head-only-and-a-reset" => "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".to_owned(),
        "/short" | "/short-and-a-reset" | "/stalls" => "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello".to_owned(),
        "/no-last-chunk" | "/stalls-in-a-chunk" => chunked.to_owned(),
        "/half-a-chunk" => chunked.to_owned() + "a\r\nhello",
        "/no-chunk-size" => chunked.to_owned() + "five\r\nhello\r\n0\r\n\r\n",
        "/huge-chunk-size" => chunked.to_owned() + "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "/half-a-trailer" => chunked.to_owned() + "0\r\nx-sum: 1",
        "/unframed" | "/unframed-and-a-reset" => format!("HTTP/1.1 200 OK\r\n\r\n{path}"),
        "/more-than-asked" => whole.clone() + &whole,
        "/switches" | "/switches-and-resets" => {
            let key = exchange.head.field("sec-websocket-key").unwrap_or("dGhlIHNhbXBsZSBub25jZQ==");
            String::from_utf8_lossy(SWITCHING)
                .replace("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", &derive_accept_key(key.as_bytes()))
        }
        "/drips" => {
            for octet in "HTTP/1.1 200 OK\r\nx: ".bytes().chain(std::iter::repeat(b'y')) {
                exchange.write(&[octet])?;
                if is_left(exchange)? {
                    break;
                }
            }
            String::new()
        }
        "/endless-hints" => loop {
            exchange.write(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n")?;
            if is_left(exchange)? {
                return Ok(Then::Close);
            }
        },
        _ => whole,
    };
    exchange.write(said.as_bytes())?;
    if path.starts_with("/silent") || path.starts_with("/stalls") {
        // Until the edge gives up.
        exchange.reader.read_to_end(&mut Vec::new())?;
    }
    if path.ends_with("reset") || path.ends_with("resets") {
        connect_unspec(exchange.reader.get_ref())?; // which resets (connect(2))
    }
    let stays = path.starts_with("/well") || path == "/more-than-asked" || path == "/two-lengths";
    Ok(if stays { Then::Keep } else { Then::Close })
}

/// Whether the edge has had enough, which is waited for between two words.
fn is_left(exchange: &mut Exchange<'_>) -> io::Result<bool> {
    exchange.reader.get_ref().set_read_timeout(Some(PACE))?;
    Ok(matches!(exchange.reader.read(&mut [0]), Ok(0)))
}

/// Between two words that say that somebody is still there.
const PACE: std::time::Duration = std::time::Duration::from_millis(50);
