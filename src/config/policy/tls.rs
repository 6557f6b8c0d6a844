//! `[site.tls]`: what a site asks of the TLS of its clients.

use std::path::PathBuf;

use crate::config::certificates::named_file;
use crate::config::reader::Section;
use crate::config::{NamedFile, value};
use crate::live::{ClientCheck, ClientDemands, Demands, TlsVersion};

/// What is said; `None`: nothing.
pub(super) fn read(site: &Section<'_>) -> Option<Demands> {
    let section = site.table_of("tls", "site.tls");
    let min_version = section.word("min_version", &[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)]);
    let required = section.word("client_certificates", &[("required", true), ("optional", false)]);
    let authorities = files(&section, "client_ca", ClientCheck::authorities_in);
    let revoked = files(&section, "client_crl", ClientCheck::revoked_in);
    let headers = section.value_or("client_headers", value::switch, false);
    if !section.is_there() {
        return None;
    }
    let clients = required.and_then(|required| {
        if !section.has("client_ca") {
            let text = "is needed with client_certificates: the file of the authority that issues them";
            section.pad.missing(required.line, "site.tls.client_ca", text);
            return None;
        }
        let (authorities, revoked) = (authorities?, revoked.unwrap_or_default());
        let files = authorities.files.into_iter().chain(revoked.files).collect();
        match ClientCheck::new(authorities.found, revoked.found, required.value) {
            Ok(check) => Some(ClientDemands { check, headers, files }),
            Err(why) => {
                section.pad.mistake(
                    required.line,
                    "site.tls.client_ca",
                    format!("{why}; name the authority's own files"),
                );
                None
            }
        }
    });
    for key in ["client_ca", "client_crl", "client_headers"] {
        if section.has(key) && !section.has("client_certificates") {
            let text = "has no effect without client_certificates = \"required\" or \"optional\"";
            section.pad.warning(section.line, &section.dotted(key), text);
        }
    }
    Some(Demands { min_version: min_version.map(|version| version.value), clients })
}

/// What was found in the files of a key.
struct FoundIn<T> {
    files: Vec<PathBuf>,
    found: Vec<T>,
}

impl<T> Default for FoundIn<T> {
    fn default() -> Self {
        Self { files: Vec::new(), found: Vec::new() }
    }
}

/// `None`: none is named, or something is wrong.
fn files<T>(
    section: &Section<'_>,
    key: &'static str,
    parse: fn(&[u8]) -> Result<Vec<T>, String>,
) -> Option<FoundIn<T>> {
    let mut all = FoundIn::default();
    for path in section.filled_list(key, value::path)?.value {
        let line = path.line;
        let NamedFile { path, content } = named_file(section, &section.dotted(key), path)?;
        match parse(&content) {
            Ok(found) => all.found.extend(found),
            Err(why) => {
                section.pad.mistake(line, &section.dotted(key), format!("{}: {why}", path.display()));
                return None;
            }
        }
        all.files.push(path);
    }
    (!all.files.is_empty()).then_some(all)
}
