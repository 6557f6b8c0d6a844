//! One request and its response, from the head to the last octet.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant, SystemTime};

use http::header::LINK;
use http::{HeaderMap, Request, Response, StatusCode};

use super::compression::Wish;
use super::request_body::RequestBody;
use super::{client, headers};
use crate::access_log::Record;
use crate::limits::Limits;
use crate::live::{Policy, Site};
use crate::proxy::alarm::Alarm;
use crate::proxy::connection::Connection;
use crate::proxy::crowds::Place;
use crate::proxy::request_id::RequestId;
use crate::proxy::upstream::Wire;
use crate::proxy::worker::View;
use crate::telemetry::{Label, LocalAnswer, Protocol, StatusClass};

/// What is known and counted of a request while it is answered.
pub(in crate::proxy) struct Exchange {
    pub(super) connection: Rc<Connection>,
    /// The routes and limits this request is answered by, whatever is published meanwhile.
    pub(super) view: Rc<View>,
    /// How long the exchange may stand still.
    pub(super) alarm: Alarm,
    id: Id,
    /// How far the request's body is.
    pub(super) upload: Cell<Upload>,
    pub(super) received: Cell<u64>,
    pub(super) sent: Cell<u64>,
    pub(super) reason: Cell<Option<&'static str>>,
    /// What is said before the answer, over HTTP/2 alone: older clients of HTTP/1.1 take it for the answer.
    interim: RefCell<Vec<Response<()>>>,
    /// What the client reads, where the site compresses.
    pub(super) wish: Cell<Option<Wish>>,
    /// The upstream, if it has begun to answer before it has the whole request.
    uploading: RefCell<Option<Wire>>,
    site: Cell<Option<usize>>,
    status: Cell<u16>,
    started: Instant,
    /// Of its route, where they differ from the connection's.
    own_limits: OnceCell<Arc<Limits>>,
    /// Of the client's network at a site that limits it.
    place: RefCell<Option<Box<Place>>>,
    /// Kept only where requests are recorded.
    notes: Option<Box<RefCell<Notes>>>,
}

/// A request's `X-Request-Id`.
enum Id {
    Made(RequestId),
    /// By a proxy that is trusted.
    Given(Box<str>),
}

impl Id {
    fn of(connection: &Connection, headers: &HeaderMap) -> Self {
        match headers::request_id(headers) {
            Some(given) if connection.speaker_is_trusted => Self::Given(given.into()),
            _ => Self::Made(connection.worker.next_request_id()),
        }
    }
}

/// How far the request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upload {
    /// The client is to send more.
    FromClient,
    /// The upstream is to take what came.
    ToUpstream,
    /// All of it was passed on, or there was none.
    Done,
    /// The client's part broke off or broke a rule.
    Broken(LocalAnswer),
    /// The client sent more than is allowed.
    TooLarge,
}

/// What the access log wants to know and nothing else does.
#[derive(Default)]
struct Notes {
    time: Option<SystemTime>,
    client: Option<IpAddr>,
    host: Option<Box<str>>,
    method: Box<str>,
    path: Box<str>,
    query: Option<Box<str>>,
    upstream: Option<Arc<str>>,
}

impl Exchange {
    /// A request head has come.
    pub(super) fn begin(connection: &Rc<Connection>, request: &Request<RequestBody>) -> Rc<Self> {
        let worker = &connection.worker;
        let (started, view) = (Instant::now(), worker.view());
        connection.begin();
        let is_recorded = worker.shared.access_log.is_on() && !connection.is_own_check();
        let notes = is_recorded.then(|| {
            Box::new(RefCell::new(Notes {
                time: Some(SystemTime::now()),
                client: Some(client::address(connection, request.headers(), &view.table.trusted_proxies)),
                method: request.method().as_str().into(),
                path: request.uri().path().into(),
                query: request.uri().query().map(Into::into),
                ..Notes::default()
            }))
        });
        Rc::new(Self {
            view,
            alarm: worker.alarms.alarm(),
            id: Id::of(connection, request.headers()),
            upload: Cell::new(Upload::Done),
            received: Cell::new(0),
            sent: Cell::new(0),
            reason: Cell::new(None),
            interim: RefCell::default(),
            wish: Cell::new(None),
            uploading: RefCell::new(None),
            site: Cell::new(None),
            status: Cell::new(0),
            started,
            own_limits: OnceCell::new(),
            place: RefCell::new(None),
            notes,
            connection: Rc::clone(connection),
        })
    }

    /// The request's id, as text.
    pub(super) fn id(&self) -> &str {
        match &self.id {
            Id::Made(id) => std::str::from_utf8(id).unwrap_or_default(),
            Id::Given(id) => id,
        }
    }

    /// It is counted for its client's network until it ends.
    pub(super) fn take_place(&self, place: Place) {
        self.place.replace(Some(Box::new(place)));
    }

    /// What goes on after it is counted instead.
    pub(super) fn leave_place(&self) -> Option<Box<Place>> {
        self.place.take()
    }

    /// The request goes on over `wire` while the response is under way: a client may send all before it reads.
    pub(super) fn drives(&self, wire: Wire) {
        self.uploading.replace(Some(wire));
    }

    /// To be called by the task that answers, whenever it is woken.
    pub(super) fn drive(&self, cx: &mut Context<'_>) {
        if let Some(wire) = &*self.uploading.borrow() {
            wire.drive(cx);
        }
    }

    /// The client waits for a word before it sends its body, and the upstream's connection is there for it.
    pub(super) fn go_on(&self) {
        self.say(StatusCode::CONTINUE, HeaderMap::new());
    }

    /// Passes on what an upstream hints at early (RFC 8297): which links, and nothing else of it.
    pub(super) fn hint(&self, hints: &HeaderMap) {
        let links = hints.get_all(LINK).iter().map(|link| (LINK, link.clone()));
        let links: HeaderMap = links.fold(HeaderMap::new(), |mut links, (name, link)| {
            links.append(name, link);
            links
        });
        if !links.is_empty() {
            self.say(StatusCode::EARLY_HINTS, links);
        }
    }

    fn say(&self, status: StatusCode, headers: HeaderMap) {
        if self.connection.protocol == Protocol::Http2 {
            let mut response = Response::new(());
            (*response.status_mut(), *response.headers_mut()) = (status, headers);
            self.interim.borrow_mut().push(response);
        }
    }

    /// What is to be said before the answer.
    pub(super) fn take_interim(&self) -> Vec<Response<()>> {
        std::mem::take(&mut self.interim.borrow_mut())
    }

    pub(super) fn note_host(&self, host: &str) {
        if let Some(notes) = &self.notes {
            notes.borrow_mut().host = Some(host.into());
        }
    }

    pub(super) fn note_site(&self, site: &Site) {
        self.site.set(Some(site.index));
    }

    /// When its head had come.
    pub(super) const fn started(&self) -> Instant {
        self.started
    }

    /// The limits that it is answered under.
    pub(super) fn limits(&self) -> &Limits {
        self.own_limits.get().map_or(&self.connection.limits, |own| own)
    }

    /// How long connecting to an upstream may take: as its route has it, or as the edge does now.
    pub(super) fn connect_timeout(&self) -> Duration {
        self.own_limits.get().map_or(&self.view.table.limits, |own| own).upstream_connect_timeout
    }

    /// Its route has limits of its own.
    pub(super) fn limit(&self, own: &Arc<Limits>) {
        if self.own_limits.set(Arc::clone(own)).is_ok() && self.connection.protocol != Protocol::Http2 {
            self.connection.write_stall.set(own.write_stall_timeout);
        }
    }

    /// What the site does besides passing on; `None`: nothing, or no site is asked for.
    pub(super) fn policy(&self) -> Option<&Policy> {
        self.view.table.sites().get(self.site.get()?)?.policy.as_deref()
    }

    pub(super) fn note_upstream(&self, upstream: &Arc<str>) {
        if let Some(notes) = &self.notes {
            notes.borrow_mut().upstream = Some(Arc::clone(upstream));
        }
    }

    pub(super) fn note_status(&self, status: StatusCode) {
        self.status.set(status.as_u16());
    }

    /// The last octet is on its way, or there will be no more: counts and records.
    fn finish(&self) {
        let connection = &self.connection;
        self.uploading.take();
        self.place.take();
        connection.newest.take();
        if !connection.is_own_check() {
            self.count(self.started.elapsed());
        }
        connection.end(self.status.get() == 0);
    }

    fn count(&self, duration: Duration) {
        let (connection, status) = (&self.connection, self.status.get());
        let counters = &connection.worker.counters;
        // A client that goes away before its answer leaves no status; nginx's number for it keeps such requests countable.
        let status = if status == 0 { CLIENT_GONE } else { status };
        counters.responses.count(connection.protocol, status);
        counters.durations.record(duration);
        counters.received.add(self.received.get());
        counters.sent.add(self.sent.get());
        if let Some(counts) = self.site.get().and_then(|site| self.view.site_counts(site)) {
            counts.count(StatusClass::of(status));
        }
        self.record(status, duration);
    }

    fn record(&self, status: u16, duration: Duration) {
        let connection = &self.connection;
        let worker = &connection.worker;
        let (log, Some(notes)) = (&worker.shared.access_log, &self.notes) else { return };
        if !log.wants(status, worker.draw()) {
            return;
        }
        let notes = std::mem::take(&mut *notes.borrow_mut());
        let (tls, resumed) = match &connection.tls {
            Some(agreed) => {
                let (version, kind) = agreed.kind.version_and_kind();
                (Some(version), kind == "resumed")
            }
            None => (None, false),
        };
        let recorded = log.record(Record {
            time: notes.time.unwrap_or(SystemTime::UNIX_EPOCH),
            id: self.id().into(),
            client: notes.client.unwrap_or(connection.ends.speaker),
            peer: connection.ends.peer,
            sni: connection.tls.as_ref().and_then(|agreed| agreed.sni.clone()),
            host: notes.host,
            method: notes.method,
            path: notes.path,
            query: notes.query,
            status,
            received: self.received.get(),
            sent: self.sent.get(),
            duration,
            upstream: notes.upstream.as_deref().map(Into::into),
            tls,
            resumed,
            protocol: connection.protocol.label(),
            outcome: self.reason.get(),
        });
        if !recorded {
            worker.counters.access_records_dropped.add(1);
        }
    }
}

/// Ends the exchange when the response is dropped: sent, broken off, or never begun.
pub(super) struct Finish(pub(super) Rc<Exchange>);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// What nginx logs for a client that closed before it was answered.
const CLIENT_GONE: u16 = 499;
