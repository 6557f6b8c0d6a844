//! The page that is shown where another could not be.

use askama::Template;
use http::header;
use serde::Deserialize;

use super::frame::Frame;
use super::page::{Visit, shown_as};
use super::said::FlawView;
use crate::admin::problem::{Answer, Kind, Problem};
use crate::overview::Said;
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
    told: Said,
    flaws: Vec<Told>,
    back: String,
}

/// Something that is wrong with a part of what was sent.
pub(in crate::admin) struct Told {
    /// The field's name, as the interface has it; empty for a file.
    pub(in crate::admin) field: String,
    /// What people call it.
    pub(in crate::admin) subject: String,
    pub(in crate::admin) reason: String,
    pub(in crate::admin) mend: String,
}

impl Told {
    /// What a problem has against each file or field.
    pub(in crate::admin) fn of(problem: &Problem, language: Language) -> Vec<Self> {
        let told = |one: &serde_json::Value| {
            let flaw = FlawView::deserialize(one).ok()?;
            let field = one["field"].as_str().unwrap_or_default().to_owned();
            let subject = if flaw.file.is_empty() { field.clone() } else { flaw.file.clone() };
            let by_name = language.said().filter(|_| !field.is_empty()).map(|words| (words.refused.field)(&field));
            Some(match by_name {
                Some((subject, reason)) => Self { field, subject, reason, mend: String::new() },
                None => Self { field, subject, reason: flaw.reason(&language), mend: flaw.mend(&language) },
            })
        };
        problem.parts().filter_map(told).collect()
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
        let flaws = Told::of(problem, frame.language);
        let refused = Said::own(frame.words.trouble.refused);
        let told = if flaws.is_empty() { problem.said(frame.language) } else { refused };
        let back = if frame.place.starts_with("/sites") { "/sites".to_owned() } else { frame.place.clone() };
        let mut answer = shown_as(problem.kind().status(), &Trouble { frame, told, flaws, back })?;
        problem.add_field(answer.headers_mut());
        Ok(answer)
    }
}

/// For whoever is not known.
pub(super) fn before_sign_in(language: Language, problem: &Problem) -> Result<Answer, Problem> {
    #[derive(Template)]
    #[template(path = "door.html")]
    struct Doorway {
        language: Language,
        assets: &'static super::assets::Assets,
        title: &'static str,
        how: &'static str,
        told: Said,
    }
    let words = &language.panel().trouble;
    let doorway = Doorway {
        language,
        assets: &super::assets::ASSETS,
        title: title(problem.kind(), words),
        how: words.how_to_sign_in,
        told: problem.said(language),
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
