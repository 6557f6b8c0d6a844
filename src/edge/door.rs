//! The operator's listeners and the folder their socket lies in.

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::{StartError, admin_tls};
use crate::admin::{self, AdminSocket, People, SessionTerms};
use crate::config::{AdminConfig, Config};
use crate::live::Live;
use crate::proxy::TlsPolicy;
use crate::store::{StateKey, Store, StoreError, Trouble};

/// Binds everything the operator is answered on.
pub(super) fn listeners(
    config: &Config,
    control: &Runtime,
    store: &Store,
    policy: Live<TlsPolicy>,
) -> Result<admin::Listeners, StartError> {
    let bind = |address: SocketAddr, key: &str| {
        control.block_on(tokio::net::TcpListener::bind(address)).map_err(|error| {
            StartError::Configuration(format!("{key}: cannot listen on {address}: {error}; choose another address"))
        })
    };
    let socket = config.certificates.state_directory.join("admin.sock");
    Ok(admin::Listeners {
        admin: bind(config.admin.listen, "admin.listen")?,
        tls: admin_tls::terms(config, store, Arc::new(move || policy.load().min_version()))?,
        metrics: config.admin.metrics_listen.map(|address| bind(address, "admin.metrics_listen")).transpose()?,
        socket: AdminSocket::bind(&socket)
            .map_err(|error| StartError::Configuration(format!("certificates.state_directory: {error}")))?,
    })
}

/// Whoever may sign in, as the state has them.
pub(super) fn people(admin: &AdminConfig, state_directory: &Path, store: Store) -> Result<People, StartError> {
    let terms = SessionTerms { idle: admin.session_idle, lifetime: admin.session_lifetime };
    let people = People::open(store, terms).map_err(unusable)?;
    if let Some((file, life)) = people.open_set_up() {
        let file = state_directory.join(file);
        let minutes = life.as_secs() / 60;
        tracing::info!(
            file = %file.display(),
            "nobody can sign in yet: within {minutes} minutes open /setup at the admin listener on this machine, with the token in \
             {}; or run vitrine user add NAME --role admin at any time",
            file.display()
        );
        tokio::spawn(close_set_up(people.clone(), life));
    }
    Ok(people)
}

async fn close_set_up(people: People, life: Duration) {
    tokio::time::sleep(life).await;
    let _ = tokio::task::spawn_blocking(move || people.close_set_up()).await;
}

/// The folder is ours: nobody else may look in. One that was there before stays as it is.
pub(super) fn open_state(path: &Path, key_file: Option<&Path>) -> Result<Store, StartError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path).and_then(|()| path.metadata());
    let found = made.map_err(|error| {
        StartError::Configuration(format!(
            "certificates.state_directory: cannot create {}: {error}; choose a folder that can be written",
            path.display()
        ))
    })?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let folder = path.display();
        tracing::warn!("certificates.state_directory: others may enter {folder} (mode {mode:04o}); chmod 0700");
    }
    let key = key_file.map(StateKey::read).transpose();
    let key = key.map_err(|error| StartError::Configuration(format!("certificates.state_key_file: {error}")))?;
    let store = Store::open_with(path, key).map_err(unusable)?;
    if store.has_plain_secrets() {
        tracing::warn!(
            "certificates.state_key_file: secrets that were written before it was set lie there unencrypted; stop the edge and run \
             vitrine state rekey"
        );
    }
    Ok(store)
}

/// State that cannot be read or written.
pub(super) fn unusable(error: StoreError) -> StartError {
    let mend = if matches!(error.trouble, Trouble::System(_)) { "; choose a folder that can be written" } else { "" };
    StartError::Configuration(format!("certificates.state_directory: {error}{mend}"))
}
