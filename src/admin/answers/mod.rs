//! What the API answers: as it writes it, and as the panel and the command line read it.
//!
//! One set for all three, so that what one of them knows of an answer the others know. Moments are RFC 3339 in UTC.

mod contact;
mod link;
mod minimum;
mod provided;
mod report;
mod request;
mod site;
mod version;

pub(crate) use contact::{Contact, ContactWebhook};
pub(crate) use link::{Link, MadeLink};
pub(crate) use minimum::{HostEffect, Minimum, MinimumEffect, Validated};
pub(crate) use provided::Provided;
pub(crate) use report::{Report, ReportDelivery, ReportHead, ReportLine};
pub(crate) use request::{ReceivedCertificate, Request};
#[cfg(test)]
pub(crate) use site::site_with;
pub(crate) use site::{
    KeyOrders, Managed, OrderFailure, Orders, PastOrder, Serving, Site, SiteHost, SiteReason, SiteRoute,
    SuggestedRenewal,
};
pub(crate) use version::Version;
