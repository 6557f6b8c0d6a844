//! Upstreams that fail in every way there is, under every kind of request: what the client gets to see of it is a status or an answer
//! that breaks off. Never a part that passes for the whole, never a wait without end, never an answer to somebody else's question.

mod client;
mod http1;
mod http2;

use std::net::SocketAddr;
use std::thread;

use client::{Kind, Version};

/// What a client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// A whole answer. That with 200 is the upstream's.
    Whole(u16),
    /// An answer that does not come to its end, or none: over HTTP/1 the connection ends, over HTTP/2 the edge resets the stream.
    BrokenOff,
}

use Seen::{BrokenOff, Whole};

/// A fault met by one kind of request, and what is to be seen of it.
#[derive(Clone, Copy)]
struct Case {
    fault: &'static str,
    version: Version,
    kind: Kind,
    expected: Seen,
}

impl Case {
    /// A fault under every kind of request; `of_websockets`: what who asks for one sees over HTTP/1.1 and over HTTP/2, where that can
    /// be asked for.
    fn all(fault: &'static str, expected: Seen, of_websockets: Option<[Seen; 2]>) -> Vec<Self> {
        let over = |version, kinds: &'static [Kind]| kinds.iter().map(move |&kind| (version, kind));
        let all = over(Version::Http1, client::OVER_HTTP1).chain(over(Version::Http2, client::OVER_HTTP2));
        all.filter_map(|(version, kind)| {
            let expected = if kind == Kind::WebSocket { of_websockets?[version as usize] } else { expected };
            Some(Self { fault, version, kind, expected })
        })
        .collect()
    }

    /// Meets it; something else than expected is told.
    fn surprise(&self, edge: SocketAddr) -> Option<String> {
        let Self { fault, version, kind, expected } = *self;
        let seen = client::meet(edge, version, kind, fault);
        (seen != expected).then(|| format!("{fault} {version:?} {kind:?}: {seen:?} instead of {expected:?}"))
    }
}

/// Has all cases met at once, and tells what was not as expected.
fn surprises(edge: SocketAddr, cases: &[Case]) -> Vec<String> {
    thread::scope(|scope| {
        let asking: Vec<_> = cases.iter().map(|case| scope.spawn(move || case.surprise(edge))).collect();
        asking.into_iter().filter_map(|asked| asked.join().expect("a client that comes to its end")).collect()
    })
}

/// Routes to `url` on which an answer, or what follows its head, is not waited for as long as elsewhere: what is well must not be given
/// up because the machine is busy.
fn patience(url: &str, until_head: &[&str], between: &[&str]) -> String {
    let route = |path: &str, limit: &str| {
        format!("[[site.route]]\npath = {path:?}\nupstreams = [{url:?}]\nlimits = {{ {limit} = \"2s\" }}\n")
    };
    let heads = until_head.iter().map(|path| route(path, "upstream_response_timeout"));
    heads.chain(between.iter().map(|path| route(path, "body_idle_timeout"))).collect()
}
