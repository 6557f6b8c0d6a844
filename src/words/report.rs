//! The texts of reports.

/// All texts of reports. Where a state is counted, 0 is missing, 1 expired, 2 expiring.
pub(crate) struct ReportWords {
    /// What each kind is called: daily, weekly, monthly.
    pub(crate) kind: [&'static str; 3],
    /// Of a report of a kind and a date, with how many URLs are in each state.
    pub(crate) subject: fn(&str, &str, [usize; 3]) -> String,
    /// How many URLs were looked at, for which days, when, by whose clock.
    pub(crate) opening: fn(usize, (i64, i64), &str, &str) -> String,
    /// How many URLs nobody wants to hear of.
    pub(crate) unwatched: fn(usize) -> String,
    /// It was due before.
    pub(crate) late: fn(&str) -> String,
    /// There is nothing to say.
    pub(crate) nothing: &'static str,
    /// Above the URLs of a state, of which there are so many, with the days of the report.
    pub(crate) heading: fn(usize, usize, (i64, i64)) -> String,
    /// The heads of columns: URL, end, days, remark.
    pub(crate) heads: [&'static str; 4],
    /// So many days are left.
    pub(crate) days: fn(i64) -> String,
    /// Of one that should have renewed itself.
    pub(crate) renewal_late: &'static str,
    /// At the end.
    pub(crate) closing: &'static str,
    /// At the end of one that lists those too that renew by themselves.
    pub(crate) closing_with_managed: &'static str,
}
