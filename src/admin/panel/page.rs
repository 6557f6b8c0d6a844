//! A page of the panel, and one visit to it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use askama::Template;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::drafts::Drafts;
use super::frame::{Bar, Frame};
use crate::admin::Sources;
use crate::admin::api::{self, Content, Form};
use crate::admin::problem::{Answer, Kind, Problem, page};
use crate::admin::rights::{Caller, Right};
use crate::outbound::escaped;
use crate::words::Language;
use crate::words::panel::PanelWords;
use crate::words::refusal::Refusal;

/// Something that can be looked at or sent.
pub(in crate::admin) struct Page {
    /// How.
    pub(super) method: Method,
    /// Where, without the first slash; a segment in braces is a parameter.
    pub(super) path: &'static str,
    /// What the form that is sent may hold.
    pub(super) fields: &'static [&'static str],
    /// Makes the answer.
    pub(super) run: Run,
    /// Whether nobody has to say who he is.
    pub(super) is_for_anyone: bool,
}

/// Answers a visit.
pub(in crate::admin) type Run = fn(Visit) -> Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;

impl Page {
    /// To look at. It changes nothing.
    pub(in crate::admin) const fn get(path: &'static str, run: Run) -> Self {
        Self { method: Method::GET, path, fields: &[], run, is_for_anyone: false }
    }

    /// To send a form with these fields to, [`FORM_TOKEN`] among them.
    pub(in crate::admin) const fn post(path: &'static str, fields: &'static [&'static str], run: Run) -> Self {
        Self { method: Method::POST, path, fields, run, is_for_anyone: false }
    }

    /// The same for whoever comes: it is how one gets in.
    pub(in crate::admin) const fn for_anyone(mut self) -> Self {
        self.is_for_anyone = true;
        self
    }
}

/// One visit, by somebody who may look.
pub(in crate::admin) struct Visit {
    pub(in crate::admin) caller: Caller,
    pub(in crate::admin) sources: Arc<Sources>,
    pub(in crate::admin) language: Language,
    /// Path and query, as it was asked for.
    pub(in crate::admin) place: String,
    /// What stands behind the `?`.
    pub(in crate::admin) query: Vec<(String, String)>,
    /// What the path says.
    pub(in crate::admin) parameters: Vec<(&'static str, String)>,
    /// What needs somebody, for the bar.
    pub(in crate::admin) alerts: Vec<Bar>,
    /// What waits for a word of the visitor.
    pub(in crate::admin) drafts: Drafts,
    /// What was sent; nothing with a page that is only looked at.
    pub(in crate::admin) form: Form,
}

impl Visit {
    /// The texts in the visitor's language.
    pub(in crate::admin) fn words(&self) -> &'static PanelWords {
        self.language.panel()
    }

    /// What stands in the path where the page's pattern has `{name}`.
    pub(in crate::admin) fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(found, _)| *found == name).map_or("", |(_, value)| value)
    }

    /// What stands behind the `?` under this name; empty, if nothing does.
    pub(in crate::admin) fn asked(&self, name: &str) -> &str {
        self.query.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// A field of the form, without blanks around it; empty, if it is not there.
    pub(in crate::admin) fn field(&self, name: &str) -> Result<&str, Problem> {
        Ok(self.form.text(name)?.unwrap_or_default().trim())
    }

    /// All fields of the form with this name that are text.
    pub(in crate::admin) fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        self.form.files(name).filter_map(|file| std::str::from_utf8(file.content).ok()).map(str::trim)
    }

    /// Whether the visitor may have something done, as the API will say.
    pub(in crate::admin) async fn may(&self, method: Method, path: &str) -> bool {
        api::lets(&self.caller, &method, path, &self.sources).await
    }

    /// Whether there is anything of which the visitor may have this done.
    pub(in crate::admin) fn offers(&self, method: &Method, path: &str) -> bool {
        api::offers(&self.caller, method, path)
    }

    /// Refuses a page that is for nothing but having something done which the visitor may not.
    pub(in crate::admin) fn demand(&self, method: &Method, path: &str) -> Result<(), Problem> {
        if self.offers(method, path) {
            return Ok(());
        }
        self.caller.demand(Right::Operate)?;
        Err(Problem::new(Kind::NotAllowed, "this takes a role for the edge; yours is for some organisations")
            .because(Refusal::EdgeAlone))
    }

    /// Of which sites something may be changed.
    pub(in crate::admin) fn reach(&self) -> Reach {
        Reach { operates: self.caller.may(Right::Operate), scope: api::Scope::of(&self.caller, &self.sources) }
    }

    /// What stands around a page.
    pub(in crate::admin) fn frame(&self, title: impl Into<String>) -> Frame {
        Frame::new(self, title.into())
    }

    /// Asks what programs would ask the API, of whoever visits.
    pub(in crate::admin) async fn ask<T: DeserializeOwned>(&self, path: &str, query: &str) -> Result<T, Problem> {
        read(self.ask_whole(path, query).await?).await
    }

    /// The same with what stands beside the content.
    pub(in crate::admin) async fn ask_whole(&self, path: &str, query: &str) -> Result<Answer, Problem> {
        self.order(Method::GET, path, query, Content::None).await
    }

    /// Has done what programs would have the API do: with the same rights, in the same record, or not at all where everything stands
    /// still.
    pub(in crate::admin) async fn order(
        &self,
        method: Method,
        path: &str,
        query: &str,
        content: Content,
    ) -> Result<Answer, Problem> {
        api::ask(&self.caller, &method, path, query, content, &self.sources).await
    }
}

/// How far a visitor's orders go.
pub(in crate::admin) struct Reach {
    operates: bool,
    scope: Option<api::Scope>,
}

impl Reach {
    /// Whether something of this site may be changed.
    pub(in crate::admin) fn changes(&self, site: &str) -> bool {
        self.operates && self.scope.as_ref().is_none_or(|scope| scope.changes_site(site))
    }

    /// Whether something may be changed of what this organisation owns; `None`: of what is the edge's.
    pub(in crate::admin) fn changes_of(&self, owner: Option<&str>) -> bool {
        self.operates && self.scope.as_ref().is_none_or(|scope| scope.changes_of(owner))
    }

    /// Whether it ends at the sites of some organisations.
    pub(in crate::admin) const fn is_narrow(&self) -> bool {
        self.scope.is_some()
    }
}

/// What the API answers, read.
pub(in crate::admin) async fn read<T: DeserializeOwned>(answer: Answer) -> Result<T, Problem> {
    let Ok(content) = answer.into_body().collect().await;
    serde_json::from_slice(&content.to_bytes()).map_err(|error| {
        tracing::error!(%error, "a page of the panel cannot read what the API says");
        Problem::new(Kind::Internal, "the page could not be made; see the log")
    })
}

/// The same of a part of a list, with how many there are in all.
pub(in crate::admin) async fn read_counted<T: DeserializeOwned>(answer: Answer) -> Result<(T, usize), Problem> {
    let total = answer.headers().get(api::TOTAL).and_then(|value| value.to_str().ok()?.parse().ok());
    read(answer).await.map(|list| (list, total.unwrap_or_default()))
}

/// JSON to be sent.
pub(in crate::admin) fn document(value: &serde_json::Value) -> Content {
    Content::Json(value.to_string().into_bytes().into())
}

/// JSON with secrets to be sent, wiped when it was.
pub(in crate::admin) fn secret_document(value: &impl Serialize) -> Result<Content, Problem> {
    // Of its size from the start: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(ROOM));
    let written = serde_json::to_writer(&mut *text, value);
    written.map_err(|_| Problem::malformed("what was sent cannot be written as JSON; send something else"))?;
    Ok(Content::Json(text))
}

/// A page that is shown.
pub(in crate::admin) fn shown(template: &impl Template) -> Result<Answer, Problem> {
    shown_as(StatusCode::OK, template)
}

/// The same with another status.
pub(in crate::admin) fn shown_as(status: StatusCode, template: &impl Template) -> Result<Answer, Problem> {
    match template.render() {
        Ok(html) => Ok(page(status, html)),
        Err(error) => {
            tracing::error!(%error, "a page of the panel could not be written");
            Err(Problem::new(Kind::Internal, "the page could not be written; see the log"))
        }
    }
}

/// A path below the API or the panel, of segments that may hold anything.
pub(in crate::admin) fn path(segments: &[&str]) -> String {
    segments.iter().map(|segment| escaped(segment)).collect::<Vec<_>>().join("/")
}

/// A query of names and values; what is empty is left out.
pub(in crate::admin) fn query(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    pairs.map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect::<Vec<_>>().join("&")
}

/// As long as an order may be.
const ROOM: usize = 64 * 1024;
/// The field of a form that says that it is ours.
pub(in crate::admin) const FORM_TOKEN: &str = "csrf";
