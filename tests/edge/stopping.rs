//! The end of an edge: what was accepted is finished.

use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustls::version::TLS13;

use crate::support::frame::{
    ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, SETTINGS, frame, head, next_frame,
};
use crate::support::{
    ClientTls, DEADLINE, Edge, HANDSHAKE, Origin, SWITCHING, Setup, Talk, Then, eventually, message, shop_client,
};

#[test]
fn an_idle_edge_stops_at_once() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    edge.signal(Signal::TERM);
    assert_eq!(edge.wait().code(), Some(0));
    assert!(edge.log().iter().any(|line| message(line) == "stopped"));
}

#[test]
fn no_accepted_request_fails_while_the_edge_drains_under_load() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let (stop, served, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::default());
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
            let failed: Arc<Mutex<Vec<String>>> = Arc::clone(&failed);
            let address = edge.https;
            std::thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    // A connection that was not accepted any more is no lost request.
                    let Ok(tcp) = std::net::TcpStream::connect(address) else { break };
                    let _ = tcp.set_read_timeout(Some(DEADLINE));
                    let Ok(mut client) = shop_client().over(tcp, "shop.example") else { break };
                    // Even numbers keep their connections, odd ones take new ones.
                    for _ in 0..if number % 2 == 0 { 100 } else { 1 } {
                        let sent = client.try_send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
                        match sent.and_then(|()| client.try_response()) {
                            Ok(response) if response.status == 200 => {
                                served.fetch_add(1, Ordering::SeqCst);
                                if response.field("connection") == Some("close") {
                                    break;
                                }
                            }
                            Ok(response) => failed.lock().expect("a list").push(response.text()),
                            Err(error) => {
                                failed.lock().expect("a list").push(error.to_string());
                                break;
                            }
                        }
                    }
                }
            })
        })
        .collect();
    eventually("some load", || (served.load(Ordering::SeqCst) > 200).then_some(()));
    edge.signal(Signal::TERM);
    assert_eq!(edge.wait().code(), Some(0));
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().expect("a client");
    }
    assert_eq!(*failed.lock().expect("a list"), Vec::<String>::new(), "of {}", served.load(Ordering::SeqCst));
}

#[test]
fn a_request_under_way_is_finished_and_told_to_close() {
    let (origin, go) = waiting();
    let mut edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    eventually("the request", || (origin.requests().len() == 1).then_some(()));
    edge.signal(Signal::TERM);
    eventually("draining", || (readiness(&edge) == (503, "draining\n".into())).then_some(()));
    await_closed_listeners(&edge);
    assert_eq!(Talk::plain(edge.admin).get("localhost", "/livez").status, 200);
    go.send(()).expect("the origin waits");
    let response = client.response();
    assert_eq!((response.text().as_str(), response.field("connection")), ("hello", Some("close")));
    client.until_closed();
    assert_eq!(edge.wait().code(), Some(0));
}

#[test]
fn a_request_that_was_on_its_way_when_draining_began_is_served() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").status, 200);
    edge.signal(Signal::TERM);
    await_closed_listeners(&edge);
    let response = client.get("shop.example", "/");
    assert_eq!((response.status, response.field("connection")), (200, Some("close")));
    assert_eq!(edge.wait().code(), Some(0));
}

#[test]
fn an_idle_connection_is_closed_after_a_second() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").status, 200);
    edge.signal(Signal::TERM);
    let begun = Instant::now();
    assert_eq!(client.until_closed(), b"");
    assert!(begun.elapsed() > Duration::from_millis(700), "{:?}", begun.elapsed());
    assert_eq!(edge.wait().code(), Some(0));
}

#[test]
fn http_2_is_told_to_go_and_finishes_its_streams() {
    let (origin, go) = waiting();
    let mut edge = Setup::shop(&origin).start();
    let mut client = ClientTls::new(&[&TLS13]).alpn(&["h2"]).open(edge.https, "shop.example");
    let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head(2));
    client.send([PREFACE, &frame(SETTINGS, 0, 0, &[]), &request].concat());
    eventually("the request", || (origin.requests().len() == 1).then_some(()));
    edge.signal(Signal::TERM);
    let mut go = Some(go);
    let (mut told, mut answer) = (0, Vec::new());
    while let Some((kind, flags, content)) = next_frame(&mut client) {
        match kind {
            PING if flags & ACK == 0 => client.send(frame(PING, ACK, 0, &content)),
            GOAWAY => {
                assert_eq!(content[4..8], [0; 4], "no error");
                told += 1;
                if let Some(go) = go.take() {
                    go.send(()).expect("the origin waits");
                }
            }
            HEADERS => assert_eq!(content[0], 0x88, "200"),
            DATA => answer.extend(content),
            _ => {}
        }
    }
    assert_eq!((told, answer.as_slice()), (2, &b"hello"[..]));
    assert_eq!(edge.wait().code(), Some(0));
}

#[test]
fn a_second_signal_stops_at_once() {
    let (origin, _go) = waiting();
    let mut edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    eventually("the request", || (origin.requests().len() == 1).then_some(()));
    edge.signal(Signal::TERM);
    edge.logged("stopping");
    edge.signal(Signal::INT);
    assert_eq!(edge.wait().code(), Some(1));
    edge.logged("a second signal");
    let line = edge.logged("were cut off");
    assert_eq!((message(&line), &line["connections"]), ("open connections were cut off", &1.into()));
}

#[test]
fn a_drain_that_reaches_its_deadline_warns_and_is_no_failure() {
    let (origin, _go) = waiting();
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "drain_timeout = \"500ms\"");
    let mut edge = setup.start();
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    eventually("the request", || (origin.requests().len() == 1).then_some(()));
    edge.signal(Signal::TERM);
    assert_eq!(edge.wait().code(), Some(0));
    let line = edge.logged("the drain deadline passed");
    assert_eq!((&line["level"], &line["connections"]), (&"WARN".into(), &1.into()));
    assert!(client.try_response().is_err());
}

#[test]
fn a_tunnel_lives_until_the_deadline() {
    let origin = Origin::new(|exchange| {
        exchange.write(SWITCHING)?;
        let mut octet = [0];
        while exchange.reader.read(&mut octet)? > 0 {
            exchange.write(&octet)?;
        }
        Ok(Then::Close)
    });
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "drain_timeout = \"2s\"");
    let mut edge = setup.start();
    let mut client = edge.open("shop.example");
    let response = client.ask(HANDSHAKE);
    assert_eq!(response.status, 101);
    edge.signal(Signal::TERM);
    edge.logged("stopping");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        let mut octet = [0];
        client.send("x");
        client.reader.read_exact(&mut octet).expect("an echo");
    }
    client.until_closed();
    assert_eq!(edge.wait().code(), Some(0));
}

#[test]
fn the_service_manager_is_told_when_it_is_ready_and_when_it_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let told = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.environment("NOTIFY_SOCKET", path.to_str().expect("a path"));
    let mut edge = setup.start();
    assert_eq!(told(), "READY=1");
    edge.signal(Signal::TERM);
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(edge.wait().code(), Some(0));
}

#[test]
fn who_waits_in_the_queue_when_draining_begins_is_served() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    // Many connections at the moment of the signal: some are accepted, the rest waits in the kernel.
    let clients: Vec<_> = (0..50).map(|_| std::net::TcpStream::connect(edge.https).expect("connected")).collect();
    edge.signal(Signal::TERM);
    let mut handles = Vec::new();
    for tcp in clients {
        handles.push(std::thread::spawn(move || {
            tcp.set_read_timeout(Some(DEADLINE)).expect("a timeout");
            shop_client().over(tcp, "shop.example").expect("a handshake").get("shop.example", "/").status
        }));
    }
    let statuses: Vec<_> = handles.into_iter().map(|handle| handle.join().expect("a client")).collect();
    assert_eq!(statuses, [200; 50]);
    assert_eq!(edge.wait().code(), Some(0));
}

/// An origin that answers when it is told to.
fn waiting() -> (Origin, mpsc::Sender<()>) {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let origin = Origin::new(move |exchange| {
        let _ = wait.lock().expect("the gate").recv_timeout(DEADLINE);
        exchange.answer("200 OK", &[], b"hello")
    });
    (origin, go)
}

/// Waits until no worker accepts any more: from then on each of them knows that it drains. The line that says so in the log is
/// written before the first one hears of it.
fn await_closed_listeners(edge: &Edge) {
    eventually("closed listeners", || std::net::TcpStream::connect(edge.https).is_err().then_some(()));
}

fn readiness(edge: &Edge) -> (u16, String) {
    let response = Talk::plain(edge.admin).get("localhost", "/readyz");
    (response.status, response.text())
}
