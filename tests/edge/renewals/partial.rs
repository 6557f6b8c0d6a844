//! Names that keep failing, and the others of their site.

use rustix::process::Signal;
use serde_json::Value;

use super::{managed, standing, state};
use crate::support::acme::FakeAcme;
use crate::support::command::{done, vitrine};
use crate::support::{Origin, Setup, eventually, replace_file};

/// Lets a site's pause be over, and its names fail for so many hours already.
fn hours_later(setup: &Setup, site: &str, hours: i64) {
    let file = setup.state().join(format!("acme/sites/{site}.json"));
    let mut told: Value = serde_json::from_slice(&std::fs::read(&file).expect("the site's file")).expect("JSON");
    told["own_rest"]["since"] = 0.into();
    for since in told["failing"].as_object_mut().expect("names").values_mut() {
        *since = (since.as_i64().expect("a moment") - hours * 3600).into();
    }
    replace_file(&file, told.to_string());
}

#[test]
fn a_name_that_fails_for_days_is_left_out_shown_and_tried_again() {
    let origin = Origin::saying("hello");
    let acme = FakeAcme::start();
    acme.set(|ways| ways.disbelieves = vec!["old.example".into()]);
    let mut setup = managed(&[("only", &acme, "")], &origin, &[&["shop.example", "old.example"]]);
    setup.set("acme", "partial = true").set("acme", "partial_after = \"2d\"");
    let edge = setup.start();
    state(&edge, "shop.example", "FAILED");
    let setup = edge.end(Signal::TERM);
    hours_later(&setup, "shop.example", 47);
    let edge = setup.start();
    eventually("one more failure", || (standing(&edge, "shop.example")["failures"] == 2).then_some(()));
    let setup = edge.end(Signal::TERM);
    hours_later(&setup, "shop.example", 2);
    let edge = setup.start();
    let told = state(&edge, "shop.example", "ISSUED");
    assert_eq!(told["left_out"], serde_json::json!(["old.example"]));
    edge.logged("without the names that keep failing");
    let names: Vec<usize> = acme.orders().iter().map(|order| order.names.len()).collect();
    assert_eq!(names, [2, 2, 1]);
    let listed = done(vitrine(&edge, "sites list"));
    assert!(listed.lines().any(|line| line.contains("old.example") && line.contains("left out")), "{listed}");
    // It is mended, and the operator says so.
    acme.set(|ways| ways.disbelieves.clear());
    done(vitrine(&edge, "sites renew shop.example"));
    acme.await_issued(2);
    let told = eventually("the whole site", || {
        Some(standing(&edge, "shop.example")).filter(|told| told["left_out"] == serde_json::json!([]))
    });
    assert_eq!(told["state"], "ISSUED");
}

#[test]
fn nobody_is_left_out_unasked() {
    let origin = Origin::saying("hello");
    let acme = FakeAcme::start();
    acme.set(|ways| ways.disbelieves = vec!["old.example".into()]);
    let edge = managed(&[("only", &acme, "")], &origin, &[&["shop.example", "old.example"]]).start();
    state(&edge, "shop.example", "FAILED");
    let setup = edge.end(Signal::TERM);
    hours_later(&setup, "shop.example", 24 * 30);
    let edge = setup.start();
    eventually("one more failure", || (standing(&edge, "shop.example")["failures"] == 2).then_some(()));
    assert!(acme.orders().iter().all(|order| order.names.len() == 2));
}
