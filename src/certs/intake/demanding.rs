//! What the operator has sites ask of their certificates' authorities, and what would follow.

use std::sync::Arc;

use super::{Desk, IntakeHandle, Order};
use crate::certs::choices::NotChosen;
use crate::certs::judgement::{Minimums, SiteDemands};
use crate::certs::ledger::Ledger;
use crate::certs::minimum::{Effect, Minimum, SiteMinimum};
use crate::certs::shelf::Moment;
use crate::certs::terms::Terms;
use crate::live::{CertIndex, ServedCert, ValidationLevel};
use crate::name::HostPattern;

/// What a site is to ask for from now on, or might.
#[derive(Clone, Debug)]
pub struct Demanding {
    /// `None`: what the configuration says; `Some(None)`: nothing.
    pub level: Option<Option<ValidationLevel>>,
    /// Who says so.
    pub by: String,
    /// Whether it is only asked what would follow.
    pub only_look: bool,
}

impl IntakeHandle {
    /// Decides what the authority of a site's certificates must have checked, or says what would follow if it were decided so.
    ///
    /// # Errors
    /// [`NotChosen`], and nothing has changed.
    pub async fn demand(&self, site: String, demanding: Demanding) -> Result<SiteMinimum, NotChosen> {
        self.order(|reply| Order::Demand(site, demanding, reply)).await.unwrap_or(Err(NotChosen::NoSite))
    }
}

impl Desk {
    /// Writes down what is asked for, and has served what follows.
    pub(super) fn demand(
        &mut self,
        site: &str,
        Demanding { level, by, only_look }: Demanding,
        now: Moment,
    ) -> Result<SiteMinimum, NotChosen> {
        let terms = self.terms.borrow().clone();
        let known = terms.sites.iter().find(|known| known.name == site).ok_or(NotChosen::NoSite)?;
        let decided = level.map(|level| Minimum { level, by, at: now.unix });
        let asked = decided.as_ref().map_or(known.minimum_validation, |minimum| minimum.level);
        let before = self.index.current();
        let behind = match only_look {
            true => Arc::new(self.shelf.demanding(&self.minimums(&terms, Some((site, asked))), now)),
            false => {
                self.choices.demand(site, decided.clone()).map_err(NotChosen::Store)?;
                self.shelf.demand(self.minimums(&terms, None));
                self.publish(now);
                // Whoever asks right after the answer is told so.
                let mut ledger = Ledger::clone(&self.ledger.current());
                ledger.minimums = self.choices.minimums();
                self.ledger.publish(ledger);
                self.index.current()
            }
        };
        let effect = |host: &HostPattern| Effect {
            host: host.clone(),
            before: serving(&before, host),
            behind: serving(&behind, host),
        };
        let mut below = self.shelf.candidates(&known.hosts);
        below.retain(|served| asked.is_some_and(|asked| served.facts.traits.level < Some(asked)));
        let hosts = known.hosts.iter().map(effect).collect();
        Ok(SiteMinimum { configured: known.minimum_validation, decided, hosts, below })
    }

    /// Asks for what these terms and what was decided come to, unless that is asked for already.
    pub(super) fn demand_of(&mut self, terms: &Arc<Terms>) {
        if !Arc::ptr_eq(terms, &self.demanded) {
            self.demanded = Arc::clone(terms);
            self.shelf.demand(self.minimums(terms, None));
        }
    }

    /// What is asked for of all names; of one site it may be this instead.
    fn minimums(&self, terms: &Terms, instead: Option<(&str, Option<ValidationLevel>)>) -> Minimums {
        let decided = self.choices.minimums();
        Minimums::of(terms.sites.iter().map(|site| {
            let now = decided.get(&site.name).map_or(site.minimum_validation, |minimum| minimum.level);
            let instead = instead.filter(|(name, _)| *name == site.name).map(|(_, level)| level);
            SiteDemands::of_names(&site.name, &site.hosts, instead.unwrap_or(now))
        }))
    }
}

fn serving(index: &CertIndex, host: &HostPattern) -> Vec<Arc<ServedCert>> {
    index.find_pattern(host).into_iter().flat_map(|choice| choice.iter()).cloned().collect()
}
