//! All requests, and their keys, in `state/requests/<id>/`: written before they are shown, gone only when that was asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::error::Unspecified;
use zeroize::Zeroizing;

use super::details::Details;
use super::form::Mistakes;
use super::key::{KeyError, RequestKey};
use super::order::Order;
use super::pkcs10::request_pem;
use super::record::{ListedRequest, Request, RequestStatus, Unreadable};
use crate::certs::alarms::Alarms;
use crate::certs::certificate::hexadecimal;
use crate::certs::parts::Parts;
use crate::certs::password::Password;
use crate::store::{Expected, Key, NewFolder, Revision, Store, StoreError};

/// The keeper of requests. Clones are the same one. Its calls block: they read and write the state folder, and make keys.
#[derive(Clone)]
pub struct Requests(Arc<Desk>);

struct Desk {
    store: Store,
    /// As the operator knows it.
    state_directory: PathBuf,
    cases: Mutex<Cases>,
}

#[derive(Default)]
pub(super) struct Cases {
    pub(super) requests: BTreeMap<Box<str>, Arc<Request>>,
    /// Those of which something cannot be read. Their keys may be the only ones there are.
    pub(super) damaged: BTreeMap<Box<str>, Damaged>,
    pub(super) alarms: Alarms,
}

pub(super) struct Damaged {
    pub(super) why: String,
    pub(super) key: Option<Arc<Parts>>,
}

impl Requests {
    /// Reads all that lie in the state. One that cannot be read keeps nobody from the others.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub fn open(store: Store, state_directory: &Path) -> Result<Self, StoreError> {
        let mut cases = Cases::default();
        for id in store.names(&Key::known(&["requests"]))? {
            match case(&store, &id)? {
                Ok(request) => {
                    cases.requests.insert(id.into(), Arc::new(request));
                }
                Err(damaged) => {
                    tracing::error!(request = %id, "a request cannot be read; its key is kept: {}", damaged.why);
                    cases.damaged.insert(id.into(), damaged);
                }
            }
        }
        let desk = Desk { store, state_directory: state_directory.to_owned(), cases: Mutex::new(cases) };
        Ok(Self(Arc::new(desk)))
    }

    /// Every request, the newest first.
    #[must_use]
    pub fn list(&self) -> Vec<ListedRequest> {
        let cases = self.cases();
        let mut renewals: BTreeMap<&str, Vec<&Arc<Request>>> = BTreeMap::new();
        for renewal in cases.requests.values() {
            renewals.entry(renewal.renews.as_deref().unwrap_or_default()).or_default().push(renewal);
        }
        let of = |request: &Arc<Request>| listed(request, renewals.get(&*request.id).map_or(&[], Vec::as_slice));
        let mut listed: Vec<ListedRequest> = cases.requests.values().map(of).collect();
        listed.sort_by(|one, other| {
            (other.request.created, &one.request.id).cmp(&(one.request.created, &other.request.id))
        });
        listed
    }

    /// One request.
    ///
    /// # Errors
    /// [`RequestError::Unknown`] when there is none.
    pub fn find(&self, id: &str) -> Result<ListedRequest, RequestError> {
        let cases = self.cases();
        cases.requests.get(id).map(|request| cases.listed(request)).ok_or(RequestError::Unknown)
    }

    /// Makes a key and a request for it; both are in the state when they are given. `renews` is the request that it is a renewal
    /// of; `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`RequestError`] when there is no key, or it cannot be kept.
    pub fn create(
        &self,
        details: Details,
        order: Order,
        renews: Option<&str>,
        now: i64,
    ) -> Result<ListedRequest, RequestError> {
        let key = RequestKey::generate(details.key_type)?;
        let (pem, secret) = (request_pem(&details, &key)?, key.pem()?);
        let parts = Parts::read(secret.as_bytes(), &Password::Absent, &Default::default()).map_err(|_| KeyError)?;
        let id = new_id(&details)?;
        let mut request = Request {
            id: id.as_str().into(),
            details,
            pem: pem.into(),
            created: now,
            renews: renews.map(Into::into),
            renewing_since: None,
            order,
            answers: Vec::new(),
            revision: Revision::of(b""),
            key: Arc::new(parts),
        };
        let meta = request.meta();
        request.revision = Revision::of(&meta);

        let mut cases = self.cases();
        if let Some(renews) = renews {
            cases.may_be_renewed(renews)?;
        }
        let files = vec![
            (KEY, Zeroizing::new(secret.as_bytes().to_vec())),
            (REQUEST, Zeroizing::new(request.pem.as_bytes().to_vec())),
            (META, Zeroizing::new(meta)),
        ];
        self.0.store.put_folder(&NewFolder { key: place(&id).ok_or(RequestError::Unknown)?, files })?;
        let request = Arc::new(request);
        cases.requests.insert(request.id.clone(), Arc::clone(&request));
        tracing::info!(request = %request.id, kind = %request.details.kind, "a certificate is requested");
        Ok(cases.listed(&request))
    }

    /// Changes what was noted down: the order and the sites. `expected` is the revision that was looked at.
    ///
    /// # Errors
    /// [`RequestError::Changed`] when another one is there by now.
    pub fn amend(
        &self,
        id: &str,
        expected: Revision,
        order: Order,
        sites: Vec<Box<str>>,
    ) -> Result<ListedRequest, RequestError> {
        let mut cases = self.cases();
        let known = cases.requests.get(id).ok_or(RequestError::Unknown)?;
        if known.revision != expected {
            return Err(RequestError::Changed);
        }
        let mut changed = Request::clone(known);
        (changed.order, changed.details.sites) = (order, sites);
        self.keep(&mut cases, changed)
    }

    /// Awaits another certificate for the same key: the request stays the same, to the letter.
    ///
    /// # Errors
    /// [`RequestError::Open`] when one is awaited already.
    pub fn renew_with_same_key(&self, id: &str, now: i64) -> Result<ListedRequest, RequestError> {
        let mut cases = self.cases();
        let known = cases.requests.get(id).ok_or(RequestError::Unknown)?;
        if known.answers.is_empty() || known.renewing_since.is_some() {
            return Err(RequestError::Open);
        }
        let mut changed = Request::clone(known);
        (changed.renewing_since, changed.order) = (Some(now), known.order.again());
        self.keep(&mut cases, changed)
    }

    /// Makes another request, with a new key, that is to take the place of this one.
    ///
    /// # Errors
    /// [`RequestError::Open`] when none has come for this one yet, or for another renewal.
    pub fn renew_with_new_key(&self, id: &str, details: Details, now: i64) -> Result<ListedRequest, RequestError> {
        // Before a key is made for nothing; it is asked again when there is one.
        let order = self.cases().may_be_renewed(id)?.order.again();
        self.create(details, order, Some(id), now)
    }

    /// Deletes a request with its key, for good. A certificate that comes for it later is of no use.
    ///
    /// # Errors
    /// [`RequestError`] when there is none, or it cannot be deleted.
    pub fn discard(&self, id: &str) -> Result<(), RequestError> {
        let mut cases = self.cases();
        if !cases.requests.contains_key(id) && !cases.damaged.contains_key(id) {
            return Err(RequestError::Unknown);
        }
        self.0.store.delete(&place(id).ok_or(RequestError::Unknown)?)?;
        cases.requests.remove(id);
        cases.damaged.remove(id);
        tracing::warn!(request = %id, "a request and its private key are discarded, as the operator asked");
        Ok(())
    }

    /// Writes a changed request, and holds it from then on.
    pub(super) fn keep(&self, cases: &mut Cases, mut changed: Request) -> Result<ListedRequest, RequestError> {
        let meta = changed.meta();
        let key = place(&changed.id).and_then(|place| place.below(META)).ok_or(RequestError::Unknown)?;
        changed.revision = self.0.store.put(&key, &meta, Expected::Still(changed.revision))?;
        let changed = Arc::new(changed);
        cases.requests.insert(changed.id.clone(), Arc::clone(&changed));
        Ok(cases.listed(&changed))
    }

    /// Where they all lie, as the operator knows it.
    pub(super) fn folder(&self) -> PathBuf {
        self.0.state_directory.join("requests")
    }

    /// Where the key of one lies.
    pub(super) fn key_file(&self, id: &str) -> PathBuf {
        self.folder().join(id).join(KEY)
    }

    /// Where the rest of one lies.
    pub(super) fn meta_file(&self, id: &str) -> PathBuf {
        self.folder().join(id).join(META)
    }

    /// A panic under the lock leaves what is on the disk: changes are whole.
    pub(super) fn cases(&self) -> MutexGuard<'_, Cases> {
        self.0.cases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cases {
    /// The request, if another may take its place.
    fn may_be_renewed(&self, id: &str) -> Result<&Arc<Request>, RequestError> {
        let request = self.requests.get(id).ok_or(RequestError::Unknown)?;
        let listed = self.listed(request);
        let has_open_renewal = listed.renewed_by.is_some() && listed.status == RequestStatus::Renewing;
        let is_open = listed.status == RequestStatus::Pending || has_open_renewal;
        if is_open { Err(RequestError::Open) } else { Ok(request) }
    }

    pub(super) fn listed(&self, request: &Arc<Request>) -> ListedRequest {
        let renewals: Vec<&Arc<Request>> =
            self.requests.values().filter(|other| other.renews.as_ref() == Some(&request.id)).collect();
        listed(request, &renewals)
    }
}

fn listed(request: &Arc<Request>, renewals: &[&Arc<Request>]) -> ListedRequest {
    let completed = renewals.iter().filter(|renewal| !renewal.answers.is_empty()).count();
    ListedRequest {
        request: Arc::clone(request),
        status: RequestStatus::of(request, renewals.len(), completed),
        renewed_by: renewals.iter().max_by_key(|renewal| renewal.created).map(|renewal| renewal.id.clone()),
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}

/// Why something was not done with a request. What was there before is there still.
#[derive(Debug)]
pub enum RequestError {
    /// There is none of this name.
    Unknown,
    /// Somebody changed it meanwhile.
    Changed,
    /// A certificate is awaited already.
    Open,
    /// The form has mistakes.
    Form(Mistakes),
    /// There is no key.
    Key(KeyError),
    /// The state cannot be written.
    Store(StoreError),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such request; vitrine csr list shows all"),
            Self::Changed => f.write_str("the request was changed meanwhile; look at it again"),
            Self::Open => f.write_str("a certificate for it is awaited already; complete the request, or discard it"),
            Self::Form(mistakes) => mistakes.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RequestError {}

impl From<Mistakes> for RequestError {
    fn from(mistakes: Mistakes) -> Self {
        Self::Form(mistakes)
    }
}

impl From<KeyError> for RequestError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        if error.is_conflict() { Self::Changed } else { Self::Store(error) }
    }
}

/// Reads one request's folder; the key comes first, since nothing else is as dear.
fn case(store: &Store, id: &str) -> Result<Result<Request, Damaged>, StoreError> {
    let Some(place) = place(id) else {
        return Ok(Err(Damaged { why: "its folder has a name that is none of ours".into(), key: None }));
    };
    let file = |name| place.below(name).map_or(Ok(None), |key| store.read(&key));
    let Some(secret) = file(KEY)? else {
        return Ok(Err(Damaged { why: format!("{KEY} is missing; restore it from a backup"), key: None }));
    };
    let parts = match Parts::read(&secret.content, &Password::Absent, &Default::default()) {
        Ok(parts) => parts,
        Err(flaw) => return Ok(Err(Damaged { why: format!("{KEY}: {flaw}"), key: None })),
    };
    let key = Some(Arc::new(parts.clone()));
    let (Some(meta), Some(pem)) = (file(META)?, file(REQUEST)?) else {
        return Ok(Err(Damaged { why: format!("{META} or {REQUEST} is missing; restore it from a backup"), key }));
    };
    let request = Request::read(id, &meta.content, &pem.content, parts);
    Ok(request.map_err(|Unreadable(why)| Damaged { why, key }))
}

fn place(id: &str) -> Option<Key> {
    Key::known(&["requests"]).below(id)
}

/// What it is for, and eight digits that no other has.
fn new_id(details: &Details) -> Result<String, KeyError> {
    let mut random = [0; 4];
    aws_lc_rs::rand::fill(&mut random).map_err(|Unspecified| KeyError)?;
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') => c.to_ascii_lowercase(),
        _ => '-',
    };
    let title: String = details.title().replace('*', "wildcard").chars().take(LONGEST_TITLE).map(plain).collect();
    let title = title.trim_matches(['.', '-']);
    let digits = hexadecimal(&random);
    Ok(if title.is_empty() { digits } else { format!("{title}-{digits}") })
}

const KEY: &str = "key.pem";
const REQUEST: &str = "request.pem";
const META: &str = "meta.json";
/// Of the folder's name, which is to fit on a line.
const LONGEST_TITLE: usize = 60;
