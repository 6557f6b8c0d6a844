//! When orders are made and what happens when they fail, at an authority that does what real ones do only now and then.

mod budgets;
mod failover;
mod partial;
mod permission;
mod suggestions;

use serde_json::Value;

use crate::support::acme::FakeAcme;
use crate::support::{Edge, Origin, Setup, eventually};

/// An edge with these issuers and a managed site for each of `hosts`.
fn managed(issuers: &[(&str, &FakeAcme, &str)], origin: &Origin, hosts: &[&[&str]]) -> Setup {
    let mut setup = Setup::new();
    for (name, acme, keys) in issuers {
        acme.used_by(&mut setup, name, keys);
    }
    for hosts in hosts {
        setup.raw_site(&format!(
            "[[site]]\nhosts = {hosts:?}\nupstreams = [\"{}\"]\ncertificate = \"managed\"\n",
            origin.url()
        ));
    }
    setup
}

fn standing(edge: &Edge, site: &str) -> Value {
    let sites = edge.api("sites");
    let found = sites.into_iter().find(|known| known["name"] == site).expect("the site");
    found["managed"].clone()
}

/// Waits until a site is in this state.
fn state(edge: &Edge, site: &str, wanted: &str) -> Value {
    eventually(&format!("{site} {wanted}"), || Some(standing(edge, site)).filter(|told| told["state"] == wanted))
}

/// The moment that a field tells, seconds from now.
fn from_now(told: &Value) -> i64 {
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;
    let moment = OffsetDateTime::parse(told.as_str().expect("a moment"), &Rfc3339).expect("a moment");
    moment.unix_timestamp() - OffsetDateTime::from(std::time::SystemTime::now()).unix_timestamp()
}

/// How many lines of the log hold this.
fn lines(edge: &Edge, text: &str) -> usize {
    edge.log().iter().filter(|line| line["message"].as_str().unwrap_or_default().contains(text)).count()
}
