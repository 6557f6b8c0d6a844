//! *Audit*: who did what, the newest first.

use askama::Template;

use super::frame::Frame;
use super::moment::minute;
use super::page::{Page, Visit, query, shown};
use crate::admin::problem::{Answer, Problem, recorded};
use crate::overview::Said;
use crate::store::audit::{Line, Outcome};
use crate::words::Language;
use crate::words::panel::AuditWords;

/// `audit`
pub(super) static PAGES: &[Page] = &[Page::get("audit", |visit| Box::pin(list(visit)))];

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    frame: Frame,
    words: &'static AuditWords,
    lines: Vec<Line>,
    /// The number before which the next page begins.
    older: Option<u64>,
    is_newest: bool,
}

impl Line {
    fn time(&self) -> String {
        minute(&self.time)
    }

    /// What was written, or in a reader's language that the record does not speak what its code or a fixed sentence says.
    fn told(&self, language: &Language) -> Option<Said> {
        if self.detail.is_empty() {
            return None;
        }
        let by_code = || self.why.as_ref().and_then(|why| recorded(why, &self.detail, *language));
        let fixed = || language.said().and_then(|words| (words.audited)(&self.action, &self.detail)).map(Said::own);
        let quoted = || Said { text: String::new(), quote: Some(self.detail.clone()) };
        Some(by_code().or_else(fixed).unwrap_or_else(quoted))
    }

    fn class(&self) -> &'static str {
        match self.result {
            Outcome::Done => "good",
            Outcome::Begun => "plain",
            Outcome::Refused => "soon",
            Outcome::Failed => "bad",
        }
    }
}

async fn list(visit: Visit) -> Result<Answer, Problem> {
    let words = &visit.words().audit;
    let before: Option<u64> = visit.asked("before").parse().ok();
    // Lines are numbered without a gap.
    let (after, limit) = match before {
        Some(before) => (before.saturating_sub(A_PAGE + 1).to_string(), A_PAGE.min(before.saturating_sub(1))),
        None => (String::new(), A_PAGE),
    };
    let mut lines: Vec<Line> = match limit {
        0 => Vec::new(),
        limit => visit.ask("audit", &query(&[("after", &after), ("limit", &limit.to_string())])).await?,
    };
    lines.reverse();
    let older = lines.last().map(|line| line.number).filter(|first| *first > 1);
    shown(&Audit { frame: visit.frame(words.title), words, lines, older, is_newest: before.is_none() })
}

const A_PAGE: u64 = 50;
