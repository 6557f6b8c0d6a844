//! What was told already, over starts: `notices/said.json`. What is said next is decided here, from two looks and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::condition::{Condition, Serving, at_site};
use super::event::{Event, EventKind};

/// What was told, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Memory {
    /// Whether anything was looked at yet: before the first look nothing can have come in.
    pub(super) begun: bool,
    /// How often something was told; each time has a number of its own, for ever.
    pub(super) batch: u64,
    /// The conditions that were told, by id.
    said: BTreeMap<String, Said>,
    /// The certificate that served each site when it was last told of, by name.
    certificates: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    kind: EventKind,
    subject: String,
    site: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organisation: Option<String>,
    step: Option<i64>,
    bound: Option<String>,
    path: String,
}

/// What is between two tellings; nothing of it outlasts the process.
pub(super) struct Gathering {
    /// Since when each thing waits to be told.
    fresh: BTreeMap<String, Instant>,
    /// Since when each thing that was told is gone.
    gone: BTreeMap<String, Instant>,
    begun: Instant,
}

impl Gathering {
    pub(super) fn since(begun: Instant) -> Self {
        Self { fresh: BTreeMap::new(), gone: BTreeMap::new(), begun }
    }
}

impl Memory {
    /// What is to be told now, each thing with its id, and what is known from then on. What nobody `wants` is not told, and a condition of that kind is told
    /// to whoever comes to want it while it lasts.
    pub(super) fn consider(
        &self,
        conditions: &BTreeMap<String, Condition>,
        serving: &BTreeMap<String, Serving>,
        gathering: &mut Gathering,
        now: Instant,
        wanted: &dyn Fn(&Event) -> bool,
    ) -> (Self, Vec<(String, Event)>) {
        let mut next = Self { begun: true, ..self.clone() };
        let mut events: Vec<(String, Event)> = Vec::new();
        self.what_began(conditions, &mut events);
        self.what_came(serving, &mut next, &mut events);
        self.what_ended((conditions, serving), gathering, now, &mut next, &mut events);
        events.retain(|(id, event)| {
            let is_wanted = wanted(event);
            if !is_wanted {
                next.take(id, conditions, serving, event, false);
            }
            is_wanted
        });
        let waiting: BTreeSet<&String> = events.iter().map(|(id, _)| id).collect();
        gathering.fresh.retain(|id, _| waiting.contains(id));
        for (id, _) in &events {
            gathering.fresh.entry(id.clone()).or_insert(now);
        }
        let is_due = events.iter().any(|(id, event)| {
            let patience = if event.kind.is_urgent() { GATHERED } else { GATHERED_AT_LEISURE };
            gathering.fresh.get(id).is_some_and(|since| now.duration_since(*since) >= patience)
        });
        if !is_due {
            return (next, Vec::new());
        }
        gathering.fresh.clear();
        for (id, event) in &events {
            next.take(id, conditions, serving, event, true);
        }
        next.batch += 1;
        (next, events)
    }

    fn what_began(&self, conditions: &BTreeMap<String, Condition>, events: &mut Vec<(String, Event)>) {
        for (id, condition) in conditions {
            let is_new = match self.said.get(id) {
                None => true,
                // Nearer than it was told; further is a clock that was set back.
                Some(said) => condition.step < said.step,
            };
            if is_new {
                events.push((id.clone(), Event::began(condition)));
            }
        }
    }

    /// Other certificates than were told of. At the first look all are known.
    fn what_came(&self, serving: &BTreeMap<String, Serving>, next: &mut Self, events: &mut Vec<(String, Event)>) {
        next.certificates.retain(|site, _| serving.contains_key(site));
        for (site, serving) in serving {
            let Some(fingerprint) = &serving.fingerprint else { continue };
            if !self.begun || !serving.is_news {
                next.certificates.insert(site.clone(), fingerprint.clone());
            } else if self.certificates.get(site) != Some(fingerprint) {
                let kind = if serving.is_ordered { EventKind::Issued } else { EventKind::Uploaded };
                let event = Event {
                    kind,
                    subject: serving.label.clone(),
                    site: Some(site.clone()),
                    organisation: None,
                    is_over: false,
                    step: None,
                    not_after: serving.not_after,
                    was_due: None,
                    detail: None,
                    path: at_site(site),
                };
                events.push((format!("came/{site}/{fingerprint}"), event));
            }
        }
    }

    /// What was told and is no more, for long enough to be believed.
    fn what_ended(
        &self,
        (conditions, serving): (&BTreeMap<String, Condition>, &BTreeMap<String, Serving>),
        gathering: &mut Gathering,
        now: Instant,
        next: &mut Self,
        events: &mut Vec<(String, Event)>,
    ) {
        for (id, said) in &self.said {
            if conditions.contains_key(id) {
                gathering.gone.remove(id);
                continue;
            }
            if let Some(bound) = &said.bound {
                let serves = said.site.as_ref().and_then(|site| serving.get(site)?.fingerprint.as_ref());
                if serves != Some(bound) {
                    next.said.remove(id);
                }
                continue;
            }
            let since = *gathering.gone.entry(id.clone()).or_insert(now);
            // What is really served is looked at by and by: a process that has just begun knows less than the one before.
            let is_seen = !said.kind.takes_a_round() || now.duration_since(gathering.begun) >= A_ROUND;
            if now.duration_since(since) < BELIEVED || !is_seen {
                continue;
            }
            if said.kind.is_told_when_over() {
                let event = Event {
                    kind: said.kind,
                    subject: said.subject.clone(),
                    site: said.site.clone(),
                    organisation: said.organisation.clone(),
                    is_over: true,
                    step: None,
                    not_after: None,
                    was_due: None,
                    detail: None,
                    path: said.path.clone(),
                };
                events.push((id.clone(), event));
            } else {
                next.said.remove(id);
                gathering.gone.remove(id);
            }
        }
        gathering.gone.retain(|id, _| next.said.contains_key(id));
    }

    /// Takes over that something was told; or that nobody wanted to hear it, which changes nothing for a condition that lasts.
    fn take(
        &mut self,
        id: &str,
        conditions: &BTreeMap<String, Condition>,
        serving: &BTreeMap<String, Serving>,
        event: &Event,
        was_told: bool,
    ) {
        if event.is_over {
            self.said.remove(id);
        } else if matches!(event.kind, EventKind::Issued | EventKind::Uploaded) {
            let site = event.site.as_ref();
            if let Some((site, fingerprint)) =
                site.and_then(|site| Some((site, serving.get(site)?.fingerprint.as_ref()?)))
            {
                self.certificates.insert(site.clone(), fingerprint.clone());
            }
        } else if let Some(condition) = conditions.get(id).filter(|_| was_told) {
            let Condition { kind, subject, site, organisation, step, bound, path, .. } = condition.clone();
            self.said.insert(id.to_owned(), Said { kind, subject, site, organisation, step, bound, path });
        }
    }
}

/// What becomes due together is told together.
const GATHERED: Duration = Duration::from_secs(10);
/// What is good to know can wait for more of its kind.
const GATHERED_AT_LEISURE: Duration = Duration::from_secs(600);
/// What comes and goes within this time was never gone.
const BELIEVED: Duration = Duration::from_secs(300);
/// By then every site was looked at from outside.
const A_ROUND: Duration = Duration::from_secs(1800);
