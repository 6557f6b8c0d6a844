//! What needs somebody: one list, from sites, files, alarms, the configuration and the record.

use super::band::{Band, DAY};
use super::said::Matter;
use super::site::{Served, SiteState, State};
use super::{Known, Wrong, handed_in};
use crate::certs::{AlarmCode, NoticeState};
use crate::elsewhere::{Foreign, ForeignState};
use crate::live::Provision;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $severity:ident,)+) => {
        /// What an alert is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AlertCode { $($(#[$doc])* $name,)+ }

        impl AlertCode {
            /// Every code there is, the gravest first.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name, stable, for programs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// How much it matters.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }
        }
    };
}

codes! {
    /// A certificate that serves a site has expired.
    Expired = "expired" Critical,
    /// A certificate that serves a site is not valid yet.
    NotYetValid = "not-yet-valid" Critical,
    /// A certificate that serves a site was taken back.
    Revoked = "revoked" Critical,
    /// Clients are shown another certificate than the published one.
    ServedOtherwise = "served-otherwise" Critical,
    /// A site does not show what it should below `/.well-known/`.
    NotShown = "not-shown" Critical,
    /// A renewal should have been there a day ago.
    RenewalLate = "renewal-late" Critical,
    /// The next days bring the end of a certificate.
    ExpiresNow = "expires-now" Critical,
    /// What was done could not be recorded.
    AuditUnwritten = "audit-unwritten" Critical,
    /// An alarm of those who keep certificates; its text says which.
    Alarm = "alarm" Critical,
    /// A host that is to be served has no certificate.
    NoCertificate = "no-certificate" Warning,
    /// Nobody shows a certificate at a URL that others serve.
    Unreachable = "unreachable" Warning,
    /// Orders for a site come to nothing again and again.
    OrdersFail = "orders-fail" Warning,
    /// What was handed in by a link waits for somebody's word.
    HandedIn = "handed-in" Warning,
    /// Mails wait and do not arrive.
    NoticesStuck = "notices-stuck" Warning,
    /// A file of the drop folder cannot be used.
    FileRejected = "file-rejected" Warning,
    /// Nothing of the configuration as it is written applies.
    ConfigurationRefused = "configuration-refused" Warning,
    /// A part of the configuration does not apply.
    ConfigurationRejected = "configuration-rejected" Warning,
    /// Something asks for a look by and by.
    Remark = "remark" Warning,
    /// The next weeks bring the end of a certificate that somebody has to replace.
    ExpiresSoon = "expires-soon" Info,
}

/// How much an alert matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Shops are down, or will be.
    Critical,
    /// Something does not work that will be needed.
    Warning,
    /// It is good to know.
    Info,
}

impl Severity {
    /// Every severity there is.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Warning, Self::Info];

    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Something that needs somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub code: AlertCode,
    /// Of what: a site, a file, the code of an alarm, the configuration.
    pub subject: String,
    /// The site that it concerns, by name.
    pub site: Option<Box<str>>,
    /// What is the matter and what to do.
    pub text: String,
    /// What is particular in the text.
    pub matter: Matter,
    /// Since when, seconds since the Unix epoch; `None`: since a moment that nobody noted.
    pub since: Option<i64>,
    /// Where it is mended.
    pub mend: Mend,
}

impl Alert {
    /// How much it matters.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// Where something is mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mend {
    /// At a site.
    Site(Box<str>),
    /// At the certificates.
    Certificates,
    /// At the files that are not served.
    Rejected,
    /// At the requests.
    Requests,
    /// At the one-time links.
    Links,
    /// At the URLs that others serve.
    Urls,
    /// In the configuration, or on the machine; nothing but words helps.
    Elsewhere,
}

impl Mend {
    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Site(_) => "site",
            Self::Certificates => "certificates",
            Self::Rejected => "rejected",
            Self::Requests => "requests",
            Self::Links => "links",
            Self::Urls => "urls",
            Self::Elsewhere => "elsewhere",
        }
    }
}

pub(super) fn of(known: &Known<'_>, sites: &[SiteState]) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = sites.iter().flat_map(|site| of_site(site, known)).collect();
    let is_told = |code: AlertCode, alerts: &[Alert]| alerts.iter().any(|alert| alert.code == code);
    for alarm in &known.ledger.alarms {
        let told = match alarm.code {
            AlarmCode::ExpiredServing => is_told(AlertCode::Expired, &alerts),
            AlarmCode::NotYetValidServing => is_told(AlertCode::NotYetValid, &alerts),
            AlarmCode::RevokedServing => is_told(AlertCode::Revoked, &alerts),
            _ => false,
        };
        if told {
            continue; // by the site, with its name
        }
        let (code, mend) = of_alarm(alarm.code);
        let wrong = Wrong { text: alarm.message.clone(), since: alarm.since };
        alerts.push(told_by(code, alarm.code.as_str(), &wrong, Matter::Alarm(alarm.code), mend));
    }
    for notice in known.ledger.rejected.iter().filter(|notice| notice.state == NoticeState::Rejected) {
        let wrong = Wrong { text: format!("{}; {}", notice.reason, notice.mend), since: notice.since };
        let matter = Matter::File(notice.code, notice.about.clone());
        alerts.push(told_by(AlertCode::FileRejected, &notice.file, &wrong, matter, Mend::Rejected));
    }
    let (refused, rejected) = (&known.configuration.refused, &known.configuration.rejected);
    let lines = refused.iter().map(|line| (AlertCode::ConfigurationRefused, line));
    for (code, line) in lines.chain(rejected.iter().map(|line| (AlertCode::ConfigurationRejected, line))) {
        let wrong = Wrong { text: line.text.clone(), since: line.since };
        alerts.push(told_by(code, CONFIGURATION, &wrong, Matter::Quoted(line.text.clone()), Mend::Elsewhere));
    }
    if let Some(wrong) = &known.audit {
        let matter = Matter::Quoted(wrong.text.clone());
        alerts.push(told_by(AlertCode::AuditUnwritten, "audit.jsonl", wrong, matter, Mend::Elsewhere));
    }
    if let Some(wrong) = &known.notices {
        let matter = Matter::Quoted(wrong.text.clone());
        alerts.push(told_by(AlertCode::NoticesStuck, "notices", wrong, matter, Mend::Elsewhere));
    }
    alerts.extend(known.handed_in.iter().flat_map(handed_in::of));
    alerts.extend(known.elsewhere.iter().filter_map(|url| of_foreign(url, known.now)));
    // Of the same code, sites stay in the order of the configuration.
    alerts.sort_by_key(|alert| alert.code);
    alerts
}

fn told_by(code: AlertCode, subject: &str, wrong: &Wrong, matter: Matter, mend: Mend) -> Alert {
    let (subject, text) = (subject.to_owned(), wrong.text.clone());
    Alert { code, subject, site: None, text, matter, since: Some(wrong.since), mend }
}

const fn of_alarm(code: AlarmCode) -> (AlertCode, Mend) {
    match code {
        AlarmCode::RequestReminder => (AlertCode::Remark, Mend::Requests),
        AlarmCode::RequestUnreadable => (AlertCode::Alarm, Mend::Requests),
        AlarmCode::ChainIncomplete | AlarmCode::PinIgnored => (AlertCode::Remark, Mend::Certificates),
        AlarmCode::ObjectExpiresSoon => (AlertCode::Remark, Mend::Certificates),
        AlarmCode::KeyGroupReadable => (AlertCode::Remark, Mend::Elsewhere),
        AlarmCode::ExpiredServing
        | AlarmCode::NotYetValidServing
        | AlarmCode::RevokedServing
        | AlarmCode::ObjectExpiresNow
        | AlarmCode::WithdrawalHeld => (AlertCode::Alarm, Mend::Certificates),
        AlarmCode::FolderMissing
        | AlarmCode::FolderUnreadable
        | AlarmCode::KeyReadable
        | AlarmCode::LocalCaFailed
        | AlarmCode::NotWatching
        | AlarmCode::ScanFailed
        | AlarmCode::StateNotWritten => (AlertCode::Alarm, Mend::Elsewhere),
    }
}

/// What others serve is mended by others; somebody here asks them to.
fn of_foreign(url: &Foreign, now: i64) -> Option<Alert> {
    let (seen, state) = (url.seen.as_ref()?, url.state(now));
    let detail = || seen.detail.clone().unwrap_or_default();
    let days = seen.not_after.map_or(0, |end| (end - now).div_euclid(DAY));
    let (code, text) = match (state, Band::by_days(seen.not_after.unwrap_or(now), now)) {
        (ForeignState::Expired, _) => {
            (AlertCode::Expired, "the certificate that others serve there has expired".to_owned())
        }
        (ForeignState::Wrong, _) => (AlertCode::ServedOtherwise, detail()),
        (ForeignState::Unreachable, _) => (AlertCode::Unreachable, detail()),
        (ForeignState::Expiring, Band::Now) => (
            AlertCode::ExpiresNow,
            format!("the certificate ends in {days} days; ask whoever serves it for the next one"),
        ),
        (ForeignState::Expiring, _) => (
            AlertCode::ExpiresSoon,
            format!("the certificate ends in {days} days; ask whoever serves it for the next one"),
        ),
        _ => return None,
    };
    let is_written = |_: &String| state != ForeignState::Expired;
    let matter = Matter::Foreign(days, seen.fault.clone(), seen.detail.clone().filter(is_written));
    let since = if state == ForeignState::Expired { seen.not_after } else { seen.since };
    Some(Alert { code, subject: url.address(), site: None, text, matter, since, mend: Mend::Urls })
}

fn of_site(site: &SiteState, known: &Known<'_>) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let mut say = |code: AlertCode, text: String, matter: Matter, since: Option<i64>| {
        let name = site.name.clone();
        alerts.push(Alert {
            code,
            subject: name.to_string(),
            site: Some(name.clone()),
            text,
            matter,
            since,
            mend: Mend::Site(name),
        });
    };
    let error = site.last_error.as_deref().unwrap_or("see the site");
    // What others wrote, and nothing of what clients are shown: that is said above.
    let written = site.last_error.clone().filter(|_| site.shown.is_none());
    let quoted = written.clone().map_or(Matter::Plain, Matter::Quoted);
    match site.served {
        Served::Expired => say(AlertCode::Expired, site.reason.text(), Matter::of(&site.reason.detail), site.not_after),
        Served::NotYetValid => say(AlertCode::NotYetValid, site.reason.text(), Matter::Plain, None),
        Served::Revoked => say(AlertCode::Revoked, site.reason.text(), Matter::Plain, None),
        _ => {}
    }
    for (wrong, code) in [(known.mismatches, AlertCode::ServedOtherwise), (known.not_shown, AlertCode::NotShown)] {
        if let Some(wrong) = wrong.get(&site.label) {
            let matter = wrong.shown.clone().map_or(Matter::Plain, Matter::Shown);
            say(code, wrong.message.clone(), matter, Some(wrong.since));
        }
    }
    if site.is_late {
        let text = format!("the certificate should have been renewed more than a day ago: {error}");
        say(AlertCode::RenewalLate, text, quoted, site.late_since());
    } else if site.failures >= MANY {
        let text = format!("{} orders in a row came to nothing: {error}", site.failures);
        say(AlertCode::OrdersFail, text, Matter::Failures(site.failures, written.clone()), None);
    }
    if !site.uncovered.is_empty() && site.state == State::Configure {
        let text = format!("no certificate serves {}; bring one, or have it ordered", site.uncovered.join(", "));
        say(AlertCode::NoCertificate, text, Matter::Hosts(site.uncovered.clone()), None);
    }
    let days = site.days_left.unwrap_or_default();
    match site.band {
        Band::Now if site.source == Provision::Uploaded => {
            let text = format!("the certificate ends in {days} days; bring the next one");
            say(AlertCode::ExpiresNow, text, Matter::Days(days), None);
        }
        Band::Now if site.source == Provision::Managed && !site.is_late => {
            let text = format!("the certificate ends in {days} days and was not renewed: {error}");
            say(AlertCode::ExpiresNow, text, Matter::NotRenewed(days, written), None);
        }
        Band::Soon if site.source == Provision::Uploaded => {
            let text = format!("the certificate ends in {days} days; see to the next one");
            say(AlertCode::ExpiresSoon, text, Matter::Days(days), None);
        }
        _ => {}
    }
    alerts
}

/// What is called by no file of its own.
const CONFIGURATION: &str = "configuration";
/// Fewer come right by themselves.
const MANY: u32 = 3;
