//! Whether a site that became one on demand is still to be one: the operator's endpoint is asked again before each further order.

use tokio::task::spawn_blocking;

use super::Answer;
use super::question;
use crate::acme::failure::{Failure, Reason};
use crate::acme::handle::AcmeHandle;
use crate::acme::schedule;
use crate::acme::serving::{View, life};
use crate::acme::terms::AcmeTerms;
use crate::config::{SiteDesk, SiteRefusal};
use crate::name::{HostName, HostPattern};
use crate::store::audit::{Audit, Deed, Outcome};
use crate::words::refusal::Refusal;

/// Asks whether sites are still allowed, and takes away those that are not once nothing serves them.
#[derive(Clone)]
pub struct Permission {
    desk: SiteDesk,
    audit: Audit,
    handle: AcmeHandle,
}

/// A site that is to be asked about before more is ordered for it.
pub(in crate::acme) struct Tenant {
    site: String,
    ask: String,
    names: Vec<HostName>,
    is_served: bool,
    /// Its certificate is near its end, or over: an endpoint that is silent must not cost it.
    is_last_chance: bool,
}

impl Tenant {
    /// The site, if it became one on demand. Its first order follows upon the answer that made it a site.
    pub(in crate::acme) fn of(view: &View<'_>) -> Option<Self> {
        let (site, standing) = (view.site, view.standing);
        let ask = site.allowed_by.clone()?;
        if standing.issued.is_none() && !standing.has_failed() {
            return None;
        }
        let name = |host: &HostPattern| match host {
            HostPattern::Exact(name) => Some(name.clone()),
            HostPattern::Wildcard(_) => None,
        };
        let names = site.hosts.iter().filter_map(name).collect();
        let is_last_chance = match view.serving() {
            Some(served) => schedule::last_chance(life(&served)) <= view.now,
            None => standing.issued.is_some(),
        };
        Some(Self { site: site.name.clone(), ask, names, is_served: view.is_served(), is_last_chance })
    }
}

impl Permission {
    /// Removes sites at the desk, and writes that down in the trail.
    #[must_use]
    pub const fn new(desk: SiteDesk, audit: Audit, handle: AcmeHandle) -> Self {
        Self { desk, audit, handle }
    }

    /// Asks about a site's names.
    ///
    /// # Errors
    /// Why nothing is to be ordered: one of them is not allowed any more, or nobody tells and the certificate lasts. A site that is
    /// not allowed and that nothing serves is none afterwards.
    pub(in crate::acme) async fn ask(&self, terms: &AcmeTerms, tenant: &Tenant) -> Result<(), Failure> {
        let Tenant { site, ask, names, is_served, is_last_chance } = tenant;
        for name in names {
            let answer = question::put(terms, ask, name).await;
            self.handle.asked(&answer);
            match answer {
                Answer::Yes => {}
                Answer::Failed(why) if *is_last_chance => {
                    tracing::warn!(%site, %name, "nobody tells whether a name may still be served, so it is ordered: {why}");
                }
                Answer::Failed(why) => {
                    let text =
                        format!("nobody tells whether {name} may still be served: {why}; mend site.ask's endpoint");
                    return Err(Failure::beforehand(Reason::Permission, text));
                }
                Answer::No | Answer::Limited => {
                    let mut text = format!("the endpoint of site.ask does not allow {name} any more");
                    if *is_served {
                        text += "; the site is served as long as its certificate is valid, and then removed";
                    } else {
                        self.remove(site, name, &text).await;
                    }
                    return Err(Failure::beforehand(Reason::Permission, text));
                }
            }
        }
        Ok(())
    }

    async fn remove(&self, site: &str, name: &HostName, why: &str) {
        let (result, detail, refusal) = match self.desk.remove(site).await {
            Ok(_) => {
                tracing::info!(%site, "a site that became one on demand is removed: {why}");
                (Outcome::Done, why.to_owned(), Refusal::NotAllowedAnyMore(name.to_string()))
            }
            // It is gone already.
            Err(SiteRefusal::Unknown) => return,
            Err(SiteRefusal::Flawed(mistakes)) => {
                let text = mistakes.join("; ");
                (Outcome::Failed, text.clone(), Refusal::SiteUnread(text))
            }
            Err(SiteRefusal::Conflict(refusal, text)) => (Outcome::Refused, text, refusal),
            Err(SiteRefusal::Unwritten(text)) => (Outcome::Failed, text.clone(), Refusal::Unwritten(text)),
        };
        if result != Outcome::Done {
            tracing::warn!(%site, "{why}, and the site cannot be removed: {detail}");
        }
        let deed = Deed {
            who: "vitrine".into(),
            door: "on demand".into(),
            action: "DELETE sites/{name}".into(),
            object: format!("sites/{site}"),
            result,
            detail,
            why: refusal.written(),
        };
        let audit = self.audit.clone();
        // A trail that cannot be written is an alarm already.
        let _ = spawn_blocking(move || audit.record(deed)).await;
    }
}
