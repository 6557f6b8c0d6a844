//! Reports to look at: as they would go out now, as they are read in a mail, and what has become of those that went out.

use std::sync::Arc;

use super::audience::Reader;
use super::desk::{Reports, Unmade};
use super::kind::ReportTerms;
use super::letter;
use super::report::{Report, Told};
use crate::notices::{Fate, Message, Recipient};
use crate::words::Language;

impl Reports {
    /// What the operator wants of reports now.
    #[must_use]
    pub fn terms(&self) -> Arc<ReportTerms> {
        self.0.terms()
    }

    /// Everybody who gets the next one.
    #[must_use]
    pub fn audience(&self) -> Vec<Reader> {
        self.0.audience(&self.0.terms())
    }

    /// The report of a kind as it would go out at `now`, seconds since the Unix epoch. It is neither kept nor sent. It blocks.
    ///
    /// # Errors
    /// [`Unmade`]
    pub fn preview(&self, kind: &str, now: i64) -> Result<Report, Unmade> {
        let terms = self.0.terms();
        let term = terms.of_word(kind)?;
        Ok(self.0.report(&terms, term, format!("{NEXT}{}", term.kind.word()), (now, now), now)?)
    }

    /// A report as it is read in a mail.
    #[must_use]
    pub fn letter(&self, report: &Report, language: Language) -> Message {
        letter::message(report, &self.0.terms().zone, language)
    }

    /// What has become of a report for somebody to whom it was sent.
    #[must_use]
    pub fn fate(&self, report: &str, told: &Told) -> Fate {
        let recipient = Recipient::parse(&told.recipient);
        recipient.map_or(Fate::Unknown, |recipient| self.0.notices.fate(&letter::identity(report), &recipient))
    }
}

/// What the ids of those begin with that are only looked at.
pub const NEXT: &str = "next-";
