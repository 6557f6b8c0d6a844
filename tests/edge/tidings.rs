//! What came and what is amiss, in mails and posts: the text of each, once for everybody, over a kill and a start.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fs, thread};

use rustix::process::Signal;
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::notices::header;
use crate::support::command::{done, vitrine};
use crate::support::managed::{certificates_of, orders_in, site_text};
use crate::support::pebble::Pebble;
use crate::support::receiver::{Receiver, secret_file};
use crate::support::{KeyKind, Origin, Setup, authority, eventually, replace_file, within};

#[test]
fn what_was_issued_uploaded_rejected_or_is_not_shown_is_told_once_over_a_start() {
    let (origin, mut pebble) = (Origin::saying("hello"), Pebble::prepare());
    let (server, hook) = (Receiver::mail("plain", 0), Receiver::posts("correct horse battery"));
    let names: Vec<String> = (0..12).map(|number| format!("shop-{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut setup = Setup::new();
    pebble.used_by(&mut setup);
    setup.site(&names, &[&origin]).raw_site(&site_text(&origin, "auto.example", ""));
    // A stranger on the port gets half of the connections.
    setup.set("edge", "workers = 1").set("admin", "public_url = \"https://edge.shop.example/\"");
    setup.certificate("shop", &authority().issue_for(&names, KeyKind::Ecdsa, -2, 90 * 24));
    for name in &names {
        let folder = setup.certs().join("well-known").join(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(PROOF), "7B227073").expect("written");
    }
    told_to(&mut setup, &server, &hook);
    let edge = setup.start();
    // What was there at the first look is no news.
    eventually("the first look", || edge.setup.state().join("notices/said.json").exists().then_some(()));
    pebble.serve();
    done(vitrine(&edge, "sites renew auto.example"));
    orders_in(&edge, "auto.example", "ISSUED");
    let before = certificates_of(&edge, names[0]).remove(0);
    let next = authority().issue_for(&names, KeyKind::Ecdsa, -1, 80 * 24);
    replace_file(&edge.setup.certs().join("shop.pem"), next.both());
    let uploaded = eventually("the next one", || {
        certificates_of(&edge, names[0]).into_iter().find(|one| one["fingerprint"] != before["fingerprint"])
    });
    let issued = eventually("the issued one", || certificates_of(&edge, "auto.example").pop());
    fs::write(edge.setup.certs().join("bad.pem"), "garbage").expect("written");
    let stranger = Stranger::join(edge.http());
    // What is new is looked at at once.
    fs::write(edge.setup.certs().join("well-known").join(names[0]).join(PROOF), "7B2270").expect("written");
    let of = |kind: &str| within(OWED, kind, || mails_to(&server, kind).pop());
    let [came, brought, file, proof] = KINDS.map(of);
    let until = |certificate: &Value| certificate["not_after"].as_str().expect("a time")[..10].to_owned();
    let (issued, uploaded) = (until(&issued), until(&uploaded));
    let at = |path: &str| format!("https://edge.shop.example{path}");
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let whole = |heading: &str, line: &str, path: &str, kind: &str| {
        let footer = format!("-- \nFrom Vitrine on {machine}, for the contact {kind}. Days are in UTC.\n");
        format!("{heading}\n\n- {line}\n  {}\n\n{footer}", at(path))
    };
    assert_eq!(header(&came, "Subject"), "A certificate was issued for auto.example");
    let line = format!("auto.example: holds until {issued}");
    assert_eq!(came["text"], whole("Issued", &line, "/sites/auto.example", "issued"));
    assert_eq!(header(&brought, "Subject"), "shop-0.example has a new certificate");
    let line = format!("shop-0.example: holds until {uploaded}");
    assert_eq!(brought["text"], whole("New certificates in service", &line, "/sites/shop-0.example", "uploaded"));
    assert_eq!(header(&file, "Subject"), "The file certs/bad.pem was rejected");
    let known = edge.api("rejected").into_iter().find(|one| one["file"] == "certs/bad.pem").expect("listed");
    let said = |field: &str| known[field].as_str().expect("text").to_owned();
    let line = format!("certs/bad.pem: {}; {}", said("reason"), said("mend"));
    assert_eq!(file["text"], whole("Files that are not served", &line, "/rejected", "rejected"));
    assert_eq!(header(&proof, "Subject"), "shop-0.example does not show a file that others look for");
    let text = proof["text"].as_str().expect("a text");
    for part in [
        "Not shown as they should be\n\n- shop-0.example: ",
        PROOF,
        "expected the status 200, found \"404\"",
        &format!("\n  {}\n", at("/sites/shop-0.example")),
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let html = |mail: &Value| mail["html"].as_str().expect("a page").to_owned();
    assert!(html(&came).contains(&format!("<a href=\"{}\"", at("/sites/auto.example"))), "{came}");

    // A start, the same stranger, and something else to tell, with which anything that is told again would come.
    drop(stranger);
    eventually("nothing that waits", || edge.api("notices").is_empty().then_some(()));
    let edge = edge.end(Signal::KILL).start();
    let _stranger = Stranger::join(edge.http());
    fs::write(edge.setup.certs().join("well-known").join(names[0]).join(PROOF), "7B22").expect("written");
    eventually("what is not shown", || edge.api("alerts").into_iter().find(|alert| alert["code"] == "not-shown"));
    fs::write(edge.setup.certs().join("worse.pem"), "garbage").expect("written");
    within(OWED, "the other file", || (mails_to(&server, "rejected").len() == 2).then_some(()));
    let all = within(OWED, "posts and mails of it", || {
        let all = [lines_of_mails(&server), events_of_posts(&hook)];
        all.iter().all(|lines| lines.iter().any(|line| line.contains("worse.pem"))).then_some(all)
    });
    eventually("nothing that waits", || edge.api("notices").is_empty().then_some(()));
    let [mails, posts] = all;
    assert_eq!(KINDS.map(|kind| mails_to(&server, kind).len()), [1, 1, 2, 1]);
    let proof = mails.iter().position(|line| line.starts_with("- shop-0.example: Was unter /.well-known/ stehen soll"));
    let mut mails = mails.clone();
    mails.remove(proof.expect("told in German"));
    let file = |name: &str| mails.iter().filter(|line| line.starts_with(&format!("- certs/{name}: "))).count();
    assert_eq!((file("bad.pem"), file("worse.pem"), mails.len()), (1, 1, 4), "{mails:?}");
    for line in [format!("- auto.example: gilt bis {issued}"), format!("- shop-0.example: gilt bis {uploaded}")] {
        assert!(mails.contains(&line), "{line}: {mails:?}");
    }
    let mut posts = posts;
    posts.sort();
    let expected = [
        "issued auto.example began",
        "rejected certs/bad.pem began",
        "rejected certs/worse.pem began",
        "uploaded shop-0.example began",
        "well_known_missing shop-0.example began",
    ];
    assert_eq!(posts, expected);
    assert!(hook.taken().iter().all(|post| post["signed"] == true));
}

/// For each kind a contact of its own, one who reads German, and one who is posted to.
fn told_to(setup: &mut Setup, server: &Receiver, hook: &Receiver) {
    server.used_by(setup, "none");
    setup.set("reports", "daily = \"off\"").set("reports", "monthly = \"off\"");
    setup.set("notices", "webhook_networks = [\"127.0.0.0/8\"]");
    secret_file(setup, "chat.url", &format!("http://127.0.0.1:{}/hook\n", hook.port));
    secret_file(setup, "chat.secret", "correct horse battery\n");
    for kind in KINDS {
        setup.raw_site(&format!(
            "[[notices.contact]]\nname = \"{kind}\"\nmail = \"{kind}@shop.example\"\nevents = [\"{kind}\"]\n"
        ));
    }
    let german = "mail = \"alles@shop.example\"\nlanguage = \"de\"";
    let posted = "webhook_file = \"chat.url\"\nsecret_file = \"chat.secret\"";
    for (name, way) in [("alles", german), ("chat", posted)] {
        setup.raw_site(&format!("[[notices.contact]]\nname = \"{name}\"\n{way}\nevents = {KINDS:?}\n"));
    }
}

fn mails_to(server: &Receiver, who: &str) -> Vec<Value> {
    server.taken().into_iter().filter(|mail| mail["to"][0] == format!("{who}@shop.example")).collect()
}

/// What is listed in the mails of the one who reads German.
fn lines_of_mails(server: &Receiver) -> Vec<String> {
    let texts = mails_to(server, "alles");
    let texts = texts.iter().map(|mail| mail["text"].as_str().expect("a text"));
    texts.flat_map(str::lines).filter(|line| line.starts_with("- ")).map(str::to_owned).collect()
}

/// Each event that was posted; a post that came twice counts once.
fn events_of_posts(hook: &Receiver) -> Vec<String> {
    let posts: BTreeMap<String, Value> = hook
        .taken()
        .into_iter()
        .map(|post| (post["post"].to_string(), post["body"]["data"]["events"].clone()))
        .collect();
    let events = posts.values().flat_map(|events| events.as_array().expect("events"));
    let word = |event: &Value, field: &str| event[field].as_str().expect("a word").to_owned();
    events.map(|event| ["kind", "subject", "state"].map(|field| word(event, field)).join(" ")).collect()
}

/// Another process on the port of plain HTTP, which knows of nothing.
struct Stranger {
    socket: Socket,
    thread: Option<JoinHandle<()>>,
}

impl Stranger {
    fn join(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
        socket.set_reuse_port(true).expect("an option");
        // What it leaves behind keeps nobody from listening there.
        socket.set_reuse_address(true).expect("an option");
        socket.bind(&address.into()).expect("the same port");
        socket.listen(64).expect("a listener");
        let listener = TcpListener::from(socket.try_clone().expect("a second handle"));
        let thread = thread::spawn(move || {
            while let Ok((mut tcp, _)) = listener.accept() {
                // Who asks gets its answer when it has asked, and not a reset.
                tcp.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
                let _ = tcp.read(&mut [0; 4096]);
                let _ = tcp.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        Self { socket, thread: Some(thread) }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        // Accepting fails then, and the system gives it no more connections.
        let _ = self.socket.shutdown(Shutdown::Both);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

const KINDS: [&str; 4] = ["issued", "uploaded", "rejected", "well_known_missing"];
const PROOF: &str = "apple-developer-merchantid-domain-association";
/// From a fault to the mail of it: what is owed.
const OWED: Duration = Duration::from_secs(120);
