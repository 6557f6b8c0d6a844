//! Regular times as people name them: at ten every day, in the time of a place, whatever its clocks do that day.
//!
//! What falls due is an [`Occurrence`] with a name of its own, taken from the date and not from the moment: whoever remembers names
//! does nothing twice, though clocks are put back, and leaves nothing out, though an hour does not exist.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

/// A place's time, by its name in the IANA database, which is part of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of a name such as `Europe/Berlin`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(name: &str) -> Result<Self, String> {
        let wrong = || format!("expected a time zone such as \"Europe/Berlin\" or \"UTC\", found {name:?}");
        TimeZone::get(name).map(Self).map_err(|_| wrong())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The date and the time there at a moment, in seconds since the Unix epoch: `2026-11-28 10:00`.
    #[must_use]
    pub fn told(&self, moment: i64) -> String {
        let there = Timestamp::from_second(moment).map(|moment| self.0.to_datetime(moment));
        there.map(|there| there.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()
    }

    /// When its clocks show this, seconds since the Unix epoch. An hour that they leave out begins when they go on; of one that they
    /// show twice it is the first time.
    fn moment(&self, shown: DateTime) -> Option<i64> {
        let moment = self.0.to_ambiguous_timestamp(shown).compatible().ok()?;
        Some(moment.as_second())
    }

    fn date(&self, moment: i64) -> Option<Date> {
        Some(self.0.to_datetime(Timestamp::from_second(moment).ok()?).date())
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

/// On which days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Every day.
    Daily,
    /// On one day of the week, 0 for Monday.
    Weekly(u8),
    /// On one day of the month; on the last one of a month that does not have it.
    Monthly(u8),
}

/// When something regular is due: from a time of the day on, and late after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    rhythm: Rhythm,
    /// Minutes since midnight.
    from: u16,
    until: u16,
}

/// One time that something regular is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// What tells it from others of its schedule: a date, or a month.
    pub name: String,
    /// When it is due, seconds since the Unix epoch.
    pub due: i64,
    /// When it is late.
    pub late: i64,
}

impl Schedule {
    /// Reads `10:00-10:30` for every day, `Mon 08:00-09:00` for a day of the week, `1 00:00-01:00` for a day of the month.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str, rhythm: fn(&str) -> Option<Rhythm>) -> Result<Self, String> {
        let wrong = || format!("expected {}, found {text:?}", example(rhythm));
        let (day, times) = text.trim().rsplit_once(' ').unwrap_or(("", text.trim()));
        let rhythm = rhythm(day.trim()).ok_or_else(wrong)?;
        let (from, until) = times.split_once('-').ok_or_else(wrong)?;
        let (from, until) = (minutes(from).ok_or_else(wrong)?, minutes(until).ok_or_else(wrong)?);
        if from < until { Ok(Self { rhythm, from, until }) } else { Err(wrong()) }
    }

    /// What falls due behind one moment and up to another, in order; both in seconds since the Unix epoch.
    #[must_use]
    pub fn between(&self, zone: &Zone, after: i64, until: i64) -> Vec<Occurrence> {
        let (Some(first), Some(last)) = (zone.date(after - MARGIN), zone.date(until + MARGIN)) else {
            return Vec::new();
        };
        let mut due = Vec::new();
        let mut date = first;
        while date <= last {
            due.extend(self.on(zone, date).filter(|occurrence| occurrence.due > after && occurrence.due <= until));
            let Ok(next) = date.tomorrow() else { break };
            date = next;
        }
        due
    }

    /// The next one behind a moment, in seconds since the Unix epoch.
    #[must_use]
    pub fn next(&self, zone: &Zone, after: i64) -> Option<Occurrence> {
        self.between(zone, after, after + LONGEST_PAUSE).into_iter().next()
    }

    fn on(&self, zone: &Zone, date: Date) -> Option<Occurrence> {
        let name = match self.rhythm {
            Rhythm::Daily => date.to_string(),
            Rhythm::Weekly(day) if date.weekday().to_monday_zero_offset() == i8::try_from(day).ok()? => {
                date.to_string()
            }
            Rhythm::Monthly(day) if date.day() == i8::try_from(day).ok()?.min(date.days_in_month()) => {
                date.strftime("%Y-%m").to_string()
            }
            _ => return None,
        };
        let moment = |minutes: u16| {
            let time = Time::new(i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?, 0, 0).ok()?;
            zone.moment(date.to_datetime(time))
        };
        let due = moment(self.from)?;
        // Where the hour is left out, the end may come before.
        Some(Occurrence { name, due, late: moment(self.until)?.max(due) })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rhythm {
            Rhythm::Daily => {}
            Rhythm::Weekly(day) => write!(f, "{} ", DAYS[usize::from(day) % DAYS.len()])?,
            Rhythm::Monthly(day) => write!(f, "{day} ")?,
        }
        let [from, until] = [self.from, self.until].map(|minutes| (minutes / 60, minutes % 60));
        write!(f, "{:02}:{:02}-{:02}:{:02}", from.0, from.1, until.0, until.1)
    }
}

/// The Monday of the week of a date, such as `2026-11-28`; `None`: that is no date.
#[must_use]
pub fn monday_of(date: &str) -> Option<String> {
    let date: Date = date.parse().ok()?;
    let days = i64::from(date.weekday().to_monday_zero_offset());
    date.checked_sub(jiff::Span::new().days(days)).ok().map(|monday| monday.to_string())
}

/// Of a text without a day.
#[must_use]
pub fn daily(day: &str) -> Option<Rhythm> {
    day.is_empty().then_some(Rhythm::Daily)
}

/// Of a day of the week: `Mon`.
#[must_use]
pub fn weekly(day: &str) -> Option<Rhythm> {
    let place = DAYS.iter().position(|known| known.eq_ignore_ascii_case(day))?;
    u8::try_from(place).ok().map(Rhythm::Weekly)
}

/// Of a day of the month: `1`.
#[must_use]
pub fn monthly(day: &str) -> Option<Rhythm> {
    day.parse().ok().filter(|day| (1..=31).contains(day)).map(Rhythm::Monthly)
}

fn example(rhythm: fn(&str) -> Option<Rhythm>) -> &'static str {
    match (rhythm(""), rhythm("Mon")) {
        (Some(_), _) => "times of the day such as \"10:00-10:30\", the first before the second",
        (_, Some(_)) => "a day of the week and times such as \"Mon 08:00-09:00\", the first before the second",
        _ => "a day of the month and times such as \"1 00:00-01:00\", the first before the second",
    }
}

/// `10:30` in minutes; 24:00 is the end of the day's last hour.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let two = |digits: &str| digits.parse::<u16>().ok().filter(|_| digits.len() == 2);
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Zones are 26 hours apart at most, and a date was left out where one went over to the other side.
const MARGIN: i64 = 3 * 86_400;
/// Between two of a month: 31 days, and what clocks and margins make of them.
const LONGEST_PAUSE: i64 = 33 * 86_400;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::parse(name).expect("a zone")
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a moment").as_second()
    }

    fn told(schedule: &str, rhythm: fn(&str) -> Option<Rhythm>, place: &str, after: &str, until: &str) -> Vec<String> {
        let schedule = Schedule::parse(schedule, rhythm).expect("a schedule");
        let due = schedule.between(&zone(place), at(after), at(until)).into_iter();
        let moment = |seconds| Timestamp::from_second(seconds).expect("a moment");
        due.map(|one| format!("{} {} {}", one.name, moment(one.due), moment(one.late))).collect()
    }

    #[test]
    fn an_hour_that_is_left_out_and_one_that_comes_twice_bring_one_report_each() {
        let berlin = |from: &str, until: &str| told("02:30-03:00", daily, "Europe/Berlin", from, until);
        assert_eq!(
            berlin("2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z"),
            [
                "2026-03-28 2026-03-28T01:30:00Z 2026-03-28T02:00:00Z",
                // 02:30 does not exist: half an hour behind the jump at 01:00Z.
                "2026-03-29 2026-03-29T01:30:00Z 2026-03-29T01:30:00Z",
                "2026-03-30 2026-03-30T00:30:00Z 2026-03-30T01:00:00Z",
            ]
        );
        assert_eq!(
            berlin("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"),
            [
                "2026-10-25 2026-10-25T00:30:00Z 2026-10-25T02:00:00Z",
                "2026-10-26 2026-10-26T01:30:00Z 2026-10-26T02:00:00Z",
            ]
        );
    }

    #[test]
    fn a_month_has_its_report_though_it_lacks_the_day() {
        assert_eq!(
            told("31 00:00-01:00", monthly, "UTC", "2028-01-15T00:00:00Z", "2028-04-30T12:00:00Z"),
            [
                "2028-01 2028-01-31T00:00:00Z 2028-01-31T01:00:00Z",
                "2028-02 2028-02-29T00:00:00Z 2028-02-29T01:00:00Z",
                "2028-03 2028-03-31T00:00:00Z 2028-03-31T01:00:00Z",
                "2028-04 2028-04-30T00:00:00Z 2028-04-30T01:00:00Z",
            ]
        );
        assert_eq!(
            told("1 00:00-01:00", monthly, "Etc/GMT-2", "2026-12-15T00:00:00Z", "2027-01-15T00:00:00Z"),
            ["2027-01 2026-12-31T22:00:00Z 2026-12-31T23:00:00Z"]
        );
    }

    #[test]
    fn a_week_has_one_day_and_a_leap_day_is_a_day() {
        assert_eq!(
            told("Mon 08:00-09:00", weekly, "America/New_York", "2026-11-20T00:00:00Z", "2026-12-01T00:00:00Z"),
            [
                "2026-11-23 2026-11-23T13:00:00Z 2026-11-23T14:00:00Z",
                "2026-11-30 2026-11-30T13:00:00Z 2026-11-30T14:00:00Z"
            ]
        );
        let days = told("10:00-10:30", daily, "UTC", "2028-02-28T11:00:00Z", "2028-03-01T11:00:00Z");
        assert_eq!(days.iter().map(|day| &day[..10]).collect::<Vec<_>>(), ["2028-02-29", "2028-03-01"]);
    }

    #[test]
    fn the_days_of_a_week_have_one_monday() {
        for (date, expected) in [
            ("2026-11-23", Some("2026-11-23")),
            ("2026-11-29", Some("2026-11-23")),
            ("2026-11-30", Some("2026-11-30")),
            ("2027-01-01", Some("2026-12-28")),
            ("2026-11", None),
        ] {
            assert_eq!(monday_of(date).as_deref(), expected, "{date}");
        }
    }

    #[test]
    fn a_date_that_a_place_left_out_has_its_report_all_the_same() {
        // Samoa went over the date line.
        let days = told("10:00-10:30", daily, "Pacific/Apia", "2011-12-29T00:00:00Z", "2011-12-31T12:00:00Z");
        assert_eq!(days.iter().map(|day| &day[..10]).collect::<Vec<_>>(), ["2011-12-29", "2011-12-30", "2011-12-31"]);
    }

    #[test]
    fn what_is_no_schedule_says_what_was_expected() {
        for (text, rhythm, part) in [
            ("10:00", daily as fn(&str) -> Option<Rhythm>, "10:00-10:30"),
            ("10:30-10:00", daily, "the first before the second"),
            ("1 10:00-10:30", daily, "times of the day"),
            ("Monday 08:00-09:00", weekly, "Mon 08:00-09:00"),
            ("32 00:00-01:00", monthly, "a day of the month"),
            ("0 00:00-01:00", monthly, "a day of the month"),
            ("1 24:00-25:00", monthly, "a day of the month"),
        ] {
            let wrong = Schedule::parse(text, rhythm).expect_err("refused");
            assert!(wrong.contains(part) && wrong.contains(text), "{wrong}");
        }
        for (text, rhythm) in [
            ("10:00-10:30", daily as fn(&str) -> Option<Rhythm>),
            ("Sun 00:00-23:59", weekly),
            ("31 01:05-01:06", monthly),
        ] {
            assert_eq!(Schedule::parse(text, rhythm).expect("a schedule").to_string(), text);
        }
        assert!(Zone::parse("Europe/Nowhere").is_err_and(|wrong| wrong.contains("Europe/Berlin")));
        assert_eq!((zone("Europe/Berlin").name(), Zone::default().name()), ("Europe/Berlin", "UTC"));
    }

    const ZONES: [&str; 8] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "Pacific/Apia",
        "Asia/Kathmandu",
    ];

    proptest! {
        /// However a span is cut into pieces, as an edge does that is up and down, the pieces hold what the whole does.
        #[test]
        fn nothing_is_missing_and_nothing_double_however_often_one_looks(
            place in 0..ZONES.len(), kind in 0..3_usize, day in 0..7_u8, of_month in 1..=31_u8, from in 0..1439_u16,
            begin in 1_200_000_000_i64..2_200_000_000, mut cuts in prop::collection::vec(0..120 * 86_400_i64, 0..12),
        ) {
            let rhythm = [Rhythm::Daily, Rhythm::Weekly(day), Rhythm::Monthly(of_month)][kind];
            let (schedule, zone) = (Schedule { rhythm, from, until: from + 1 }, zone(ZONES[place]));
            cuts.extend([0, 120 * 86_400]);
            cuts.sort_unstable();
            let pieces: Vec<Occurrence> = cuts.windows(2)
                .flat_map(|span| schedule.between(&zone, begin + span[0], begin + span[1])).collect();
            let mut whole = schedule.between(&zone, begin, begin + 120 * 86_400);
            let names: BTreeSet<&str> = whole.iter().map(|one| one.name.as_str()).collect();
            prop_assert_eq!(names.len(), whole.len());
            let expected = [118..=122, 16..=18, 3..=5][kind].clone();
            prop_assert!(expected.contains(&whole.len()), "{} of {:?}", whole.len(), rhythm);
            whole.sort_by_key(|one| (one.due, one.name.clone()));
            let mut pieces = pieces;
            pieces.sort_by_key(|one| (one.due, one.name.clone()));
            prop_assert_eq!(pieces, whole);
        }

        #[test]
        fn the_next_one_is_the_first_of_those_to_come(
            place in 0..ZONES.len(), of_month in 1..=31_u8, from in 0..1439_u16, now in 1_200_000_000_i64..2_200_000_000,
        ) {
            let (schedule, zone) = (Schedule { rhythm: Rhythm::Monthly(of_month), from, until: from + 1 }, zone(ZONES[place]));
            let next = schedule.next(&zone, now).expect("one in a month");
            prop_assert!(next.due > now);
            prop_assert_eq!(schedule.between(&zone, now, next.due - 1), vec![]);
        }
    }
}
