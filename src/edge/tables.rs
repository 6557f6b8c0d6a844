//! From what the operator said to what the hot path reads.

use std::path::PathBuf;

use crate::certs::{Flaw, Folder, Folders, Minimums, Roots, SiteTerms, Terms};
use crate::config::{CertificatesConfig, Config, DropFolder, TlsVersion, UnknownName};
use crate::live::RouteTable;
use crate::proxy::{self, TlsPolicy, TlsPolicyError};

/// The routes of a configuration. `https_port` is the port the first HTTPS listener really has.
pub(super) fn routes(config: &Config, https_port: u16) -> RouteTable {
    RouteTable::new(config.sites.clone(), config.limits.clone(), config.edge.trusted_proxies.clone(), https_port)
}

/// Where certificates are dropped.
#[must_use]
pub fn folders(config: &Config) -> Folders {
    let CertificatesConfig { drop_directory, drops, .. } = &config.certificates;
    let limited = drops.iter().cloned().map(|DropFolder { directory, hosts, password_file }| Folder {
        directory,
        hosts,
        password_file,
    });
    Folders::new(drop_directory.clone(), limited)
}

/// By what certificates are judged.
///
/// # Errors
/// A line for each file of roots that cannot be used.
pub fn terms(config: &Config) -> Result<Terms, Vec<String>> {
    let files = config.certificates.trusted_roots.iter().map(|root| (&*root.path, &*root.content));
    let roots = Roots::of_the_web_and(files).map_err(|flaws| {
        let line = |(file, flaw): (PathBuf, Flaw)| format!("certificates.trusted_roots: {}: {flaw}", file.display());
        flaws.into_iter().map(line).collect::<Vec<_>>()
    })?;
    let sites = config.sites.iter().map(|site| SiteTerms {
        name: site.name.clone(),
        hosts: site.hosts.clone(),
        provision: site.provision,
    });
    let local_ca_suffixes = config.certificates.local_ca_suffixes.clone();
    let minimums = Minimums::of(&config.sites);
    let export = config.admin.export;
    Ok(Terms { roots, minimums, sites: sites.collect(), local_ca_suffixes, export })
}

/// The TLS policy of a configuration.
pub(super) fn policy(config: &Config) -> Result<TlsPolicy, TlsPolicyError> {
    let unknown_name = match &config.tls.unknown_name {
        UnknownName::Refuse => proxy::UnknownName::Refuse,
        UnknownName::Default(host) => proxy::UnknownName::Default(host.clone()),
    };
    TlsPolicy::new(config.tls.min_version == TlsVersion::V1_2, unknown_name)
}
