//! Which reports there are, and what the operator wants of them.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::desk::Unmade;
use crate::calendar::{Schedule, Zone};
use crate::mail_address::MailAddress;

/// A kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportKind {
    /// What has to be done today.
    Daily,
    /// What has to be done this month.
    Weekly,
    /// What has to be planned for.
    Monthly,
}

impl ReportKind {
    /// Every kind there is.
    pub const ALL: [Self; 3] = [Self::Daily, Self::Weekly, Self::Monthly];

    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// When one kind of report is made, and what it lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Which.
    pub kind: ReportKind,
    /// When; `None`: only when somebody asks for it.
    pub schedule: Option<Schedule>,
    /// It lists what ends in so many days from the moment that it is made, both included.
    pub days: (i64, i64),
}

/// What the operator wants of reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportTerms {
    /// Whose clocks count.
    pub zone: Zone,
    /// Each kind once.
    pub terms: Vec<Term>,
    /// Who gets them; none: the contacts that are told of everything by mail.
    pub recipients: Vec<MailAddress>,
    /// Whether the contacts of an organisation, and those whom it names, get a report of its sites.
    pub tells_organisations: bool,
    /// Networks of one's own in which URLs that others serve are looked at all the same.
    pub networks: Vec<IpNet>,
    /// Whether those that renew by themselves are listed although they are not late.
    pub lists_managed: bool,
}

impl ReportTerms {
    /// Those of a kind's word.
    pub(super) fn of_word(&self, word: &str) -> Result<&Term, Unmade> {
        let known = ReportKind::of_word(word).and_then(|kind| self.of(kind));
        known.ok_or_else(|| Unmade::Unknown(word.to_owned()))
    }

    /// Those of a kind.
    #[must_use]
    pub fn of(&self, kind: ReportKind) -> Option<&Term> {
        self.terms.iter().find(|term| term.kind == kind)
    }
}
