//! Whom the control plane's clients believe to be who they say.

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

/// What believes who shows a certificate that leads to one of `roots`.
pub(super) fn trusting(
    roots: impl IntoIterator<Item = CertificateDer<'static>>,
) -> Result<ClientConfig, rustls::Error> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots);
    let mut config = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth();
    // What is kept of sessions is kept by name, without the port: another server of the same name gets a ticket that is not its own,
    // and some break off then. Connections are kept anyway.
    config.resumption = Resumption::disabled();
    Ok(config)
}
