//! Certificates that come another way than as files in a folder: read, paired and judged before anything is kept.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::bundle::Bundle;
use super::certificate::Certificate;
use super::flaw::Flaw;
use super::folders::MAIN;
use super::library::Source;
use super::pairing::{FileParts, Pair, Pairing, Problem, pair_trusting};
use super::parts::Parts;
use super::password::Password;
use super::request::{Answer, Offer, RequestError};
use super::roots::Roots;
use crate::live::ServedCert;

/// What was sent, read; not yet whether it belongs together.
pub struct Upload {
    parts: Vec<(Arc<Path>, Parts)>,
    /// Who sent it, for the record.
    by: Option<String>,
    /// Whether the edge ordered it.
    is_issued: bool,
}

impl Upload {
    /// Reads what was sent, each piece with the name it came under. `password` opens what is encrypted. Costs as much as opening
    /// an encrypted key does, up to seconds: not where others wait.
    ///
    /// # Errors
    /// What is wrong with each piece that cannot be read, by its name.
    pub fn read(
        pieces: &[(String, Zeroizing<Vec<u8>>)],
        password: Option<Zeroizing<String>>,
        by: Option<String>,
    ) -> Result<Self, Vec<(String, Flaw)>> {
        let password = password.map_or(Password::Absent, Password::Given);
        let (mut parts, mut wrong) = (Vec::new(), Vec::new());
        for (name, content) in pieces {
            match Parts::read(content, &password, &Default::default()) {
                Ok(read) => parts.push((Path::new(name).into(), read)),
                Err(flaw) => wrong.push((name.clone(), for_senders(flaw))),
            }
        }
        if pieces.is_empty() {
            wrong.push(("nothing".into(), nothing()));
        }
        if wrong.is_empty() { Ok(Self { parts, by, is_issued: false }) } else { Err(wrong) }
    }

    /// What an authority issued for a key that was made here, both PEM.
    ///
    /// # Errors
    /// As [`Upload::read`].
    pub fn issued(chain: &str, key: &Zeroizing<String>, by: String) -> Result<Self, Vec<(String, Flaw)>> {
        let piece = |name: &str, content: &str| (name.to_owned(), Zeroizing::new(content.as_bytes().to_vec()));
        let read = Self::read(&[piece("certificate", chain), piece("key", key)], None, Some(by))?;
        Ok(Self { is_issued: true, ..read })
    }

    pub(super) fn source_of(&self, pair: &Pair, offer: &Offer) -> Source {
        if self.is_issued { Source::Issued } else { offer.source_of(pair) }
    }

    pub(super) fn by(&self) -> Option<&str> {
        self.by.as_deref()
    }

    /// Takes out what answers requests whose certificates are not to be served, so that it is not held against the rest.
    pub(super) fn set_aside(&mut self, offer: &Offer) -> SetAside {
        let mut aside = SetAside::default();
        if offer.aside.is_empty() {
            return aside;
        }
        let sent = self.parts.iter().flat_map(|(_, parts)| &parts.certificates);
        let issuers: Vec<_> = sent.filter(|one| one.traits.is_ca).cloned().collect();
        for (file, parts) in &mut self.parts {
            parts.certificates.retain(|one| {
                let request = offer.aside.get(&one.key.id).filter(|_| !one.traits.is_ca);
                aside.answers.extend(request.map(|request| (request.clone(), Answer::sent(one, &issuers))));
                request.is_none()
            });
            let keys = parts.keys.len();
            parts.keys.retain(|key| !offer.aside.contains_key(&key.public.id));
            if parts.keys.len() < keys {
                aside.left_over.push((named(file), key_is_here()));
            }
        }
        self.parts.retain(|(_, parts)| !parts.certificates.is_empty() || !parts.keys.is_empty());
        aside
    }

    /// The pairs in it, the keys of requests taken for sent along. `known` are authorities' certificates for chains that lack
    /// them; the chains should lead to one of the roots at `now`, seconds since the Unix epoch.
    ///
    /// # Errors
    /// What is wrong with each piece, when nothing in it can be served.
    pub(super) fn pairs(
        &self,
        offer: &Offer,
        known: &[Arc<Certificate>],
        roots: &Roots,
        now: i64,
    ) -> Result<Matched, Vec<(String, Flaw)>> {
        let sent = self.parts.iter().map(|(path, parts)| FileParts { path, parts, folder: MAIN });
        let files: Vec<FileParts<'_>> = sent.chain(offer.files(MAIN, |_| true)).collect();
        let known: Vec<_> = known.iter().map(|authority| (MAIN, Arc::clone(authority))).collect();
        let Pairing { pairs, problems } = pair_trusting(&files, &known, roots, now);
        let sent = problems.into_iter().filter(|(file, _)| !offer.has_file(file));
        let mut wrong: Vec<(String, Flaw)> = sent.map(|(file, problem)| (named(&file), of(problem))).collect();
        let mut good = Vec::new();
        for pair in pairs {
            match Bundle::new(&pair) {
                Ok(_) => good.push(pair),
                Err(flaw) => wrong.push((named(&pair.certificate_files[0]), flaw)),
            }
        }
        match good.is_empty() {
            false => Ok(Matched { pairs: good, left_over: wrong }),
            true if wrong.is_empty() => {
                Err(self.parts.iter().map(|(file, _)| (named(file), authorities_alone())).collect())
            }
            true => Err(wrong),
        }
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("pieces", &self.parts.len()).field("by", &self.by).finish_non_exhaustive()
    }
}

/// What belongs together in an upload.
pub(super) struct Matched {
    pub(super) pairs: Vec<Pair>,
    /// What found no counterpart beside them, and is not kept.
    pub(super) left_over: Vec<(String, Flaw)>,
}

/// What of an upload is for requests alone.
#[derive(Default)]
pub(super) struct SetAside {
    /// Each with the request that it answers.
    pub(super) answers: Vec<(Box<str>, Answer)>,
    pub(super) left_over: Vec<(String, Flaw)>,
}

/// What an upload would bring, or brought.
#[derive(Clone, Debug)]
pub struct Received {
    /// One for each certificate with its key.
    pub certificates: Vec<super::Arrival>,
    /// The requests that were waiting for a certificate in it which is not to be served.
    pub completed: Vec<Box<str>>,
    /// What came along and is not kept, by the name it came under.
    pub left_over: Vec<(String, Flaw)>,
}

/// Why an upload brought nothing.
#[derive(Debug)]
pub enum NotReceived {
    /// What is wrong with each piece, by the name it came under.
    Flawed(Vec<(String, Flaw)>),
    /// It could not be kept; what served before serves.
    NotKept(crate::store::StoreError),
    /// A request could not be completed; what served before serves.
    NotCompleted(RequestError),
    /// The edge takes nothing in any more.
    Stopping,
}

/// The entry that a pair would have in the index.
pub(super) fn preview(pair: &Pair) -> Option<Arc<ServedCert>> {
    let file = &pair.certificate_files[0];
    Bundle::new(pair).ok().map(|bundle| bundle.served(Arc::clone(file), pair.key_files.contains(file)))
}

fn of(problem: Problem) -> Flaw {
    match problem {
        Problem::Unfit(flaw) => flaw,
        Problem::NoKey(_) => Flaw::new(
            "key-missing",
            "the private key of the certificate is missing",
            "send the key that it was requested with along with it",
        ),
        Problem::NoCertificate(_) => Flaw::new(
            "certificate-missing",
            "the certificate of the private key is missing",
            "send the certificate that was issued for it along with it",
        ),
    }
}

/// A password is sent, and lies in no file.
pub(super) fn for_senders(flaw: Flaw) -> Flaw {
    match flaw.code {
        "waiting-for-password" => Flaw::new(
            "password-missing",
            "the file is encrypted, and no password was sent",
            "send its password along with it",
        ),
        "password-wrong" => Flaw { mend: "send the password that it was encrypted with".into(), ..flaw },
        _ => flaw,
    }
}

fn nothing() -> Flaw {
    Flaw::new("empty", "no file was sent", "send the certificate, its key and its chain, in one file or several")
}

fn key_is_here() -> Flaw {
    Flaw::new(
        "key-not-kept",
        "there is a private key in it that a request was made with, and that is here already",
        "send the certificate and its chain without the key",
    )
}

fn authorities_alone() -> Flaw {
    Flaw::new(
        AUTHORITIES_ALONE,
        "there are certificates of authorities alone",
        "send the server's certificate and its key along with them",
    )
}

/// What is wrong with certificates of authorities by themselves.
pub(super) const AUTHORITIES_ALONE: &str = "authorities-alone";

fn named(file: &Path) -> String {
    super::ledger::shown(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::testing::Chain;

    fn pieces(texts: &[&str]) -> Vec<(String, Zeroizing<Vec<u8>>)> {
        texts.iter().enumerate().map(|(at, text)| (at.to_string(), text.as_bytes().to_vec().into())).collect()
    }

    fn codes(texts: &[&str]) -> Vec<(String, &'static str)> {
        let wrong = match Upload::read(&pieces(texts), None, None) {
            Ok(upload) => upload.pairs(&Offer::default(), &[], &Roots::default(), 0).err().unwrap_or_default(),
            Err(wrong) => wrong,
        };
        wrong.into_iter().map(|(name, flaw)| (name, flaw.code)).collect()
    }

    #[test]
    fn what_is_missing_is_asked_for_in_words_of_an_upload() {
        let chain = Chain::new();
        let (one, two) = (chain.leaf(&["one.example"]), chain.leaf(&["two.example"]));
        let expected = |wanted: &[(&str, &'static str)]| -> Vec<(String, &'static str)> {
            wanted.iter().map(|(name, code)| ((*name).to_owned(), *code)).collect()
        };
        assert_eq!(codes(&[]), expected(&[("nothing", "empty")]));
        assert_eq!(codes(&[&one.certificate, &one.key]), expected(&[]));
        assert_eq!(codes(&[&one.certificate]), expected(&[("0", "key-missing")]));
        assert_eq!(codes(&[&one.key]), expected(&[("0", "certificate-missing")]));
        assert_eq!(
            codes(&[&one.certificate, &two.key]),
            expected(&[("0", "key-missing"), ("1", "certificate-missing")])
        );
        assert_eq!(codes(&[&format!("{}{}", one.certificate, two.key)]), expected(&[("0", "key-mismatch")]));
        assert_eq!(codes(&[&chain.intermediate]), expected(&[("0", "authorities-alone")]));
        assert_eq!(codes(&["", "x"]), expected(&[("0", "empty"), ("1", "nothing")]));
    }

    #[test]
    fn an_intermediate_that_is_known_completes_the_chain() {
        let chain = Chain::new();
        let leaf = chain.leaf(&["one.example"]);
        let known = Parts::read(chain.intermediate.as_bytes(), &Password::Absent, &Default::default()).expect("parts");
        let upload = Upload::read(&pieces(&[&leaf.certificate, &leaf.key]), None, None).expect("read");
        let sent = |known: &[Arc<Certificate>]| {
            upload.pairs(&Offer::default(), known, &Roots::default(), 0).expect("a pair").pairs[0].chain.len()
        };
        assert_eq!((sent(&[]), sent(&known.certificates)), (0, 1));
    }
}
