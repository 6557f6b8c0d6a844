//! Reports over days, starts and clocks that jump.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tokio::sync::watch;

use super::*;
use crate::calendar::{Schedule, Zone, daily, monthly, weekly};
use crate::notices::{NoticeTerms, Notices};
use crate::overview::Lookout;
use crate::store::Store;

/// Noon of 2026-03-01 in Berlin, a Sunday.
const BEGIN: i64 = 1_772_362_800;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn terms(weekly_too: bool) -> ReportTerms {
    let term = |kind, text: Option<&str>, rhythm, days| Term {
        kind,
        schedule: text.map(|text| Schedule::parse(text, rhythm).expect("a schedule")),
        days,
    };
    ReportTerms {
        zone: Zone::parse("Europe/Berlin").expect("a zone"),
        terms: vec![
            term(ReportKind::Daily, Some("10:00-10:30"), daily, (0, 3)),
            term(ReportKind::Weekly, weekly_too.then_some("Mon 08:00-09:00"), weekly, (4, 30)),
            term(ReportKind::Monthly, Some("1 00:00-01:00"), monthly, (30, 60)),
        ],
        recipients: vec![crate::mail_address::MailAddress::parse("ops@shop.example").expect("an address")],
        lists_managed: false,
    }
}

/// An edge that is started anew with what the state holds.
fn started(store: &Store, terms: ReportTerms) -> (Reports, Notices) {
    let notice_terms = watch::Sender::new(Arc::new(NoticeTerms::default()));
    let notices = Notices::open(store, notice_terms.subscribe()).expect("open");
    (Reports::new(store.clone(), terms, Lookout::of_nothing(store), notices.clone()), notices)
}

impl Reports {
    /// A desk of an edge without sites.
    pub(crate) fn of_nothing() -> Self {
        started(&Store::in_memory(), terms(false)).0
    }
}

fn ids(reports: &Reports) -> Vec<String> {
    let mut ids: Vec<String> = reports.list().expect("read").into_iter().map(|report| report.id).collect();
    ids.sort();
    ids
}

#[test]
fn an_edge_that_was_away_makes_each_report_that_fell_due_and_each_once() {
    let store = Store::in_memory();
    let (reports, _) = started(&store, terms(true));
    assert_eq!(reports.catch_up(BEGIN).expect("kept"), 0);
    // Three days later, and over the change of clocks, started anew each time.
    let (reports, _) = started(&store, terms(true));
    assert_eq!(reports.catch_up(BEGIN + 3 * DAY).expect("kept"), 4);
    let expected = ["daily-2026-03-02", "daily-2026-03-03", "daily-2026-03-04", "weekly-2026-03-02"];
    assert_eq!(ids(&reports), expected);
    let (reports, notices) = started(&store, terms(true));
    assert_eq!(reports.catch_up(BEGIN + 3 * DAY).expect("kept"), 0);
    assert_eq!(notices.waiting().len(), 4);
    // A mail goes out though there is nothing to say.
    let first = reports.find("daily-2026-03-02").expect("read").expect("a report");
    assert_eq!((first.lines.len(), first.is_late()), (0, true));
}

#[test]
fn a_kind_that_is_wanted_from_now_on_has_no_past() {
    let store = Store::in_memory();
    let (reports, _) = started(&store, terms(false));
    reports.catch_up(BEGIN).expect("kept");
    reports.catch_up(BEGIN + 10 * DAY).expect("kept");
    let (reports, _) = started(&store, terms(true));
    reports.catch_up(BEGIN + 10 * DAY).expect("kept");
    assert!(!ids(&reports).iter().any(|id| id.starts_with("weekly")));
    reports.catch_up(BEGIN + 17 * DAY).expect("kept");
    assert_eq!(ids(&reports).iter().filter(|id| id.starts_with("weekly")).count(), 1);
}

#[test]
fn what_somebody_asks_for_is_made_at_once_and_besides() {
    let (reports, notices) = started(&Store::in_memory(), terms(false));
    reports.catch_up(BEGIN).expect("kept");
    let report = reports.make("monthly", BEGIN).expect("made");
    assert_eq!((report.id.as_str(), report.days, report.is_late()), ("asked-monthly-1772362800", (30, 60), false));
    assert_eq!(reports.list().expect("read"), [report]);
    assert_eq!(notices.waiting().len(), 1);
    let unknown = reports.make("yearly", BEGIN).expect_err("refused").to_string();
    assert_eq!(unknown, "kind: expected one of daily, weekly, monthly, found \"yearly\"");
    for id in ["begun", "unwatched", "../audit", "daily", ""] {
        assert_eq!(reports.find(id).expect("read"), None, "{id}");
    }
}

#[test]
fn what_nobody_wants_to_hear_of_is_kept_with_who_said_so_and_why() {
    let store = Store::in_memory();
    let (reports, _) = started(&store, terms(false));
    let unwatched = Unwatched { reason: "moved away".into(), by: "owner".into(), at: BEGIN };
    reports.watch("old.example", Some(unwatched.clone())).expect("kept");
    let (reports, _) = started(&store, terms(false));
    assert_eq!(reports.unwatched().expect("read"), BTreeMap::from([("old.example".into(), unwatched)]));
    reports.watch("old.example", None).expect("kept");
    assert_eq!(reports.unwatched().expect("read"), BTreeMap::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However the clock goes, on, back or far ahead, and however often the edge is started: of what fell due while it was seen to,
    /// each report is there, none twice, and there is a mail for each.
    #[test]
    fn clocks_that_jump_bring_neither_a_gap_nor_a_second_one(
        steps in prop::collection::vec((-3 * DAY..9 * DAY, any::<bool>()), 1..14)
    ) {
        let store = Store::in_memory();
        let (mut reports, mut notices) = started(&store, terms(true));
        reports.catch_up(BEGIN).expect("kept");
        let (mut now, mut earliest, mut latest, mut made) = (BEGIN, BEGIN, BEGIN, 0);
        for (step, is_started_anew) in steps {
            now += step;
            if is_started_anew {
                (reports, notices) = started(&store, terms(true));
            }
            made += reports.catch_up(now).expect("kept");
            (earliest, latest) = (earliest.min(now), latest.max(now));
        }
        let ids = ids(&reports);
        prop_assert_eq!(ids.len(), made);
        prop_assert_eq!(notices.waiting().len(), made);
        let terms = terms(true);
        let mut expected: Vec<String> = Vec::new();
        for term in &terms.terms {
            let due = term.schedule.as_ref().expect("one").between(&terms.zone, BEGIN, latest);
            expected.extend(due.into_iter().map(|one| format!("{}-{}", term.kind.word(), one.name)));
        }
        for id in &expected {
            prop_assert!(ids.contains(id), "{} is missing among {:?}", id, ids);
        }
        // What else there is fell due where a clock that was put back began anew.
        for id in ids.iter().filter(|id| !expected.contains(id)) {
            let due = reports.find(id).expect("read").expect("a report").due;
            prop_assert!(due > earliest && due <= BEGIN, "{}", id);
        }
    }
}
