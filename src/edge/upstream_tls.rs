//! What upstreams over TLS are spoken to with, made of what the operator said before it is published.

use std::collections::HashMap;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::certs::{Bundle, Flaw, Roots};
use crate::config::{Config, Draft};
use crate::live::{NamedFile, ServedCert, TlsTerms};
use crate::proxy::UpstreamClient;

/// Makes what connections need, for every upstream of the configuration.
///
/// # Errors
/// A line for each file that cannot be used.
pub fn prepare_upstreams(config: &Config) -> Result<(), Vec<String>> {
    let groups = config.sites.iter().flat_map(|site| &site.routes).map(|(_, group)| group);
    let upstreams = groups.flat_map(|group| &group.upstreams);
    let upstreams = upstreams.map(|member| &member.upstream);
    let upstreams = upstreams.filter_map(|upstream| Some((upstream.tls.as_ref()?, upstream.speech)));
    let (mut clients, mut wrong) = (HashMap::new(), Vec::new());
    for (tls, speech) in upstreams {
        // Sites that are alike share the roots.
        let client = clients.entry(&*tls.terms).or_insert_with(|| match client(&tls.terms) {
            Ok(client) => Some(client),
            Err(lines) => {
                wrong.extend(lines);
                None
            }
        });
        if let Some(client) = client {
            client.prepare(tls, speech);
        }
    }
    wrong.sort();
    wrong.dedup();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// How a configuration is read so that what is of no use in the files that a site names is a mistake of that site.
#[must_use]
pub fn looked_into() -> Draft {
    Draft { judge: Some(flaws), ..Draft::default() }
}

fn flaws(terms: &TlsTerms) -> Vec<(&'static str, String)> {
    let made = files(terms).and_then(|(roots, identity)| {
        let roots = (!roots.is_empty()).then_some(roots);
        UpstreamClient::new(roots, identity.as_deref()).map_err(|why| vec![("roots", format!("cannot be used: {why}"))])
    });
    made.err().unwrap_or_default()
}

fn client(terms: &TlsTerms) -> Result<UpstreamClient, Vec<String>> {
    let line = |(key, why): (&str, String)| format!("site.upstream_tls.{key}: {why}");
    let (mut roots, identity) = files(terms).map_err(|flaws| flaws.into_iter().map(line).collect::<Vec<_>>())?;
    if terms.roots.is_empty() {
        roots = Roots::web_certificates().collect();
    }
    UpstreamClient::new(terms.verify.then_some(roots), identity.as_deref())
        .map_err(|why| vec![format!("site.upstream_tls: cannot be used: {why}")])
}

/// The roots that upstreams are known by, and what the edge shows them.
type InFiles = (Vec<CertificateDer<'static>>, Option<Arc<ServedCert>>);

/// What is in the files, or which keys name something else, and why that is of no use.
fn files(terms: &TlsTerms) -> Result<InFiles, Vec<(&'static str, String)>> {
    let flaw = |file: &NamedFile, why: &dyn std::fmt::Display| format!("{}: {why}", file.path.display());
    let (mut wrong, mut roots) = (Vec::new(), Vec::new());
    for file in &terms.roots {
        match Roots::certificates_in(&file.content) {
            Ok(certificates) => roots.extend(certificates),
            Err(why) => wrong.push(("roots", flaw(file, &why))),
        }
    }
    let identity = terms.identity.as_ref().map(|(certificate, key)| {
        identity_of(certificate, key).map_err(|why| wrong.push(("certificate", flaw(certificate, &why))))
    });
    let identity = identity.and_then(Result::ok);
    if wrong.is_empty() { Ok((roots, identity)) } else { Err(wrong) }
}

/// What the edge shows, of a file with the certificate and its chain, and one with the key.
fn identity_of(certificate: &NamedFile, key: &NamedFile) -> Result<Arc<ServedCert>, Flaw> {
    let mut both = Zeroizing::new(Vec::with_capacity(certificate.content.len() + key.content.len() + 1));
    both.extend_from_slice(&certificate.content);
    if certificate.path != key.path {
        both.push(b'\n');
        both.extend_from_slice(&key.content);
    }
    Ok(Bundle::parse(&both, None)?.served(certificate.path.as_path(), certificate.path == key.path))
}
