//! Reports over days, starts and clocks that jump.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tokio::sync::watch;

use super::*;
use crate::calendar::{Schedule, Zone, daily, monthly, weekly};
use crate::notices::{AskOwners, NoticeTerms, Notices, Owners, Scope};
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
        tells_organisations: true,
        networks: Vec::new(),
        lists_managed: false,
    }
}

/// An edge that is started anew with what the state holds.
fn started(store: &Store, terms: ReportTerms) -> (Reports, Notices) {
    let (reports, notices, _) = changeable(store, terms);
    (reports, notices)
}

/// The same with where what the operator wants is changed.
fn changeable(store: &Store, terms: ReportTerms) -> (Reports, Notices, watch::Sender<Arc<ReportTerms>>) {
    let notice_terms = watch::Sender::new(Arc::new(NoticeTerms::default()));
    let notices = Notices::open(store, notice_terms.subscribe()).expect("open");
    let terms = watch::Sender::new(Arc::new(terms));
    let asked = (notices.clone(), Box::new(Owners::default) as AskOwners);
    (Reports::new(store.clone(), terms.subscribe(), Lookout::of_nothing(store), asked), notices, terms)
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
fn an_organisation_gets_its_part_and_whoever_is_there_twice_gets_one_mail() {
    let line = |site: &str, organisation: Option<&str>| Line {
        not_after: None,
        url: format!("https://{site}"),
        site: site.into(),
        source: "uploaded".into(),
        state: LineState::Missing,
        is_late: false,
        detail: None,
        fault: None,
        organisation: organisation.map(str::to_owned),
    };
    let mail = |address: &str| crate::mail_address::MailAddress::parse(address).expect("an address");
    let whose = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<std::collections::BTreeSet<_>>();
    let told = |to: &str, organisations: Option<&[&str]>| Told {
        recipient: format!("mail:{to}"),
        to: to.into(),
        organisations: organisations.map(whose),
    };
    let (reports, _) = started(&Store::in_memory(), terms(false));
    let mut whole = reports.preview("daily", BEGIN).expect("made");
    whole.lines = vec![line("a.example", Some("acme")), line("b.example", Some("books")), line("n.example", None)];
    whole.shares = ["acme", "books", "idle"].map(|id| (id.to_owned(), Share { urls: 2, unwatched: 1 })).into();
    (whole.urls, whole.unwatched) = (9, 4);
    whole.told = vec![told("ops", None), told("a", Some(&["acme"])), told("ab", Some(&["acme", "books"]))];
    let part = whole.part_of(&whose(&["acme", "nobody"])).expect("a part");
    assert_eq!(part.lines, [line("a.example", Some("acme"))]);
    assert_eq!((part.urls, part.unwatched, part.shares.len()), (2, 1, 1));
    assert_eq!(part.told.iter().map(|told| &*told.to).collect::<Vec<_>>(), ["a", "ab"]);
    let idle = whole.part_of(&whose(&["idle"])).expect("a part");
    assert_eq!((idle.lines.len(), idle.urls, idle.told.len()), (0, 2, 0));
    assert_eq!(whole.part_of(&whose(&["nobody"])), None);

    let contact = |name: &str, address: &str, scope| crate::notices::Contact {
        id: String::new(),
        name: name.into(),
        scope,
        way: crate::notices::Way::Mail(mail(address)),
        language: crate::words::Language::De,
        events: None,
    };
    let (_, notices) = started(&Store::in_memory(), terms(false));
    for (name, address, scope) in [
        ("all", "ops@shop.example", Scope::Everything),
        ("acme too", "ops@shop.example", Scope::Organisation("acme".into())),
        ("anna", "anna@acme.example", Scope::Organisation("acme".into())),
        ("anna again", "anna@acme.example", Scope::Organisation("books".into())),
        ("of a site", "site@acme.example", Scope::Site("a.example".into())),
    ] {
        notices.make_contact(contact(name, address, scope)).expect("made");
    }
    let read = |terms: &ReportTerms| {
        let readers = audience::audience(terms, &notices, &Owners::default());
        readers.into_iter().map(|reader| (reader.to, reader.organisations)).collect::<Vec<_>>()
    };
    let anna = ("anna".to_owned(), Some(whose(&["acme", "books"])));
    assert_eq!(read(&terms(false)), [("ops@shop.example".to_owned(), None), anna.clone()]);
    assert_eq!(read(&ReportTerms { recipients: Vec::new(), ..terms(false) }), [("all".to_owned(), None), anna]);
    let named = ReportTerms { tells_organisations: false, ..terms(false) };
    assert_eq!(read(&named), [("ops@shop.example".to_owned(), None)]);
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

/// The terms with other times and another place.
fn otherwise(daily_at: &str, weekly_at: &str, monthly_at: &str, place: &str) -> ReportTerms {
    let mut terms = terms(true);
    terms.zone = Zone::parse(place).expect("a zone");
    let schedules =
        [Schedule::parse(daily_at, daily), Schedule::parse(weekly_at, weekly), Schedule::parse(monthly_at, monthly)];
    for (term, schedule) in terms.terms.iter_mut().zip(schedules) {
        term.schedule = Some(schedule.expect("a schedule"));
    }
    terms
}

#[test]
fn other_terms_hold_from_the_next_report_that_is_due() {
    let (reports, _, change) = changeable(&Store::in_memory(), terms(true));
    reports.catch_up(BEGIN).expect("kept");
    reports.catch_up(BEGIN + DAY).expect("kept");
    assert_eq!(ids(&reports), ["daily-2026-03-02", "weekly-2026-03-02"]);
    // From Monday to Tuesday, and from ten to eight, when both were there already: the week and the day have theirs.
    let mut other = otherwise("08:00-08:30", "Tue 08:00-09:00", "2 00:00-01:00", "Europe/Berlin");
    other.terms[0].days = (0, 9);
    change.send_replace(Arc::new(other));
    reports.catch_up(BEGIN + DAY + HOUR).expect("kept");
    reports.catch_up(BEGIN + 2 * DAY - 5 * HOUR).expect("kept");
    assert_eq!(ids(&reports).len(), 3, "the month's, which is due now, and nothing else: {:?}", ids(&reports));
    reports.catch_up(BEGIN + 2 * DAY - 4 * HOUR + 60).expect("kept");
    let next = reports.find("daily-2026-03-03").expect("read").expect("a report");
    assert_eq!((next.days, next.due, next.is_late()), ((0, 9), BEGIN + 2 * DAY - 4 * HOUR, false));
    reports.catch_up(BEGIN + 9 * DAY).expect("kept");
    assert_eq!(ids(&reports).iter().filter(|id| id.starts_with("weekly")).count(), 2);
    // Back to Monday on a Monday that is over: the week has none yet.
    change.send_replace(Arc::new(otherwise("08:00-08:30", "Mon 08:00-09:00", "2 00:00-01:00", "Europe/Berlin")));
    reports.catch_up(BEGIN + 15 * DAY).expect("kept");
    let weekly: Vec<String> = ids(&reports).into_iter().filter(|id| id.starts_with("weekly")).collect();
    assert_eq!(weekly, ["weekly-2026-03-02", "weekly-2026-03-10", "weekly-2026-03-16"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However often the times are changed, and before or behind them: each day, each week and each month has one report, and none
    /// has two.
    #[test]
    fn changed_times_bring_neither_a_gap_nor_a_second_one(
        steps in prop::collection::vec((1..40 * HOUR, 0..20_u8, 0..7_usize, 1..28_u8), 1..30)
    ) {
        let (reports, notices, change) = changeable(&Store::in_memory(), terms(true));
        reports.catch_up(BEGIN).expect("kept");
        let mut now = BEGIN;
        for (step, hour, day, of_month) in steps {
            now += step;
            reports.catch_up(now).expect("kept");
            let day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][day];
            let times = format!("{hour:02}:00-{hour:02}:30");
            change.send_replace(Arc::new(otherwise(&times, &format!("{day} {times}"), &format!("{of_month} {times}"), "Europe/Berlin")));
            reports.catch_up(now).expect("kept");
        }
        // Everything that is due in a week or a month has been by its end.
        now += 40 * DAY;
        reports.catch_up(now).expect("kept");
        let ids = ids(&reports);
        prop_assert_eq!(notices.waiting().len(), ids.len());
        let zone = Zone::parse("Europe/Berlin").expect("a zone");
        let until = now - DAY;
        let days = Schedule::parse("23:58-23:59", daily).expect("a schedule").between(&zone, BEGIN + DAY, until);
        for one in &days {
            prop_assert!(ids.contains(&format!("daily-{}", one.name)), "{}: {:?}", one.name, ids);
        }
        let mut weeks: BTreeMap<String, usize> = BTreeMap::new();
        for id in &ids {
            if let Some(date) = id.strip_prefix("weekly-") {
                *weeks.entry(crate::calendar::monday_of(date).expect("a date")).or_default() += 1;
            }
        }
        prop_assert!(weeks.values().all(|count| *count == 1), "{:?}", weeks);
        let mondays = Schedule::parse("Mon 12:00-12:01", weekly).expect("a schedule").between(&zone, BEGIN + 7 * DAY, until - 7 * DAY);
        for one in &mondays {
            prop_assert!(weeks.contains_key(&one.name), "{}: {:?}", one.name, weeks);
        }
        let months = Schedule::parse("15 12:00-12:01", monthly).expect("a schedule").between(&zone, BEGIN + 31 * DAY, until - 31 * DAY);
        for one in &months {
            prop_assert!(ids.contains(&format!("monthly-{}", one.name)), "{}: {:?}", one.name, ids);
        }
    }
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
