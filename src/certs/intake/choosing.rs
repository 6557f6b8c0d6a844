//! What the operator chooses for sites: the best of what came, certain certificates, or those of the edge's own authority.

use std::time::Duration;

use tokio::time::Instant;

use super::{Desk, IntakeHandle, Order};
use crate::certs::choices::{Choice, NotChosen, SiteChoice};
use crate::certs::ledger::Ledger;
use crate::certs::ranking::{By, Rule, is_for};
use crate::certs::shelf::Moment;
use crate::certs::terms::{SiteTerms, Terms};
use crate::live::Provision;
use crate::name::HostPattern;

/// What is to hold for a site from now on.
#[derive(Clone, Debug)]
pub struct Choosing {
    /// Where its certificates are to come from.
    pub provision: Provision,
    /// With `uploaded`: the fingerprints of those that are to serve; none: the best.
    pub pinned: Vec<String>,
    /// Who says so.
    pub by: String,
}

impl IntakeHandle {
    /// Decides where a site's certificates come from; `None`: from where the configuration says.
    ///
    /// # Errors
    /// [`NotChosen`], and nothing has changed.
    pub async fn choose(&self, site: String, choosing: Option<Choosing>) -> Result<SiteChoice, NotChosen> {
        self.order(|reply| Order::Choose(site, choosing, reply)).await.unwrap_or(Err(NotChosen::NoSite))
    }

    /// The root of the edge's own authority, PEM. It is made when there is none.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub async fn local_root(&self) -> Result<String, String> {
        self.order(Order::LocalRoot).await.unwrap_or_else(|| Err("the edge is stopping".into()))
    }
}

impl Desk {
    /// Writes down what was chosen, and has it served.
    pub(super) fn choose(
        &mut self,
        site: &str,
        choosing: Option<Choosing>,
        now: Moment,
    ) -> Result<SiteChoice, NotChosen> {
        let terms = self.terms.borrow().clone();
        let configured = terms.sites.iter().find(|known| known.name == site).ok_or(NotChosen::NoSite)?;
        let choice = choosing.map(|Choosing { provision, pinned, by }| Choice {
            certificate: provision,
            pinned,
            by,
            at: now.unix,
        });
        if let Some(choice) = &choice {
            self.check(choice, configured, &terms)?;
        }
        self.choices.decide(site, choice).map_err(NotChosen::Store)?;
        self.govern(now);
        self.publish(now);
        // Whoever asks right after the answer is told so.
        let mut ledger = Ledger::clone(&self.ledger.current());
        ledger.choices = self.choices.all();
        self.ledger.publish(ledger);
        Ok(SiteChoice {
            site: site.to_owned(),
            configured: configured.provision,
            decided: self.choices.decided(site).cloned(),
        })
    }

    fn check(&self, choice: &Choice, site: &SiteTerms, terms: &Terms) -> Result<(), NotChosen> {
        let suffixes = &terms.local_ca_suffixes;
        if choice.certificate == Provision::Managed {
            let is_wildcard = |host: &&HostPattern| matches!(host, HostPattern::Wildcard(_));
            let wildcard = site.hosts.iter().find(is_wildcard).filter(|_| !terms.wildcard_orders);
            return match wildcard {
                _ if !terms.orders => Err(NotChosen::NoTerms),
                Some(host) => Err(NotChosen::NeedsDns(host.to_string())),
                None => Ok(()),
            };
        }
        if choice.certificate == Provision::SelfSigned
            && let Some(host) = site.hosts.iter().find(|host| !suffixes.iter().any(|suffix| host.is_under(suffix)))
        {
            return Err(NotChosen::OutsideSuffixes(host.to_string()));
        }
        for fingerprint in &choice.pinned {
            let served =
                self.shelf.in_service(fingerprint).ok_or_else(|| NotChosen::NoCertificate(fingerprint.clone()))?;
            if !site.hosts.iter().any(|host| is_for(served, host)) {
                return Err(NotChosen::NotForSite(fingerprint.clone()));
            }
        }
        Ok(())
    }

    /// Sets what stands above the order of certificates. Gives why the edge's own authority cannot issue, if it cannot.
    pub(super) fn govern(&mut self, now: Moment) -> Option<String> {
        let terms = self.terms.borrow().clone();
        self.demand_of(&terms);
        let (mut rules, mut self_signed) = (Vec::new(), Vec::new());
        for site in &terms.sites {
            let decided = self.choices.decided(&site.name);
            match decided.map_or(site.provision, |choice| choice.certificate) {
                Provision::SelfSigned => self_signed.push(site.hosts.as_slice()),
                Provision::Uploaded | Provision::Managed => {
                    let pinned = decided.map(|choice| choice.pinned.clone()).filter(|pinned| !pinned.is_empty());
                    rules.extend(pinned.map(|pinned| Rule { hosts: site.hosts.clone(), by: By::Fingerprints(pinned) }));
                }
            }
        }
        let mut trouble = None;
        match self.self_signed.certificates(&self_signed, &terms.local_ca_suffixes, now.unix) {
            Ok(certificates) => {
                let own = self_signed.iter().zip(certificates);
                rules.extend(own.map(|(hosts, served)| Rule { hosts: hosts.to_vec(), by: By::Own(served) }));
            }
            Err(error) => {
                let message = format!("self-signed sites get no certificate of the edge's own authority: {error}");
                tracing::error!("{message}");
                trouble = Some(message);
            }
        }
        rules.extend(self.gaps.iter().cloned());
        self.shelf.govern(rules);
        trouble
    }

    /// When a certificate of our own authority is to be renewed; the calendar may be set meanwhile.
    pub(super) fn next_renewal(&self, now: Moment) -> Option<Instant> {
        let next = [self.self_signed.next_renewal(), self.stand_ins.next_renewal()].into_iter().flatten().min();
        let seconds = u64::try_from(next? - now.unix).unwrap_or(0);
        now.steady.checked_add(Duration::from_secs(seconds.min(FARTHEST_LOOK)))
    }

    pub(super) fn local_root(&mut self) -> Result<String, String> {
        let suffixes = self.terms.borrow().local_ca_suffixes.clone();
        self.self_signed.root(&suffixes).map_err(|error| error.to_string())
    }
}

const FARTHEST_LOOK: u64 = 3600;
