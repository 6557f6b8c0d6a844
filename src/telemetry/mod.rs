//! Every metric and the logs: what is counted, what it is called, how it is written.

mod catalogue;
mod counters;
#[cfg(test)]
mod deploy_tests;
mod elsewhere_series;
mod exposition;
mod handed_in_series;
mod labels;
mod log_writer;
mod logging;
mod notice_series;
mod probe_page;
mod process;
mod sample;
mod site_series;
mod text;

pub use counters::{BUCKETS, Count, Counts, Histogram, ResponseCounts, SiteCounts, WorkerCounters};
pub use elsewhere_series::ElsewhereFacts;
pub use exposition::{CertificateFacts, ConfigurationFacts, IntakeFacts, OrderFacts, Scrape, TruthFacts, render};
pub use handed_in_series::HandedInFacts;
pub use labels::{
    AcceptTrouble, GateRule, HandshakeFailure, HandshakeKind, Label, LocalAnswer, Protocol, Shed, StatusClass,
    TruthResult, UpstreamFailure,
};
pub use log_writer::flush as flush_log;
pub use logging::{
    LogFormat, LogLevel, RateLimited, install as install_logging, printable, set_level as set_log_level,
};
pub use notice_series::NoticeFacts;
pub use probe_page::{ProbeFacts, ProbedHost, render_probe};
pub use sample::Sample;
pub use site_series::{Lasting, SiteFacts};
