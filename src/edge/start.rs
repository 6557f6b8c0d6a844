//! Starts an edge: opens the state, binds the listeners, wires the planes together and spawns what runs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, Semaphore, watch};

use super::error::{mistaken, system};
use super::reload::{self, Reloader};
use super::{
    Addresses, Certificates, Edge, StartError, admin_tls, descriptors, door, folders, memory, notices,
    prepare_upstreams,
};
use super::{readiness, reporting, signals, sticky_key, tables, telling, terms, upstream_checks, upstream_names};
use crate::access_log::AccessLog;
use crate::acme::{AcmeHandle, Manager, Newcomers, Permission};
use crate::admin::{self, Tokens};
use crate::certs::{Intake, Truth, TruthCheck};
use crate::config::{Loaded, site_orders};
use crate::levers::Levers;
use crate::live::{self, CertIndex, Challenges, OwnCheck, WellKnown};
use crate::notices::Notices;
use crate::overview::{Kept, Lookout};
use crate::proxy::{self, Permits, Rates, Shared, Shortage, Sockets};
use crate::shutdown::{Signals, lifecycle};
use crate::store::audit::Audit;
use crate::telemetry::WorkerCounters;

impl Edge {
    /// Starts everything and returns once every worker listens. The edge is ready then, unless the first scan of the
    /// certificates takes long: [`Edge::run`] waits for its end.
    ///
    /// # Errors
    /// [`StartError`] tells whether the configuration or the system is to blame.
    pub fn start(path: Option<&Path>, loaded: Loaded, certificates: Certificates) -> Result<Self, StartError> {
        let config = loaded.config.clone();
        prepare_upstreams(&config).map_err(mistaken)?;
        let terms = watch::Sender::new(Arc::new(terms(&config).map_err(mistaken)?));
        let acme = watch::Sender::new(Arc::new(tables::acme(&config).map_err(mistaken)?));
        let told = watch::Sender::new(Arc::new(notices(&config).map_err(mistaken)?));
        let reported = watch::Sender::new(Arc::new(reporting::report_terms(&config)));
        let report_terms = reported.subscribe();
        let trusted_header = super::trusted_header(&config).map_err(mistaken)?;
        let trusted = terms.subscribe();
        let room = descriptors::raise();
        let sockets = Sockets::bind(&config.edge.https, &config.edge.http, config.edge.workers)?;
        let https_port = sockets.https().first().map_or(443, SocketAddr::port);
        let (https, http, own_sockets) = (sockets.https().to_vec(), sockets.http().to_vec(), sockets.https_inodes());
        let store =
            door::open_state(&config.certificates.state_directory, config.certificates.state_key_file.as_deref())?;
        let state_directory = config.certificates.state_directory.clone();
        let levers = Levers::open(store.clone()).map_err(door::unusable)?;
        let notices = Notices::open(&store, told.subscribe()).map_err(door::unusable)?;

        let control = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(CONTROL_THREADS)
            .thread_name("control")
            .enable_all()
            .build()
            .map_err(system("start the control plane"))?;
        let _inside = control.enter();
        let signals = Signals::register().map_err(system("take over signals"))?;

        let (index, certificates_live) = live::table(CertIndex::default());
        let (well_known_publisher, well_known) = live::table(WellKnown::default());
        let (challenges_publisher, challenges) = live::table(Challenges::default());
        let (routes_publisher, routes) =
            live::table(tables::routes(&sticky_key::states(&store)?, &config, https_port, &levers.pulled()));
        let (policy_publisher, policy) = live::table(tables::policy(&config, None)?);
        let (own, own_check) = live::table(OwnCheck::default());
        let ((unknown_names, heard), (conductor, lifecycle)) = (live::unknown_names(), lifecycle());
        let (access_log, writer) = AccessLog::start(&tables::access_log(&config)).map_err(|error| {
            StartError::Configuration(format!("access_log.to: {error}; choose a file that can be written"))
        })?;
        let counters: Vec<_> = (0..config.edge.workers).map(|_| Arc::new(WorkerCounters::default())).collect();
        let shared = Arc::new(Shared {
            certificates: certificates_live.clone(),
            routes: routes.clone(),
            well_known: well_known.clone(),
            challenges,
            unknown_names,
            policy: policy.clone(),
            own_check,
            access_log: access_log.clone(),
            permits: Permits::new(room.upstreams),
            room_for_clients: room.clients,
            listening: Semaphore::new(0),
            rates: Rates::default(),
            shortage: Shortage::default(),
            own_listeners: OnceLock::new(),
            crowds: Arc::default(),
            cut_off: AtomicUsize::new(0),
        });

        control.spawn(upstream_names::run(routes.clone()));
        reload::report(&loaded);
        let (intake, fixed) = match certificates {
            Certificates::Folder => {
                let (places, kept, terms) = (folders(&config), store.clone(), terms.subscribe());
                let intake = Intake::start(
                    places,
                    kept,
                    &state_directory,
                    (index, well_known_publisher),
                    terms,
                    levers.frozen(),
                );
                (Some(intake.map_err(door::unusable)?), None)
            }
            Certificates::Fixed(fixed) => {
                let mut index = index;
                index.publish(CertIndex::ranked(fixed));
                (None, Some((index, well_known_publisher)))
            }
        };
        let (site_desk, site_orders) = site_orders();
        let (ordering, wishes) = AcmeHandle::new();
        let audit = Audit::open(store.clone());
        let permission = Permission::new(site_desk.clone(), audit.clone(), ordering.clone());
        let manager = intake.clone().map(|intake| {
            let (terms, index, handle) =
                ((acme.subscribe(), levers.frozen()), certificates_live.clone(), ordering.clone());
            Manager::new(terms, index, intake, store.clone(), challenges_publisher, (handle, wishes), permission)
        });
        let newcomers = Newcomers::new(heard, acme.subscribe(), routes.clone(), site_desk.clone(), ordering.clone());
        let path = path.map(Path::to_path_buf);
        let reloader = Reloader::new(
            path,
            loaded,
            https_port,
            (routes_publisher, policy_publisher),
            terms,
            (acme, told, reported),
            levers.clone(),
        );
        let listeners = door::listeners(&config, &control, &store, policy.clone())?;
        let addresses = Addresses {
            https,
            http,
            admin: listeners.admin.local_addr().map_err(system("ask for the admin listener's address"))?,
            metrics: listeners.metrics.as_ref().and_then(|listener| listener.local_addr().ok()),
        };
        let own_listeners =
            [&*addresses.https, &addresses.http, &[addresses.admin], addresses.metrics.as_slice()].concat();
        let _ = shared.own_listeners.set(own_listeners.into()); // nobody else does
        let truth = Truth::default();
        let truth_check = TruthCheck {
            listeners: addresses.https.clone(),
            own_sockets,
            plain: addresses.http.clone(),
            well_known: well_known.clone(),
            certificates: certificates_live.clone(),
            routes: routes.clone(),
            default_host: Box::new(move || policy.load().default_host().cloned()),
            own,
        };
        let elsewhere = reporting::elsewhere(store.clone(), trusted, report_terms.clone()).map_err(door::unusable)?;
        let links = admin::Links::open(store.clone()).map_err(door::unusable)?;
        let people = door::people(&config.admin, &state_directory, store.clone())?;
        let lookout = Lookout {
            certificates: certificates_live.clone(),
            routes: routes.clone(),
            intake: intake.clone(),
            ordering: ordering.clone(),
            truth: truth.clone(),
            configuration: reloader.standing(),
            audit: audit.clone(),
            elsewhere: elsewhere.clone(),
            notices: telling::stuck(notices.clone()),
            handed_in: telling::handed_in(links.clone()),
            kept: Kept::default(),
        };
        let reports = reporting::desk(report_terms, (&store, &notices, &people), lookout.clone());
        let sources = admin::Sources {
            certificates: certificates_live,
            routes,
            well_known,
            lifecycle: lifecycle.clone(),
            workers: counters.clone().into(),
            intake: intake.clone(),
            truth: truth.clone(),
            ordering,
            authorities: manager.as_ref().map(Manager::authorities),
            traffic: admin::Traffic::watch(counters.clone().into(), lifecycle.clone()),
            rotate_tickets: Box::new(|| proxy::rotate_ticket_keys().map_err(|error| error.to_string())),
            configuration: reloader.standing(),
            origins: reloader.origins(),
            site_desk,
            levers: levers.clone(),
            notices: notices.clone(),
            reports: reports.clone(),
            elsewhere: elsewhere.clone(),
            access_log,
            audit,
            lookout,
            tokens: Tokens::open(store.clone()).map_err(door::unusable)?,
            people,
            links,
            trusted_header,
            allowed_hosts: admin_tls::names(&config.admin),
        };
        let watcher = telling::watcher(store.clone(), notices.clone(), &sources).map_err(door::unusable)?;
        let admin = control.spawn(admin::serve(listeners, sources));

        let reload = Arc::new(Notify::new());
        let drain_timeout = reloader.drain_timeout();
        control.spawn(reload::mind(reloader, Arc::clone(&reload), site_orders, store));

        // The sockets are bound: who connects now waits in the kernel's queue and is served once certificates are there.
        let is_scanned = match &intake {
            Some(intake) => control.block_on(readiness::soon(intake.first_scan())),
            None => true,
        };
        let ended = Arc::new(Semaphore::new(0));
        let workers =
            proxy::spawn(&shared, sockets, &counters, &lifecycle, &ended).map_err(system("start a worker"))?;
        let edge = Self {
            conductor,
            lifecycle,
            shared,
            workers,
            ended,
            signals,
            admin,
            reload,
            intake,
            access_log: writer,
            addresses,
            drain_timeout,
            _fixed: fixed,
            control,
        };
        edge.await_workers(config.edge.workers)?;
        edge.control.spawn(truth_check.run(truth, edge.lifecycle.clone()));
        edge.control.spawn(newcomers.run(edge.lifecycle.clone()));
        edge.control.spawn(notices.run(edge.lifecycle.clone()));
        edge.control.spawn(watcher.run(edge.lifecycle.clone()));
        edge.control.spawn(reports.run(edge.lifecycle.clone()));
        edge.control.spawn(elsewhere.run(edge.lifecycle.clone()));
        edge.control.spawn(levers.run(edge.lifecycle.clone()));
        edge.control.spawn(memory::watch(Arc::clone(&edge.shared), edge.lifecycle.clone()));
        edge.control.spawn(upstream_checks::run(edge.shared.routes.clone(), edge.lifecycle.clone()));
        if let Some(manager) = manager {
            edge.control.spawn(manager.run(edge.lifecycle.clone()));
        }
        if is_scanned {
            edge.become_ready();
        }
        Ok(edge)
    }

    fn await_workers(&self, workers: usize) -> Result<(), StartError> {
        let all = u32::try_from(workers).unwrap_or(u32::MAX);
        let listening = self.control.block_on(async {
            tokio::select! {
                permits = self.shared.listening.acquire_many(all) => permits.is_ok(),
                () = signals::gone(&self.ended, 1) => false,
            }
        });
        if !listening {
            return Err(StartError::Runtime("a worker cannot listen; the system refuses its sockets".into()));
        }
        let addresses = &self.addresses;
        for (protocol, listening) in [
            ("https", addresses.https.as_slice()),
            ("http", &addresses.http),
            ("admin", std::slice::from_ref(&addresses.admin)),
            ("metrics", addresses.metrics.as_slice()),
        ] {
            for address in listening {
                tracing::info!(%address, protocol, "listening");
            }
        }
        Ok(())
    }
}

/// Watching, parsing and the operator's requests; none of it is on the way of a request.
const CONTROL_THREADS: usize = 2;
