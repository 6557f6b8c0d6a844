//! How many requests of one client network may be under way at a site at once.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::support::{
    Edge, HANDSHAKE, Http2, Origin, SWITCHING, Setup, Talk, Then, authority, dial_from, eventually, shop_client,
};

const LIMIT: &str = "[site.connections]\nper_client = 1\nipv4_prefix = 24\n";
const SLOW: &str = "GET /slow HTTP/1.1\r\nhost: shop.example\r\n\r\n";

/// Holds answers back until it is opened.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(is_open, |is_open| !*is_open));
    }
}

/// A shop that answers `/slow` when it is let, and the edge before it.
fn start() -> (Edge, Origin, Arc<Gate>) {
    let gate = Arc::<Gate>::default();
    let mine = Arc::clone(&gate);
    let origin = Origin::new(move |exchange| {
        exchange.body()?;
        match exchange.asked().1 {
            "/slow" => mine.pass(),
            "/chat" => {
                exchange.write(SWITCHING)?;
                let mut octet = [0];
                // Until the other side ends.
                while std::io::Read::read(exchange.reader, &mut octet)? > 0 {}
                return Ok(Then::Close);
            }
            _ => {}
        }
        exchange.answer("200 OK", &[], b"hello")
    });
    let mut setup = Setup::shop(&origin);
    setup.raw_site(LIMIT).site(&["other.example"], &[&origin]);
    setup.certificate("other", &authority().issue(&["other.example"]));
    (setup.start(), origin, gate)
}

fn from(edge: &Edge, address: &str) -> Talk {
    shop_client().over(dial_from(address, edge.https), "shop.example").expect("a handshake")
}

#[test]
fn one_more_than_may_be_is_told_to_come_back_and_others_are_served() {
    let (edge, origin, gate) = start();
    let mut first = edge.open("shop.example");
    first.send(SLOW);
    eventually("the shop to be asked", || (origin.requests().len() == 1).then_some(()));
    let mut second = edge.open("shop.example");
    let refusal = second.get("shop.example", "/");
    assert_eq!((refusal.status, refusal.field("retry-after")), (429, Some("1")));
    assert_eq!(from(&edge, "127.0.0.99").get("shop.example", "/").status, 429, "it is of the same network");
    assert_eq!(from(&edge, "127.0.1.1").get("shop.example", "/").status, 200);
    assert_eq!(edge.get("other.example", "/").status, 200);
    edge.counted(2.0, "vitrine_local_answers_total", &[("reason", "crowded")]);
    gate.open();
    assert_eq!(first.response().status, 200);
    // Open connections without a request do not count.
    eventually("the place", || (second.get("shop.example", "/").status == 200).then_some(()));
}

#[test]
fn a_tunnel_is_under_way_until_it_ends() {
    let (edge, _origin, _gate) = start();
    let mut tunnel = edge.open("shop.example");
    let answer = tunnel.ask(HANDSHAKE);
    assert_eq!(answer.status, 101);
    let mut other = edge.open("shop.example");
    for _ in 0..3 {
        assert_eq!(other.get("shop.example", "/").status, 429);
    }
    drop(tunnel);
    eventually("the place", || (other.get("shop.example", "/").status == 200).then_some(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stream_counts() {
    let (edge, origin, gate) = start();
    let client = Http2::open(edge.https, "shop.example").await;
    let (mut first, mut second) = (client.another(), client.another());
    let slow = tokio::spawn(async move { first.get("shop.example", "/slow").await.0 });
    eventually("the shop to be asked", || (origin.requests().len() == 1).then_some(()));
    assert_eq!(second.get("shop.example", "/").await.0, 429);
    gate.open();
    assert_eq!(slow.await.expect("an answer"), 200);
}
