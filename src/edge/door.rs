//! The operator's listeners and the folder their socket lies in.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use tokio::runtime::Runtime;

use super::StartError;
use crate::admin::{self, AdminSocket};
use crate::config::Config;

/// Binds everything the operator is answered on.
pub(super) fn listeners(config: &Config, control: &Runtime) -> Result<admin::Listeners, StartError> {
    let bind = |address: SocketAddr, key: &str| {
        control.block_on(tokio::net::TcpListener::bind(address)).map_err(|error| {
            StartError::Configuration(format!("{key}: cannot listen on {address}: {error}; choose another address"))
        })
    };
    let socket = config.certificates.state_directory.join("admin.sock");
    Ok(admin::Listeners {
        admin: bind(config.admin.listen, "admin.listen")?,
        metrics: config.admin.metrics_listen.map(|address| bind(address, "admin.metrics_listen")).transpose()?,
        socket: AdminSocket::bind(&socket).map_err(|error| StartError::Configuration(error.to_string()))?,
    })
}

/// The folder holds keys: nobody else may look in.
pub(super) fn make_state_directory(path: &Path) -> Result<(), StartError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        StartError::Configuration(format!(
            "certificates.state_directory: cannot create {}: {error}; choose a folder that can be written",
            path.display()
        ))
    })
}
