//! `[site.upstream_tls]`: how a site's upstreams over TLS are known, and who the edge is to them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::certificates::named_file;
use super::reader::{Pad, Section};
use super::{place, value};
use crate::live::{GroupSpec, NamedFile, TlsTerms};
use crate::name::HostName;

/// Looks into the files that terms name, as far as that is more than to read them. Gives each key below `site.upstream_tls` that
/// holds something of no use, and why.
pub type TermsJudge = fn(&TlsTerms) -> Vec<(&'static str, String)>;

/// What a site says; `None` for what it does not say.
#[derive(Default)]
pub(super) struct ReadTls {
    server_name: Option<HostName>,
    verify: Option<bool>,
    roots: Option<Vec<NamedFile>>,
    identity: Option<(NamedFile, NamedFile)>,
    /// Where it is said, if it is.
    line: Option<usize>,
}

impl ReadTls {
    pub(super) fn read(site: &Section<'_>) -> Self {
        let section = site.table_of("upstream_tls", "site.upstream_tls");
        let server_name = section.value("server_name", place::host).map(|name| name.value);
        let roots = section.filled_list("roots", value::path);
        let verify = section.value("verify", value::switch);
        if let Some(verify) = verify.as_ref().filter(|verify| !verify.value) {
            let text = "believes whoever answers: anybody between the edge and the upstream can read and change everything; \
                        name what signed its certificate in site.upstream_tls.roots instead";
            section.pad.warning(verify.line, "site.upstream_tls.verify", text);
            if let Some(roots) = &roots {
                let text = "has no effect with verify = false; take one of them out";
                section.pad.mistake(roots.line, "site.upstream_tls.roots", text);
            }
        }
        let roots = roots.map(|list| {
            let files = list.value.into_iter();
            files.filter_map(|path| named_file(&section, "site.upstream_tls.roots", path)).collect()
        });
        Self {
            server_name,
            verify: verify.map(|verify| verify.value),
            roots,
            identity: identity(&section),
            line: section.is_there().then_some(section.line),
        }
    }

    /// Remarks on files that are of no use.
    pub(super) fn check(&self, pad: &Pad<'_>, judge: Option<TermsJudge>) {
        let (Some(line), Some(judge)) = (self.line, judge) else { return };
        for (key, why) in judge(&self.over(&TlsTerms::default())) {
            pad.mistake(line, &format!("site.upstream_tls.{key}"), why);
        }
    }

    /// All of it, with what holds for the site that it is like where it says nothing.
    pub(super) fn over(&self, model: &TlsTerms) -> Arc<TlsTerms> {
        Arc::new(TlsTerms {
            server_name: self.server_name.clone().or_else(|| model.server_name.clone()),
            verify: self.verify.unwrap_or(model.verify || self.roots.is_some()),
            roots: self.roots.clone().unwrap_or_else(|| match self.verify {
                Some(false) => Vec::new(),
                _ => model.roots.clone(),
            }),
            identity: self.identity.clone().or_else(|| model.identity.clone()),
        })
    }

    /// Where it is said, if it is.
    pub(super) const fn line(&self) -> Option<usize> {
        self.line
    }
}

/// The terms of a site's upstreams.
pub(super) fn terms_of(routes: &[(String, GroupSpec)]) -> Option<Arc<TlsTerms>> {
    let upstreams = routes.iter().flat_map(|(_, group)| &group.upstreams);
    upstreams.filter_map(|member| member.upstream.tls.as_ref()).map(|tls| Arc::clone(&tls.terms)).next()
}

/// What the edge shows them that ask for it.
fn identity(section: &Section<'_>) -> Option<(NamedFile, NamedFile)> {
    let (certificate, key) = (section.value("certificate", value::path), section.value("key", value::path));
    let alone = [("certificate", "key"), ("key", "certificate")];
    if let Some((given, missing)) =
        alone.into_iter().find(|(given, missing)| section.is_given(given) && !section.is_given(missing))
    {
        let text = format!("needs site.upstream_tls.{missing}, which may be the same file if both are in it");
        section.pad.mistake(section.line, &section.dotted(given), text);
        return None;
    }
    let (certificate, key) = (certificate?, key?);
    if fs::metadata(&key.value).is_ok_and(|facts| facts.mode() & 0o077 != 0) {
        let text = format!(
            "{}: may be read or written by others than its owner; chmod 0600, and if others may have read it, have a new \
             certificate made",
            key.value.display()
        );
        section.pad.mistake(key.line, "site.upstream_tls.key", text);
        return None;
    }
    let certificate = named_file(section, "site.upstream_tls.certificate", certificate)?;
    Some((certificate, named_file(section, "site.upstream_tls.key", key)?))
}
