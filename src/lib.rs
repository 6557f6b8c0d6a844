//! Vitrine is the glass front of a webshop: an HTTPS edge that ends TLS for many shop names on one address, picks the
//! certificate by SNI, passes requests to the shops behind it, and takes care of the certificates.
//!
//! Two planes meet in one place:
//!
//! - the **hot path** ([`proxy`]) carries traffic: one OS thread per worker, each with its own single-threaded runtime,
//!   listeners, upstream connections and counters; it never reads a file and never waits for anything outside itself;
//! - the **control plane** ([`certs`], [`levers`], [`admin`]) watches folders, judges certificates, answers the operator;
//! - they meet in [`live`]: immutable tables that the control plane publishes and the hot path reads.
//!
//! [`probe`] looks at an edge as its customers see it. [`edge`] builds, wires, supervises and stops everything; [`cli`] is the way in. A module may import lower layers only:
//!
//! ```text
//! 5  main
//! 4  cli
//! 3  edge
//! 2  proxy | admin -> certs, levers, overview, notices | notices -> overview | overview -> certs, acme | peers -> certs | probe -> certs
//!    reports -> overview, notices | overview -> elsewhere | elsewhere -> probe
//! 1  live   config   store
//! 0  calendar   name   mail_address   limits   telemetry   shutdown   access_log   folder_watch   outbound   words
//! ```

pub mod access_log;
pub mod acme;
pub mod admin;
pub mod calendar;
pub mod certs;
pub mod cli;
pub mod config;
pub mod edge;
pub mod elsewhere;
pub mod folder_watch;
pub mod levers;
pub mod limits;
pub mod live;
pub mod mail_address;
pub mod name;
pub mod notices;
pub mod outbound;
pub mod overview;
pub mod peers;
pub mod probe;
pub mod proxy;
pub mod reports;
pub mod shutdown;
pub mod store;
pub mod telemetry;
pub mod words;
