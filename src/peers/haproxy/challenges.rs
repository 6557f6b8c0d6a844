//! Who answers what an authority asks below `/.well-known/acme-challenge/`: a backend with an ACME client in it, or HAProxy itself.

use std::collections::BTreeMap;

use super::Reading;
use super::backend::Backend;
use super::choice::{Acls, Choice};
use super::directory::Directory;
use super::frontend::Rule;
use super::lines::{Line, Section};
use crate::name::HostPattern;
use crate::peers::challenges::PREFIX;
use crate::peers::plan::{Place, Provision};

/// The lines that say so.
#[derive(Clone, Default)]
pub(super) struct Challenges {
    rules: Vec<Rule>,
    /// Whose names they are said of.
    asked: BTreeMap<(Place, Answerer, bool), Vec<HostPattern>>,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answerer {
    Backend(String),
    /// HAProxy itself, by `http-request return`.
    Itself,
}

impl Challenges {
    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Takes what a section says that speaks no TLS: an authority asks over plain HTTP first.
    pub(super) fn see_plain(&mut self, section: &Section) {
        let is_tls = |line: &Line| line.word(0) == "bind" && line.words.iter().any(|word| word == "ssl");
        if !section.lines.iter().any(is_tls) {
            let mut acls = Acls::default();
            section.lines.iter().filter(|line| line.word(0) == "acl").for_each(|line| acls.add(line));
            section.lines.iter().for_each(|line| self.see(line, &acls));
        }
    }

    /// Takes a line that may be one of these.
    pub(super) fn see(&mut self, line: &Line, acls: &Acls) {
        let at = line.words.iter().position(|word| word == "if");
        let Some(choices) = at.and_then(|at| acls.choices(&line.words[at + 1..])) else { return };
        let backend = match (line.word(0), line.word(1)) {
            ("use_backend", backend) if at == Some(2) => backend.to_owned(),
            ("http-request", "return") => String::new(),
            _ => return,
        };
        // Over plain HTTP is where it is asked.
        let choices = choices.into_iter().map(|choice| Choice { is_plain: false, ..choice });
        let choices: Vec<Choice> = choices.filter(is_challenge).collect();
        if !choices.is_empty() {
            self.rules.push(Rule { choices, backend, place: line.place.clone() });
        }
    }
}

impl Reading<'_> {
    /// The backend that is asked on behalf of a host's authority, if it is one that somebody goes on renewing a certificate for.
    pub(super) fn challenged(
        &self,
        challenges: &mut Challenges,
        directory: &Directory<'_>,
        (host, provision): (&HostPattern, Provision),
    ) -> Option<Backend> {
        // Of a wildcard nobody is asked in this way.
        if matches!(host, HostPattern::Wildcard(_)) {
            return None;
        }
        let (rule, _) = directory.of_host(host).into_iter().next()?;
        let answerer = match &*rule.backend {
            "" => Answerer::Itself,
            backend => Answerer::Backend(backend.to_owned()),
        };
        let is_managed = provision == Provision::Managed;
        challenges.asked.entry((rule.place.clone(), answerer, is_managed)).or_default().push(host.clone());
        let found = self.backends.get(&rule.backend).filter(|backend| !backend.servers.is_empty() && !is_managed);
        found.cloned()
    }

    /// Tells what has become of it.
    pub(super) fn tell_challenges(&mut self, challenges: Challenges) {
        for ((place, answerer, is_managed), hosts) in challenges.asked {
            match answerer {
                Answerer::Backend(backend) if is_managed => self.plan.replaced(&place, &backend, &hosts),
                Answerer::Backend(backend)
                    if self.backends.get(&backend).is_some_and(|one| !one.servers.is_empty()) =>
                {
                    self.plan.kept(&place, &backend, &hosts);
                }
                Answerer::Itself if is_managed => {}
                Answerer::Backend(_) | Answerer::Itself => self.plan.unanswered(&place, &hosts),
            }
        }
    }
}

/// Whether a choice is for this alone.
pub(super) fn is_challenge(choice: &Choice) -> bool {
    choice.paths.as_ref().is_some_and(|paths| !paths.is_empty() && paths.iter().all(|path| path.starts_with(PREFIX)))
}
