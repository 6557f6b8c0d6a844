//! What the tests stand on: an edge of their own, certificates made on the spot, shops to order, and clients of every kind.

pub(crate) mod acme;
pub(crate) mod acme2certifier;
mod authority;
pub(crate) mod bind;
mod browser;
pub(crate) mod command;
mod edge;
pub(crate) mod frame;
mod http2;
mod http2_shop;
mod journey;
pub(crate) mod managed;
mod message;
mod metrics;
mod origin;
pub(crate) mod pebble;
pub(crate) mod peer;
pub(crate) mod python;
pub(crate) mod receiver;
mod setup;
mod talk;
mod tls;
mod tls_front;
mod walk;
mod websocket;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(crate) use authority::{Issued, KeyKind, authority};
pub(crate) use browser::{Browser, PASSWORD};
pub(crate) use edge::{Edge, Lines, PROGRAM, message, run};
pub(crate) use http2::{Http2, agreed, agreed_over, empty, frames};
pub(crate) use http2_shop::{Http2Shop, LARGE};
pub(crate) use journey::journey;
pub(crate) use message::Response;
pub(crate) use origin::{Exchange, Origin, Received, Then};
pub(crate) use setup::{Setup, drop_file, replace_file, site};
pub(crate) use talk::{Stream, Talk, dial, dial_from, is_timeout};
pub(crate) use tls::{ClientTls, shop_client, shown};
pub(crate) use tls_front::TlsFront;
pub(crate) use walk::{Walk, page_in};
pub(crate) use websocket::{HANDSHAKE, SWITCHING};

/// Tries until there is something, at most until the deadline; `what` is what did not come.
pub(crate) fn eventually<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, what, attempt)
}

/// The same with a deadline of one's own.
pub(crate) fn within<T>(deadline: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(begun.elapsed() < deadline, "waited {deadline:?} in vain for {what}");
        std::thread::sleep(TICK);
    }
}

/// What a number comes to once it has stopped growing.
pub(crate) fn settled(number: impl Fn() -> u64) -> u64 {
    let (mut last, mut since) = (number(), Instant::now());
    eventually("a number that rests", || {
        let now = number();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() > REST).then_some(now)
    })
}

/// How many octets wait in the sockets of this local address to be read (proc_net_tcp(5)).
pub(crate) fn unread(address: SocketAddr) -> u64 {
    let port = format!(":{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the sockets");
    let sockets = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let queues = sockets.filter(|fields| fields[1].ends_with(&port)).map(|fields| fields[4].to_owned());
    queues.filter_map(|queues| u64::from_str_radix(queues.split_once(':')?.1, 16).ok()).sum()
}

/// Far longer than anything takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// Between two looks at something that cannot be waited for.
const TICK: Duration = Duration::from_millis(10);
/// What has not moved for so long stands still.
const REST: Duration = Duration::from_millis(400);
