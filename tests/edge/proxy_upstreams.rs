//! Shops that are told by the PROXY protocol who asks.

use std::io::{self, Read};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::command::{done, vitrine};
use crate::support::{Edge, Origin, Setup, authority, eventually};

/// Takes the header of each connection before a shop gets to see it.
struct Reader {
    address: SocketAddr,
    headers: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Reader {
    fn before(shop: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (address, headers) = (listener.local_addr().expect("an address"), Arc::<Mutex<Vec<_>>>::default());
        let seen = Arc::clone(&headers);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut client), seen) = (stream, Arc::clone(&seen)) else { break };
                thread::spawn(move || {
                    let Ok(header) = header(&mut client) else { return };
                    seen.lock().expect("headers").push(header);
                    let Ok(mut shop) = TcpStream::connect(shop) else { return };
                    let mut back = (shop.try_clone().expect("a stream"), client.try_clone().expect("a stream"));
                    thread::spawn(move || {
                        let _ = io::copy(&mut back.0, &mut back.1);
                        let _ = back.1.shutdown(Shutdown::Both);
                    });
                    let _ = io::copy(&mut client, &mut shop);
                    let _ = shop.shutdown(Shutdown::Write);
                });
            }
        });
        Self { address, headers }
    }

    fn headers(&self) -> Vec<Vec<u8>> {
        self.headers.lock().expect("headers").clone()
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A line, or what begins with version 2's signature.
fn header(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut octets = vec![0; 16];
    stream.read_exact(&mut octets[..15])?;
    if octets.starts_with(b"PROXY ") {
        octets.truncate(15);
        while !octets.ends_with(b"\r\n") {
            let mut octet = [0];
            stream.read_exact(&mut octet)?;
            octets.push(octet[0]);
        }
        return Ok(octets);
    }
    stream.read_exact(&mut octets[15..])?;
    let length = usize::from(u16::from_be_bytes([octets[14], octets[15]]));
    octets.resize(16 + length, 0);
    stream.read_exact(&mut octets[16..])?;
    Ok(octets)
}

fn shop(upstream: &str, lines: &str) -> Edge {
    let mut setup = Setup::new();
    setup.raw_site(&format!("[[site]]\nhosts = [\"shop.example\"]\nupstreams = [{upstream:?}]\n{lines}\n"));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup.set("edge", "workers = 1");
    setup.start()
}

#[test]
fn each_connection_begins_with_who_asks_and_is_for_one_request() {
    let origin = Origin::saying("told");
    let reader = Reader::before(origin.address);
    let edge = shop(&reader.url(), "send_proxy_protocol = \"v1\"");
    let mut expected = Vec::new();
    for _ in 0..2 {
        let mut client = edge.open("shop.example");
        let own = client.local_address();
        for _ in 0..2 {
            assert_eq!(client.get("shop.example", "/").text(), "told");
            let (from, to) = (own.port(), edge.https.port());
            expected.push(format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {to}\r\n").into_bytes());
        }
    }
    assert_eq!(reader.headers(), expected);
    assert_eq!(edge.scrape().sum("vitrine_upstream_reuses_total", &[]), 0.0);
}

#[test]
fn version_2_says_the_same_and_questions_of_the_edge_say_that_they_are() {
    let origin = Origin::saying("told");
    let reader = Reader::before(origin.address);
    let edge =
        shop(&reader.url(), "send_proxy_protocol = \"v2\"\nhealth = { path = \"/healthz\", interval = \"100ms\" }");
    let mut client = edge.open("shop.example");
    let own = client.local_address();
    assert_eq!(client.get("shop.example", "/").text(), "told");
    let local: &[u8] = &[0x20, 0, 0, 0];
    let told: Vec<_> = reader.headers().into_iter().filter(|header| &header[12..] != local).collect();
    let address = Ipv4Addr::LOCALHOST.octets();
    let ports = [own.port().to_be_bytes(), edge.https.port().to_be_bytes()].concat();
    let expected = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", &address[..], &address[..], &ports[..]].concat();
    assert_eq!(told, [expected]);
    eventually("a question of the edge", || reader.headers().iter().any(|header| &header[12..] == local).then_some(()));
}

#[test]
fn a_route_may_have_it_otherwise_and_a_trusted_proxy_names_the_client() {
    let origin = Origin::saying("told");
    let reader = Reader::before(origin.address);
    let mut setup = Setup::new();
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [{:?}]\nsend_proxy_protocol = \"v1\"\n\
         [[site.route]]\npath = \"/plain\"\nupstreams = [{:?}]\nsend_proxy_protocol = \"off\"\n",
        reader.url(),
        origin.url()
    ));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup.set("edge", "trusted_proxies = [\"127.0.0.0/8\"]");
    let edge = setup.start();
    assert_eq!(edge.get("shop.example", "/plain").text(), "told");
    assert!(reader.headers().is_empty());
    let request = "GET / HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-for: 203.0.113.7\r\n\r\n";
    assert_eq!(edge.open("shop.example").ask(request).text(), "told");
    let expected = format!("PROXY TCP4 203.0.113.7 127.0.0.1 0 {}\r\n", edge.https.port());
    assert_eq!(reader.headers(), [expected.into_bytes()]);
}

#[test]
fn a_server_that_is_told_has_another_name_than_the_same_that_is_not() {
    let origin = Origin::saying("told");
    let address = origin.address;
    let mut setup = Setup::new();
    let urls = format!("upstreams = [\"http://{address}\"]");
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.example\"]\n{urls}\n\
         [[site.route]]\npath = \"/v1\"\n{urls}\nsend_proxy_protocol = \"v1\"\n\
         [[site.route]]\npath = \"/v2\"\n{urls}\nsend_proxy_protocol = \"v2\"\n"
    ));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    let edge = setup.start();
    let states = |edge: &Edge| -> Vec<(String, String)> {
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        edge.api("upstreams").iter().map(|one| (text(&one["upstream"]), text(&one["state"]))).collect()
    };
    let told = |suffix: &str, state: &str| (format!("{address}{suffix}"), state.to_owned());
    assert_eq!(states(&edge), [told("", "ready"), told("+proxy-v1", "ready"), told("+proxy-v2", "ready")]);
    done(vitrine(&edge, &format!("upstreams set {address}+proxy-v1 maintenance")));
    assert_eq!(states(&edge), [told("", "ready"), told("+proxy-v1", "maintenance"), told("+proxy-v2", "ready")]);
    assert_eq!([edge.get("shop.example", "/").status, edge.get("shop.example", "/v1").status], [200, 503]);
    let ready =
        |suffix: &str| edge.scrape().sum("vitrine_upstream_ready", &[("upstream", &format!("{address}{suffix}"))]);
    assert_eq!([ready(""), ready("+proxy-v1"), ready("+proxy-v2")], [1.0, 0.0, 1.0]);
}
