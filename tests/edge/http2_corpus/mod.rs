//! HTTP/2 in, HTTP/1.1 out: what a shop gets of requests that could be read in two ways (RFC 9113 §8, and §10.3 on what intermediaries
//! owe). Judged by what arrives at the shop.

mod cases;
mod client;

use cases::{CASES, CLIENT_KEY, Case, Wanted};
use client::{End, ask};

use crate::support::{Edge, Http2, Origin, Setup};

/// What is wrong with how a case went; `None`: nothing.
fn fault(case: &Case, edge: &Edge, origin: &Origin) -> Option<String> {
    let before = origin.requests().len();
    let end = ask(edge, &case.all_fields(), case.parts);
    let arrived = origin.requests().split_off(before);
    let is_whole = |wanted: &str| arrived.len() == 1 && end == End::Answered && arrived[0].head.start == wanted;
    let head = arrived.first().map(|one| &one.head);
    let has = |(name, value): &(&str, &str)| match *value {
        "" => head.is_some_and(|head| head.all(name).is_empty()),
        value => head.is_some_and(|head| head.field(name) == Some(value)),
    };
    let is_well = match &case.wanted {
        Wanted::Refused => arrived.is_empty() && end != End::Answered,
        // Its head may have gone out before the fault came; then its body never ended.
        Wanted::Broken => end != End::Answered && arrived.iter().all(|one| one.content.bytes.is_empty()),
        Wanted::Declined(fields) => {
            let keys = head.map(|head| head.all("sec-websocket-key"));
            let has_own_key = keys.is_some_and(|keys| keys.len() == 1 && keys[0] != CLIENT_KEY);
            arrived.len() == 1 && end == End::Refused && fields.iter().all(has) && has_own_key
        }
        Wanted::Passed { start, fields, body } => {
            is_whole(start) && fields.iter().all(has) && arrived[0].content.bytes == body.as_bytes()
        }
    };
    // Whatever it was, the shop got no second Host, and no framing in two ways.
    let is_sound = arrived.iter().all(|one| {
        let framings = one.head.all("content-length").len() + one.head.all("transfer-encoding").len();
        one.head.all("host").len() == 1 && framings <= 1
    });
    let name = case.name;
    (!is_well || !is_sound).then(|| format!("{name}: ended {end:?}, and the shop got {arrived:#?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_ambiguous_is_passed_on() {
    let origin = Origin::new(|exchange| {
        exchange.body()?;
        exchange.answer("200 OK", &[], b"hello")
    });
    let edge = Setup::shop(&origin).start();
    let faults: Vec<String> =
        tokio::task::block_in_place(|| CASES.iter().filter_map(|case| fault(case, &edge, &origin)).collect());
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), CASES.len(), faults.join("\n"));
    assert!(CASES.len() >= 100, "{}", CASES.len());
    // Whoever comes after them is served.
    let mut honest = Http2::open(edge.https, "shop.example").await;
    assert_eq!(honest.get("shop.example", "/").await, (200, "hello".into()));
}

#[test]
fn crumbs_of_cookies_are_one_cookie_and_no_more_than_256() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for (number, end) in [(200, End::Answered), (256, End::Answered), (257, End::Refused)] {
        let crumbs: Vec<String> = (0..number).map(|crumb| format!("c{crumb}=v")).collect();
        let usual = Case::usual();
        let fields: Vec<_> = usual.into_iter().chain(crumbs.iter().map(|crumb| ("cookie", crumb.as_str()))).collect();
        let before = origin.requests().len();
        assert_eq!(ask(&edge, &fields, &[]), end, "{number}");
        let cookies: Vec<_> =
            origin.requests().split_off(before).iter().map(|one| one.head.field("cookie").map(str::to_owned)).collect();
        let joined = Some(crumbs.join("; "));
        assert_eq!(cookies, if end == End::Answered { vec![joined] } else { Vec::new() }, "{number}");
    }
}

#[test]
fn what_is_too_long_is_refused_without_bringing_anything_down() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let many: Vec<(String, String)> = (0..101).map(|field| (format!("x-{field}"), "v".to_owned())).collect();
    let long = "a".repeat(17 * 1024);
    let big = "b".repeat(40 * 1024);
    let path = format!("/{long}");
    let cases: [(&str, Vec<(&str, &str)>); 3] = [
        ("fields", many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()),
        ("path", vec![(":path", path.as_str())]),
        ("head", vec![("x-big", big.as_str())]),
    ];
    for (what, more) in cases {
        let replaced = |name: &str| more.iter().any(|(other, _)| other.starts_with(':') && *other == name);
        let usual = Case::usual().into_iter().filter(|(name, _)| !replaced(name));
        let (pseudo, plain): (Vec<_>, Vec<_>) = usual.chain(more.clone()).partition(|(name, _)| name.starts_with(':'));
        assert_ne!(ask(&edge, &[pseudo, plain].concat(), &[]), End::Answered, "{what}");
    }
    assert_eq!(origin.requests(), []);
    assert_eq!(ask(&edge, &Case::usual(), &[]), End::Answered);
}
