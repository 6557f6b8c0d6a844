//! What the operator said, typed and valid: whoever holds a [`Config`] holds the proof that nothing in it is wrong.

mod acme;
mod admin;
mod balance;
mod bounds;
mod budgets;
mod care;
mod certificates;
mod claims;
mod dns;
mod document;
mod include;
mod keys;
mod load;
mod notices;
mod on_demand;
mod ordered;
mod place;
mod policy;
mod preflight;
mod reader;
mod recorded;
mod remark;
mod reports;
mod restart;
mod sections;
mod site;
mod site_orders;
mod sites;
mod standing;
mod upstream_tls;
mod upstreams;
mod value;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

pub use admin::{AdminConfig, TrustedHeaderConfig};
pub use budgets::Budgets;
pub use dns::{DnsConfig, DnsWriter};
pub use load::{Loaded, Origins};
pub use notices::{ContactConfig, ContactWay, MailConfig, NoticesConfig, is_contact_name};
pub use policy::may_touch_field;
pub use preflight::{PreflightConfig, PreflightMode};
pub use recorded::{Draft, NewSite, file_of as site_file};
pub use remark::{Mistakes, Rejected, RejectedPart, Remark};
pub use reports::{ReportConfig, ReportsConfig};
pub use site_orders::{SiteDesk, SiteOrder, SiteOrders, SiteRefusal, site_orders};
pub use standing::{Reloads, Standing, Trouble};
pub use upstream_tls::TermsJudge;

pub use crate::access_log::{Options as AccessLogConfig, Target as AccessLogTarget};
use crate::limits::Limits;
pub use crate::live::{NamedFile, TlsVersion};
use crate::live::{OrderSpec, SiteSpec};
use crate::name::{HostName, HostPattern};
pub use crate::telemetry::{LogFormat, LogLevel};

/// The whole configuration, includes merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[edge]`
    pub edge: EdgeConfig,
    /// `[tls]`
    pub tls: TlsConfig,
    /// `[limits]`
    pub limits: Limits,
    /// `[certificates]`
    pub certificates: CertificatesConfig,
    /// `[acme]`
    pub acme: AcmeConfig,
    /// `[admin]`
    pub admin: AdminConfig,
    /// `[mail]`; without it no mail is sent.
    pub mail: Option<MailConfig>,
    /// `[notices]`
    pub notices: NoticesConfig,
    /// `[reports]`
    pub reports: ReportsConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[access_log]`
    pub access_log: AccessLogConfig,
    /// `[[site]]`, in order of appearance, then those of included files in order of their paths.
    pub sites: Vec<SiteSpec>,
}

impl Config {
    /// Reads a configuration file and what it includes.
    ///
    /// # Errors
    /// Every mistake of the main file, and then those of included files too. Mistakes of included files alone leave out
    /// what they concern: [`Loaded::rejected`].
    pub fn load(path: &Path) -> Result<Loaded, Mistakes> {
        load::load(path, None, &Draft::default())
    }

    /// The same, looking at more.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_with(path: &Path, draft: &Draft) -> Result<Loaded, Mistakes> {
        load::load(path, None, draft)
    }

    /// Reads them again beside what serves now: a mistake in an included file takes nothing from a site that serves.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn reload(path: &Path, serving: &Loaded) -> Result<Loaded, Mistakes> {
        load::load(path, Some(serving), &Draft::default())
    }

    /// Reads them as they would be with a change to the sites that are recorded in the state folder.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn reload_with(path: &Path, serving: &Loaded, draft: &Draft) -> Result<Loaded, Mistakes> {
        load::load(path, Some(serving), draft)
    }

    /// Reads a configuration from a text, as if it stood in the file `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Loaded, Mistakes> {
        load::parse(path, text.into())
    }
}

/// `[edge]`: where the edge listens and how it stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeConfig {
    /// Addresses that serve HTTPS; at least one.
    pub https: Vec<SocketAddr>,
    /// Addresses that serve plain HTTP; may be empty.
    pub http: Vec<SocketAddr>,
    /// Threads that carry traffic; never 0 here.
    pub workers: usize,
    /// How long a stopping edge waits for requests in flight.
    pub drain_timeout: Duration,
    /// Peers whose `X-Forwarded-*` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Balancers that begin each connection with a header of the PROXY protocol.
    pub proxy_protocol: Vec<IpNet>,
    /// DNS servers that are asked for the names of upstreams; none: those of the system.
    pub resolvers: Vec<SocketAddr>,
}

/// `[tls]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// Oldest protocol version spoken.
    pub min_version: TlsVersion,
    /// What a client gets that asks for a name nobody serves.
    pub unknown_name: UnknownName,
}

/// What a client gets that asks for a name nobody serves, or for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownName {
    /// An `unrecognized_name` alert.
    Refuse,
    /// The certificate of `default_site`.
    Default(HostName),
}

/// `[certificates]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatesConfig {
    /// The operator's folder, read and never written.
    pub drop_directory: PathBuf,
    /// Our folder.
    pub state_directory: PathBuf,
    /// Under what names the edge's own authority may issue.
    pub local_ca_suffixes: Vec<HostName>,
    /// The file of the key that its secrets are sealed with; plain without it. It is not read here: it may begin with
    /// `$CREDENTIALS_DIRECTORY`, which only the edge's own process has.
    pub state_key_file: Option<PathBuf>,
    /// Roots that are trusted besides the web's.
    pub trusted_roots: Vec<NamedFile>,
    /// `[[certificates.drop]]`: more folders, whose writers may supply certain names only.
    pub drops: Vec<DropFolder>,
}

/// `[[certificates.drop]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropFolder {
    /// Where it is.
    pub directory: PathBuf,
    /// The names that its certificates may have.
    pub hosts: Vec<HostPattern>,
    /// Opens what is encrypted there.
    pub password_file: Option<PathBuf>,
}

/// `[acme]`: how certificates of managed sites are ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeConfig {
    /// Whom an authority writes to, as `mailto:`.
    pub contact: Vec<String>,
    /// Whether the operator agreed to the terms of every issuer.
    pub terms_of_service_agreed: bool,
    /// How control of a name may be shown, in order of preference.
    pub challenges: Vec<Challenge>,
    /// How many orders may be under way together.
    pub orders_at_once: usize,
    /// For how long a name fails before a certificate is ordered without it; `None`: never.
    pub partial_after: Option<Duration>,
    /// What holds for every site that says nothing else.
    pub orders: OrderSpec,
    /// `[[acme.issuer]]`, in order of preference; never empty.
    pub issuers: Vec<IssuerConfig>,
    /// How often on-demand sites ask.
    pub on_demand: OnDemandConfig,
    /// Who is asked about names; empty: whom the system asks.
    pub resolvers: Vec<SocketAddr>,
    /// What is looked at before an order.
    pub preflight: PreflightConfig,
    /// `[[acme.dns]]`: who writes records for dns-01.
    pub dns: Vec<DnsConfig>,
}

/// How often operators' endpoints are asked about names that nobody serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnDemandConfig {
    /// In an hour, in all.
    pub questions_per_hour: u64,
    /// In an hour, on account of clients of one network.
    pub questions_per_client: u64,
}

/// A way to show an authority that a name is ours (RFC 8555 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A certificate in a handshake of its own on port 443 (RFC 8737).
    TlsAlpn01,
    /// A text on port 80 (RFC 8555 §8.3).
    Http01,
    /// A record in the DNS, which alone is enough for a wildcard (RFC 8555 §8.4).
    Dns01,
}

impl Challenge {
    /// All that there are.
    pub const ALL: [Self; 3] = [Self::TlsAlpn01, Self::Http01, Self::Dns01];

    /// The word that authorities have for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
        }
    }
}

/// `[[acme.issuer]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerConfig {
    /// The operator's word for it.
    pub name: String,
    /// Where it says what it can do (RFC 8555 §7.1.1).
    pub directory: String,
    /// Which of its kinds of certificate is wanted.
    pub profile: Option<String>,
    /// Roots that its own server is known by, instead of the web's.
    pub ca_file: Option<NamedFile>,
    /// Who the operator is there already (RFC 8555 §7.3.4).
    pub external_account: Option<ExternalAccount>,
    /// How much may be asked of it.
    pub budgets: Budgets,
}

impl IssuerConfig {
    /// Whom everybody uses who says nothing.
    fn lets_encrypt() -> Self {
        Self {
            name: "letsencrypt".into(),
            directory: "https://acme-v02.api.letsencrypt.org/directory".into(),
            profile: None,
            ca_file: None,
            external_account: None,
            budgets: Budgets::LETS_ENCRYPT,
        }
    }
}

/// An account elsewhere that an ACME account is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAccount {
    /// As the issuer calls it.
    pub key_id: String,
    /// Holds the key that goes with it, base64url.
    pub hmac_key_file: PathBuf,
}

/// `[log]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How an event is written.
    pub format: LogFormat,
    /// The least severe level that is written.
    pub level: LogLevel,
}
