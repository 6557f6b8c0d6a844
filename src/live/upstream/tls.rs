//! How servers behind the edge are known over TLS, and who the edge is to them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;

use crate::live::NamedFile;
use crate::name::HostName;

/// What the configuration says of a site's upstreams over TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsTerms {
    /// The name that is asked for and that their certificates must have; `None`: as they are addressed.
    pub server_name: Option<HostName>,
    /// Whether they must prove who they are.
    pub verify: bool,
    /// Roots that they are known by; none: those of the web.
    pub roots: Vec<NamedFile>,
    /// What the edge shows them that ask for it: a certificate, and the key to it.
    pub identity: Option<(NamedFile, NamedFile)>,
}

impl Default for TlsTerms {
    fn default() -> Self {
        Self { server_name: None, verify: true, roots: Vec::new(), identity: None }
    }
}

impl TlsTerms {
    /// Every file they name.
    pub fn files(&self) -> impl Iterator<Item = &NamedFile> {
        self.roots.iter().chain(self.identity.iter().flat_map(|(certificate, key)| [certificate, key]))
    }
}

/// How one server is spoken to over TLS.
#[derive(Default)]
pub struct UpstreamTls {
    /// As the configuration has it.
    pub terms: Arc<TlsTerms>,
    /// The same as rustls takes it, with the sessions that this server may go on with.
    client: OnceLock<Arc<ClientConfig>>,
}

impl UpstreamTls {
    /// On these terms; [`Self::prepare`] comes before the first connection.
    #[must_use]
    pub fn new(terms: Arc<TlsTerms>) -> Self {
        Self { terms, client: OnceLock::new() }
    }

    /// Has connections made with this. The first holds.
    pub fn prepare(&self, client: Arc<ClientConfig>) {
        self.client.get_or_init(|| client);
    }

    /// What connections are made with; `None`: none can be.
    #[must_use]
    pub fn client(&self) -> Option<&Arc<ClientConfig>> {
        self.client.get()
    }
}

impl PartialEq for UpstreamTls {
    fn eq(&self, other: &Self) -> bool {
        self.terms == other.terms
    }
}

impl Eq for UpstreamTls {}

impl Hash for UpstreamTls {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.terms.hash(state);
    }
}

impl fmt::Debug for UpstreamTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.terms.fmt(f)
    }
}
