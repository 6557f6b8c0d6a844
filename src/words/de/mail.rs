//! Mails in German.

use crate::words::mail::{MailWords, TestWords};

pub(in crate::words) static MAIL: MailWords = MailWords {
    test: TestWords {
        subject: "Ein Test von Vitrine",
        text: |name| {
            format!(
                "Dies ist ein Test für den Kontakt {name}. Es ist nichts geschehen: Nachrichten für diesen Kontakt kommen hier an."
            )
        },
    },
};
