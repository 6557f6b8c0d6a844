//! The texts of reports, as mails and as pages.

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

/// *Reports*
pub(crate) struct ReportsWords {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) next_title: &'static str,
    pub(crate) terms: fn(&str) -> String,
    pub(crate) with_managed: &'static str,
    pub(crate) without_managed: &'static str,
    pub(crate) report: &'static str,
    pub(crate) schedule: &'static str,
    pub(crate) due: &'static str,
    pub(crate) window: &'static str,
    pub(crate) listed: &'static str,
    pub(crate) actions: &'static str,
    pub(crate) when_asked: &'static str,
    pub(crate) days: fn(i64, i64) -> String,
    pub(crate) of_urls: fn(usize, usize) -> String,
    pub(crate) make: &'static str,
    pub(crate) recipients: &'static str,
    pub(crate) nobody: &'static str,
    pub(crate) part_of: fn(usize) -> String,
    pub(crate) everything: &'static str,
    pub(crate) made_title: &'static str,
    pub(crate) none: &'static str,
    pub(crate) made: &'static str,
    pub(crate) late: &'static str,
    pub(crate) delivery: &'static str,
    pub(crate) delivered: &'static str,
    pub(crate) waiting: &'static str,
    pub(crate) given_up: &'static str,
    pub(crate) long_ago: &'static str,
    pub(crate) as_now: fn(&str) -> String,
    pub(crate) of: fn(&str, &str) -> String,
    pub(crate) daily: &'static str,
    pub(crate) weekly: &'static str,
    pub(crate) monthly: &'static str,
    pub(crate) left_out: &'static str,
    pub(crate) urls: &'static str,
    pub(crate) nothing: &'static str,
    pub(crate) state: &'static str,
    pub(crate) missing: &'static str,
    pub(crate) expired: &'static str,
    pub(crate) expiring: &'static str,
    pub(crate) ends: &'static str,
    pub(crate) days_left: &'static str,
    pub(crate) source: &'static str,
    pub(crate) to: &'static str,
    pub(crate) when: &'static str,
    pub(crate) attempts: &'static str,
    pub(crate) last_error: &'static str,
    pub(crate) mail: &'static str,
    pub(crate) watched_title: &'static str,
    pub(crate) watched_about: &'static str,
    pub(crate) search: &'static str,
    pub(crate) filter: &'static str,
    pub(crate) no_urls: &'static str,
    pub(crate) why: &'static str,
    pub(crate) is_watched: &'static str,
    pub(crate) is_unwatched: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) leave_out: &'static str,
    pub(crate) list_again: &'static str,
    pub(crate) elsewhere_title: &'static str,
    pub(crate) elsewhere_about: &'static str,
    pub(crate) no_elsewhere: &'static str,
    pub(crate) seen: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) state_well: &'static str,
    pub(crate) state_wrong: &'static str,
    pub(crate) state_unreachable: &'static str,
    pub(crate) state_unknown: &'static str,
    pub(crate) look: &'static str,
    pub(crate) remove: &'static str,
    pub(crate) add: &'static str,
    pub(crate) url_hint: &'static str,
    pub(crate) watch: &'static str,
    pub(crate) give: &'static str,
}
