//! A changed configuration becomes what is served, or changes nothing and says why.

use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, watch};

use super::{looked_into, reporting, tables, telling};
use crate::acme::AcmeTerms;
use crate::certs::Terms;
use crate::config::{Config, Draft, Loaded, Mistakes, Origins, SiteOrder, SiteOrders, Standing, Trouble};
use crate::folder_watch::FolderWatch;
use crate::levers::Levers;
use crate::live::{Publisher, RouteTable};
use crate::notices::NoticeTerms;
use crate::proxy::TlsPolicy;
use crate::reports::ReportTerms;
use crate::store::Store;
use crate::telemetry::set_log_level;

/// Reloads when asked, and when what the configuration was read from has changed.
pub(super) async fn mind(mut reloader: Reloader, asked: Arc<Notify>, mut orders: SiteOrders, store: Store) {
    let mut watch = reloader.watch();
    // At once when the watch is new: what changed before it was set is not reported by it.
    let mut next = Task::Reload { is_asked: false };
    let (mut levers, mut frozen) = (reloader.levers.changes(), reloader.levers.frozen());
    loop {
        let store = store.clone();
        let done = tokio::task::spawn_blocking(move || {
            let watch_anew = match next {
                Task::Reload { is_asked } => reloader.reload(is_asked),
                Task::Levers => reloader.lay_over(),
                // Everything is tried out before anything is changed: a panic leaves what serves.
                Task::Obey(order) => {
                    panic::catch_unwind(AssertUnwindSafe(|| reloader.obey(order, &store))).unwrap_or(false)
                }
            };
            (reloader, watch_anew)
        });
        // Cancelled: the edge has ended.
        let Ok((back, watch_anew)) = done.await else { return };
        reloader = back;
        next = Task::Reload { is_asked: false };
        if watch_anew {
            watch = reloader.watch();
            continue;
        }
        let changed = async {
            match &mut watch {
                Some(watch) => drop(watch.changed().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Ok(()) = levers.changed() => next = Task::Levers,
            // What changed meanwhile is read when it is over.
            Ok(()) = frozen.changed() => {}
            () = asked.notified() => next = Task::Reload { is_asked: true },
            Some(order) = orders.recv() => next = Task::Obey(order),
            () = changed => {}
        }
    }
}

/// What there is to do.
enum Task {
    Reload { is_asked: bool },
    Levers,
    Obey(SiteOrder),
}

/// The one owner of the published configuration.
pub(super) struct Reloader {
    /// Where it is read from; an edge that was given its configuration in memory has none.
    path: Option<PathBuf>,
    serving: Loaded,
    /// What the process was started with: listeners, folders and threads stay as they were then.
    started_with: Config,
    https_port: u16,
    routes: Publisher<RouteTable>,
    policy: Publisher<TlsPolicy>,
    terms: watch::Sender<Arc<Terms>>,
    acme: watch::Sender<Arc<AcmeTerms>>,
    notices: watch::Sender<Arc<NoticeTerms>>,
    reports: watch::Sender<Arc<ReportTerms>>,
    drain_timeout: watch::Sender<Duration>,
    standing: watch::Sender<Standing>,
    origins: watch::Sender<Origins>,
    levers: Levers,
}

/// What was read, and what it comes to if anything is new.
type Read = Result<(Loaded, Option<Outcome>), Vec<String>>;

/// What a configuration comes to, beside the routes.
pub(super) type Outcome = (TlsPolicy, Terms, AcmeTerms, NoticeTerms);

/// Where those hear of what is new who order, tell and report.
type Tellers = (watch::Sender<Arc<AcmeTerms>>, watch::Sender<Arc<NoticeTerms>>, watch::Sender<Arc<ReportTerms>>);

impl Reloader {
    pub(super) fn new(
        path: Option<PathBuf>,
        serving: Loaded,
        https_port: u16,
        (routes, policy): (Publisher<RouteTable>, Publisher<TlsPolicy>),
        terms: watch::Sender<Arc<Terms>>,
        (acme, notices, reports): Tellers,
        levers: Levers,
    ) -> Self {
        let drain_timeout = watch::Sender::new(serving.config.edge.drain_timeout);
        let standing = watch::Sender::new(Standing {
            rejected: Trouble::carried(rejected_lines(&serving), &[], now()),
            ..Standing::default()
        });
        let started_with = serving.config.clone();
        let origins = watch::Sender::new(Origins::of(&serving));
        Self {
            path,
            serving,
            started_with,
            https_port,
            routes,
            policy,
            terms,
            acme,
            notices,
            reports,
            drain_timeout,
            standing,
            origins,
            levers,
        }
    }

    /// Where each site is written, as it is now.
    pub(super) fn origins(&self) -> watch::Receiver<Origins> {
        self.origins.subscribe()
    }

    /// What serves.
    pub(super) fn serving(&self) -> &Loaded {
        &self.serving
    }

    /// What a configuration would come to.
    pub(super) fn outcome(&self, config: &Config) -> Result<Outcome, Vec<String>> {
        super::prepare_upstreams(config)?;
        let policy = tables::policy(config, Some(&*self.policy.current())).map_err(|error| vec![error.to_string()])?;
        Ok((policy, tables::terms(config)?, tables::acme(config)?, telling::notices(config)?))
    }

    /// The state folder that is in use.
    pub(super) fn state_directory(&self) -> &Path {
        &self.started_with.certificates.state_directory
    }

    /// The configuration's own file, if there is one.
    pub(super) fn configuration(&self) -> Option<PathBuf> {
        self.path.clone()
    }

    /// Where a site that serves is written.
    pub(super) fn origin(&self, site: &str) -> Option<PathBuf> {
        self.origins.borrow().of_site(site).map(Path::to_path_buf)
    }

    /// Serves what was tried out. True: what is to be watched has changed.
    pub(super) fn publish(&mut self, next: Loaded, outcome: Outcome) -> bool {
        self.apply(next, Some(outcome), false)
    }

    /// How long a stopping edge waits, as it is now.
    pub(super) fn drain_timeout(&self) -> watch::Receiver<Duration> {
        self.drain_timeout.subscribe()
    }

    /// What is written and does not apply, as it is now.
    pub(super) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// A watch over everything the configuration was read from.
    pub(super) fn watch(&self) -> Option<FolderWatch> {
        self.path.as_ref().map(|_| FolderWatch::new(self.serving.sources.clone()))
    }

    /// Reads the configuration again and publishes it. Who `asked` hears of everything, else of what is new. True: what is
    /// to be watched has changed.
    pub(super) fn reload(&mut self, asked: bool) -> bool {
        match self.path.clone() {
            Some(_) if self.is_frozen() => {
                if asked {
                    tracing::warn!("the edge is frozen: nothing is reloaded before `vitrine freeze off`");
                }
                false
            }
            Some(path) => {
                let draft = Draft { state: Some(self.state_directory().to_owned()), ..looked_into() };
                self.reload_from(asked, |serving| Config::reload_with(&path, serving, &draft))
            }
            None => false,
        }
    }

    fn reload_from(&mut self, asked: bool, source: impl FnOnce(&Loaded) -> Result<Loaded, Mistakes>) -> bool {
        // Nothing is changed before everything is read: a panic leaves what serves, and the next change is read again.
        match panic::catch_unwind(AssertUnwindSafe(|| self.read(source))) {
            Ok(Ok((next, new))) => self.apply(next, new, asked),
            Ok(Err(lines)) => self.refuse(lines, asked, false),
            Err(_) => self.refuse(vec!["reading the configuration panicked, which is our fault".into()], asked, true),
        }
    }

    fn read(&self, source: impl FnOnce(&Loaded) -> Result<Loaded, Mistakes>) -> Read {
        let next = source(&self.serving)
            .map_err(|mistakes| mistakes.remarks().iter().map(ToString::to_string).collect::<Vec<_>>())?;
        // Saving a file without changing it, and every poll, ends here.
        if (&next.config, &next.rejected) == (&self.serving.config, &self.serving.rejected) {
            return Ok((next, None));
        }
        if next.config.sites.is_empty() && !self.serving.config.sites.is_empty() {
            // An editor that truncates before it writes, or a disk that is full, leaves an empty file that means nothing.
            let file = self.path.as_deref().unwrap_or(Path::new("")).display();
            return Err(vec![format!(
                "{file}: no site is left, which is taken for an accident and not reloaded; restart to serve none"
            )]);
        }
        let outcome = self.outcome(&next.config)?;
        Ok((next, Some(outcome)))
    }

    /// Keeps what serves. A file that stays broken, or is missing, is looked at again and again, and told of once.
    fn refuse(&self, lines: Vec<String>, asked: bool, failed: bool) -> bool {
        let is_new = !self.standing.borrow().refused.iter().map(|trouble| &trouble.text).eq(&lines);
        if asked || is_new {
            for line in &lines {
                tracing::error!("{line}");
            }
            tracing::error!("the configuration was not reloaded; the one before stays in force");
        }
        self.standing.send_modify(|standing| {
            standing.reloads.failed += u64::from(failed);
            standing.reloads.refused += u64::from(is_new && !failed);
            standing.refused = Trouble::carried(lines, &standing.refused, now());
        });
        false
    }

    /// Whether nothing is to change.
    pub(super) fn is_frozen(&self) -> bool {
        *self.levers.frozen().borrow()
    }

    /// Publishes the routes with what the operator wants otherwise.
    fn publish_routes(&mut self, config: &Config) {
        let number = *self.levers.changes().borrow();
        let pulled = self.levers.pulled();
        let states = self.routes.current().states.clone();
        self.routes.publish(tables::routes(&states, config, self.https_port, &pulled));
        states.forget();
        set_log_level(pulled.log_level.map_or(config.log.level, |held| held.value));
        self.levers.are_in_force(number);
    }

    /// Brings what the operator wants otherwise into force. Nothing else is to be watched for that.
    fn lay_over(&mut self) -> bool {
        let config = self.serving.config.clone();
        self.publish_routes(&config);
        false
    }

    fn apply(&mut self, next: Loaded, new: Option<Outcome>, asked: bool) -> bool {
        let is_new = new.is_some();
        if asked || is_new {
            report(&next);
        }
        if let Some((policy, terms, acme, notices)) = new {
            for key in self.started_with.restart_needed(&next.config) {
                tracing::warn!(key, "a changed value needs a restart; the rest of the configuration applies now");
            }
            self.policy.publish(policy);
            self.terms.send_replace(Arc::new(terms));
            self.acme.send_replace(Arc::new(acme));
            self.notices.send_replace(Arc::new(notices));
            self.reports.send_replace(Arc::new(reporting::report_terms(&next.config)));
            self.drain_timeout.send_replace(next.config.edge.drain_timeout);
            self.publish_routes(&next.config);
            self.origins.send_replace(Origins::of(&next));
            tracing::info!(sites = next.config.sites.len(), "the configuration was reloaded");
        } else if asked || !self.standing.borrow().refused.is_empty() {
            tracing::info!("the configuration holds and is what serves already");
        }
        self.standing.send_modify(|standing| {
            standing.reloads.applied += u64::from(is_new);
            standing.refused.clear();
            standing.rejected = Trouble::carried(rejected_lines(&next), &standing.rejected, now());
        });
        let watch_anew = next.sources != self.serving.sources;
        self.serving = next;
        watch_anew
    }
}

/// Says what holds and may not be meant, and what was left out.
pub(super) fn report(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    for rejected in &loaded.rejected {
        tracing::error!("{rejected}");
    }
    for site in &loaded.kept {
        tracing::warn!(site, "the site stays as it was before");
    }
}

fn rejected_lines(loaded: &Loaded) -> Vec<String> {
    let lines = loaded.rejected.iter().map(ToString::to_string);
    lines.flat_map(|lines| lines.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn now() -> i64 {
    time::OffsetDateTime::from(SystemTime::now()).unix_timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Reloads;
    use crate::levers::Pulled;
    use crate::live::{UpstreamStates, table};

    fn parsed(text: &str) -> Result<Loaded, Mistakes> {
        Config::parse(Path::new("v.toml"), text)
    }

    fn sites(hosts: &str) -> String {
        format!("[[site]]\nhosts = [{hosts}]\nupstreams = [\"http://127.0.0.1:1\"]\n")
    }

    fn reloader() -> Reloader {
        let serving = parsed(&sites("\"a.example\"")).expect("a configuration");
        let policy = tables::policy(&serving.config, None).expect("a policy");
        let routes = tables::routes(&UpstreamStates::default(), &serving.config, 443, &Pulled::default());
        let (routes, policy) = (table(routes).0, table(policy).0);
        let reports = watch::Sender::new(Arc::new(reporting::report_terms(&serving.config)));
        let (terms, acme) = (watch::Sender::default(), (watch::Sender::default(), watch::Sender::default(), reports));
        let levers = Levers::open(Store::in_memory()).expect("open");
        Reloader::new(Some("v.toml".into()), serving, 443, (routes, policy), terms, acme, levers)
    }

    fn refused(reloader: &Reloader) -> Vec<String> {
        reloader.standing.borrow().refused.iter().map(|trouble| trouble.text.clone()).collect()
    }

    #[test]
    fn a_panic_leaves_what_serves_and_the_next_reading_counts_again() {
        let mut reloader = reloader();
        assert!(!reloader.reload_from(false, |_| panic!("as a fault of the reader would")));
        assert_eq!(refused(&reloader), ["reading the configuration panicked, which is our fault"]);
        assert_eq!(reloader.routes.current().sites().len(), 1);
        reloader.reload_from(false, |_| parsed(&(sites("\"a.example\"") + &sites("\"b.example\""))));
        assert_eq!(reloader.routes.current().sites().len(), 2);
        let standing = reloader.standing.borrow().clone();
        assert_eq!((standing.refused, standing.reloads), (Vec::new(), Reloads { applied: 1, refused: 0, failed: 1 }));
    }

    #[test]
    fn a_mistake_that_stays_is_counted_once_and_keeps_its_beginning() {
        let mut reloader = reloader();
        for text in ["[edge", "[edge", "", "", "[edge"] {
            reloader.reload_from(false, |_| parsed(text));
        }
        assert_eq!(reloader.standing.borrow().reloads, Reloads { applied: 0, refused: 3, failed: 0 });
        reloader.standing.send_modify(|standing| standing.refused[0].since = 7);
        reloader.reload_from(false, |_| parsed("[edge"));
        assert_eq!(reloader.standing.borrow().refused[0].since, 7);
        reloader.reload_from(false, |_| parsed(&sites("\"a.example\"")));
        assert_eq!(refused(&reloader), Vec::<String>::new());
    }
}
