//! What the intake asks of requests: their keys, what is shown for them, and who is to be told that a certificate came.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;

use super::keeper::{RequestError, Requests};
use super::record::{ListedRequest, ReceivedCertificate, Request, RequestStatus};
use super::returned::Returned;
use crate::certs::alarms::AlarmCode;
use crate::certs::certificate::{Certificate, hexadecimal};
use crate::certs::folders::{Folders, MAIN};
use crate::certs::formats::armour;
use crate::certs::ledger::{Alarm, shown, some_of};
use crate::certs::library::Source;
use crate::certs::objects::Ending;
use crate::certs::pairing::{FileParts, KeyId, Pair};
use crate::certs::parts::Parts;
use crate::certs::scan::{Content, Files};
use crate::certs::well_known::Other;
use crate::live::{CertFacts, WellKnownObject};
use crate::name::HostPattern;

/// What requests have for the intake.
#[derive(Default)]
pub(in crate::certs) struct Offer {
    /// Keys of certificates that are to be served, by their identifiers.
    pub(in crate::certs) keys: HashMap<[u8; 32], OfferedKey>,
    /// By what certificates are known that came for a request and are not to be served, and which request that is.
    pub(in crate::certs) aside: HashMap<[u8; 32], Box<str>>,
    /// Files that authorities ask for, by host and name below `/.well-known/`.
    pub(in crate::certs) objects: Vec<Other>,
    /// Where the keys lie.
    folder: Option<PathBuf>,
}

/// A key that waits for its certificate, or has one.
pub(in crate::certs) struct OfferedKey {
    /// Where it lies.
    file: Arc<Path>,
    parts: Arc<Parts>,
    /// What its certificate is to serve; empty when nobody knows any more.
    names: Box<[HostPattern]>,
    /// Whether it may leave.
    is_exportable: bool,
}

/// A certificate that came for a request.
pub(in crate::certs) struct Answer {
    key: [u8; 32],
    received: ReceivedCertificate,
}

/// What is taken out of the folder's files before anything is served.
#[derive(Default)]
pub(in crate::certs) struct SetAside {
    pub(in crate::certs) answers: Vec<Answer>,
    rest: HashMap<Arc<Path>, Parts>,
}

impl SetAside {
    /// What is left of a file; `None` when nothing was taken out.
    pub(in crate::certs) fn rest_of(&self, file: &Path) -> Option<&Parts> {
        self.rest.get(file)
    }
}

impl Offer {
    /// The keys as if they lay in files of a folder, which `may` supply their names.
    pub(in crate::certs) fn files(
        &self,
        folder: usize,
        may: impl Fn(&[HostPattern]) -> bool,
    ) -> impl Iterator<Item = FileParts<'_>> {
        let known = move |key: &&OfferedKey| folder == MAIN || !key.names.is_empty() && may(&key.names);
        self.keys.values().filter(known).map(move |key| FileParts { path: &key.file, parts: &key.parts, folder })
    }

    /// A key as if it lay in a file of a folder, which `may` supply its names.
    pub(in crate::certs) fn file_of(
        &self,
        key: &KeyId,
        folder: usize,
        may: impl Fn(&[HostPattern]) -> bool,
    ) -> Option<FileParts<'_>> {
        let key = self.keys.get(key)?;
        let known = folder == MAIN || !key.names.is_empty() && may(&key.names);
        known.then_some(FileParts { path: &key.file, parts: &key.parts, folder })
    }

    /// What is left of a file's parts when that is taken out which is not to be served.
    pub(in crate::certs) fn rest_of<'p>(&self, parts: &'p Parts, folder: usize) -> Cow<'p, Parts> {
        let is_ours = |one: &Arc<Certificate>| self.aside.contains_key(&one.key.id);
        if self.aside.is_empty() || folder != MAIN || !parts.certificates.iter().any(is_ours) {
            return Cow::Borrowed(parts);
        }
        let certificates = parts.certificates.iter().filter(|one| !is_ours(one)).cloned().collect();
        Cow::Owned(Parts { certificates, ..parts.clone() })
    }

    /// Whether a file is a request's, and lies in no folder of the operator's.
    pub(in crate::certs) fn has_file(&self, file: &Path) -> bool {
        self.folder.as_ref().is_some_and(|folder| file.starts_with(folder))
    }

    /// Whether a key is a request's.
    pub(in crate::certs) fn has_key(&self, key: &[u8; 32]) -> bool {
        self.keys.contains_key(key)
    }

    /// Whether a pair's key is a request's, and lies nowhere else.
    pub(in crate::certs) fn has_key_of(&self, pair: &Pair) -> bool {
        self.has_key(&pair.key.public.id) && pair.key_files.iter().all(|file| self.has_file(file))
    }

    /// Where a pair that was sent in comes from.
    pub(in crate::certs) fn source_of(&self, pair: &Pair) -> Source {
        if self.has_key(&pair.key.public.id) { Source::Requested } else { Source::Uploaded }
    }

    /// Whether a pair's key is a request's that was marked as one that may leave.
    pub(in crate::certs) fn is_exportable(&self, pair: &Pair) -> bool {
        self.keys.get(&pair.key.public.id).is_some_and(|key| key.is_exportable)
    }

    /// Takes the certificates out of the main folder's files that came for a request and are not to be served. Who writes another
    /// has no say in them.
    pub(in crate::certs) fn set_aside(&self, files: &Files, folders: &Folders) -> SetAside {
        let mut aside = SetAside::default();
        if self.aside.is_empty() {
            return aside;
        }
        for (file, record) in files {
            let Content::Parts(parts) = &record.content else { continue };
            let is_ours = |one: &Arc<Certificate>| self.aside.contains_key(&one.key.id);
            if !parts.certificates.iter().any(is_ours) || folders.place(file) != MAIN {
                continue;
            }
            let (ours, rest): (Vec<_>, Vec<_>) = parts.certificates.iter().cloned().partition(is_ours);
            aside.answers.extend(ours.iter().map(|leaf| Answer::kept_here(leaf, &rest, &shown(file))));
            aside.rest.insert(Arc::clone(file), Parts { certificates: rest, ..Parts::clone(parts) });
        }
        aside
    }
}

impl OfferedKey {
    /// What its certificate is to serve; empty when nobody knows any more.
    pub(in crate::certs) fn names(&self) -> &[HostPattern] {
        &self.names
    }
}

impl Answer {
    /// One that serves; `file` is where it lies, if it does.
    pub(in crate::certs) fn served(key: [u8; 32], facts: &CertFacts, file: Option<String>) -> Self {
        let received = ReceivedCertificate {
            fingerprint: facts.fingerprint.clone(),
            received: 0,
            from: file.unwrap_or_else(|| UPLOAD.into()).into(),
            subject: facts.subject_cn.clone(),
            issuer: facts.issuer_cn.clone(),
            issuer_organisation: facts.issuer_o.clone(),
            serial: facts.serial.clone(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            order_number: None,
            chain: None,
        };
        Self { key, received }
    }

    /// One that was sent in, and does not.
    pub(in crate::certs) fn sent(leaf: &Certificate, issuers: &[Arc<Certificate>]) -> Self {
        Self::kept_here(leaf, issuers, UPLOAD)
    }

    /// One that does not, and has no other place; `issuers` are what came along for its chain.
    pub(super) fn kept_here(leaf: &Certificate, issuers: &[Arc<Certificate>], from: &str) -> Self {
        let chain: String = std::iter::once(leaf).chain(issuers.iter().map(|issuer| &**issuer)).map(pem).collect();
        let received = ReceivedCertificate {
            fingerprint: hexadecimal(&leaf.fingerprint).into(),
            received: 0,
            from: from.into(),
            subject: leaf.subject_cn.clone(),
            issuer: leaf.issuer_cn.clone(),
            issuer_organisation: leaf.issuer_o.clone(),
            serial: hexadecimal(leaf.serial()).into(),
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            order_number: None,
            chain: Some(chain.into()),
        };
        Self { key: leaf.key.id, received }
    }
}

impl Requests {
    /// What is there for the intake now.
    pub(in crate::certs) fn offer(&self) -> Offer {
        let cases = self.cases();
        let mut offer = Offer { folder: Some(self.folder()), ..Offer::default() };
        let mut by_age: Vec<&Arc<Request>> = cases.requests.values().collect();
        by_age.sort_by_key(|request| (request.created, &request.id));
        for request in by_age {
            if request.details.kind.is_served() {
                let (file, names) = (self.key_file(&request.id).into(), request.details.names.clone());
                let (parts, is_exportable) = (Arc::clone(&request.key), request.details.exportable);
                offer.keys.insert(request.key_id(), OfferedKey { file, parts, names, is_exportable });
            } else {
                offer.aside.insert(request.key_id(), request.id.clone());
            }
            offer.objects.extend(objects(request));
        }
        // Of what a key was made for, nobody knows any more; a certificate that is for no server is refused anyway.
        let keys = cases.damaged.iter().filter_map(|(id, damaged)| Some((id, damaged.key.as_ref()?)));
        for (id, parts) in keys {
            let file: Arc<Path> = self.key_file(id).into();
            let offered = || OfferedKey {
                file: Arc::clone(&file),
                parts: Arc::clone(parts),
                names: Box::default(),
                is_exportable: false,
            };
            offer.keys.extend(parts.keys.iter().map(|key| (key.public.id, offered())));
        }
        offer
    }

    /// Writes down what came. What cannot be written now comes again with the next look.
    pub(in crate::certs) fn receive(&self, answers: Vec<Answer>, now: i64) {
        for answer in answers {
            let from = answer.received.from.clone();
            if let Err(error) = self.answered(answer, now) {
                tracing::error!(%from, "the certificate for a request is here, and that cannot be written down: {error}");
            }
        }
    }

    /// Completes a request with what was sent in for it, and is not for the edge to serve.
    ///
    /// # Errors
    /// [`RequestError`] when it cannot be kept.
    pub fn complete(&self, id: &str, returned: &Returned, now: i64) -> Result<ListedRequest, RequestError> {
        self.answered(Answer::sent(&returned.leaf, &returned.issuers), now)?;
        self.find(id)
    }

    /// A certificate has come for a key. Gives the request if there is one that did not know of it yet.
    ///
    /// # Errors
    /// [`RequestError`] when it cannot be written down.
    pub(in crate::certs) fn answered(&self, answer: Answer, now: i64) -> Result<Option<ListedRequest>, RequestError> {
        let Answer { key, mut received } = answer;
        let mut cases = self.cases();
        let known = cases.requests.values().find(|request| request.key_id() == key);
        let is_new = |known: &&Arc<Request>| known.answers.iter().all(|one| one.fingerprint != received.fingerprint);
        let Some(known) = known.filter(is_new) else { return Ok(None) };
        let mut changed = Request::clone(known);
        (received.received, received.order_number) = (now, changed.order.number.clone());
        if changed.details.kind.is_served() {
            // The library has it.
            received.chain = None;
        }
        let from = received.from.clone();
        changed.answers.push(received);
        changed.renewing_since = None;
        // It was about waiting for this.
        changed.order.reminder = None;
        let listed = self.keep(&mut cases, changed)?;
        tracing::info!(request = %listed.request.id, %from, "a request is completed: its certificate is here");
        Ok(Some(listed))
    }

    /// The certificates that are not for the edge to serve, the newest of each request, with the file that each lies in.
    #[must_use]
    pub fn kept_here(&self) -> Vec<(PathBuf, ReceivedCertificate)> {
        let cases = self.cases();
        let ours = cases.requests.values().filter(|request| !request.details.kind.is_served());
        let newest = ours.filter_map(|request| Some((self.meta_file(&request.id), request.answer()?.clone())));
        newest.collect()
    }

    /// The request with this key.
    pub(in crate::certs) fn of_key(&self, key: &[u8; 32]) -> Option<Box<str>> {
        let cases = self.cases();
        cases.requests.values().find(|request| request.key_id() == *key).map(|request| request.id.clone())
    }

    /// When the certificates end that are not for the edge to serve, but for those that another request's has replaced.
    pub(in crate::certs) fn endings(&self) -> Vec<Ending> {
        let listed = self.list().into_iter();
        let ours = listed.filter(|one| !one.request.details.kind.is_served() && one.status != RequestStatus::Replaced);
        let ending = |one: ListedRequest| {
            let at = one.request.answer()?.not_after;
            Some(Ending { what: format!("the request {}", one.request.id), at })
        };
        ours.filter_map(ending).collect()
    }

    /// What of requests needs a hand; logged when it begins and when it ends. `now` is in seconds since the Unix epoch.
    pub(in crate::certs) fn alarms(&self, now: i64) -> Vec<Alarm> {
        let (reminders, damages) = (self.reminders(now), self.damages());
        let mut raised = BTreeMap::new();
        if !reminders.is_empty() {
            let text = format!(
                "somebody wanted to be reminded of these requests: {}; see to them, and move the reminder or take it away",
                some_of(&reminders)
            );
            raised.insert(AlarmCode::RequestReminder, text);
        }
        if !damages.is_empty() {
            let text = format!(
                "requests cannot be read, and their keys are kept as far as they are there: {}; restore them from a backup, or \
                 discard them",
                some_of(&damages)
            );
            raised.insert(AlarmCode::RequestUnreadable, text);
        }
        let mut cases = self.cases();
        cases.alarms.raise(raised, now);
        cases.alarms.listed()
    }

    /// The requests that somebody wanted to be reminded of by now, in words.
    pub(super) fn reminders(&self, now: i64) -> Vec<String> {
        let cases = self.cases();
        let due = |request: &Request| request.order.reminder.as_ref().filter(|reminder| reminder.due <= now).cloned();
        let told = cases.requests.values().filter_map(|request| {
            let reminder = due(request)?;
            Some(format!("{} (since {})", request.id, reminder.date))
        });
        told.collect()
    }

    /// The requests of which something cannot be read, with what that is.
    pub(super) fn damages(&self) -> Vec<String> {
        self.cases().damaged.iter().map(|(id, damaged)| format!("{id}: {}", damaged.why)).collect()
    }
}

/// The validation file, under each of the names; a wildcard is asked for at the name behind its asterisk.
fn objects(request: &Request) -> Vec<Other> {
    let Some(file) = &request.order.validation_file else { return Vec::new() };
    let name: Box<str> = format!("pki-validation/{}", file.name).into();
    let object = Arc::new(WellKnownObject { content: Bytes::copy_from_slice(file.content.as_bytes()) });
    let host = |name: &HostPattern| match name {
        HostPattern::Exact(host) | HostPattern::Wildcard(host) => host.clone(),
    };
    request.details.names.iter().map(|own| (host(own), name.clone(), Arc::clone(&object))).collect()
}

fn pem(certificate: &Certificate) -> String {
    armour("CERTIFICATE", &certificate.der).to_string()
}

/// The way in that is no file.
const UPLOAD: &str = "upload";
