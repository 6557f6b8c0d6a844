//! Of what sorts problems are.

use http::StatusCode;

/// What can be wrong. The code is for programs and stays what it is; the sentence is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Kind {
    /// The request, its query or its body cannot be read.
    Malformed,
    /// No token, or none that holds.
    Unauthorized,
    /// The request comes from where no request may come from.
    Foreign,
    /// Whoever asks may not do this.
    NotAllowed,
    /// There is no such thing.
    NotFound,
    /// The resource is there and cannot do this.
    Method,
    /// The way things are does not allow it.
    Conflict,
    /// What was sent can be read, and cannot be served.
    Rejected,
    /// It is not as the request expects.
    Changed,
    /// The request must say what it expects.
    Unconditional,
    /// What was sent is too long.
    TooLarge,
    /// What was sent is in no form that is read here.
    MediaType,
    /// Too many failures.
    TooMany,
    /// An authority refuses, or does not answer.
    Authority,
    /// Our fault.
    Internal,
}

impl Kind {
    /// Every kind, for the interface's description.
    pub(in crate::admin) const ALL: [Self; 15] = [
        Self::Malformed,
        Self::Unauthorized,
        Self::Foreign,
        Self::NotAllowed,
        Self::NotFound,
        Self::Method,
        Self::Conflict,
        Self::Rejected,
        Self::Changed,
        Self::Unconditional,
        Self::TooLarge,
        Self::MediaType,
        Self::TooMany,
        Self::Authority,
        Self::Internal,
    ];

    /// By its name for programs.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Its name for programs, its status, and what it is in a word.
    pub(super) const fn facts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Malformed => ("malformed-request", StatusCode::BAD_REQUEST, "Malformed request"),
            Self::Unauthorized => ("unauthorized", StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::Foreign => ("foreign-request", StatusCode::FORBIDDEN, "Foreign request"),
            Self::NotAllowed => ("not-allowed", StatusCode::FORBIDDEN, "Not allowed"),
            Self::NotFound => ("not-found", StatusCode::NOT_FOUND, "Not found"),
            Self::Method => ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::Conflict => ("conflict", StatusCode::CONFLICT, "Conflict"),
            Self::Rejected => ("rejected", StatusCode::UNPROCESSABLE_ENTITY, "Rejected"),
            Self::Changed => ("changed-meanwhile", StatusCode::PRECONDITION_FAILED, "Changed meanwhile"),
            Self::Unconditional => ("if-match-needed", StatusCode::PRECONDITION_REQUIRED, "If-Match needed"),
            Self::TooLarge => ("content-too-large", StatusCode::PAYLOAD_TOO_LARGE, "Content too large"),
            Self::MediaType => ("unsupported-media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"),
            Self::TooMany => ("too-many-failures", StatusCode::TOO_MANY_REQUESTS, "Too many failures"),
            Self::Authority => ("authority-refuses", StatusCode::BAD_GATEWAY, "The authority refuses or is away"),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "Internal error"),
        }
    }

    /// Its status.
    pub(in crate::admin) const fn status(self) -> StatusCode {
        self.facts().1
    }

    /// Whether such a problem is of many sorts, so that the kind alone does not say what to do.
    pub(super) const fn is_about_more(self) -> bool {
        matches!(self, Self::Malformed | Self::Conflict | Self::Rejected | Self::Authority | Self::Internal)
    }

    /// Its name for programs.
    pub(in crate::admin) const fn code(self) -> &'static str {
        self.facts().0
    }
}
