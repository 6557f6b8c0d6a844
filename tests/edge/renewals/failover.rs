//! An issuer that fails for a reason of its own leads to the next, and a site's fault leads nowhere.

use rustix::process::Signal;

use super::{from_now, lines, managed, state};
use crate::support::acme::{FakeAcme, Fault, Resource};
use crate::support::command::{done, vitrine};
use crate::support::{Edge, Origin};

/// What an issuer that is of no use answers, at which resource, and the word for it.
fn faults() -> Vec<(Resource, Fault, &'static str)> {
    let again = || Some("120".to_owned());
    vec![
        (Resource::Directory, Fault::Page(503, again()), "unreachable"),
        (Resource::Directory, Fault::Body("{\"newNonce\":"), "unreachable"),
        (Resource::Nonce, Fault::Page(502, None), "unreachable"),
        (Resource::NewAccount, Fault::Problem(429, "rateLimited", again()), "rate-limited"),
        (Resource::NewOrder, Fault::Problem(429, "rateLimited", again()), "rate-limited"),
        (Resource::NewOrder, Fault::Problem(500, "serverInternal", None), "unreachable"),
        (Resource::NewOrder, Fault::Problem(403, "userActionRequired", None), "account"),
        (Resource::NewOrder, Fault::Body("[]"), "unreachable"),
        (Resource::Authorization, Fault::Page(504, None), "unreachable"),
        (Resource::Challenge, Fault::Problem(429, "rateLimited", again()), "rate-limited"),
        (Resource::Finalize, Fault::Problem(403, "badCSR", None), "refused"),
        (Resource::Certificate, Fault::Page(500, None), "unreachable"),
        (Resource::Certificate, Fault::Body("no certificate"), "unusable"),
    ]
}

#[test]
fn whatever_fails_at_the_first_issuer_the_second_issues_at_once() {
    let origin = Origin::saying("hello");
    for (resource, fault, reason) in faults() {
        let (first, second) = (FakeAcme::start(), FakeAcme::start());
        first.fault(resource, usize::MAX, fault);
        let edge = managed(&[("first", &first, ""), ("second", &second, "")], &origin, &[&["shop.example"]]).start();
        let told = state(&edge, "shop.example", "ISSUED");
        assert_eq!(told["issuer"], "second", "{resource:?}");
        let failure = edge.logged("no certificate: ");
        assert_eq!((&failure["reason"], &failure["issuer"]), (&reason.into(), &"first".into()), "{resource:?}");
        assert_eq!(lines(&edge, "orders a certificate"), 2, "{resource:?}");
    }
}

#[test]
fn a_sites_own_fault_is_tried_nowhere_else() {
    let origin = Origin::saying("hello");
    for (kind, reason) in [("caa", "caa"), ("rejectedIdentifier", "name-refused"), ("dns", "dns")] {
        let (first, second) = (FakeAcme::start(), FakeAcme::start());
        first.fault(Resource::NewOrder, usize::MAX, Fault::Problem(403, kind, None));
        let edge = managed(&[("first", &first, ""), ("second", &second, "")], &origin, &[&["shop.example"]]).start();
        let told = state(&edge, "shop.example", "FAILED");
        assert_eq!(told["last_failure"]["reason"], reason);
        assert!((295..=330).contains(&from_now(&told["next"])), "{told}");
        assert!(second.all_asked().is_empty() && lines(&edge, "orders a certificate") == 1);
    }
}

#[test]
fn when_to_come_again_is_obeyed_whatever_was_asked_for() {
    let origin = Origin::saying("hello");
    let date = || {
        let moment = time::OffsetDateTime::from(std::time::SystemTime::now()) + time::Duration::hours(2);
        moment.format(&time::format_description::well_known::Rfc2822).expect("a date").replace("+0000", "GMT")
    };
    let cases = [
        (Resource::Directory, Fault::Page(503, Some("7200".into())), 7200),
        (Resource::Nonce, Fault::Page(503, Some("7200".into())), 7200),
        (Resource::NewAccount, Fault::Problem(429, "rateLimited", Some("7200".into())), 7200),
        (Resource::NewOrder, Fault::Problem(429, "rateLimited", Some(date())), 7200),
        (Resource::Authorization, Fault::Problem(429, "rateLimited", Some("7200".into())), 7200),
        (Resource::Challenge, Fault::Problem(429, "rateLimited", Some("7200".into())), 7200),
        (Resource::Order, Fault::Page(503, Some("7200".into())), 7200),
        (Resource::Finalize, Fault::Problem(503, "serverInternal", Some("7200".into())), 7200),
        (Resource::Certificate, Fault::Page(503, Some(date())), 7200),
        // A year is not meant.
        (Resource::NewOrder, Fault::Problem(429, "rateLimited", Some("31536000".into())), 86_400),
    ];
    for (resource, fault, expected) in cases {
        let acme = FakeAcme::start();
        acme.fault(resource, usize::MAX, fault);
        let edge = managed(&[("only", &acme, "")], &origin, &[&["shop.example"]]).start();
        let told = state(&edge, "shop.example", "FAILED");
        let next = from_now(&told["next"]);
        assert!((expected - 30..=expected).contains(&next), "{resource:?}: {next}");
        // A start is no reason to come earlier.
        let asked = acme.all_asked().len();
        let edge = edge.end(Signal::TERM).start();
        assert_eq!(state(&edge, "shop.example", "FAILED")["next"], told["next"], "{resource:?}");
        assert_eq!(acme.all_asked().len(), asked, "{resource:?}");
    }
}

#[test]
fn who_failed_is_left_alone_by_the_site_and_preferred_again_by_the_next_renewal() {
    let origin = Origin::saying("hello");
    let (first, second) = (FakeAcme::start(), FakeAcme::start());
    first.fault(Resource::NewOrder, 1, Fault::Problem(500, "serverInternal", None));
    let edge = managed(&[("first", &first, ""), ("second", &second, "")], &origin, &[&["shop.example"]]).start();
    assert_eq!(state(&edge, "shop.example", "ISSUED")["issuer"], "second");
    done(vitrine(&edge, "sites renew shop.example"));
    first.await_issued(1);
}

#[test]
fn an_issuer_that_hangs_or_is_gone_holds_back_nobody_for_long() {
    let origin = Origin::saying("hello");
    let (first, second) = (FakeAcme::start(), FakeAcme::start());
    first.fault(Resource::Directory, usize::MAX, Fault::Page(503, None));
    let hosts: Vec<String> = (0..30).map(|number| format!("shop{number}.example")).collect();
    let sites: Vec<[&str; 1]> = hosts.iter().map(|host| [host.as_str()]).collect();
    let sites: Vec<&[&str]> = sites.iter().map(|site| site.as_slice()).collect();
    let edge = managed(&[("first", &first, ""), ("second", &second, "")], &origin, &sites).start();
    second.await_issued(30);
    for host in &hosts {
        assert_eq!(state(&edge, host, "ISSUED")["issuer"], "second");
    }
    // Those that were under way together found out, and who took the places of the first two that told.
    assert!(first.asked(Resource::Directory) <= 8 + 2, "{:?}", first.all_asked());
    assert_eq!(lines(&edge, "fails one site after the other"), 1);
}

#[test]
fn names_that_are_not_believed_take_half_of_the_places_at_most() {
    let origin = Origin::saying("hello");
    let acme = FakeAcme::start();
    acme.set(|ways| ways.disbelieves = vec!["a.example".into(), "b.example".into()]);
    let mut setup = managed(&[("only", &acme, "")], &origin, &[&["a.example"], &["b.example"]]);
    setup.set("acme", "orders_at_once = 2");
    let edge = setup.start();
    for site in ["a.example", "b.example"] {
        let failure = state(&edge, site, "FAILED")["last_failure"].clone();
        assert_eq!((&failure["reason"], &failure["detail"]), (&"validation".into(), &said(site).into()));
    }
    // They are tried again, and find an authority that never answers.
    let mut setup = edge.end(Signal::TERM);
    for site in ["a.example", "b.example"] {
        rewind(&setup.state(), site);
    }
    acme.set(|ways| ways.ignores = vec!["a.example".into(), "b.example".into()]);
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"new.example\"]\nupstreams = [\"{}\"]\ncertificate = \"managed\"\n",
        origin.url()
    ));
    let edge: Edge = setup.start();
    state(&edge, "new.example", "ISSUED");
    let ordered = edge.log().into_iter().filter(|line| line["message"] == "orders a certificate");
    let sites: Vec<String> = ordered.map(|line| line["site"].as_str().unwrap_or_default().to_owned()).collect();
    let failed = sites.iter().filter(|site| *site != "new.example").count();
    // The other one waits for its place.
    assert_eq!((failed, sites.len()), (1, 2), "{sites:?}");
}

fn said(name: &str) -> String {
    format!("{name}: it saw another shop (urn:ietf:params:acme:error:unauthorized)")
}

/// Lets a site's pause be over.
fn rewind(state: &std::path::Path, site: &str) {
    let file = state.join(format!("acme/sites/{site}.json"));
    let text = std::fs::read(&file).expect("the site's file");
    let mut told: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    told["own_rest"]["since"] = 0.into();
    crate::support::replace_file(&file, told.to_string());
}
