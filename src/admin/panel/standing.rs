//! A site as the API tells of it, and how pages show that.

use super::moment::{day, minute};
use super::page::path;
use crate::admin::answers::{PastOrder, Serving, Site, SiteHost};
use crate::overview::{Action, Band, ReasonCode, Said, Served, State};
use crate::words::Language;
use crate::words::panel::{PanelWords, StandingWords};

impl Site {
    /// Where it is looked at.
    pub(super) fn link(&self) -> String {
        format!("/sites/{}", path(&[&self.name]))
    }

    /// Where one goes on.
    pub(super) fn next(&self) -> String {
        let add = || format!("/certificates/add?site={}", path(&[&self.name]));
        match (&self.request, self.certificate.effective.as_str(), self.action.as_str()) {
            (Some(request), ..) => format!("/requests/{}", path(&[request])),
            (None, "uploaded", "configure") => add(),
            (None, "uploaded", "renew") => format!("/requests/new?site={}", path(&[&self.name])),
            _ => self.link(),
        }
    }

    pub(super) fn action_text(&self, words: &StandingWords) -> &'static str {
        let action = [Action::Configure, Action::Continue, Action::Renew];
        match action.into_iter().find(|action| action.word() == self.action) {
            Some(Action::Configure) => words.configure,
            Some(Action::Continue) => words.go_on,
            Some(Action::Renew) | None => words.renew,
        }
    }

    pub(super) fn state_text(&self, words: &StandingWords) -> &'static str {
        State::ALL.into_iter().find(|state| state.word() == self.state).map_or("", |state| state_text(state, words))
    }

    pub(super) fn state_class(&self) -> &'static str {
        let served = Served::ALL.into_iter().find(|served| served.word() == self.served);
        match (self.state.as_str(), served) {
            (_, Some(Served::Otherwise | Served::Expired | Served::NotYetValid | Served::Revoked)) => "bad",
            ("configure", _) => "soon",
            ("completed" | "renewing", _) => "good",
            _ => "plain",
        }
    }

    pub(super) fn served_text(&self, words: &StandingWords) -> &'static str {
        match Served::ALL.into_iter().find(|served| served.word() == self.served) {
            Some(Served::Nothing) | None => words.nothing,
            Some(Served::Partly) => words.partly,
            Some(Served::Otherwise) => words.otherwise,
            Some(Served::Expired) => words.expired,
            Some(Served::NotYetValid) => words.not_yet_valid,
            Some(Served::Revoked) => words.revoked,
            Some(Served::StandIn) => words.stand_in,
            Some(Served::Valid) => words.valid,
        }
    }

    /// Why it is in its state, and what others wrote of it, if that is not the last error.
    pub(super) fn reason(&self, words: &StandingWords, language: &Language) -> Said {
        let code = ReasonCode::ALL.iter().find(|code| code.as_str() == self.reason.code);
        let text = code.map_or("", |code| reason_text(*code, words));
        let detail = self.reason.detail.as_str();
        let is_told = self.last_error.as_deref().is_some_and(|error| error.contains(detail));
        let wait = self.managed.as_ref().and_then(|managed| managed.gravest.wait.as_ref());
        match (code, wait) {
            (Some(ReasonCode::WaitsForOrder), Some(wait)) => {
                let (wait, quote) = wait.said(*language);
                Said { text: format!("{text}: {wait}"), quote: quote.map(str::to_owned) }
            }
            _ if is_written_by_others(&self.reason.code) => {
                Said { text: text.to_owned(), quote: (!is_told).then(|| detail.to_owned()) }
            }
            _ if detail.is_empty() => Said::own(text),
            _ => Said::own(format!("{text}: {detail}")),
        }
    }

    /// The last error: what it is about in a reader's language that the interface does not speak, and as it was written.
    pub(super) fn error(&self, language: &Language) -> Option<Said> {
        let quote = self.last_error.clone()?;
        let failure = self.managed.as_ref().and_then(|managed| managed.gravest.last_failure.as_ref());
        let failure =
            failure.filter(|failure| quote.starts_with(&format!("{} ({}): ", failure.issuer, failure.reason)));
        let Some(words) = language.said() else { return Some(Said { text: String::new(), quote: Some(quote) }) };
        Some(match (&self.wrong, failure) {
            (Some(shown), _) => {
                let of_all = match shown.instead.is_of_a_certificate() {
                    true => words.alerts.served_otherwise,
                    false => words.alerts.not_shown,
                };
                let (text, quote) = shown.said(of_all, *language);
                Said { text, quote }
            }
            (None, failure) => {
                let told = failure.and_then(|failure| (words.order_failed)(&failure.reason));
                let text = told.map(|(what, mend)| format!("{what}. {mend}")).unwrap_or_default();
                Said { text, quote: Some(quote) }
            }
        })
    }

    pub(super) fn band_class(&self) -> &'static str {
        band_class(&self.band)
    }

    pub(super) fn ends(&self) -> String {
        self.not_after.as_deref().map(day).unwrap_or_default()
    }

    pub(super) fn renewal(&self) -> String {
        self.renewal.as_deref().map(day).unwrap_or_default()
    }

    pub(super) fn source_text(&self, words: &StandingWords) -> &'static str {
        source_text(&self.certificate.effective, words)
    }
}

impl SiteHost {
    /// What clients are shown, where somebody has looked.
    pub(super) fn seen(&self, all: &'static PanelWords, language: &Language) -> Option<Said> {
        let told = self.served.as_deref()?;
        Some(match &self.wrong {
            None => Said::own(serving_text(told, all)),
            Some(wrong) => {
                let (text, quote) = wrong.said(*language);
                Said { text, quote: quote.map(str::to_owned) }
            }
        })
    }
}

impl Serving {
    pub(super) fn link(&self) -> String {
        format!("/certificates/{}", self.fingerprint)
    }

    /// As much of the fingerprint as tells it from others.
    pub(super) fn short(&self) -> &str {
        self.fingerprint.get(..12).unwrap_or(&self.fingerprint)
    }

    pub(super) fn ends(&self) -> String {
        day(&self.not_after)
    }
}

impl PastOrder {
    pub(super) fn at(&self) -> String {
        minute(&self.at)
    }

    /// What was issued, or what the authority wrote.
    pub(super) fn told(&self, language: &Language) -> Option<Said> {
        if self.detail.is_empty() {
            return None;
        }
        if self.reason.is_some() {
            return Some(Said { text: String::new(), quote: Some(self.detail.clone()) });
        }
        let issued = language.said().and_then(|words| (words.issued)(&self.detail));
        Some(Said::own(issued.unwrap_or_else(|| self.detail.clone())))
    }
}

/// The colour of a band.
pub(super) fn band_class(band: &str) -> &'static str {
    match Band::ALL.into_iter().find(|known| known.word() == band) {
        Some(Band::Expired | Band::Now) => "bad",
        Some(Band::Soon) => "soon",
        Some(Band::Good) => "good",
        Some(Band::None) | None => "plain",
    }
}

pub(super) fn band_text(band: Band, words: &StandingWords) -> &'static str {
    match band {
        Band::None => words.band_none,
        Band::Expired => words.expired,
        Band::Now => words.band_now,
        Band::Soon => words.band_soon,
        Band::Good => words.band_good,
    }
}

pub(super) fn state_text(state: State, words: &StandingWords) -> &'static str {
    match state {
        State::Configure => words.to_configure,
        State::InProgress => words.in_progress,
        State::Completed => words.completed,
        State::Renewing => words.renewing,
    }
}

/// Where certificates come from.
pub(super) fn source_text(source: &str, words: &StandingWords) -> &'static str {
    match source {
        "managed" => words.managed,
        "self-signed" => words.self_signed,
        _ => words.uploaded,
    }
}

/// Whether the detail of a reason is what an authority or the system wrote, and not hosts or a request.
fn is_written_by_others(code: &str) -> bool {
    let written = [ReasonCode::OrderFailed, ReasonCode::Expired, ReasonCode::RenewalLate, ReasonCode::RenewalFailed];
    written.iter().any(|written| written.as_str() == code)
}

fn reason_text(code: ReasonCode, words: &StandingWords) -> &'static str {
    match code {
        ReasonCode::NoCertificate => words.no_certificate,
        ReasonCode::Uncovered => words.uncovered,
        ReasonCode::Requested => words.requested,
        ReasonCode::WaitsForOrder => words.waits_for_order,
        ReasonCode::Ordering => words.ordering,
        ReasonCode::OrderFailed => words.order_failed,
        ReasonCode::Making => words.making,
        ReasonCode::RenewalRequested => words.renewal_requested,
        ReasonCode::RenewalOrdering => words.renewal_ordering,
        ReasonCode::ServedOtherwise => words.served_otherwise,
        ReasonCode::Expired => words.has_expired,
        ReasonCode::NotYetValid => words.is_not_yet_valid,
        ReasonCode::Revoked => words.is_revoked,
        ReasonCode::RenewalLate => words.renewal_late,
        ReasonCode::RenewalFailed => words.renewal_failed,
        ReasonCode::Serves => words.serves,
    }
}

/// Why a certificate serves, or how a host does, in the reader's language; what an error says stays as it is.
pub(super) fn serving_text<'t>(told: &'t str, all: &'static PanelWords) -> &'t str {
    let words = &all.serving;
    match told {
        "only candidate" => words.only_candidate,
        "exact name before wildcard" => words.exact,
        "valid now before not valid now" => words.valid_now,
        "trusted chain before untrusted" => words.trusted,
        "complete chain before none" => words.complete,
        "in force before revoked" => words.in_force,
        "validation that the site asks for before less" => words.validation,
        "in place before withdrawn" => words.in_place,
        "issued later" => words.issued_later,
        "valid longer" => words.valid_longer,
        "fingerprint" => words.by_fingerprint,
        "pinned by the operator" => words.pinned,
        "self-signed by choice" => words.by_choice,
        "served" => words.is_served,
        "as published" => words.as_published,
        "no certificate" => all.standing.nothing,
        "expired" => all.standing.expired,
        "not yet valid" => all.standing.not_yet_valid,
        other => other,
    }
}
