//! A URL as it is kept, and what it is like.

use serde::{Deserialize, Serialize};

use super::url::ForeignUrl;
use crate::probe::{FaultCode, Sight};

/// A URL that others serve, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    /// Its host and port, as [`ForeignUrl`] writes it.
    pub name: String,
    /// The organisation whose it is, by its id; `None`: the edge's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// Who wants to hear of it, and why.
    pub added: Said,
    /// Who wants to hear of it no more, and why.
    pub unwatched: Option<Said>,
    /// What was seen the last time; `None`: it was not looked at yet.
    pub seen: Option<Seen>,
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When, seconds since the Unix epoch.
    pub at: i64,
}

/// What was seen of a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When, seconds since the Unix epoch.
    pub at: i64,
    /// When the certificate ends that it showed last, seconds since the Unix epoch; of several addresses, the first to end.
    pub not_after: Option<i64>,
    /// The SHA-256 of that certificate.
    pub fingerprint: Option<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// The names it is for.
    pub names: Vec<String>,
    /// The gravest thing that is wrong, by its word.
    pub fault: Option<String>,
    /// What was expected, what was found, and the mend.
    pub detail: Option<String>,
    /// Since when that has been wrong, seconds since the Unix epoch.
    pub since: Option<i64>,
    /// How often in a row nobody showed a certificate.
    pub misses: u32,
}

/// What a URL is like, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForeignState {
    /// Its certificate has ended.
    Expired,
    /// Clients refuse its certificate, for another reason.
    Wrong,
    /// Nobody has shown a certificate there, several times in a row.
    Unreachable,
    /// Its certificate ends within the days in which somebody should see to the next.
    Expiring,
    /// All is well.
    Well,
    /// Nobody has seen it yet.
    Unknown,
    /// Nobody wants to hear of it.
    Unwatched,
}

impl ForeignState {
    /// Every state there is.
    pub const ALL: [Self; 7] =
        [Self::Expired, Self::Wrong, Self::Unreachable, Self::Expiring, Self::Well, Self::Unknown, Self::Unwatched];

    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Wrong => "wrong",
            Self::Unreachable => "unreachable",
            Self::Expiring => "expiring",
            Self::Well => "well",
            Self::Unknown => "unknown",
            Self::Unwatched => "unwatched",
        }
    }
}

impl Foreign {
    /// Where it is; `None`: a file that somebody else wrote.
    #[must_use]
    pub fn url(&self) -> Option<ForeignUrl> {
        ForeignUrl::parse(&self.name).ok()
    }

    /// As people type it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("https://{}", self.name)
    }

    /// What it is like at `now`, seconds since the Unix epoch.
    #[must_use]
    pub fn state(&self, now: i64) -> ForeignState {
        let Some(seen) = &self.seen else {
            return if self.unwatched.is_some() { ForeignState::Unwatched } else { ForeignState::Unknown };
        };
        match (seen.not_after.map(|end| end - now), seen.code()) {
            _ if self.unwatched.is_some() => ForeignState::Unwatched,
            (_, Some(code)) if is_out_of_sight(code) && seen.misses >= MANY_MISSES => ForeignState::Unreachable,
            (Some(left), _) if left < 0 => ForeignState::Expired,
            (_, Some(code)) if !is_out_of_sight(code) => ForeignState::Wrong,
            (Some(left), _) if left <= SOON => ForeignState::Expiring,
            (Some(_), _) => ForeignState::Well,
            (None, _) => ForeignState::Unknown,
        }
    }

    /// Whether it is time to look at it again at `now`, seconds since the Unix epoch.
    pub(super) fn is_due(&self, now: i64) -> bool {
        let Some(seen) = &self.seen else { return self.unwatched.is_none() };
        let rest = if (1..MANY_MISSES).contains(&seen.misses) { AGAIN } else { DAY };
        // A clock that was ahead is put right.
        self.unwatched.is_none() && (now - seen.at >= rest || seen.at > now)
    }
}

impl Seen {
    /// What is wrong.
    #[must_use]
    pub fn code(&self) -> Option<FaultCode> {
        FaultCode::ALL.into_iter().find(|code| self.fault.as_deref() == Some(code.word()))
    }

    /// What `sights` come to, of a URL of which this was seen before; of `None` nothing was.
    pub(super) fn of(sights: &[Sight], before: Option<&Self>, now: i64) -> Self {
        let shown = sights.iter().filter_map(|sight| sight.appearance.as_ref());
        let first = shown.min_by_key(|shown| shown.not_after);
        let gravest = sights.iter().flat_map(|sight| &sight.faults).min_by_key(|fault| fault.code);
        let known = before.cloned().unwrap_or_default();
        let fault = gravest.map(|fault| fault.code.word().to_owned());
        let since = match (&fault, known.since) {
            (None, _) => None,
            (Some(_), Some(since)) if known.fault == fault => Some(since),
            (Some(_), _) => Some(now),
        };
        let is_missed = gravest.is_some_and(|fault| is_out_of_sight(fault.code));
        let misses = if is_missed { known.misses.saturating_add(1) } else { 0 };
        let detail = gravest.map(|fault| fault.detail.clone());
        match first {
            Some(shown) => Self {
                at: now,
                not_after: Some(shown.not_after),
                fingerprint: Some(shown.fingerprint.clone()),
                issuer: Some(shown.issuer.clone()),
                names: shown.names.iter().flatten().take(MOST_NAMES).map(ToString::to_string).collect(),
                fault,
                detail,
                since,
                misses,
            },
            // What it showed last is what is known of it.
            None => Self { at: now, fault, detail, since, misses, ..known },
        }
    }
}

/// Whether nobody showed a certificate at all.
const fn is_out_of_sight(code: FaultCode) -> bool {
    matches!(
        code,
        FaultCode::Unresolved | FaultCode::Unreachable | FaultCode::NoCertificate | FaultCode::Late | FaultCode::Inside
    )
}

/// Seconds.
const DAY: i64 = 86_400;
/// Who was not reached is looked at again sooner, until it is clear.
const AGAIN: i64 = 3_600;
/// One look in vain is the network's; three are not.
const MANY_MISSES: u32 = 3;
/// As long as an order at an authority takes that asks for papers.
const SOON: i64 = 45 * DAY;
/// Enough to know a certificate by.
const MOST_NAMES: usize = 100;
