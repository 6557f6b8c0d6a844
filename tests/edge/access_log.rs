//! The record of requests.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Edge, Http2, Origin, Setup, Talk, authority, eventually, site};

#[test]
fn each_request_is_one_line_of_json() {
    let origin = Origin::saying("hello");
    let edge = logging(&origin, &[]);
    let mut client = edge.open("shop.example");
    client.ask("POST /cart?token=secret HTTP/1.1\r\nhost: Shop.Example:443\r\ncontent-length: 3\r\n\r\nabc");
    let record = eventually("the record", || records(&edge).pop());
    for (member, value) in [
        ("client", Value::from("127.0.0.1")),
        ("sni", "shop.example".into()),
        ("host", "shop.example".into()),
        ("method", "POST".into()),
        ("path", "/cart".into()),
        ("status", 200.into()),
        ("received", 3.into()),
        ("sent", 5.into()),
        ("tls", "1.3".into()),
        ("resumed", false.into()),
        ("protocol", "http/1.1".into()),
        ("outcome", Value::Null),
    ] {
        assert_eq!(record[member], value, "{member}");
    }
    assert_eq!(record.get("query"), None);
    assert_eq!(record["id"].as_str(), origin.request().field("x-request-id"));
    assert!(record["upstream"].as_str().expect("an upstream").contains(&origin.address.to_string()));
    assert!(record["duration"].as_f64().expect("seconds") > 0.0);
    assert!(!fs::read_to_string(log_of(&edge)).expect("a file").contains("secret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_protocol_and_every_kind_of_answer_is_recorded() {
    let origin = Origin::saying("hello");
    let edge = logging(&origin, &[]);
    let mut client = Http2::open(edge.https, "shop.example").await;
    client.get("shop.example", "/h2").await;
    client.get("other.example", "/h2").await;
    Talk::plain(edge.http()).get("shop.example", "/plain");
    edge.open("shop.example").ask("TRACE /gate HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    let records = eventually("four records", || Some(records(&edge)).filter(|records| records.len() == 4));
    let seen: Vec<_> = records
        .iter()
        .map(|record| {
            let text = |member: &str| record[member].as_str().unwrap_or("-").to_owned();
            (text("protocol"), record["status"].as_u64().unwrap_or(0), text("outcome"))
        })
        .collect();
    for expected in
        [("http/2", 200, "-"), ("http/2", 421, "misdirected"), ("plain", 308, "redirect"), ("http/1.1", 405, "method")]
    {
        assert!(seen.contains(&(expected.0.into(), expected.1, expected.2.into())), "{expected:?} in {seen:?}");
    }
}

#[test]
fn the_query_is_recorded_and_the_client_cut_only_when_asked() {
    let origin = Origin::saying("hello");
    let edge = logging(&origin, &["query = true", "truncate_client = true"]);
    edge.get("shop.example", "/a?b=c");
    let record = eventually("the record", || records(&edge).pop());
    assert_eq!((&record["query"], &record["client"]), (&"b=c".into(), &"127.0.0.0".into()));
}

#[test]
fn a_sample_holds_every_failure() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(&site(&["dead.example"], &["http://127.0.0.1:1".into()]));
    setup.certificate("dead", &authority().issue(&["dead.example"]));
    for line in ["to = \"access.log\"", "mode = \"sampled\"", "sample = 0.000000001"] {
        setup.set("access_log", line);
    }
    let edge = setup.start();
    let mut shop = edge.open("shop.example");
    let mut dead = edge.open("dead.example");
    for _ in 0..5 {
        assert_eq!(shop.get("shop.example", "/").status, 200);
        assert_eq!(dead.get("dead.example", "/").status, 502);
    }
    let records = eventually("the failures", || Some(records(&edge)).filter(|records| records.len() >= 5));
    let statuses: Vec<_> = records.iter().map(|record| record["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(502); 5]);
}

#[test]
fn a_file_that_was_moved_away_is_opened_anew_on_sighup() {
    let origin = Origin::saying("hello");
    let edge = logging(&origin, &[]);
    edge.get("shop.example", "/before");
    eventually("the first record", || records(&edge).pop());
    let old = edge.setup.folder.path().join("access.log.1");
    fs::rename(log_of(&edge), &old).expect("renamed");
    edge.signal(rustix::process::Signal::HUP);
    eventually("the new file", || log_of(&edge).exists().then_some(()));
    edge.get("shop.example", "/after");
    let record = eventually("the second record", || records(&edge).pop());
    assert_eq!(record["path"], "/after");
    let old = fs::read_to_string(old).expect("a file");
    assert!(old.contains("/before") && !old.contains("/after"), "{old}");
}

#[test]
fn nothing_is_recorded_unless_asked() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    assert_eq!(edge.get("shop.example", "/").status, 200);
    edge.counted(1.0, "vitrine_requests_total", &[("code", "200")]);
    assert_eq!((edge.output(), log_of(&edge).exists()), (vec![], false));
}

#[test]
fn records_go_to_standard_output_if_the_operator_says_so() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("access_log", "to = \"stdout\"");
    let edge = setup.start();
    edge.get("shop.example", "/page");
    let record = edge.output_line("the record", |line| line["path"] == "/page");
    assert_eq!(record["status"], 200);
}

#[test]
fn a_reader_that_does_not_read_the_log_slows_nobody_down() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("access_log", "to = \"stdout\"").leave_output_unread();
    let mut edge = setup.start();
    let mut client = Talk::plain(edge.http());
    // More than the pipe, the writer's buffer and the queue hold together.
    for _ in 0..100 {
        client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n".repeat(100));
        for _ in 0..100 {
            assert_eq!(client.response().status, 308);
        }
    }
    eventually("dropped records", || (edge.scrape().sum("vitrine_access_log_dropped_total", &[]) > 0.0).then_some(()));
    assert_eq!(edge.get("shop.example", "/").status, 200);
    drop(client);
    edge.signal(rustix::process::Signal::TERM);
    assert_eq!(edge.wait().code(), Some(0), "a pipe nobody reads does not keep the edge from ending");
}

/// A shop that records into a file.
fn logging(origin: &Origin, lines: &[&str]) -> Edge {
    let mut setup = Setup::shop(origin);
    setup.set("access_log", "to = \"access.log\"");
    for line in lines {
        setup.set("access_log", line);
    }
    setup.start()
}

fn log_of(edge: &Edge) -> std::path::PathBuf {
    edge.setup.folder.path().join("access.log")
}

fn records(edge: &Edge) -> Vec<Value> {
    read(&log_of(edge))
}

fn read(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // The last line may be on its way.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}
