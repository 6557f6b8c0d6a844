//! `on_demand`, `ask` and `like` of `[[site]]`, and what `[acme]` says of questions.

use std::net::IpAddr;

use toml::de::DeValue;

use super::reader::{Pad, Placed, Section};
use super::value::{self, expected};
use super::{OnDemandConfig, place};
use crate::live::{OnDemand, Provision, SiteSpec};

/// What `[acme]` says of questions.
pub(super) fn limits(section: &Section<'_>) -> OnDemandConfig {
    let count = |key, default| section.value_or(key, value::count, default);
    OnDemandConfig {
        questions_per_hour: count("on_demand_per_hour", QUESTIONS),
        questions_per_client: count("on_demand_per_client", QUESTIONS_PER_CLIENT),
    }
}

/// What a site says of names that nobody serves, and of another site that it is like where it says nothing itself.
pub(super) struct Kinship {
    on_demand: bool,
    ask: Option<Placed<String>>,
    like: Option<Placed<String>>,
}

impl Kinship {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let on_demand = section.value("on_demand", value::switch);
        let ask = section.value("ask", address);
        let given = |key: &str| section.entries().any(|entry| entry.value == key);
        let is_on = on_demand.as_ref().is_some_and(|on| on.value);
        if is_on && !given("ask") {
            let text = "is needed beside on_demand: the address of your own endpoint that knows which names are yours, such as \
                        \"https://shops.example/may-be-served\"; without it anybody could have certificates ordered";
            section.pad.missing(section.line, "site.ask", text);
        }
        if let Some(ask) = ask.as_ref().filter(|_| !is_on) {
            section.pad.warning(ask.line, "site.ask", "is only asked with on_demand = true");
        }
        Self { on_demand: is_on, ask, like: section.value("like", place::site_name) }
    }

    /// Whether what the site does not say is said by another.
    pub(super) const fn is_like_another(&self) -> bool {
        self.like.is_some()
    }

    /// Whether names may become sites like this one.
    pub(super) const fn is_on_demand(&self) -> bool {
        self.on_demand
    }

    /// Remarks on what does not go together.
    pub(super) fn check(&self, pad: &Pad<'_>, provision: &Placed<Provision>) {
        if self.on_demand && provision.value != Provision::Managed {
            let text = "on_demand orders certificates, which needs certificate = \"managed\"";
            pad.mistake(provision.line, "site.on_demand", text);
        }
        if let Some(like) = self.like.as_ref().filter(|_| self.on_demand) {
            pad.mistake(like.line, "site.like", "a site that is like another cannot be on_demand itself; take one out");
        }
    }

    /// The site that it is like.
    pub(super) fn model<'s>(&self, pad: &Pad<'_>, sites: &'s [SiteSpec]) -> Option<&'s SiteSpec> {
        let like = self.like.as_ref()?;
        let model = sites.iter().find(|site| site.name == like.value);
        if model.is_none() {
            let text = format!(
                "expected the name of a site that stands in the main file, before this one if that is there too; found {:?}",
                like.value
            );
            pad.mistake(like.line, "site.like", text);
        }
        model
    }

    /// What the site has to do with names that nobody serves.
    pub(super) fn finish(self, model: Option<&OnDemand>) -> OnDemand {
        match (self.ask.filter(|_| self.on_demand), model) {
            (Some(ask), _) => OnDemand::Asks(ask.value),
            (None, Some(OnDemand::Asks(ask) | OnDemand::Allowed(ask))) => OnDemand::Allowed(ask.clone()),
            (None, _) => OnDemand::No,
        }
    }
}

/// Nobody may listen to what is asked or answer in another's place: `https`, or a machine that is this one.
fn address(value: &DeValue<'_>) -> Result<String, String> {
    let what = "an address that begins with \"https://\", or with \"http://\" and a loopback address";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    // Looked for first: no mend below may repeat it.
    if text.contains('@') {
        return Err(format!("{}; leave out what stands before the '@'", expected(what, value)));
    }
    let is_plain = |octet: u8| octet.is_ascii_graphic() && octet != b'#';
    let host = |rest: &str| {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let host = match authority.rfind(']') {
            Some(end) => &authority[..=end],
            None => authority.split(':').next().unwrap_or_default(),
        };
        host.trim_matches(['[', ']']).to_owned()
    };
    let is_here =
        |host: String| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_fit = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => !host(rest).is_empty(),
        (None, Some(rest)) => is_here(host(rest)),
        (None, None) => false,
    };
    if is_fit && text.bytes().all(is_plain) { Ok(text.into()) } else { Err(expected(what, value)) }
}

/// In an hour.
const QUESTIONS: u64 = 120;
const QUESTIONS_PER_CLIENT: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_cannot_be_overheard_is_asked() {
        let read = |text: &str| address(&DeValue::String(text.to_owned().into()));
        for good in [
            "https://shops.example/may",
            "https://shops.example",
            "http://127.0.0.1:8080/may?key=1",
            "http://[::1]:8080",
            "http://localhost/may",
        ] {
            assert_eq!(read(good).as_deref(), Ok(good));
        }
        for bad in [
            "http://shops.example/may",
            "http://127.0.0.1.example/",
            "https://",
            "https:///may",
            "https://user:secret@shops.example/",
            "shops.example/may",
            "https://shops.example/a b",
            "https://shops.example/#x",
        ] {
            let said = read(bad).expect_err(bad);
            assert!(said.starts_with("expected an address") && (!bad.contains('@') || said.ends_with("'@'")), "{said}");
        }
    }
}
