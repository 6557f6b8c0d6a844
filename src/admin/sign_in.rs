//! Who a request comes from: the door it took, and the token or the cookie it shows.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use http::header::{self, HeaderMap, HeaderValue};
use time::OffsetDateTime;

use super::Sources;
use super::failures::Failures;
use super::people::{People, cookie};
use super::problem::{Kind, Problem};
use super::rights::{Caller, Person, Proof, Vouched, Way};
use super::tokens::{Shown, Tokens};
use super::trusted_header::{Said, TrustedHeader};
use crate::store::audit::Audit;
use crate::telemetry::RateLimited;
use crate::words::refusal::Unproven;

/// Lets callers in.
pub(super) struct SignIn {
    tokens: Tokens,
    people: People,
    trusted: Option<Arc<TrustedHeader>>,
    audit: Audit,
    failures: Mutex<(Failures<IpAddr>, RateLimited)>,
}

impl SignIn {
    pub(super) fn new(sources: &Sources) -> Self {
        Self {
            tokens: sources.tokens.clone(),
            people: sources.people.clone(),
            trusted: sources.trusted_header.clone(),
            audit: sources.audit.clone(),
            failures: Mutex::new((Failures::by_address(), RateLimited::new("wrong tokens", 1))),
        }
    }

    /// Who this is. Through the socket a token may be shown, which then says how far the caller goes; over the network a token, or
    /// the cookie of a session. Who shows neither is nobody, who may do next to nothing.
    pub(super) fn caller(&self, way: Way, headers: &HeaderMap) -> Result<Caller, Problem> {
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let proof = self.proof(way, headers)?;
        Ok(Caller { way, proof, agent: agent.to_owned() })
    }

    fn proof(&self, way: Way, headers: &HeaderMap) -> Result<Proof, Problem> {
        if let Some(proof) = self.vouched(way, headers)? {
            return Ok(proof);
        }
        let mut shown = headers.get_all(header::AUTHORIZATION).iter();
        let token = match (shown.next(), shown.next(), way) {
            (None, _, Way::Socket(_)) => return Ok(Proof::Nothing(MISSING)),
            (None, _, Way::Network { is_encrypted, .. }) => return Ok(self.session(headers, is_encrypted)),
            (Some(_), Some(_), _) => return Err(Problem::unauthorized("one Authorization is needed, found several")),
            (Some(value), None, _) => bearer(value).ok_or_else(|| Problem::unauthorized(NO_BEARER))?,
        };
        let now = OffsetDateTime::from(SystemTime::now()).unix_timestamp();
        let detail = match self.tokens.find(token, now) {
            Shown::Holds(bearer) => return Ok(Proof::Token(bearer)),
            Shown::Expired => "the token has expired; make another with `vitrine token new`",
            Shown::Unknown => "the token is not known, or was revoked; `vitrine token list` shows those that hold",
        };
        match way {
            Way::Network { peer, .. } => Err(self.failed(peer, detail)),
            Way::Socket(_) => Err(Problem::unauthorized(detail)),
        }
    }

    /// Who somebody is by the word of a proxy. One who is named and not proven is nobody, whatever else there is.
    fn vouched(&self, way: Way, headers: &HeaderMap) -> Result<Option<Proof>, Problem> {
        let Some(trusted) = &self.trusted else { return Ok(None) };
        let why = match trusted.look(way, headers) {
            Said::Nothing => return Ok(None),
            Said::Name(name) => match name.and_then(|name| self.people.user_called(&name)) {
                Some(user) => {
                    let csrf = trusted.csrf(&user);
                    return Ok(Some(Proof::Vouched(Box::new(Vouched { user, csrf }))));
                }
                None => Unproven::NoUser,
            },
            Said::Unproven(why) => why,
        };
        trusted.tell(way, why, &self.audit);
        match way {
            Way::Network { .. } => Ok(Some(Proof::Nothing(NOT_BELIEVED))),
            // Nothing to show is everything there.
            Way::Socket(_) => Err(Problem::unauthorized(NOT_BELIEVED)),
        }
    }

    fn session(&self, headers: &HeaderMap, is_encrypted: bool) -> Proof {
        let Some(secret) = cookie::secret(headers, is_encrypted) else { return Proof::Nothing(MISSING) };
        match self.people.of_session(secret) {
            Some((user, session, csrf)) => Proof::Session(Box::new(Person { user, session, csrf })),
            None => Proof::Nothing(OVER),
        }
    }

    fn failed(&self, peer: IpAddr, detail: &'static str) -> Problem {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let (failures, trouble) = &mut *failures;
        trouble.say(|| tracing::warn!(%peer, "a token was refused at the admin listener: {detail}"));
        match failures.count_address(peer, Instant::now()) {
            None => Problem::unauthorized(detail),
            Some(wait) => {
                let seconds = wait.as_secs() + 1;
                let text =
                    format!("too many wrong tokens came from this address; wait {seconds} s, or show the right one");
                Problem::new(Kind::TooMany, text).with(header::RETRY_AFTER, Some(HeaderValue::from(seconds)))
            }
        }
    }
}

/// The token of an Authorization (RFC 6750 §2.1).
fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

const MISSING: &str = "a token is needed here: Authorization: Bearer vit_…, as `vitrine token new` makes it; or sign in, with POST \
                       /api/v1/session; or ask through admin.sock in the state folder, as the vitrine command does";
const NOT_BELIEVED: &str =
    "the request names a user by admin.trusted_header, and that is not believed; the edge's log says why";
const OVER: &str = "the session has ended; sign in again, with POST /api/v1/session";
const NO_BEARER: &str = "expected Authorization: Bearer and a token, found something else";
