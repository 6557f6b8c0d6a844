//! Names that nobody serves, as clients ask for them: where the operator's own endpoint allows one, it becomes a managed site.
//!
//! ```text
//! a hello for an unknown name ─► refused at once
//!   └► live::UnknownNames ─► known already? asked lately? within the limits? ─► the endpoint: yes ─► a site is added
//! ```
//!
//! Whoever makes names up costs a refusal each; a question is asked about few of them, and no order comes of any that is not allowed.

mod answers;
mod permission;
mod question;
mod quota;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::handle::AcmeHandle;
use super::terms::{AcmeTerms, OnDemandSite};
use crate::config::{SiteDesk, SiteRefusal};
use crate::live::{Live, RouteTable, UnknownName};
use crate::name::{HostName, HostPattern};
use crate::shutdown::Lifecycle;
use answers::Answers;
pub use permission::Permission;
pub(super) use permission::Tenant;
pub use question::Answer;
use quota::Quota;

/// Asks about unknown names, and adds sites for those that are allowed.
pub struct Newcomers {
    heard: mpsc::Receiver<UnknownName>,
    terms: watch::Receiver<Arc<AcmeTerms>>,
    routes: Live<RouteTable>,
    desk: SiteDesk,
    handle: AcmeHandle,
    answers: Answers,
    quota: Quota,
}

/// What came of the questions about a name.
struct Asked {
    name: HostName,
    /// The site that the name may be like.
    site: Option<String>,
    /// The last answer.
    answer: Answer,
}

impl Newcomers {
    /// Hears of names from `heard`, and has sites added at the desk.
    #[must_use]
    pub fn new(
        heard: mpsc::Receiver<UnknownName>,
        terms: watch::Receiver<Arc<AcmeTerms>>,
        routes: Live<RouteTable>,
        desk: SiteDesk,
        handle: AcmeHandle,
    ) -> Self {
        Self { heard, terms, routes, desk, handle, answers: Answers::default(), quota: Quota::default() }
    }

    /// Asks until the edge drains.
    pub async fn run(mut self, mut lifecycle: Lifecycle) {
        tokio::select! {
            _ = lifecycle.draining() => {}
            () = self.go() => {}
        }
    }

    async fn go(&mut self) {
        let mut questions: JoinSet<Asked> = JoinSet::new();
        loop {
            tokio::select! {
                heard = self.heard.recv() => {
                    let Some(unknown) = heard else { return };
                    if questions.len() < MOST_AT_ONCE {
                        self.consider(unknown, &mut questions);
                    }
                    // Names can be made up faster than they are worth a look.
                    sleep(BETWEEN_NAMES).await;
                }
                Some(Ok(asked)) = questions.join_next() => self.conclude(asked).await,
            }
        }
    }

    /// Asks about a name, unless the answer is known, or nobody may want to know it.
    fn consider(&mut self, UnknownName { name, client }: UnknownName, questions: &mut JoinSet<Asked>) {
        let (terms, now) = (self.terms.borrow().clone(), Instant::now());
        let sites = self.asking(&terms, &name);
        if sites.is_empty() || self.answers.is_known(&name, now) {
            return;
        }
        if !self.quota.admits(client, &terms.questions, now) {
            self.handle.asked(&Answer::Limited);
            return;
        }
        self.answers.keep(&name, &Answer::Limited, now);
        questions.spawn(async move {
            let mut answer = Answer::No;
            for OnDemandSite { name: site, ask, .. } in sites {
                answer = question::put(&terms, &ask, &name).await;
                match &answer {
                    Answer::Yes => return Asked { name, site: Some(site), answer },
                    Answer::Failed(why) => {
                        tracing::warn!(%name, %site, "nobody tells whether a name may be served: {why}")
                    }
                    Answer::No | Answer::Limited => {}
                }
            }
            Asked { name, site: None, answer }
        });
    }

    /// The sites that a name may become like: the one under whose wildcard it is, else each that asks; none when it is somebody's.
    fn asking(&self, terms: &AcmeTerms, name: &HostName) -> Vec<OnDemandSite> {
        let is_address = || name.as_str().parse::<IpAddr>().is_ok();
        if !name.as_str().contains('.') || is_address() {
            return Vec::new();
        }
        let routes = self.routes.load();
        match routes.site_of(name.as_str()) {
            None => terms.on_demand.clone(),
            Some(site) => {
                let is_itself = |host: &HostPattern| matches!(host, HostPattern::Exact(exact) if exact == name);
                let under_a_wildcard =
                    |asking: &&OnDemandSite| *asking.name == *site.name && !asking.hosts.iter().any(is_itself);
                terms.on_demand.iter().filter(under_a_wildcard).cloned().collect()
            }
        }
    }

    async fn conclude(&mut self, Asked { name, site, answer }: Asked) {
        self.answers.keep(&name, &answer, Instant::now());
        self.handle.asked(&answer);
        let Some(like) = site else { return };
        let wanted = serde_json::json!({ "hosts": [name.as_str()], "certificate": "managed", "like": like });
        match self.desk.add(wanted).await {
            Ok(site) => tracing::info!(%site, %like, "a site is added on demand"),
            Err(SiteRefusal::Flawed(mistakes)) => {
                tracing::error!(%name, %like, "a name that may be served cannot be a site: {}", mistakes.join("; "));
            }
            Err(SiteRefusal::Conflict(_, why) | SiteRefusal::Unwritten(why)) => {
                tracing::error!(%name, %like, "a name that may be served cannot be a site: {why}");
            }
            // That is said of sites that are to be removed.
            Err(SiteRefusal::Unknown) => {}
        }
    }
}

/// Questions that are under way together.
const MOST_AT_ONCE: usize = 4;
/// From one name to the next.
const BETWEEN_NAMES: Duration = Duration::from_millis(10);
