//! What the admin listener answers: documents, and problem documents (RFC 9457) when something is wrong.

mod kind;
mod told;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

pub(super) use kind::Kind;
pub(super) use told::recorded;

use crate::certs::FieldMistake;
use crate::overview::Said;
use crate::words::Language;
use crate::words::refusal::Refusal;

/// An answer; every one fits in memory.
pub(super) type Answer = Response<Full<Bytes>>;

/// A text.
pub(super) fn text(status: StatusCode, content: impl Into<Bytes>) -> Answer {
    answer(status, HeaderValue::from_static("text/plain; charset=utf-8"), content.into())
}

/// A metrics page.
pub(super) fn exposition(content: String) -> Answer {
    answer(StatusCode::OK, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"), content.into())
}

/// A JSON document.
pub(super) fn json(content: &impl Serialize) -> Answer {
    match serde_json::to_vec(content) {
        Ok(content) => document(content),
        Err(error) => {
            tracing::error!(%error, "an answer of the API cannot be written as JSON");
            Problem::new(Kind::Internal, "the answer could not be written; see the log").into()
        }
    }
}

/// A JSON document about what has just been made.
pub(super) fn created(content: &impl Serialize) -> Answer {
    let mut answer = json(content);
    if answer.status() == StatusCode::OK {
        *answer.status_mut() = StatusCode::CREATED;
    }
    answer
}

/// A JSON document that is written already.
pub(super) fn document(content: impl Into<Bytes>) -> Answer {
    answer(StatusCode::OK, HeaderValue::from_static("application/json"), content.into())
}

/// A certificate signing request as a file (RFC 5967).
pub(super) fn pkcs10(name: &str, content: String) -> Answer {
    let mut answer = answer(StatusCode::OK, HeaderValue::from_static("application/pkcs10"), content.into());
    let disposition = format!("attachment; filename=\"{name}.csr\"");
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        answer.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    answer
}

/// A table for spreadsheets as a file (RFC 4180, RFC 7111).
pub(super) fn table(name: &str, content: String) -> Answer {
    let mut answer =
        answer(StatusCode::OK, HeaderValue::from_static("text/csv; charset=utf-8; header=present"), content.into());
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.csv\"")) {
        answer.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    answer
}

/// A page of the panel: it runs, shows and sends what is ours and nothing else.
pub(super) fn page(status: StatusCode, html: String) -> Answer {
    let mut answer = answer(status, HeaderValue::from_static("text/html; charset=utf-8"), html.into());
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    // With no-referrer, browsers send `Origin: null` along with the page's own forms, as pages of strangers can have them do.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}

/// What pages of the panel consist of beside themselves.
pub(super) fn asset(status: StatusCode, media_type: &'static str, content: &'static str) -> Answer {
    answer(status, HeaderValue::from_static(media_type), Bytes::from_static(content.as_bytes()))
}

/// Sends a browser on to a page of ours, which it asks for anew (RFC 9110 §15.4.4).
pub(super) fn see(place: &str) -> Answer {
    let mut answer = text(StatusCode::SEE_OTHER, "");
    let place = HeaderValue::from_str(place).unwrap_or_else(|_| HeaderValue::from_static("/"));
    answer.headers_mut().insert(header::LOCATION, place);
    answer
}

/// A file. It may be a secret, and is wiped when it has gone.
pub(super) fn file(content: Zeroizing<Vec<u8>>) -> Answer {
    answer(StatusCode::OK, HeaderValue::from_static("application/octet-stream"), Bytes::from_owner(content))
}

/// Why there is no other answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    kind: Kind,
    detail: String,
    refusal: Option<Box<Refusal>>,
    field: Option<Box<(HeaderName, HeaderValue)>>,
    flaws: Option<Box<Value>>,
    mistakes: Option<Box<Value>>,
    trail: Trail,
    by: Option<Box<str>>,
}

/// What the audit trail has of a problem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Trail {
    /// Its detail.
    #[default]
    Detail,
    /// More than whoever asked is told, in words and as a code.
    Remark(String, Box<Refusal>),
    /// Nothing: there is no end to those.
    Nothing,
}

impl Problem {
    /// `detail` says what was expected, what was found, and the mend; never a secret.
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (field, flaws, mistakes, trail) = (None, None, None, Trail::Detail);
        Self { kind, detail: detail.into(), refusal: None, field, flaws, mistakes, trail, by: None }
    }

    /// 400.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, detail)
    }

    /// 404.
    pub(super) fn unknown(path: &str) -> Self {
        Self::new(Kind::NotFound, format!("there is nothing at {path:?}"))
    }

    /// 405, with what the resource takes (RFC 9110 §15.5.6).
    pub(super) fn method(allowed: &str) -> Self {
        let problem = Self::new(Kind::Method, format!("this resource takes {allowed} only"));
        problem.with(header::ALLOW, HeaderValue::from_str(allowed).ok())
    }

    /// 401, with how one could sign in (RFC 9110 §15.5.2).
    pub(super) fn unauthorized(detail: &'static str) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"vitrine\"");
        Self::new(Kind::Unauthorized, detail).with(header::WWW_AUTHENTICATE, Some(challenge))
    }

    /// The same with what is wrong with each piece.
    pub(super) fn listing(self, flaws: Value) -> Self {
        Self { flaws: Some(Box::new(flaws)), ..self }
    }

    /// What is wrong.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// In words.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The same for readers of other languages: what its detail says in English, as a code.
    pub(super) fn because(self, refusal: Refusal) -> Self {
        Self { refusal: Some(Box::new(refusal)), ..self }
    }

    /// In the reader's language.
    pub(super) fn said(&self, language: Language) -> Said {
        match language.said() {
            None => Said { text: self.detail.clone(), quote: None },
            Some(words) => told::said(words, self.refusal.as_deref(), Some(self.kind), &self.detail),
        }
    }

    /// What is wrong with each piece that was sent, or with each field of a form.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Value> {
        let lists = [&self.flaws, &self.mistakes].into_iter().flatten();
        lists.filter_map(|list| list.as_array()).flatten()
    }

    /// Puts the field that stands beside the document among others.
    pub(super) fn add_field(&self, headers: &mut HeaderMap) {
        if let Some((name, value)) = self.field.as_deref() {
            headers.insert(name, value.clone());
        }
    }

    /// What the audit trail has of it.
    pub(super) fn remark(&self) -> &str {
        match &self.trail {
            Trail::Remark(remark, _) => remark,
            Trail::Detail | Trail::Nothing => &self.detail,
        }
    }

    /// The same as a code.
    pub(super) fn why(&self) -> Option<Value> {
        match &self.trail {
            Trail::Remark(_, why) => why.written(),
            Trail::Detail | Trail::Nothing => told::written(self.refusal.as_deref(), self.kind, self.flaws.as_deref()),
        }
    }

    /// Whose order it was, where that was known only then.
    pub(super) fn who(&self) -> Option<&str> {
        self.by.as_deref()
    }

    /// The same of an order by somebody who said who he is with the order itself.
    pub(super) fn by(self, person: String) -> Self {
        Self { by: Some(person.into()), ..self }
    }

    /// Whether the audit trail has it.
    pub(super) fn is_recorded(&self) -> bool {
        self.trail != Trail::Nothing
    }

    /// The same, of which the audit trail has this; never a secret.
    pub(super) fn recorded_as(self, remark: String, why: Refusal) -> Self {
        Self { trail: Trail::Remark(remark, Box::new(why)), ..self }
    }

    /// The same, of which the audit trail has nothing.
    pub(super) fn unrecorded(self) -> Self {
        Self { trail: Trail::Nothing, ..self }
    }

    /// The same with a field beside the document.
    pub(super) fn with(self, name: HeaderName, value: Option<HeaderValue>) -> Self {
        Self { field: value.map(|value| Box::new((name, value))), ..self }
    }

    /// The same with what is wrong in each field of a form.
    pub(super) fn with_mistakes(self, mistakes: &[FieldMistake]) -> Self {
        Self { mistakes: Some(Box::new(serde_json::json!(mistakes))), ..self }
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let (code, status, title) = problem.kind.facts();
        let mut document = serde_json::json!({
            "type": format!("urn:vitrine:problem:{code}"),
            "code": code,
            "title": title,
            "status": status.as_u16(),
            "detail": problem.detail,
        });
        if let Some(flaws) = problem.flaws {
            document["flaws"] = *flaws;
        }
        if let Some(mistakes) = problem.mistakes {
            document["mistakes"] = *mistakes;
        }
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response = answer(status, content_type, document.to_string().into());
        if let Some((name, value)) = problem.field.map(|field| *field) {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

fn answer(status: StatusCode, content_type: HeaderValue, content: Bytes) -> Answer {
    let mut response = Response::new(Full::new(content));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// All of a page is the edge's own, and it stands alone.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                           form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
/// Nothing here is for a browser to run, frame, guess at or keep.
const SECURITY: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_in_every_language_and_quotes_others_alone() {
        let texts: std::collections::BTreeSet<String> = Kind::ALL
            .into_iter()
            .map(|kind| {
                let Said { text, quote } = Problem::new(kind, "in English").said(Language::De);
                assert!(!text.contains("English") && quote.is_none_or(|quote| quote == "in English"), "{kind:?}");
                text
            })
            .collect();
        assert_eq!(texts.len(), Kind::ALL.len(), "{texts:?}");
        let unseen = Problem::new(Kind::Conflict, "x: refused").because(Refusal::UrlUnseen("refused".into()));
        assert_eq!(unseen.said(Language::En), Said { text: "x: refused".into(), quote: None });
        assert_eq!(unseen.said(Language::De).quote.as_deref(), Some("refused"));
    }
}
