//! What each section refuses, and the words for it.

use super::{good, wrong, wrong_alone};

#[test]
fn every_kind_of_wrong_value_is_told_with_line_key_and_mend() {
    let said: &[(&str, &str)] = &[
        // durations
        (
            "[limits]\nidle_timeout = \"75 parsecs\"",
            "v.toml:2: limits.idle_timeout: expected a duration such as \"75s\", found \"75 parsecs\"; units are \
             ms, s, m, h \
             and d",
        ),
        (
            "[limits]\nidle_timeout = 75",
            "v.toml:2: limits.idle_timeout: expected a duration such as \"75s\", found 75; write \"75s\" if \
             seconds are meant",
        ),
        (
            "[limits]\nidle_timeout = \"75\"",
            "v.toml:2: limits.idle_timeout: expected a duration such as \"75s\", found \"75\"; write \"75s\" if \
             seconds are \
             meant",
        ),
        (
            "[limits]\nidle_timeout = \"99999999999999999999s\"",
            "v.toml:2: limits.idle_timeout: expected a duration such as \"75s\", found \"99999999999999999999s\"; \
             a whole \
             number is needed",
        ),
        (
            "[limits]\nidle_timeout = true",
            "v.toml:2: limits.idle_timeout: expected a duration such as \"75s\", found true",
        ),
        (
            "[limits]\nheader_timeout = \"2h\"",
            "v.toml:2: limits.header_timeout: expected a duration of 1ms to 1h, found \"2h\"",
        ),
        (
            "[edge]\ndrain_timeout = \"0s\"",
            "v.toml:2: edge.drain_timeout: expected a duration of 1ms to 1d, found \"0s\"",
        ),
        (
            "[limits]\nupstream_connect_timeout = \"900ms\"",
            "v.toml:2: limits.upstream_connect_timeout: expected a duration of 1s to 5m, found \"900ms\"",
        ),
        // sizes
        (
            "[limits]\nhead_size = \"16K\"",
            "v.toml:2: limits.head_size: expected a size such as \"16KiB\", found \"16K\"; write \"16KiB\"",
        ),
        (
            "[limits]\nhead_size = 16384",
            "v.toml:2: limits.head_size: expected a size such as \"16KiB\", found 16384; write \"16384B\" if \
             octets are meant",
        ),
        (
            "[limits]\nbody_size = 0",
            "v.toml:2: limits.body_size: expected a size such as \"16KiB\", found 0; write \"0\"",
        ),
        (
            "[limits]\nbody_size = \"much\"",
            "v.toml:2: limits.body_size: expected a size such as \"16KiB\", found \"much\"; units are B, KB, MB, \
             GB, KiB, MiB \
             and GiB",
        ),
        (
            "[limits]\nbody_size = \"99999999999GiB\"",
            "v.toml:2: limits.body_size: expected a size such as \"16KiB\", found \"99999999999GiB\"; a whole \
             number that \
             fits 64 bits is needed",
        ),
        (
            "[limits]\nhead_size = \"4KiB\"",
            "v.toml:2: limits.head_size: expected a size of 8KiB to 256KiB, found \"4KiB\"",
        ),
        (
            "[limits]\nh2_connection_window = \"2GiB\"",
            "v.toml:2: limits.h2_connection_window: expected a size of 65535B to 2147483647B, found \"2GiB\"",
        ),
        (
            "[limits]\nhead_size = \"8KiB\"",
            "v.toml:1: limits.uri_length: expected at most limits.head_size, which holds it, found \"16KiB\" and \
             \"8KiB\"; \
             lower uri_length or raise head_size",
        ),
        // counts
        ("[limits]\nheaders = 0", "v.toml:2: limits.headers: expected a whole number of 1 to 1000, found 0"),
        ("[limits]\nheaders = -1", "v.toml:2: limits.headers: expected a whole number, 0 or more, found -1"),
        ("[limits]\nheaders = 1.5", "v.toml:2: limits.headers: expected a whole number, found 1.5"),
        (
            "[limits]\nheaders = \"100\"",
            "v.toml:2: limits.headers: expected a whole number, found \"100\"; leave out the quotes",
        ),
        ("[edge]\nworkers = 1025", "v.toml:2: edge.workers: expected a whole number of 0 to 1024, found 1025"),
        // addresses
        (
            "[edge]\nhttps = [\":443\"]",
            "v.toml:2: edge.https: expected an address and port such as \"[::]:443\", found \":443\"; write \
             \"[::]:443\"",
        ),
        (
            "[edge]\nhttps = [8443]",
            "v.toml:2: edge.https: expected an address and port such as \"[::]:443\", found 8443; write \
             \"[::]:8443\"",
        ),
        (
            "[edge]\nhttp = [\"80\"]",
            "v.toml:2: edge.http: expected an address and port such as \"[::]:443\", found \"80\"; write \"[::]:80\"",
        ),
        (
            "[edge]\nhttps = [\"10.0.0.1\"]",
            "v.toml:2: edge.https: expected an address and port such as \"[::]:443\", found \"10.0.0.1\"; add a \
             port: \
             \"10.0.0.1:443\"",
        ),
        (
            "[edge]\nhttps = [\"::1\"]",
            "v.toml:2: edge.https: expected an address and port such as \"[::]:443\", found \"::1\"; add a port: \
             \"[::1]:443\"",
        ),
        (
            "[admin]\nlisten = \"localhost:9180\"",
            "v.toml:2: admin.listen: expected an address and port such as \"127.0.0.1:9180\", found \
             \"localhost:9180\"; write \
             \"127.0.0.1:9180\"",
        ),
        ("[edge]\nhttps = []", "v.toml:2: edge.https: expected at least one, found an empty list"),
        ("[edge]\nhttps = \"[::]:443\"", "v.toml:2: edge.https: expected a list, found \"[::]:443\"; put it in [ ]"),
        (
            "[admin]\nlisten = \"0.0.0.0:9180\"\ntls = false",
            "v.toml:3: admin.tls: expected true beside listen = \"0.0.0.0:9180\", found false; passwords and keys go over it: leave \
             the key out, or listen on a loopback address and let a proxy on this machine speak TLS; for metrics and health alone \
             there is admin.metrics_listen",
        ),
        (
            "[admin.trusted_header]\nheader = \"Cookie\"\nsecret_file = \"x\"\nnetworks = [\"10.0.0.5/32\"]",
            "v.toml:2: admin.trusted_header.header: expected a header field such as \"X-Remote-User\", found \"Cookie\"; that one has a \
             meaning already",
        ),
        (
            "[admin.trusted_header]\nheader = \"X-A\"\nsecret_header = \"x-a\"\nsecret_file = \"x\"\nnetworks = [\"10.0.0.5/32\"]",
            "v.toml:2: admin.trusted_header.header: expected another field than that of the secret, found \"x-a\" for both",
        ),
        // networks
        (
            "[edge]\ntrusted_proxies = [\"10.0.0.1\"]",
            "v.toml:2: edge.trusted_proxies: expected a network such as \"10.0.0.0/8\", found \"10.0.0.1\"; write \
             \"10.0.0.1/32\" for this address alone",
        ),
        (
            "[edge]\ntrusted_proxies = [\"10.0.0.1/8\"]",
            "v.toml:2: edge.trusted_proxies: expected a network such as \"10.0.0.0/8\", found \"10.0.0.1/8\"; write \
             \"10.0.0.0/8\" for the whole network",
        ),
        (
            "[edge]\ntrusted_proxies = [\"office\"]",
            "v.toml:2: edge.trusted_proxies: expected a network such as \"10.0.0.0/8\", found \"office\"",
        ),
        // words, switches, shares, paths, names
        ("[tls]\nmin_version = \"1.1\"", "v.toml:2: tls.min_version: expected \"1.2\" or \"1.3\", found \"1.1\""),
        ("[tls]\nmin_version = 1.2", "v.toml:2: tls.min_version: expected \"1.2\" or \"1.3\", found 1.2"),
        (
            "[log]\nlevel = \"trace\"",
            "v.toml:2: log.level: expected \"error\", \"warn\", \"info\" or \"debug\", found \"trace\"",
        ),
        ("[access_log]\nquery = \"no\"", "v.toml:2: access_log.query: expected true or false, found \"no\""),
        (
            "[access_log]\nto = \"stdout\"\nmode = \"sampled\"\nsample = 1.5",
            "v.toml:4: access_log.sample: expected a share above 0 and up to 1, such as 0.01, found 1.5",
        ),
        (
            "[access_log]\nsample = nan",
            "v.toml:2: access_log.sample: expected a share above 0 and up to 1, such as 0.01, found nan",
        ),
        (
            "[certificates]\ndrop_directory = \"\"",
            "v.toml:2: certificates.drop_directory: expected a path, found \
        \"\"",
        ),
        (
            "[admin]\nallowed_hosts = [\"a b\"]",
            "v.toml:2: admin.allowed_hosts: \"a b\" is not a host name: a host name has labels of 1 to 63 \
             letters, digits, '-' or '_', and \
             253 characters at most",
        ),
        (
            "[admin]\nallowed_hosts = [2024-01-01]",
            "v.toml:2: admin.allowed_hosts: expected a text in quotes, found the date 2024-01-01",
        ),
        // tables
        ("log = 5", "v.toml:1: log: expected a table, found 5; write [log]"),
        ("[[log]]", "v.toml:1: log: expected one table, found several; write [log] once"),
    ];
    for (text, mistake) in said {
        assert_eq!(wrong(text), *mistake, "{text}");
    }
}

#[test]
fn unknown_keys_and_keys_of_later_versions_are_refused() {
    let said = [
        (
            "[limits]\nidle_timout = \"75s\"",
            "v.toml:2: limits.idle_timout: unknown key; did you mean \"idle_timeout\"?",
        ),
        ("[edge]\nidle_timeout = \"75s\"", "v.toml:2: edge.idle_timeout: unknown key; it belongs in [limits]"),
        ("[limit]\nheaders = 1", "v.toml:1: limit: unknown key; did you mean \"limits\"?"),
        (
            "\"new\\nline\" = 1",
            "v.toml:1: new\\nline: unknown key; known here are include, edge, tls, limits, certificates, acme, admin, \
             mail, notices, reports, log, access_log, site",
        ),
    ];
    for (text, mistake) in said {
        assert_eq!(wrong(text), mistake, "{text}");
    }
}

#[test]
fn listeners_that_collide_are_told_apart_from_those_that_do_not() {
    let said = [
        (
            "[edge]\nhttps = [\"[::]:443\", \"[::]:443\"]",
            "v.toml:2: edge.https: \"[::]:443\" cannot be listened on beside \"[::]:443\" of edge.https; give it \
             another port \
             or take one out",
        ),
        (
            "[edge]\nhttps = [\n\"[::]:443\",\n\"10.0.0.1:443\"]",
            "v.toml:4: edge.https: \"10.0.0.1:443\" cannot be listened on beside \"[::]:443\" of edge.https; give \
             it another \
             port or take one out",
        ),
        (
            "[edge]\nhttp = [\"0.0.0.0:443\"]",
            "v.toml:2: edge.http: \"0.0.0.0:443\" cannot be listened on beside \"[::]:443\" of edge.https; give \
             it another \
             port or take one out",
        ),
        (
            "[admin]\nmetrics_listen = \"127.0.0.1:9180\"",
            "v.toml:2: admin.metrics_listen: \"127.0.0.1:9180\" cannot be listened on beside \"127.0.0.1:9180\" of \
             admin.listen; give it another port or take one out",
        ),
        (
            "[edge]\nhttps = [\"[::]:9180\"]",
            "v.toml:2: edge.https: \"[::]:9180\" cannot be listened on beside \"127.0.0.1:9180\" of admin.listen; \
             give it another port or take one out",
        ),
        (
            "[admin]\nlisten = \"127.0.0.1:80\"",
            "v.toml:2: admin.listen: \"127.0.0.1:80\" cannot be listened on beside \"[::]:80\" of edge.http; give \
             it another \
             port or take one out",
        ),
    ];
    for (text, mistake) in said {
        assert_eq!(wrong(text), mistake, "{text}");
    }
    good("[edge]\nhttps = [\"10.0.0.1:443\", \"10.0.0.2:443\", \"[::1]:443\"]");
    good("[edge]\nhttps = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\nhttp = [\"127.0.0.1:0\"]");
}

#[test]
fn settings_that_need_each_other_are_checked_together() {
    let said = [
        (
            "[tls]\nunknown_name = \"default\"",
            "v.toml:2: tls.default_site: is needed with unknown_name = \"default\"; name a host of one of the sites",
        ),
        (
            "[tls]\nunknown_name = \"default\"\ndefault_site = \"other.example\"",
            "v.toml:3: tls.default_site: expected a host of one of the sites, found \"other.example\"",
        ),
        (
            "[access_log]\nmode = \"all\"",
            "v.toml:2: access_log.to: is needed when mode is not \"off\"; write to = \"stdout\" or the path of a \
             file",
        ),
        (
            "[certificates]\nstate_directory = \"certs/../certs/./state\"",
            "v.toml:2: certificates.state_directory: expected a folder apart from certificates.drop_directory, found \
             \"certs/../certs/./state\" and \"certs\"",
        ),
        (
            "[certificates]\ndrop_directory = \".\"",
            "v.toml:1: certificates.state_directory: expected a folder apart from certificates.drop_directory, found \
             \"state\" and \".\"",
        ),
        (
            "[[certificates.drop]]\ndirectory = \"certs/a\"\nhosts = [\"a.example\"]",
            "v.toml:2: certificates.drop.directory: expected a folder apart from certificates.drop_directory, found \
             \"certs/a\" and \"certs\"",
        ),
        (
            "[[certificates.drop]]\ndirectory = \"a\"\nhosts = [\"a.example\"]\n[[certificates.drop]]\ndirectory = \"a/b\"\n\
             hosts = [\"b.example\"]",
            "v.toml:5: certificates.drop.directory: expected a folder apart from another certificates.drop.directory, found \
             \"a/b\" and \"a\"",
        ),
        (
            "[[certificates.drop]]\ndirectory = \"a\"",
            "v.toml:1: certificates.drop.hosts: is needed: the names that certificates in this folder may have; what may have \
             any name belongs in certificates.drop_directory",
        ),
        (
            "[[certificates.drop]]\nhosts = []",
            "v.toml:1: certificates.drop.directory: is needed: the folder\n\
             v.toml:2: certificates.drop.hosts: expected at least one, found an empty list",
        ),
        (
            "[certificates.drop]\ndirectory = \"a\"",
            "v.toml:1: certificates.drop: expected tables, found a table; write [[certificates.drop]]",
        ),
        (
            "[certificates]\nstate_key_file = \"state/key\"",
            "v.toml:2: certificates.state_key_file: expected a file outside of certificates.state_directory, found \"state/key\"; beside \
             what it seals it would go along in every backup",
        ),
    ];
    for (text, mistake) in said {
        assert_eq!(wrong(text), mistake, "{text}");
    }
}

#[test]
fn ten_mistakes_are_ten_lines_in_order() {
    let text = "[edge]\nhttps = [\":443\"]\nworkers = -1\n[tls]\nmin_version = \"1.0\"\n[limits]\nheaders = 0\n\
                idle_timeout = 75\nhed_size = \"16KiB\"\n[log]\nlevel = \"loud\"\n[[site]]\nhosts = [\"*\"]\n\
                upstreams = [\"10.0.0.1\", \"h3://b\"]\n";
    assert_eq!(
        wrong_alone(text),
        "v.toml:2: edge.https: expected an address and port such as \"[::]:443\", found \":443\"; write \
         \"[::]:443\"\n\
         v.toml:3: edge.workers: expected a whole number, 0 or more, found -1\n\
         v.toml:5: tls.min_version: expected \"1.2\" or \"1.3\", found \"1.0\"\n\
         v.toml:7: limits.headers: expected a whole number of 1 to 1000, found 0\n\
         v.toml:8: limits.idle_timeout: expected a duration such as \"75s\", found 75; write \"75s\" if seconds \
         are meant\n\
         v.toml:9: limits.hed_size: unknown key; did you mean \"head_size\"?\n\
         v.toml:11: log.level: expected \"error\", \"warn\", \"info\" or \"debug\", found \"loud\"\n\
         v.toml:13: site.hosts: \"*\" is not a host name: a '*' may only be the whole leftmost label\n\
         v.toml:14: site.upstreams: expected an upstream such as \"http://10.0.0.11:8080\", found \"10.0.0.1\"; \
         write \
         \"http://10.0.0.1\"\n\
         v.toml:14: site.upstreams: expected an upstream such as \"http://10.0.0.11:8080\", found \"h3://b\"; use http://, https://, h2c:// or h2:// for HTTP/2, or unix: with the path of a socket"
    );
}

#[test]
fn a_long_value_is_shown_in_part() {
    let text = format!("[tls]\nmin_version = \"{}\"", "é".repeat(1000));
    let shown =
        format!("v.toml:2: tls.min_version: expected \"1.2\" or \"1.3\", found \"{}\" and more", "é".repeat(80));
    assert_eq!(wrong(&text), shown);
}
