//! The texts of mails and of what webhooks get.

/// All texts of notices.
pub(crate) struct MailWords {
    /// Of a mail that only shows that it arrives.
    pub(crate) test: TestWords,
}

/// Of a mail that only shows that it arrives.
pub(crate) struct TestWords {
    pub(crate) subject: &'static str,
    /// For whom.
    pub(crate) text: fn(&str) -> String,
}
