//! From what the operator said to what the hot path reads.

use crate::config::{Config, TlsVersion, UnknownName};
use crate::live::RouteTable;
use crate::proxy::{self, TlsPolicy, TlsPolicyError};

/// The routes of a configuration. `https_port` is the port the first HTTPS listener really has.
pub(super) fn routes(config: &Config, https_port: u16) -> RouteTable {
    RouteTable::new(config.sites.clone(), config.limits.clone(), config.edge.trusted_proxies.clone(), https_port)
}

/// The TLS policy of a configuration.
pub(super) fn policy(config: &Config) -> Result<TlsPolicy, TlsPolicyError> {
    let unknown_name = match &config.tls.unknown_name {
        UnknownName::Refuse => proxy::UnknownName::Refuse,
        UnknownName::Default(host) => proxy::UnknownName::Default(host.clone()),
    };
    TlsPolicy::new(config.tls.min_version == TlsVersion::V1_2, unknown_name)
}
