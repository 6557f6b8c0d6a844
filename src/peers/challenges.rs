//! What is said of those who answered below `/.well-known/acme-challenge/` what an authority asks.
//!
//! The edge answers for the certificates that it orders. For others somebody goes on renewing them, who is asked as before: an authority
//! that is led from plain HTTP to HTTPS follows.

use super::plan::{Place, Plan};
use crate::name::HostPattern;

impl Plan {
    /// The edge answers in the place of `answerer`.
    pub(super) fn replaced(&mut self, place: &Place, answerer: &str, hosts: &[HostPattern]) {
        let names = some_of(hosts);
        let text = format!(
            "the edge orders the certificates of {names} and answers their authority itself: {answerer:?} is replaced"
        );
        self.note(place, text, "stop what renewed them there, such as certbot's timer");
    }

    /// `answerer` has a route.
    pub(super) fn kept(&mut self, place: &Place, answerer: &str, hosts: &[HostPattern]) {
        let names = some_of(hosts);
        let text = format!(
            "{answerer:?} is kept: it goes on answering the authority of {names}, whose certificates the edge does not order"
        );
        self.note(place, text, MANAGED);
    }

    /// Who answered cannot be carried over.
    pub(super) fn unanswered(&mut self, place: &Place, hosts: &[HostPattern]) {
        let names = some_of(hosts);
        let text = format!(
            "nobody answers the authority of {names} any more, whose certificates the edge does not order either"
        );
        self.left_out(place, text, MANAGED);
    }
}

/// The first of many names, for a sentence.
pub(super) fn some_of(names: &[HostPattern]) -> String {
    let first: Vec<String> = names.iter().take(SOME).map(ToString::to_string).collect();
    let more = match names.len().saturating_sub(SOME) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    first.join(", ") + &more
}

const SOME: usize = 3;
/// What their paths begin with.
pub(super) const PREFIX: &str = "/.well-known/acme-challenge";
/// The route of who is kept.
pub(super) const CHALLENGES: &str = "/.well-known/acme-challenge/";
const MANAGED: &str = "make their sites \"managed\", and the edge orders and renews their certificates itself";
