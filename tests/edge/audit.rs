//! Who ordered what of an edge, and that nobody can pretend otherwise.

use std::fs;

use serde_json::Value;

use crate::support::{Edge, Origin, Setup, run};

#[test]
fn every_order_is_in_the_trail_with_who_gave_it_and_what_came_of_it() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let operate = edge.token("work", "operate");
    let id = edge.api("tokens")[0]["id"].as_str().expect("an id").to_owned();
    let confirm = "/api/v1/certificates/confirm-withdrawal";
    assert_eq!(edge.ask_with(&operate, "POST", confirm).status, 409);
    assert_eq!(edge.ask_api("POST", &format!("{confirm}?nonsense=1")).status, 400);
    assert_eq!(edge.ask_api("DELETE", &format!("/api/v1/tokens/{id}")).status, 200);
    let user = format!("user {}", rustix::process::geteuid().as_raw());
    let token = format!("token \"work\" ({id})");
    let text = |line: &Value, name: &str| line[name].as_str().expect(name).to_owned();
    let trail = edge.api("audit");
    let told: Vec<_> =
        trail.iter().map(|line| ["who", "door", "action", "object", "result"].map(|name| text(line, name))).collect();
    let object = format!("tokens/{id}");
    let expected = [
        [&*user, "admin.sock", "POST tokens", &object, "done"],
        [&token, "127.0.0.1", "POST certificates/confirm-withdrawal", &confirm["/api/v1/".len()..], "refused"],
        [&user, "admin.sock", "DELETE tokens/{id}", &object, "done"],
    ];
    assert_eq!(told, expected.map(|line| line.map(str::to_owned)));
    assert_eq!(edge.api("audit?after=2"), trail[2..]);
    assert_eq!(edge.api("audit?limit=1"), trail[2..]);
    let file = fs::read_to_string(edge.setup.state().join("audit.jsonl")).expect("a trail");
    assert!(!file.contains(&operate[4..]), "{file}");
}

#[test]
fn a_trail_is_verified_running_and_as_a_copy() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    edge.token("one", "read");
    edge.token("two", "read");
    let (code, sound) = vitrine(&edge, &["audit", "verify", "--config", "vitrine.toml"]);
    assert!(code == 0 && sound.starts_with("sound: 2 lines, "), "{sound}");
    let (_, list) = vitrine(&edge, &["audit", "list", "--config", "vitrine.toml"]);
    assert!(list.contains("POST tokens") && list.contains("\"two\", role read"), "{list}");

    let trail = edge.setup.state().join("audit.jsonl");
    let text = fs::read_to_string(&trail).expect("a trail");
    let copy = edge.setup.folder.path().join("copy.jsonl");
    fs::write(&copy, &text).expect("written");
    let offline = ["audit", "verify", "copy.jsonl"];
    assert_eq!(vitrine(&edge, &offline), (0, sound));
    fs::write(&copy, text.replace("two", "one")).expect("written");
    let (code, broken) = vitrine(&edge, &offline);
    assert!(code == 1 && broken.starts_with("broken at line 2: the line was changed"), "{broken}");

    // What was cut off at the end, the running edge knows.
    let first = text.lines().next().expect("a line");
    fs::write(&trail, format!("{first}\n")).expect("written");
    let (code, broken) = vitrine(&edge, &["audit", "verify", "--config", "vitrine.toml"]);
    assert!(code == 1 && broken.contains("the trail had 2 lines, and ends with line 1 now"), "{broken}");
}

#[test]
fn a_line_that_a_kill_tore_is_put_aside_and_the_trail_goes_on() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    edge.token("one", "read");
    edge.signal(rustix::process::Signal::KILL);
    edge.wait();
    let trail = edge.setup.state().join("audit.jsonl");
    let text = fs::read_to_string(&trail).expect("a trail");
    fs::write(&trail, format!("{text}{{\"number\":2,\"ti")).expect("written");
    let mut next = Setup::shop(&origin);
    next.set("certificates", &format!("state_directory = {:?}", edge.setup.state()));
    let next = next.start();
    next.logged("audit.jsonl ended within a line");
    let torn = fs::read_to_string(edge.setup.state().join("audit.jsonl.torn")).expect("put aside");
    assert_eq!(torn, "{\"number\":2,\"ti\n");
    let made = vitrine(&next, &["token", "new", "--config", "vitrine.toml", "--name", "two", "--role", "read"]);
    assert_eq!(made.0, 0, "{}", made.1);
    let (code, sound) = vitrine(&next, &["audit", "verify", "--config", "vitrine.toml"]);
    assert!(code == 0 && sound.starts_with("sound: 2 lines, "), "{sound}");
}

#[test]
fn an_order_that_cannot_be_recorded_stands_and_is_an_alarm() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let trail = edge.setup.state().join("audit.jsonl");
    fs::create_dir(&trail).expect("in the way");
    edge.token("one", "read");
    let alarms = edge.api("alarms");
    assert!(alarms.iter().any(|alarm| alarm["code"] == "audit-unwritten"), "{alarms:?}");
    assert_eq!(edge.scrape().sum("vitrine_audit_unwritten", &[]), 1.0);
    fs::remove_dir(&trail).expect("removed");
    edge.token("two", "read");
    let mut alarms = edge.api("alarms");
    // It may have come meanwhile: nobody knows the issuer of the shop's certificate.
    alarms.retain(|alarm| alarm["code"] != "chain-incomplete");
    assert_eq!(alarms, Vec::<Value>::new());
    assert_eq!((edge.api("audit").len(), edge.api("tokens").len()), (1, 2));
    assert_eq!(edge.scrape().sum("vitrine_audit_unwritten", &[]), 0.0);
}

/// The exit code and what it said.
fn vitrine(edge: &Edge, arguments: &[&str]) -> (i32, String) {
    let output = run(arguments, &edge.setup);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("a code"), said)
}
