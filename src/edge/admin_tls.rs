//! What the admin listener shows of itself where it speaks TLS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::StartError;
use crate::admin::{AdminTls, MinVersion};
use crate::certs::Doorplate;
use crate::config::{AdminConfig, Config};
use crate::name::HostName;
use crate::store::Store;

/// The names by which the admin listener may be called.
pub(super) fn names(admin: &AdminConfig) -> Vec<HostName> {
    let others = admin.allowed_hosts.iter().filter(|host| Some(*host) != admin.host.as_ref());
    admin.host.iter().chain(others).cloned().collect()
}

/// How it speaks TLS; `None`: it does not. A certificate of its own is there from the start.
pub(super) fn terms(config: &Config, store: &Store, min_version: MinVersion) -> Result<Option<AdminTls>, StartError> {
    let admin = &config.admin;
    if !admin.tls {
        return Ok(None);
    }
    let ip = admin.listen.ip();
    let addresses = match ip.is_unspecified() {
        true => vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
        false => vec![ip.to_canonical()],
    };
    let plate = Doorplate::at_home(store, &names(admin), &addresses)
        .map_err(|error| StartError::Configuration(format!("certificates.state_directory: {error}")))?;
    let file = config.certificates.state_directory.join("admin/certificate.pem");
    let host = admin.host.as_ref().map_or("(admin.host is not set)", HostName::as_str);
    tracing::info!(
        file = %file.display(),
        fingerprint = %plate.served.facts.fingerprint,
        is_new = plate.is_new,
        "where there is no certificate for {host}, the admin listener shows one of its own; give {} or its fingerprint to whoever is to know \
         it: vitrine … --admin URL --admin-ca FILE, or --admin-pin FINGERPRINT",
        file.display()
    );
    Ok(Some(AdminTls { host: admin.host.clone(), hsts: admin.hsts, stand_in: plate.served, min_version }))
}
