//! Certificates that the edge orders by itself, from an authority that speaks ACME (RFC 8555).
//!
//! ```text
//! manager (which site, when: schedule) ─► preflight (does each name lead here, may the authority issue)
//!                                       └► order ─► account, wire ─► the authority
//!                                           │  └► shown ─► live::Challenges ─► (the authority looks)
//!                                           │  └► dns01 ─► the name servers ─► (the authority looks there)
//!                                           └► records: the key and the order, before the authority hears of it
//!                                           └► certs: what was issued is taken in as what was uploaded is
//! ```
//!
//! Nothing that serves waits for anything here. What was begun before a kill is gone on with: the key is written down before the
//! order, that one is asked for before it is, and the order's address as soon as it is known; an address that never came is looked
//! for in the authority's list (order_list). How each managed site is doing is its [`SiteStanding`].

mod account;
mod adopted;
mod authorities;
mod budget;
mod dialogue;
mod dns01;
mod failure;
mod handle;
mod health;
mod jws;
mod manager;
#[cfg(test)]
mod month;
mod on_demand;
mod order;
mod order_list;
mod partial;
mod plan;
mod preflight;
mod progress;
mod records;
mod renewal_info;
mod rest;
mod revoke;
mod rollover;
mod schedule;
mod serving;
mod shown;
mod slot;
mod standing;
mod step;
mod tally;
mod terms;
mod wire;

pub use adopted::{AdoptedKey, NotAdopted, adopt, has_account};
pub use authorities::{Authorities, ListedAccount, NotDone};
pub use budget::{Kind, Left};
pub use failure::Reason;
pub use handle::{AcmeHandle, NotManaged, Wish};
pub use manager::Manager;
pub use on_demand::{Answer, Newcomers, Permission};
pub use plan::{Plan, PlannedIssuer, PlannedOrder};
pub use renewal_info::RenewalInfo;
pub use rest::Rest;
pub use revoke::{RevocationReason, Revoked};
pub use standing::{LastFailure, Open, Outcome, Phase, SiteStanding};
pub use tally::EndedOrders;
pub use terms::{AcmeTerms, ExternalAccount, Issuer, ManagedSite, OnDemandSite, QuestionLimits};
