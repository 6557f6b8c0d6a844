//! *Timeline*: a picture of the next ninety days, and the same in words, so that a bad week is seen before it comes.

use std::collections::BTreeMap;

use askama::Template;
use serde::Deserialize;
use time::{Date, Duration, OffsetDateTime};

use super::frame::Frame;
use super::moment::day;
use super::page::{Page, Visit, path, shown};
use crate::admin::problem::{Answer, Problem};
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

#[derive(Deserialize)]
struct Coming {
    at: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
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
    class: &'static str,
    kind: &'static str,
    subject: String,
    link: Option<String>,
}

impl Thing {
    fn of(coming: Coming, words: &TimelineWords) -> Self {
        let (class, kind) = match coming.kind.as_str() {
            "end" => ("expiry", words.end),
            "renewal" => ("renewal", words.renewal),
            "object" => ("other", words.object),
            "end-elsewhere" => ("expiry", words.end_elsewhere),
            _ => ("other", words.end_of_renewed),
        };
        let link = match coming.kind.as_str() {
            "object" => None,
            "end-elsewhere" => Some("/elsewhere".to_owned()),
            _ => Some(format!("/sites/{}", path(&[&coming.subject]))),
        };
        Self { class, kind, subject: coming.subject, link }
    }
}

async fn show(visit: Visit) -> Result<Answer, Problem> {
    let words = &visit.words().timeline;
    let coming: Vec<Coming> = visit.ask("timeline", "").await?;
    let today = OffsetDateTime::now_utc().date();
    let mut by_day: BTreeMap<String, Vec<Thing>> = BTreeMap::new();
    for one in coming {
        by_day.entry(day(&one.at)).or_default().push(Thing::of(one, words));
    }
    let later = by_day.split_off(&today.to_string());
    let mut overdue: Vec<Thing> = by_day.into_values().flatten().filter(|thing| thing.class != "renewal").collect();
    overdue.truncate(MOST_OF_A_DAY);
    let (bars, marks) = picture(&later, today);
    let days = later.into_iter().map(|(date, mut things)| {
        let more = things.len().saturating_sub(MOST_OF_A_DAY);
        things.truncate(MOST_OF_A_DAY);
        Day { date, things, more }
    });
    shown(&Timeline { frame: visit.frame(words.title), words, bars, marks, days: days.collect(), overdue })
}

/// The columns, each as high as its share of the fullest day, and where weeks begin.
fn picture(days: &BTreeMap<String, Vec<Thing>>, today: Date) -> (Vec<Bar>, Vec<Mark>) {
    let fullest = days.values().map(Vec::len).max().unwrap_or(0).max(FULL);
    let (mut bars, mut marks) = (Vec::new(), Vec::new());
    for number in 0..=DAYS {
        let date = today + Duration::days(i64::try_from(number).unwrap_or(0));
        let x = number * COLUMN;
        if number % 7 == 0 {
            marks.push(Mark { x, text: date.to_string().get(5..).unwrap_or_default().to_owned() });
        }
        let mut top = HEIGHT;
        for class in ["expiry", "other", "renewal"] {
            let things = days.get(&date.to_string()).map(Vec::as_slice).unwrap_or_default();
            let count = things.iter().filter(|thing| thing.class == class).count();
            if count > 0 {
                let height = HEIGHT * count as f64 / fullest as f64;
                top -= height;
                bars.push(Bar { class, x, y: top, height });
            }
        }
    }
    (bars, marks)
}

const DAYS: usize = 90;
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

    #[test]
    fn columns_are_stacked_within_the_picture() {
        let thing = |class| Thing { class, kind: "", subject: String::new(), link: None };
        let today = Date::from_ordinal_date(2027, 1).expect("a day");
        let full = (0..8).map(|number| thing(if number < 6 { "expiry" } else { "renewal" })).collect();
        let days = BTreeMap::from([("2027-01-03".to_owned(), full), ("2027-01-08".to_owned(), vec![thing("renewal")])]);
        let (bars, marks) = picture(&days, today);
        let told: Vec<_> = bars.iter().map(|bar| (bar.class, bar.x, bar.y, bar.height)).collect();
        let expected = [("expiry", 20, 30.0, 90.0), ("renewal", 20, 0.0, 30.0), ("renewal", 70, 105.0, 15.0)];
        assert_eq!(told, expected);
        assert_eq!((marks.len(), &*marks[1].text, marks[1].x), (13, "01-08", 70));
    }
}
