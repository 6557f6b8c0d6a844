//! What a report says.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::kind::{ReportKind, Term};
use super::watched::Unwatched;
use crate::elsewhere::{Foreign, ForeignState};
use crate::live::{CertIndex, Provision, RouteTable};
use crate::name::HostPattern;
use crate::notices::Owners;
use crate::overview::Overview;

/// A report, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What tells it from all others: `daily-2026-11-28`.
    pub id: String,
    /// Its kind.
    pub kind: ReportKind,
    /// When it was due, seconds since the Unix epoch; of one that somebody asked for, when he did.
    pub due: i64,
    /// When it would have been late.
    pub late: i64,
    /// When it was made, of what was so then.
    pub made: i64,
    /// It lists what ended, and what ends in so many days.
    pub days: (i64, i64),
    /// Every URL that it lists, the first to end first.
    pub lines: Vec<Line>,
    /// How many URLs were looked at.
    pub urls: usize,
    /// How many of them nobody wants to hear of.
    pub unwatched: usize,
    /// Whether those that renew by themselves are listed although they are not late.
    pub lists_managed: bool,
    /// What of it was whose when it was made, by the ids of organisations.
    #[serde(default)]
    pub shares: BTreeMap<String, Share>,
    /// Whom it was sent to; nobody, while it is only looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Told>,
}

/// What of a report is an organisation's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// How many of its URLs were looked at.
    pub urls: usize,
    /// How many of them nobody wants to hear of.
    pub unwatched: usize,
}

/// Somebody to whom a report was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// As [`crate::notices::Recipient::text`] has it.
    pub recipient: String,
    /// As people call him.
    pub to: String,
    /// The organisations whose part he got; `None`: he got all of it.
    pub organisations: Option<BTreeSet<String>>,
}

/// A URL with the certificate that ends first among those that serve it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Line {
    /// When that ends, seconds since the Unix epoch; `None`: there is none.
    pub not_after: Option<i64>,
    /// Where people go.
    pub url: String,
    /// The site that answers there; empty: others serve it.
    pub site: String,
    /// Where its certificates come from; `elsewhere`: others serve it.
    pub source: String,
    /// Why it is listed.
    pub state: LineState,
    /// Whether its renewal is late by more than a day.
    pub is_late: bool,
    /// What else is wrong with what others serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The same by its word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The organisation that owned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
}

/// Why a URL is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineState {
    /// It has no certificate.
    Missing,
    /// Its certificate has ended.
    Expired,
    /// Its certificate will end.
    Expiring,
}

impl LineState {
    /// Every state there is.
    pub const ALL: [Self; 3] = [Self::Missing, Self::Expired, Self::Expiring];

    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Expired => "expired",
            Self::Expiring => "expiring",
        }
    }
}

impl Line {
    /// Whole days until the end at a moment; negative once it has ended.
    #[must_use]
    pub fn days_left(&self, now: i64) -> Option<i64> {
        self.not_after.map(|end| (end - now).div_euclid(DAY))
    }
}

/// What is known when a report is made.
pub(super) struct Known<'a> {
    pub(super) overview: &'a Overview,
    pub(super) index: &'a CertIndex,
    pub(super) routes: &'a RouteTable,
    /// By host as the site has it.
    pub(super) unwatched: &'a BTreeMap<String, Unwatched>,
    pub(super) lists_managed: bool,
    pub(super) owners: &'a Owners,
}

impl Report {
    /// The one of this id and kind, of what is known at the overview's moment.
    pub(super) fn of(known: &Known<'_>, term: &Term, id: String, (due, late): (i64, i64)) -> Self {
        let (mut lines, mut all) = (Vec::new(), Share::default());
        let mut shares: BTreeMap<String, Share> = BTreeMap::new();
        let now = known.overview.at;
        let states: BTreeMap<&str, _> = known.overview.sites.iter().map(|site| (&*site.name, site)).collect();
        for site in known.routes.sites() {
            let Some(state) = states.get(&*site.name) else { continue };
            let owner = known.owners.of_site.get(&*site.name);
            let renews_itself = state.source != Provision::Uploaded && !state.is_late && !known.lists_managed;
            for host in &site.hosts {
                let is_unwatched = known.unwatched.contains_key(&host.to_string());
                all.count(is_unwatched);
                if let Some(owner) = owner {
                    shares.entry(owner.clone()).or_default().count(is_unwatched);
                }
                if is_unwatched {
                    continue;
                }
                let not_after = first_end(known.index, host);
                let Some(why) = why(not_after, term.days, now) else { continue };
                let is_listed = match why {
                    LineState::Missing => site.awaits(host),
                    LineState::Expired => true,
                    LineState::Expiring => !renews_itself,
                };
                if is_listed {
                    lines.push(Line {
                        not_after,
                        url: format!("https://{host}"),
                        site: site.name.to_string(),
                        source: state.source.word().to_owned(),
                        state: why,
                        is_late: state.is_late,
                        detail: None,
                        fault: None,
                        organisation: owner.cloned(),
                    });
                }
            }
        }
        for url in &known.overview.elsewhere {
            all.count(url.unwatched.is_some());
            if let Some(owner) = &url.organisation {
                shares.entry(owner.clone()).or_default().count(url.unwatched.is_some());
            }
            lines.extend(elsewhere(url, term.days, now));
        }
        lines.sort();
        Self {
            id,
            kind: term.kind,
            due,
            late,
            made: now,
            days: term.days,
            lines,
            urls: all.urls,
            unwatched: all.unwatched,
            lists_managed: known.lists_managed,
            shares,
            told: Vec::new(),
        }
    }

    /// What of it is these organisations'; `None`: nothing was when it was made.
    #[must_use]
    pub fn part_of(&self, organisations: &BTreeSet<String>) -> Option<Self> {
        let shares: BTreeMap<String, Share> = self
            .shares
            .iter()
            .filter(|(id, _)| organisations.contains(*id))
            .map(|(id, one)| (id.clone(), *one))
            .collect();
        if shares.is_empty() {
            return None;
        }
        let is_theirs = |line: &&Line| line.organisation.as_ref().is_some_and(|owner| organisations.contains(owner));
        // Whoever got all of it is nobody of theirs.
        let is_told = |told: &&Told| told.organisations.as_ref().is_some_and(|whose| !whose.is_disjoint(organisations));
        Some(Self {
            lines: self.lines.iter().filter(is_theirs).cloned().collect(),
            urls: shares.values().map(|share| share.urls).sum(),
            unwatched: shares.values().map(|share| share.unwatched).sum(),
            told: self.told.iter().filter(is_told).cloned().collect(),
            shares,
            ..self.clone()
        })
    }

    /// Whether it was made when it was to be there already.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.made > self.late
    }

    /// The URLs that are listed for this reason.
    pub fn of_state(&self, state: LineState) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.state == state)
    }
}

impl Share {
    fn count(&mut self, is_unwatched: bool) {
        self.urls += 1;
        self.unwatched += usize::from(is_unwatched);
    }
}

fn first_end(index: &CertIndex, host: &HostPattern) -> Option<i64> {
    let choice = index.find_pattern(host)?;
    choice.iter().map(|served| served.facts.not_after).min()
}

/// A URL that others serve: with the certificate that it showed last, or with what is wrong with it.
fn elsewhere(url: &Foreign, days: (i64, i64), now: i64) -> Option<Line> {
    let (seen, state) = (url.seen.as_ref()?, url.state(now));
    let why = match state {
        ForeignState::Unwatched | ForeignState::Unknown => return None,
        // No certificate that clients take is as good as none.
        ForeignState::Wrong | ForeignState::Unreachable => LineState::Missing,
        _ => why(seen.not_after, days, now)?,
    };
    Some(Line {
        not_after: seen.not_after.filter(|_| why != LineState::Missing),
        url: url.address(),
        site: String::new(),
        source: ELSEWHERE.into(),
        state: why,
        is_late: false,
        detail: seen.detail.clone().filter(|_| why == LineState::Missing),
        fault: seen.fault.clone().filter(|_| why == LineState::Missing),
        organisation: url.organisation.clone(),
    })
}

/// Why a URL is listed whose certificate ends then; `None`: it is not.
fn why(not_after: Option<i64>, (from, until): (i64, i64), now: i64) -> Option<LineState> {
    match not_after.map(|end| end - now) {
        None => Some(LineState::Missing),
        Some(left) if left < 0 => Some(LineState::Expired),
        Some(left) if left >= from * DAY && left <= until * DAY => Some(LineState::Expiring),
        Some(_) => None,
    }
}

/// The source of what others serve.
const ELSEWHERE: &str = "elsewhere";
const DAY: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_of_a_window_are_included_and_what_has_ended_is_listed_by_every_report() {
        let why = |left: Option<i64>, days| why(left.map(|left| 1_000 + left), days, 1_000).map(LineState::word);
        for (left, days, expected) in [
            (Some(0), (0, 3), Some("expiring")),
            (Some(3 * DAY), (0, 3), Some("expiring")),
            (Some(3 * DAY + 1), (0, 3), None),
            (Some(30 * DAY - 1), (30, 60), None),
            (Some(30 * DAY), (30, 60), Some("expiring")),
            (Some(60 * DAY), (30, 60), Some("expiring")),
            (Some(60 * DAY + 1), (30, 60), None),
            (Some(-1), (30, 60), Some("expired")),
            (None, (30, 60), Some("missing")),
        ] {
            assert_eq!(why(left, days), expected, "{left:?} {days:?}");
        }
    }
}
