//! What an alert is about, in the reader's language.

use super::alert::{Alert, AlertCode};
use crate::certs::AlarmCode;
use crate::words::Language;
use crate::words::instead::Shown;
use crate::words::said::SaidWords;

/// What is particular in an alert's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
    /// Nothing: its code says all.
    Plain,
    /// What an authority, a mail server, the system or the configuration's reader wrote.
    Quoted(String),
    /// Hosts.
    Hosts(Vec<String>),
    /// So many days are left.
    Days(i64),
    /// So many days are left, and a renewal came to nothing; what was written then.
    NotRenewed(i64, Option<String>),
    /// So many orders in a row came to nothing; what was written last.
    Failures(u32, Option<String>),
    /// It is about what others serve, which ends in so many days; what is wrong there, by its word, and what was seen or heard.
    Foreign(i64, Option<String>, Option<String>),
    /// What clients are shown instead of what is published.
    Shown(Shown),
    /// The link that something was handed in by.
    Link(String),
    /// An alarm.
    Alarm(AlarmCode),
    /// The code of what is wrong with a file, and what is particular to that.
    File(&'static str, Vec<String>),
}

impl Matter {
    /// What somebody wrote, if anybody wrote anything.
    pub(super) fn of(text: &str) -> Self {
        if text.is_empty() { Self::Plain } else { Self::Quoted(text.to_owned()) }
    }
}

/// What is said to a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// In the reader's language.
    pub text: String,
    /// What others wrote, in English.
    pub quote: Option<String>,
}

impl Said {
    /// What is said in the reader's language, and quotes nobody.
    pub(crate) fn own(text: impl Into<String>) -> Self {
        Self { text: text.into(), quote: None }
    }
}

impl Alert {
    /// What is the matter and what to do, in the reader's language.
    #[must_use]
    pub fn said(&self, language: Language) -> Said {
        match language.said() {
            None => Said { text: self.text.clone(), quote: None },
            Some(words) => self.said_by(words, language),
        }
    }

    fn said_by(&self, words: &SaidWords, language: Language) -> Said {
        let texts = &words.alerts;
        let quote = match &self.matter {
            Matter::Quoted(quote) => Some(quote.clone()),
            Matter::NotRenewed(_, quote) | Matter::Failures(_, quote) | Matter::Foreign(.., quote) => quote.clone(),
            _ => None,
        };
        if let (Some(of_all), Matter::Shown(shown)) = (plain(self.code, words), &self.matter) {
            let (text, quote) = shown.said(of_all, language);
            return Said { text, quote };
        }
        let text = match (self.code, &self.matter) {
            (_, Matter::Alarm(code)) => (words.alarm)(code.as_str()).map(str::to_owned),
            (_, Matter::File(code, about)) => {
                (words.flaw)(code, about).map(|(reason, mend)| format!("{reason}. {mend}"))
            }
            (_, Matter::Link(link)) => Some((texts.handed_in)(link)),
            (AlertCode::OrdersFail, Matter::Failures(count, _)) => Some((texts.orders_fail)(*count)),
            (AlertCode::NoCertificate, Matter::Hosts(hosts)) => Some((texts.no_certificate)(&hosts.join(", "))),
            (AlertCode::Expired, Matter::Foreign(..)) => Some(texts.foreign_expired.to_owned()),
            (AlertCode::ServedOtherwise | AlertCode::Unreachable, Matter::Foreign(_, Some(fault), _)) => {
                Some((words.fault)(fault).unwrap_or(texts.foreign_wrong).to_owned())
            }
            (AlertCode::ServedOtherwise, Matter::Foreign(..)) => Some(texts.foreign_wrong.to_owned()),
            (AlertCode::ExpiresNow | AlertCode::ExpiresSoon, Matter::Foreign(days, ..)) => {
                Some((texts.foreign_ends)(*days))
            }
            (AlertCode::ExpiresSoon, Matter::Days(days)) => Some((texts.ends_soon)(*days)),
            (_, Matter::Days(days)) => Some((texts.ends_now)(*days)),
            (_, Matter::NotRenewed(days, _)) => Some((texts.not_renewed)(*days)),
            (
                code,
                Matter::Plain
                | Matter::Quoted(_)
                | Matter::Hosts(_)
                | Matter::Failures(..)
                | Matter::Foreign(..)
                | Matter::Shown(_),
            ) => plain(code, words).map(str::to_owned),
        };
        match text {
            Some(text) => Said { text, quote },
            None => Said { text: String::new(), quote: Some(self.text.clone()) },
        }
    }
}

/// Of those codes that say all by themselves.
fn plain(code: AlertCode, words: &SaidWords) -> Option<&'static str> {
    let texts = &words.alerts;
    Some(match code {
        AlertCode::Expired => texts.expired,
        AlertCode::NotYetValid => texts.not_yet_valid,
        AlertCode::Revoked => texts.revoked,
        AlertCode::ServedOtherwise => texts.served_otherwise,
        AlertCode::NotShown => texts.not_shown,
        AlertCode::RenewalLate => texts.renewal_late,
        AlertCode::AuditUnwritten => texts.audit_unwritten,
        AlertCode::NoticesStuck => texts.notices_stuck,
        AlertCode::Unreachable => texts.unreachable,
        AlertCode::ConfigurationRefused => texts.configuration_refused,
        AlertCode::ConfigurationRejected => texts.configuration_rejected,
        AlertCode::ExpiresNow
        | AlertCode::ExpiresSoon
        | AlertCode::Alarm
        | AlertCode::Remark
        | AlertCode::NoCertificate
        | AlertCode::OrdersFail
        | AlertCode::HandedIn
        | AlertCode::FileRejected => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overview::Mend;
    use crate::words::instead::Instead;

    #[test]
    fn every_alert_is_said_in_every_language_with_no_english_but_what_others_wrote() {
        let written = || Some("the authority is down".to_owned());
        let mut matters = vec![
            Matter::Quoted("the authority is down".into()),
            Matter::Hosts(vec!["shop.example".into()]),
            Matter::Days(1),
            Matter::NotRenewed(3, written()),
            Matter::Failures(4, written()),
            Matter::Foreign(3, Some("wrong_name".into()), written()),
            Matter::Foreign(3, None, written()),
            Matter::File("expired", Vec::new()),
            Matter::Shown(shown()),
        ];
        matters.extend(AlarmCode::ALL.iter().map(|code| Matter::Alarm(*code)));
        let plain = |code: AlertCode| match code {
            AlertCode::ExpiresNow | AlertCode::ExpiresSoon => Matter::Days(1),
            AlertCode::Alarm | AlertCode::Remark => Matter::Alarm(AlarmCode::NotWatching),
            AlertCode::NoCertificate => Matter::Hosts(vec!["shop.example".into()]),
            AlertCode::OrdersFail => Matter::Failures(3, None),
            AlertCode::HandedIn => Matter::Link("for Anna".into()),
            AlertCode::FileRejected => Matter::File("expired", Vec::new()),
            _ => Matter::Plain,
        };
        let each = AlertCode::ALL.iter().map(|code| (*code, plain(*code)));
        let all = matters.into_iter().map(|matter| (code_of(&matter), matter)).chain(each);
        for (code, matter) in all {
            let (subject, text) = ("shop.example".to_owned(), "in English".to_owned());
            let alert = Alert { code, subject, site: None, text, matter, since: None, mend: Mend::Elsewhere };
            assert_eq!(alert.said(Language::En), Said { text: "in English".into(), quote: None });
            let Said { text, quote } = alert.said(Language::De);
            assert!(!text.is_empty(), "{alert:?}");
            assert!(quote.is_none() || quote == written(), "{alert:?}");
        }
    }

    #[test]
    fn what_others_serve_is_told_by_what_is_wrong_with_it() {
        for (code, fault, expected) in [
            (AlertCode::ServedOtherwise, Some("wrong_name"), "Das Zertifikat dort ist für andere Namen"),
            (AlertCode::ServedOtherwise, None, "Dort wird ausgeliefert, was nicht stimmt"),
            (AlertCode::Unreachable, Some("unresolved"), "Der Name führt nirgendwohin"),
            (AlertCode::Unreachable, None, "Dort antwortet niemand"),
        ] {
            let matter = Matter::Foreign(9, fault.map(str::to_owned), Some("seen there".into()));
            let (subject, text) = ("https://shop.example".to_owned(), "in English".to_owned());
            let alert = Alert { code, subject, site: None, text, matter, since: None, mend: Mend::Urls };
            let said = alert.said(Language::De);
            assert_eq!((said.text.as_str(), said.quote.as_deref()), (expected, Some("seen there")));
        }
    }

    fn shown() -> Shown {
        let (url, listener) = ("http://shop.example/.well-known/a".into(), "127.0.0.1:80".into());
        Shown { host: None, instead: Instead::NoContent { url, listener, text: "the authority is down".into() } }
    }

    fn code_of(matter: &Matter) -> AlertCode {
        match matter {
            Matter::Plain | Matter::Quoted(_) => AlertCode::Expired,
            Matter::Hosts(_) => AlertCode::NoCertificate,
            Matter::Days(_) | Matter::NotRenewed(..) | Matter::Foreign(..) => AlertCode::ExpiresNow,
            Matter::Failures(..) => AlertCode::OrdersFail,
            Matter::Link(_) => AlertCode::HandedIn,
            Matter::Shown(_) => AlertCode::NotShown,
            Matter::Alarm(_) => AlertCode::Alarm,
            Matter::File(..) => AlertCode::FileRejected,
        }
    }
}
