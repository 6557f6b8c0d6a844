//! What the admin listener answers: documents, and problem documents (RFC 9457) when something is wrong.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

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
        Ok(content) => answer(StatusCode::OK, HeaderValue::from_static("application/json"), content.into()),
        Err(error) => {
            tracing::error!(%error, "an answer of the API cannot be written as JSON");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written; see the log").into()
        }
    }
}

/// Why there is no other answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    field: Option<(HeaderName, &'static str)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), field: None }
    }

    /// 404.
    pub(super) fn unknown(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is nothing at {path:?}"))
    }

    /// 405, with what the resource takes (RFC 9110 §15.5.6).
    pub(super) fn method(allowed: &'static str) -> Self {
        let detail = format!("this resource takes {allowed} only");
        Self { field: Some((header::ALLOW, allowed)), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, detail) }
    }

    /// 401, with how one could sign in (RFC 9110 §15.5.2).
    pub(super) fn unauthorized(detail: &'static str) -> Self {
        Self {
            field: Some((header::WWW_AUTHENTICATE, "Bearer realm=\"vitrine\"")),
            ..Self::new(StatusCode::UNAUTHORIZED, detail)
        }
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let document = serde_json::json!({
            "type": "about:blank",
            "title": problem.status.canonical_reason().unwrap_or("Error"),
            "status": problem.status.as_u16(),
            "detail": problem.detail,
        });
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response = answer(problem.status, content_type, document.to_string().into());
        if let Some((name, value)) = problem.field {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
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

/// Nothing here is for a browser to run, frame, guess at or keep.
const SECURITY: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
];
