//! Mails in English.

use crate::words::mail::{MailWords, TestWords};

pub(in crate::words) static MAIL: MailWords = MailWords {
    test: TestWords {
        subject: "A test from Vitrine",
        text: |name| {
            format!(
                "This is a test for the contact {name}. Nothing has happened: notices for this contact arrive here."
            )
        },
    },
};
