//! *Timeline*: a picture of the next ninety days, and the same in words, so that a bad week is seen before it comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use time::{Date, Duration, OffsetDateTime};

use super::frame::Frame;
use super::page::{Page, Visit, path, shown};
use crate::admin::api::{self, Coming, ComingKind};
use crate::admin::problem::{Answer, Kind, Problem};
use crate::admin::rights::Right;
use crate::words::panel::TimelineWords;

/// `timeline`
pub(super) static PAGES: &[Page] = &[Page::get("timeline", |visit| Box::pin(show(visit)))];

#[derive(Template)]
#[template(path = "timeline.html")]
struct Timeline {
    frame: Frame,
    words: &'static TimelineWords,
    bars: Vec<Bar>,
    marks: Vec<Mark>,
    days: Vec<Day>,
    overdue: Vec<Thing>,
}

/// A part of a day's column.
struct Bar {
    class: &'static str,
    x: usize,
    y: f64,
    height: f64,
}

/// The beginning of a week below the columns.
struct Mark {
    x: usize,
    text: String,
}

/// A day on which something comes.
struct Day {
    date: String,
    things: Vec<Thing>,
    more: usize,
}

/// Something that comes.
struct Thing {
    kind: &'static str,
    subject: String,
    link: Option<String>,
}

/// What comes on a day: how much of each class, and the first of it.
#[derive(Default)]
struct Bucket {
    counts: [usize; CLASSES.len()],
    things: Vec<Thing>,
}

impl Bucket {
    fn count(&self) -> usize {
        self.counts.iter().sum()
    }

    fn add(&mut self, coming: Coming, words: &TimelineWords) {
        let (class, kind) = match coming.kind {
            ComingKind::End => (ENDS, words.end),
            ComingKind::EndOfRenewed => (OTHERS, words.end_of_renewed),
            ComingKind::Object => (OTHERS, words.object),
            ComingKind::Elsewhere => (ENDS, words.end_elsewhere),
            ComingKind::Renewal => (RENEWALS, words.renewal),
        };
        self.counts[class] += 1;
        if self.things.len() < MOST_OF_A_DAY {
            let link = match coming.kind {
                ComingKind::Object => None,
                ComingKind::Elsewhere => Some("/elsewhere".to_owned()),
                _ => Some(format!("/sites/{}", path(&[&coming.subject]))),
            };
            self.things.push(Thing { kind, subject: coming.subject, link });
        }
    }
}

async fn show(visit: Visit) -> Result<Answer, Problem> {
    visit.caller.demand(Right::Read)?;
    let (words, sources) = (&visit.words().timeline, Arc::clone(&visit.sources));
    let scope = api::Scope::of(&visit.caller, &sources);
    let now = OffsetDateTime::now_utc();
    // With ten thousand sites this takes milliseconds.
    let sorted = tokio::task::spawn_blocking(move || {
        let coming = api::coming(&sources, scope.as_ref(), now.unix_timestamp(), DAYS);
        sorted(coming, now.date(), words)
    });
    let (overdue, days) = sorted.await.map_err(|error| {
        tracing::error!(%error, "what comes could not be looked up for a page");
        Problem::new(Kind::Internal, "the page could not be made; see the log")
    })?;
    let (bars, marks) = picture(&days, now.date());
    let days = days.into_iter().map(|(date, bucket)| Day {
        date: date.to_string(),
        more: bucket.count() - bucket.things.len(),
        things: bucket.things,
    });
    shown(&Timeline { frame: visit.frame(words.title), words, bars, marks, days: days.collect(), overdue })
}

/// What is over already, and what comes on each day.
fn sorted(coming: Vec<Coming>, today: Date, words: &TimelineWords) -> (Vec<Thing>, BTreeMap<Date, Bucket>) {
    let (mut overdue, mut days): (_, BTreeMap<Date, Bucket>) = (Bucket::default(), BTreeMap::new());
    for one in coming {
        let Ok(at) = OffsetDateTime::from_unix_timestamp(one.at) else { continue };
        match at.date() {
            date if date >= today => days.entry(date).or_default().add(one, words),
            _ => overdue.add(one, words),
        }
    }
    (overdue.things, days)
}

/// The columns, each as high as its share of the fullest day, and where weeks begin.
fn picture(days: &BTreeMap<Date, Bucket>, today: Date) -> (Vec<Bar>, Vec<Mark>) {
    let fullest = days.values().map(Bucket::count).max().unwrap_or(0).max(FULL);
    let (mut bars, mut marks) = (Vec::new(), Vec::new());
    for (x, number) in (0..).step_by(COLUMN).zip(0..=DAYS) {
        let date = today + Duration::days(number);
        if number % 7 == 0 {
            marks.push(Mark { x, text: date.to_string().get(5..).unwrap_or_default().to_owned() });
        }
        let mut top = HEIGHT;
        let counts = days.get(&date).map(|bucket| bucket.counts).unwrap_or_default();
        for (class, count) in CLASSES.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
            let height = HEIGHT * count as f64 / fullest as f64;
            top -= height;
            bars.push(Bar { class, x, y: top, height });
        }
    }
    (bars, marks)
}

/// From below.
const CLASSES: [&str; 3] = ["expiry", "other", "renewal"];
const ENDS: usize = 0;
const OTHERS: usize = 1;
const RENEWALS: usize = 2;
const DAYS: i64 = 90;
/// In units of the picture.
const COLUMN: usize = 10;
const HEIGHT: f64 = 120.0;
/// Fewer do not fill a column.
const FULL: usize = 4;
/// A list of more is for the list of sites.
const MOST_OF_A_DAY: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    #[test]
    fn columns_are_stacked_within_the_picture() {
        let today = Date::from_ordinal_date(2027, 1).expect("a day");
        let bucket = |counts: [usize; 3]| Bucket { counts, things: Vec::new() };
        let after = |days: i64| today + Duration::days(days);
        let days = BTreeMap::from([(after(2), bucket([6, 0, 2])), (after(7), bucket([0, 0, 1]))]);
        let (bars, marks) = picture(&days, today);
        let told: Vec<_> = bars.iter().map(|bar| (bar.class, bar.x, bar.y, bar.height)).collect();
        let expected = [("expiry", 20, 30.0, 90.0), ("renewal", 20, 0.0, 30.0), ("renewal", 70, 105.0, 15.0)];
        assert_eq!(told, expected);
        assert_eq!((marks.len(), &*marks[1].text, marks[1].x), (13, "01-08", 70));
    }

    #[test]
    fn of_a_bad_day_all_are_counted_and_the_first_are_named() {
        let today = Date::from_ordinal_date(2027, 1).expect("a day");
        let at = |days: i64| (today + Duration::days(days)).midnight().assume_utc().unix_timestamp();
        let coming = |days: i64, kind, number: usize| Coming { at: at(days), kind, subject: format!("s{number}") };
        let bad = (0..50).map(|number| coming(1, ComingKind::End, number));
        let all = [coming(-1, ComingKind::End, 99)].into_iter().chain(bad).chain([coming(1, ComingKind::Object, 7)]);
        let (overdue, days) = sorted(all.collect(), today, &Language::En.panel().timeline);
        assert_eq!(overdue.iter().map(|thing| &*thing.subject).collect::<Vec<_>>(), ["s99"]);
        let bucket = &days[&(today + Duration::days(1))];
        assert_eq!((bucket.counts, bucket.things.len(), &*bucket.things[19].subject), ([50, 1, 0], 20, "s19"));
    }
}
