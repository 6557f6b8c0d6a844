//! The page that is shown where another could not be.

use askama::Template;
use http::header;

use super::frame::Frame;
use super::page::{Visit, shown_as};
use crate::admin::problem::{Answer, Kind, Problem};
use crate::words::Language;
use crate::words::panel::TroubleWords;

/// What is needed to tell of trouble when the visit is over.
pub(super) struct Outline {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct Trouble {
    frame: Frame,
    detail: String,
    flaws: Vec<Told>,
    back: String,
}

/// Something that is wrong with a part of what was sent.
pub(in crate::admin) struct Told {
    pub(in crate::admin) subject: String,
    pub(in crate::admin) reason: String,
    pub(in crate::admin) mend: String,
}

impl Told {
    /// What a problem has against each file or field.
    pub(in crate::admin) fn of(problem: &Problem) -> Vec<Self> {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let told = |one: &serde_json::Value| Self {
            subject: text(if one["file"].is_null() { &one["field"] } else { &one["file"] }),
            reason: text(&one["reason"]),
            mend: text(&one["mend"]),
        };
        problem.parts().map(told).collect()
    }
}

impl Outline {
    pub(super) fn of(visit: &Visit) -> Self {
        Self { frame: visit.frame("") }
    }

    /// The page for a problem, in its status.
    pub(super) fn page(self, problem: &Problem) -> Result<Answer, Problem> {
        let mut frame = self.frame;
        title(problem.kind(), &frame.words.trouble).clone_into(&mut frame.title);
        let flaws = Told::of(problem);
        let detail =
            if flaws.is_empty() { problem.detail().to_owned() } else { frame.words.trouble.refused.to_owned() };
        let back = if frame.place.starts_with("/sites") { "/sites".to_owned() } else { frame.place.clone() };
        let mut answer = shown_as(problem.kind().status(), &Trouble { frame, detail, flaws, back })?;
        problem.add_field(answer.headers_mut());
        Ok(answer)
    }
}

/// For whoever is not known.
pub(super) fn before_sign_in(language: Language, problem: &Problem) -> Result<Answer, Problem> {
    #[derive(Template)]
    #[template(path = "door.html")]
    struct Doorway<'a> {
        language: Language,
        assets: &'static super::assets::Assets,
        title: &'static str,
        how: &'static str,
        detail: &'a str,
    }
    let words = &language.panel().trouble;
    let doorway = Doorway {
        language,
        assets: &super::assets::ASSETS,
        title: title(problem.kind(), words),
        how: words.how_to_sign_in,
        detail: problem.detail(),
    };
    let mut answer = shown_as(problem.kind().status(), &doorway)?;
    problem.add_field(answer.headers_mut());
    // A browser that is asked for a bearer token has nothing to offer; the field is for programs.
    answer.headers_mut().append(header::VARY, http::HeaderValue::from_static("accept"));
    Ok(answer)
}

fn title(kind: Kind, words: &TroubleWords) -> &'static str {
    match kind {
        Kind::NotFound => words.not_found,
        Kind::NotAllowed => words.not_allowed,
        Kind::Unauthorized | Kind::TooMany => words.sign_in,
        Kind::Foreign => words.foreign,
        Kind::Internal => words.ours,
        _ => words.title,
    }
}
