//! Writes a record and removes it: by a signed update, or by the operator's program.

use std::time::Duration;

use tokio::task::spawn_blocking;

use super::{Written, hook, secret};
use crate::config::{DnsConfig, DnsWriter};
use crate::outbound::dns::{DnsName, DnsUpdater, TsigKey};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The record is to be there.
    Present,
    /// It is to be there no longer.
    Cleanup,
}

impl Action {
    /// The word that programs are told.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Cleanup => "cleanup",
        }
    }
}

/// Why it was not done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotWritten {
    pub(super) text: String,
    /// Nothing was changed; otherwise something may have been.
    pub(super) is_certain: bool,
}

impl NotWritten {
    pub(super) fn certain(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_certain: true }
    }

    pub(super) fn uncertain(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_certain: false }
    }
}

/// Writes a record or removes it. Others at the same name stay as they are.
pub(super) async fn write(way: &DnsConfig, action: Action, record: &Written) -> Result<(), NotWritten> {
    match &way.writer {
        DnsWriter::Hook { command, timeout } => hook::run(command, *timeout, action, record).await,
        DnsWriter::Update { server, key_name, algorithm, secret_file } => {
            let (file, shown) = (secret_file.clone(), secret_file.display());
            let read = spawn_blocking(move || secret::read(&file)).await;
            let read = read.map_err(|_| NotWritten::certain("the edge is stopping"))?;
            let secret =
                read.map_err(|why| NotWritten::certain(format!("acme.dns.tsig_secret_file: {shown}: {why}")))?;
            let key = TsigKey { name: key_name.clone(), algorithm: *algorithm, secret };
            let updater = DnsUpdater::new(*server, key);
            let unfit = |error: crate::outbound::dns::NoDnsName| NotWritten::certain(error.to_string());
            let zone = DnsName::parse(&record.zone).map_err(unfit)?;
            let name = DnsName::parse(&record.name).map_err(unfit)?;
            let done = match action {
                Action::Present => updater.add_txt(&zone, &name, &record.value, TTL).await,
                Action::Cleanup => updater.remove_txt(&zone, &name, &record.value).await,
            };
            done.map_err(|error| NotWritten { is_certain: error.is_certain(), text: error.to_string() })
        }
    }
}

/// Seconds; whoever looked before the record was there is to look again soon.
const TTL: u32 = Duration::from_mins(1).as_secs() as u32;
