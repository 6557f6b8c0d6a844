//! The texts of mails and of what webhooks get.

/// All texts of notices.
pub(crate) struct MailWords {
    /// Of a mail that only shows that it arrives.
    pub(crate) test: TestWords,
    pub(crate) expired: KindWords,
    pub(crate) unusable: KindWords,
    pub(crate) mismatch: KindWords,
    /// Its subject says within how many days, in place of [`KindWords::subject`].
    pub(crate) expiring: KindWords,
    pub(crate) expiring_within: fn(usize, i64, &str) -> String,
    pub(crate) renewal_late: KindWords,
    pub(crate) renewal_failing: KindWords,
    pub(crate) well_known_missing: KindWords,
    pub(crate) rejected: KindWords,
    pub(crate) handed_in: KindWords,
    pub(crate) edge: KindWords,
    pub(crate) issued: KindWords,
    pub(crate) uploaded: KindWords,
    /// Over the list of what is no more.
    pub(crate) over: &'static str,
    /// The subject when all that is told is over.
    pub(crate) over_subject: fn(usize, &str) -> String,
    /// It ends in so many days, on this day.
    pub(crate) ends_in: fn(i64, &str) -> String,
    /// It ended on this day.
    pub(crate) ended: fn(&str) -> String,
    /// It holds until this day.
    pub(crate) holds_until: fn(&str) -> String,
    /// It was due on this day.
    pub(crate) was_due: fn(&str) -> String,
    /// Behind a subject: so many other things.
    pub(crate) and_more: fn(usize) -> String,
    /// Below a list: so many more lines.
    pub(crate) more_lines: fn(usize) -> String,
    /// The text of a link.
    pub(crate) open: &'static str,
    /// Below everything: from which machine this comes, and why to whom.
    pub(crate) footer: fn(&str, &str) -> String,
}

/// The texts of a kind of event.
pub(crate) struct KindWords {
    /// Over the list of what it happened to.
    pub(crate) heading: &'static str,
    /// In a subject: how many, and the first names.
    pub(crate) subject: fn(usize, &str) -> String,
}

/// Of a mail that only shows that it arrives.
pub(crate) struct TestWords {
    pub(crate) subject: &'static str,
    /// For whom.
    pub(crate) text: fn(&str) -> String,
}
