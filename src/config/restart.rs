//! Which changed keys only a restart applies.

use super::Config;

/// The keys, each with the question whether it differs. Everything else applies live.
type Differs = fn(&Config, &Config) -> bool;

pub(super) const RESTART_KEYS: &[(&str, Differs)] = &[
    // Sockets are bound once, in every worker, before privileges may be dropped.
    ("edge.https", |old, new| old.edge.https != new.edge.https),
    ("edge.http", |old, new| old.edge.http != new.edge.http),
    // A worker is an OS thread with its own sockets.
    ("edge.workers", |old, new| old.edge.workers != new.edge.workers),
    // A folder that moves looks like one that lost everything.
    ("certificates.drop_directory", |old, new| old.certificates.drop_directory != new.certificates.drop_directory),
    ("certificates.drop", |old, new| old.certificates.drops != new.certificates.drops),
    ("certificates.state_directory", |old, new| old.certificates.state_directory != new.certificates.state_directory),
    // The store holds the key from its opening on.
    ("certificates.state_key_file", |old, new| old.certificates.state_key_file != new.certificates.state_key_file),
    ("admin.listen", |old, new| old.admin.listen != new.admin.listen),
    // Who comes by it was told which certificate to expect.
    ("admin.tls", |old, new| old.admin.tls != new.admin.tls),
    ("admin.host", |old, new| old.admin.host != new.admin.host),
    ("admin.hsts", |old, new| old.admin.hsts != new.admin.hsts),
    // What a proxy says holds for whole sessions of people.
    ("admin.trusted_header", |old, new| old.admin.trusted_header != new.admin.trusted_header),
    ("admin.metrics_listen", |old, new| old.admin.metrics_listen != new.admin.metrics_listen),
    ("admin.allowed_hosts", |old, new| old.admin.allowed_hosts != new.admin.allowed_hosts),
    // Those who have signed in were told when that ends.
    ("admin.session_idle", |old, new| old.admin.session_idle != new.admin.session_idle),
    ("admin.session_lifetime", |old, new| old.admin.session_lifetime != new.admin.session_lifetime),
    // The subscriber is installed once for the process.
    ("log.format", |old, new| old.log.format != new.log.format),
    ("log.level", |old, new| old.log.level != new.log.level),
    // Its queue and its thread are handed to the workers once.
    ("access_log", |old, new| old.access_log != new.access_log),
];

impl Config {
    /// The dotted keys that differ in `next` and need a restart; everything else applies live.
    #[must_use]
    pub fn restart_needed(&self, next: &Self) -> Vec<String> {
        let changed = RESTART_KEYS.iter().filter(|(_, differs)| differs(self, next));
        changed.map(|(key, _)| (*key).to_owned()).collect()
    }
}
