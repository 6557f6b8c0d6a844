//! Renewals when the authority suggests (RFC 9773), and what a renewal says of the certificate it replaces.

use rustix::process::Signal;

use super::{from_now, managed, standing, state};
use crate::support::acme::{FakeAcme, Fault, Placed, Resource, Suggestion};
use crate::support::command::{done, vitrine};
use crate::support::{Origin, Setup, eventually, replace_file, site};

const DAY: i64 = 86_400;

fn suggesting(window: (i64, i64)) -> FakeAcme {
    let acme = FakeAcme::start();
    suggest(&acme, window);
    acme
}

fn suggest(acme: &FakeAcme, window: (i64, i64)) {
    let explanation = Some("https://acme.example/why");
    acme.set(|ways| ways.suggests = Some(Suggestion { window, retry_after: "21600", explanation }));
}

/// Lets it be time to ask again, and long enough since the issue.
fn hours_later(setup: &Setup, site: &str) {
    let file = setup.state().join(format!("acme/sites/{site}.json"));
    let mut told: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).expect("the site's file")).expect("JSON");
    told["renewal_info"]["again"] = 0.into();
    told["issued"] = (told["issued"].as_i64().expect("a moment") - 7 * 3600).into();
    replace_file(&file, told.to_string());
}

fn order(names: &[&str], replaces: Option<&String>) -> Placed {
    Placed { names: names.iter().map(ToString::to_string).collect(), replaces: replaces.cloned(), profile: None }
}

#[test]
fn a_certificate_is_renewed_when_its_authority_suggests_and_says_what_it_replaces() {
    let origin = Origin::saying("hello");
    let acme = suggesting((10 * DAY, 12 * DAY));
    let edge = managed(&[("only", &acme, "")], &origin, &[&["shop.example"]]).start();
    state(&edge, "shop.example", "ISSUED");
    let told = eventually("a suggestion", || {
        Some(standing(&edge, "shop.example")).filter(|told| !told["suggested"].is_null())
    });
    assert_eq!(told["suggested"]["explanation"], "https://acme.example/why");
    assert!((10 * DAY - 60..=12 * DAY).contains(&from_now(&told["next"])), "{told}");
    assert_eq!(acme.asked(Resource::RenewalInfo), 1);
    // As after a mass revocation, the window moves into the past.
    suggest(&acme, (-2 * DAY, -DAY));
    let setup = edge.end(Signal::TERM);
    hours_later(&setup, "shop.example");
    let edge = setup.start();
    let issued = acme.await_issued(2);
    assert_eq!(acme.orders(), [order(&["shop.example"], None), order(&["shop.example"], Some(&issued[0]))]);
    // It wants the next one back at once, too; that has time.
    acme.await_asked(Resource::RenewalInfo, 3);
    let told = eventually("a pause", || {
        Some(standing(&edge, "shop.example"))
            .filter(|told| told["state"] == "ISSUED" && (1..7 * 3600).contains(&from_now(&told["next"])))
    });
    assert!((6 * 3600 - 60..=6 * 3600).contains(&from_now(&told["next"])), "{told}");
    assert_eq!(acme.orders().len(), 2);
}

#[test]
fn suggestions_are_asked_for_as_often_as_the_authority_says() {
    let origin = Origin::saying("hello");
    let acme = suggesting((10 * DAY, 12 * DAY));
    let edge = managed(&[("only", &acme, "")], &origin, &[&["shop.example"]]).start();
    acme.await_asked(Resource::RenewalInfo, 1);
    let told = || standing(&edge, "shop.example");
    eventually("a suggestion", || Some(told()).filter(|told| !told["suggested"].is_null()));
    // Whatever happens meanwhile, a start included.
    let mut setup = edge.end(Signal::TERM);
    setup.raw_site(&site(&["other.example"], &[origin.url()]).replace("hosts", "certificate = \"managed\"\nhosts"));
    let edge = setup.start();
    state(&edge, "shop.example", "ISSUED");
    state(&edge, "other.example", "ISSUED");
    acme.await_asked(Resource::RenewalInfo, 2);
    assert_eq!(acme.asked(Resource::RenewalInfo), 2);
}

#[test]
fn no_fault_of_the_suggestions_keeps_a_certificate_from_being_renewed_in_time() {
    let origin = Origin::saying("hello");
    let faults = [
        Fault::Page(503, Some("86400".into())),
        Fault::Problem(429, "rateLimited", None),
        Fault::Body("{\"suggestedWindow\":{\"start\":\"2099-01-01T00:00:00Z\",\"end\":\"2098-01-01T00:00:00Z\"}}"),
        Fault::Body("<html>"),
        Fault::Silence,
    ];
    for fault in faults {
        let acme = suggesting((400 * DAY, 500 * DAY));
        acme.fault(Resource::RenewalInfo, usize::MAX, fault);
        // Two thirds of its life are over in some seconds.
        acme.set(|ways| ways.life = (-60, 33));
        let edge = managed(&[("only", &acme, "")], &origin, &[&["shop.example"]]).start();
        acme.await_asked(Resource::RenewalInfo, 1);
        acme.set(|ways| ways.life = (-60, 90 * DAY));
        let issued = acme.await_issued(2);
        let told = eventually("a new certificate", || {
            Some(standing(&edge, "shop.example"))
                .filter(|told| told["state"] == "ISSUED" && from_now(&told["next"]) > DAY)
        });
        assert!(from_now(&told["next"]) > 50 * DAY, "{told}");
        assert_eq!(acme.orders()[1].replaces.as_ref(), Some(&issued[0]));
    }
}

#[test]
fn near_its_end_a_certificate_is_renewed_whatever_is_suggested() {
    let origin = Origin::saying("hello");
    let acme = suggesting((400 * DAY, 500 * DAY));
    acme.set(|ways| ways.life = (-60, 14));
    let edge = managed(&[("only", &acme, "")], &origin, &[&["shop.example"]]).start();
    acme.await_asked(Resource::RenewalInfo, 1);
    acme.set(|ways| ways.life = (-60, 90 * DAY));
    acme.await_issued(2);
    // The next one has the whole of its life, and the suggestion does not count beyond that either.
    let told = eventually("a suggestion that is too late", || {
        Some(standing(&edge, "shop.example"))
            .filter(|told| told["state"] == "ISSUED" && from_now(&told["next"]) > 80 * DAY)
    });
    assert!((87 * DAY..=88 * DAY).contains(&from_now(&told["next"])), "{told}");
}

#[test]
fn an_authority_that_knows_of_another_replacement_gets_an_order_without_it() {
    let origin = Origin::saying("hello");
    let acme = suggesting((10 * DAY, 12 * DAY));
    let edge = managed(&[("only", &acme, "")], &origin, &[&["shop.example"]]).start();
    state(&edge, "shop.example", "ISSUED");
    acme.set(|ways| ways.is_all_replaced = true);
    done(vitrine(&edge, "sites renew shop.example"));
    acme.await_issued(2);
    assert_eq!(acme.orders(), [order(&["shop.example"], None), order(&["shop.example"], None)]);
    assert_eq!(acme.asked(Resource::NewOrder), 3);
    edge.logged("orders without saying which certificate is replaced");
    assert_eq!(state(&edge, "shop.example", "ISSUED")["failures"], 0);
}

#[test]
fn an_authority_without_suggestions_is_told_of_no_replacement_and_not_asked_for_any() {
    let origin = Origin::saying("hello");
    let acme = FakeAcme::start();
    let edge = managed(&[("only", &acme, "")], &origin, &[&["shop.example"]]).start();
    let told = state(&edge, "shop.example", "ISSUED");
    assert!((57 * DAY..=60 * DAY).contains(&from_now(&told["next"])), "{told}");
    done(vitrine(&edge, "sites renew shop.example"));
    acme.await_issued(2);
    assert_eq!(acme.orders()[1].replaces, None);
    assert_eq!((acme.asked(Resource::RenewalInfo), acme.asked(Resource::NewOrder)), (0, 2));
}

#[test]
fn a_profile_is_asked_for_but_none_of_a_few_days_where_apple_pay_is() {
    let origin = Origin::saying("hello");
    let acme = FakeAcme::start();
    acme.set(|ways| ways.profiles = &["classic", "shortlived"]);
    let issuers = [("only", &acme, "profile = \"shortlived\"")];
    let setup = managed(&issuers, &origin, &[&["shop.example"], &["pay.example"]]);
    let folder = setup.certs().join("well-known/pay.example");
    std::fs::create_dir_all(&folder).expect("a folder");
    let proof = folder.join("apple-developer-merchantid-domain-association");
    std::fs::write(proof, "7B227073704964223A2234").expect("written");
    let edge = setup.start();
    state(&edge, "shop.example", "ISSUED");
    state(&edge, "pay.example", "ISSUED");
    let mut asked: Vec<_> = acme.orders().into_iter().map(|order| (order.names.concat(), order.profile)).collect();
    asked.sort();
    let expected = [("pay.example".into(), None), ("shop.example".into(), Some("shortlived".into()))];
    assert_eq!(asked, expected);
}
