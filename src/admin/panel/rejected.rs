//! *Rejected files*: what lies in the drop folder and is not served, and what to do about it.

use askama::Template;
use serde::Deserialize;

use super::frame::Frame;
use super::moment::minute;
use super::page::{Page, Visit, shown};
use super::said::FlawView;
use crate::admin::problem::{Answer, Problem};
use crate::words::panel::RejectedWords;

/// `rejected`
pub(super) static PAGES: &[Page] = &[Page::get("rejected", |visit| Box::pin(list(visit)))];

#[derive(Template)]
#[template(path = "rejected.html")]
struct Rejected {
    frame: Frame,
    words: &'static RejectedWords,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    state: String,
    #[serde(flatten)]
    flaw: FlawView,
    since: String,
}

impl File {
    fn is_waiting(&self) -> bool {
        self.state == "waiting"
    }

    fn since(&self) -> String {
        minute(&self.since)
    }
}

async fn list(visit: Visit) -> Result<Answer, Problem> {
    let (words, files) = (&visit.words().rejected, visit.ask("rejected", "").await?);
    shown(&Rejected { frame: visit.frame(words.title), words, files })
}
