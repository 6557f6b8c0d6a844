//! Which changes need a restart.

use super::super::restart::RESTART_KEYS;
use super::good;

#[test]
fn each_key_that_needs_a_restart_is_named_and_no_other() {
    let changes = [
        ("edge.https", "[edge]\nhttps = [\"[::]:8443\"]"),
        ("edge.http", "[edge]\nhttp = []"),
        ("edge.workers", "[edge]\nworkers = 1024"),
        ("certificates.drop_directory", "[certificates]\ndrop_directory = \"x\""),
        ("certificates.drop", "[[certificates.drop]]\ndirectory = \"x\"\nhosts = [\"a.example\"]"),
        ("certificates.state_directory", "[certificates]\nstate_directory = \"x\""),
        ("certificates.state_key_file", "[certificates]\nstate_key_file = \"x\""),
        ("admin.listen", "[admin]\nlisten = \"127.0.0.1:1\""),
        ("admin.tls", "[admin]\ntls = true"),
        ("admin.host", "[admin]\nhost = \"a.example\""),
        ("admin.hsts", "[admin]\nhsts = true"),
        (
            "admin.trusted_header",
            "[admin.trusted_header]\nheader = \"X-U\"\nsecret_file = \"x\"\nnetworks = [\"10.0.0.5/32\"]",
        ),
        ("admin.metrics_listen", "[admin]\nmetrics_listen = \"127.0.0.1:1\""),
        ("admin.allowed_hosts", "[admin]\nallowed_hosts = [\"a.example\"]"),
        ("admin.session_idle", "[admin]\nsession_idle = \"5m\""),
        ("admin.session_lifetime", "[admin]\nsession_lifetime = \"5m\""),
        ("log.format", "[log]\nformat = \"json\""),
        ("log.level", "[log]\nlevel = \"debug\""),
        ("access_log", "[access_log]\nto = \"stdout\""),
    ];
    assert_eq!(changes.map(|(key, _)| key).to_vec(), RESTART_KEYS.iter().map(|(key, _)| *key).collect::<Vec<_>>());
    let old = good("").config;
    for (key, text) in changes {
        assert_eq!(old.restart_needed(&good(text).config), [key]);
    }
}

#[test]
fn everything_else_applies_live() {
    let next = "[edge]\ndrain_timeout = \"1s\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n[tls]\nmin_version = \
    \"1.3\"\n[limits]\n\
                headers = 5\n[reports]\nmanaged = true\ndaily = \"08:00-09:00\"\n[[site]]\n\
                hosts = [\"b.example\"]\nupstreams = [\"http://b\"]\n";
    assert_eq!(good("").config.restart_needed(&good(next).config), Vec::<String>::new());
}
