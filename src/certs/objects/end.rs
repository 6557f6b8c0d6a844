//! Until when an object holds.

use super::{Object, Origin, exact};
use crate::live::{CertIndex, RouteTable};

/// The end of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Seconds since the Unix epoch.
    pub at: i64,
    /// Who says so.
    pub from: EndFrom,
}

/// Where the end of an object comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndFrom {
    /// The operator said so.
    Given,
    /// It says so itself.
    Itself,
    /// It is that of a certificate that serves a site which shows it.
    Certificate,
}

impl EndFrom {
    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Itself => "itself",
            Self::Certificate => "certificate",
        }
    }
}

impl End {
    /// Until when the version that holds does: as it says itself, or the operator, else as long as the first to end of the certificates
    /// that serve where it is shown. Apple asks for the file again when that certificate is replaced. `None`: none serves.
    #[must_use]
    pub fn of(object: &Object, index: &CertIndex, routes: &RouteTable) -> Option<Self> {
        let version = object.version()?;
        if let Some(certificate) = &version.certificate {
            return Some(Self { at: certificate.not_after, from: EndFrom::Itself });
        }
        if let Some(at) = version.expires {
            return Some(Self { at, from: EndFrom::Given });
        }
        let sites = routes.sites().iter().filter(|site| version.sites.iter().any(|name| **name == *site.name));
        let hosts = sites.flat_map(|site| exact(&site.hosts)).filter(|host| match &object.origin {
            Origin::Kept => true,
            Origin::Dropped(only) => only == *host,
        });
        let served = hosts.filter_map(|host| index.find(host.as_str())).flat_map(|choice| choice.iter());
        let at = served.map(|served| served.facts.not_after).min()?;
        Some(Self { at, from: EndFrom::Certificate })
    }
}
