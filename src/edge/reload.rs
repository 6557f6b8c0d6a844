//! A changed configuration becomes what is served, or changes nothing and says why.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use super::tables;
use crate::config::{Config, Loaded};
use crate::folder_watch::FolderWatch;
use crate::live::{Publisher, RouteTable};
use crate::proxy::TlsPolicy;

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
    drain_timeout: watch::Sender<Duration>,
}

impl Reloader {
    pub(super) fn new(
        path: Option<PathBuf>,
        serving: Loaded,
        https_port: u16,
        routes: Publisher<RouteTable>,
        policy: Publisher<TlsPolicy>,
    ) -> Self {
        let drain_timeout = watch::Sender::new(serving.config.edge.drain_timeout);
        let started_with = serving.config.clone();
        Self { path, serving, started_with, https_port, routes, policy, drain_timeout }
    }

    /// How long a stopping edge waits, as it is now.
    pub(super) fn drain_timeout(&self) -> watch::Receiver<Duration> {
        self.drain_timeout.subscribe()
    }

    /// A watch over everything the configuration was read from.
    pub(super) fn watch(&self) -> Option<FolderWatch> {
        self.path.as_ref().map(|_| FolderWatch::new(self.serving.sources.clone()))
    }

    /// Reads the configuration again and publishes it. True: what is to be watched has changed.
    pub(super) fn reload(&mut self) -> bool {
        let Some(path) = &self.path else { return false };
        let next = match Config::reload(path, &self.serving) {
            Ok(next) => next,
            Err(mistakes) => {
                for mistake in mistakes.remarks() {
                    tracing::error!("{mistake}");
                }
                tracing::error!("the configuration was not reloaded; the one before stays in force");
                return false;
            }
        };
        // Saving a file without changing it, and every poll, ends here.
        if (&next.config, &next.rejected) == (&self.serving.config, &self.serving.rejected) {
            let watch_anew = next.sources != self.serving.sources;
            self.serving = next;
            return watch_anew;
        }
        if next.config.sites.is_empty() && !self.serving.config.sites.is_empty() {
            // An editor that truncates before it writes, or a disk that is full, leaves an empty file that means nothing.
            let file = path.display();
            tracing::error!(
                "{file}: no site is left, which is taken for an accident; the configuration was not reloaded; restart to serve none"
            );
            return false;
        }
        let policy = match tables::policy(&next.config) {
            Ok(policy) => policy,
            Err(error) => {
                tracing::error!(%error, "the configuration was not reloaded; the one before stays in force");
                return false;
            }
        };
        report(&next);
        for site in &next.kept {
            tracing::warn!(site, "the site stays as it was before its file broke");
        }
        for key in self.started_with.restart_needed(&next.config) {
            tracing::warn!(key, "a changed value needs a restart; the rest of the configuration applies now");
        }
        let watch_anew = next.sources != self.serving.sources;
        self.policy.publish(policy);
        self.drain_timeout.send_replace(next.config.edge.drain_timeout);
        self.routes.publish(tables::routes(&next.config, self.https_port));
        tracing::info!(sites = next.config.sites.len(), "the configuration was reloaded");
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
}
