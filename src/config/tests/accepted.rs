//! What a good file gives, key by key.

use std::time::Duration;

use super::super::*;
use super::{good, parse, warnings};
use crate::live::{Upstream, ValidationLevel};

#[test]
fn an_almost_empty_file_has_every_default() {
    let config = good("").config;
    assert_eq!(
        config.edge,
        EdgeConfig {
            https: vec!["[::]:443".parse().expect("an address")],
            http: vec!["[::]:80".parse().expect("an address")],
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            drain_timeout: Duration::from_secs(30),
            trusted_proxies: Vec::new(),
            proxy_protocol: Vec::new(),
            resolvers: Vec::new(),
        }
    );
    assert_eq!(config.tls, TlsConfig { min_version: TlsVersion::V1_2, unknown_name: UnknownName::Refuse });
    assert_eq!(config.limits, Limits::default());
    assert_eq!(
        config.certificates,
        CertificatesConfig {
            drop_directory: "certs".into(),
            state_directory: "state".into(),
            local_ca_suffixes: ["test", "localhost", "internal"]
                .map(|suffix| HostName::parse(suffix).expect("a name"))
                .to_vec(),
            state_key_file: None,
            trusted_roots: Vec::new(),
            drops: Vec::new()
        }
    );
    assert_eq!(
        config.admin,
        AdminConfig {
            listen: "127.0.0.1:9180".parse().expect("an address"),
            tls: false,
            host: None,
            hsts: None,
            trusted_header: None,
            metrics_listen: None,
            allowed_hosts: Vec::new(),
            export: false,
            public_url: None,
            session_idle: Duration::from_secs(3600),
            session_lifetime: Duration::from_secs(12 * 3600),
        }
    );
    assert_eq!(config.log, LogConfig { format: LogFormat::Text, level: LogLevel::Info });
    assert_eq!(config.access_log, AccessLogConfig { to: None, sample: 1.0, query: false, truncate_client: false });
}

#[test]
fn every_limit_is_read() {
    let text = "[limits]\nheader_timeout = \"1s\"\nidle_timeout = \"2m\"\nhandshake_timeout = \"500ms\"\n\
                body_idle_timeout = \"1h\"\nwrite_stall_timeout = \"1d\"\nupstream_connect_timeout = \"4s\"\n\
                upstream_response_timeout = \"6s\"\nupstream_idle_timeout = \"7s\"\nhead_size = \"8KiB\"\n\
                headers = 1_0\nuri_length = \"8192B\"\nbody_size = \"64KB\"\n\
                connection_age = \"5m\"\nconnection_requests = 1000\nh2_streams = 0x10\n\
                h2_stream_window = \"64KiB\"\nh2_connection_window = \"2147483647B\"\nh2_send_buffer = \"1MiB\"\n\
                connections = 5\nconnections_per_client = 4\nmemory = \"2GiB\"\n";
    let loaded = good(text);
    assert_eq!(
        loaded.config.limits,
        Limits {
            header_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(120),
            handshake_timeout: Duration::from_millis(500),
            body_idle_timeout: Duration::from_secs(3600),
            write_stall_timeout: Duration::from_secs(86_400),
            upstream_connect_timeout: Duration::from_secs(4),
            upstream_response_timeout: Duration::from_secs(6),
            upstream_idle_timeout: Duration::from_secs(7),
            head_size: 8192,
            headers: 10,
            uri_length: 8192,
            body_size: 64_000,
            connection_age: Duration::from_secs(300),
            connection_requests: 1000,
            h2_streams: 16,
            h2_stream_window: 65_536,
            h2_connection_window: 2_147_483_647,
            h2_send_buffer: 1 << 20,
            connections: 5,
            connections_per_client: 4,
            memory: 2 << 30,
        }
    );
    assert_eq!(warnings(&loaded), "");
}

#[test]
fn every_other_setting_is_read() {
    let text = "[edge]\nhttps = [\"127.0.0.1:8443\", \"[::1]:8443\"]\nhttp = []\nworkers = 3\ndrain_timeout = \
    \"1s\"\n\
                trusted_proxies = [\"10.0.0.0/8\", \"fd00::/8\"]\nproxy_protocol = [\"10.1.0.0/16\"]\n\
                resolvers = [\"10.0.0.53\", \"[fd00::53]:5353\"]\n[tls]\nmin_version = \"1.3\"\n\
                unknown_name = \"default\"\ndefault_site = \"SHOP.example.\"\n[certificates]\ndrop_directory = \
                \"a\"\n\
                state_directory = \"/var/lib/vitrine\"\n\
                state_key_file = \"$CREDENTIALS_DIRECTORY/key\"\nlocal_ca_suffixes = [\".corp.example\"]\n[admin]\nlisten = \"[::1]:1\"\ntls = true\nhost = \"edge.example\"\nhsts = false\nmetrics_listen = \
                \"0.0.0.0:2\"\n\
                allowed_hosts = [\"ops.example\"]\nexport = true\nsession_idle = \"5m\"\nsession_lifetime = \"1d\"\n[log]\nformat = \"json\"\nlevel = \"debug\"\n[access_log]\n\
                to = \"access.log\"\nmode = \"sampled\"\nsample = 0.5\nquery = true\ntruncate_client = true\n";
    let config = good(text).config;
    let address = |text: &str| text.parse().expect("an address");
    assert_eq!(
        config.edge,
        EdgeConfig {
            https: vec![address("127.0.0.1:8443"), address("[::1]:8443")],
            http: Vec::new(),
            workers: 3,
            drain_timeout: Duration::from_secs(1),
            trusted_proxies: vec!["10.0.0.0/8".parse().expect("a network"), "fd00::/8".parse().expect("a network")],
            proxy_protocol: vec!["10.1.0.0/16".parse().expect("a network")],
            resolvers: vec![address("10.0.0.53:53"), address("[fd00::53]:5353")],
        }
    );
    let shop = HostName::parse("shop.example").expect("a name");
    assert_eq!(config.tls, TlsConfig { min_version: TlsVersion::V1_3, unknown_name: UnknownName::Default(shop) });
    assert_eq!(
        config.certificates,
        CertificatesConfig {
            drop_directory: "a".into(),
            state_directory: "/var/lib/vitrine".into(),
            local_ca_suffixes: vec![HostName::parse("corp.example").expect("a name")],
            state_key_file: Some("$CREDENTIALS_DIRECTORY/key".into()),
            trusted_roots: Vec::new(),
            drops: Vec::new()
        }
    );
    assert_eq!(
        config.admin,
        AdminConfig {
            listen: address("[::1]:1"),
            tls: true,
            host: Some(HostName::parse("edge.example").expect("a name")),
            hsts: Some(false),
            trusted_header: None,
            metrics_listen: Some(address("0.0.0.0:2")),
            allowed_hosts: vec![HostName::parse("ops.example").expect("a name")],
            export: true,
            public_url: None,
            session_idle: Duration::from_secs(300),
            session_lifetime: Duration::from_secs(86_400),
        }
    );
    assert_eq!(config.log, LogConfig { format: LogFormat::Json, level: LogLevel::Debug });
    let to = Some(AccessLogTarget::File("access.log".into()));
    assert_eq!(config.access_log, AccessLogConfig { to, sample: 0.5, query: true, truncate_client: true });
}

#[test]
fn an_access_log_with_a_place_records_all_and_sampled_has_a_default() {
    let target = |text: &str| {
        let log = good(text).config.access_log;
        (log.to, log.sample)
    };
    assert_eq!(target("[access_log]\nto = \"stdout\""), (Some(AccessLogTarget::Stdout), 1.0));
    assert_eq!(target("[access_log]\nto = \"stdout\"\nmode = \"sampled\""), (Some(AccessLogTarget::Stdout), 0.01));
    assert_eq!(target("[access_log]\nto = \"stdout\"\nmode = \"off\""), (None, 1.0));
}

#[test]
fn sites_are_read_with_names_routes_and_upstreams() {
    let text = "[[site]]\nhosts = [\"Bücher.example\", \"*.Shop.example.\"]\ncertificate = \"uploaded\"\nminimum_validation = \"ov\"\nstaging = true\n\
                upstreams = [\"http://10.0.0.11:8080\", \"HTTP://Shop_1\", \"http://[2001:DB8::1]:81\", \
                \"http://[::1]\"]\n\
                [[site.route]]\npath = \"/api\"\nupstreams = [\"http://10.0.0.12\"]\n\
                [[site]]\nname = \"two\"\nhosts = [\"two.example\"]\nroute = [{ path = \"/\", upstreams = \
                [\"http://a\", \"unix:run/a.sock\", \"unix:/run/a.sock\", \"unix+h2c:a.sock\", \"h2c://a\", \"H2://a\"] }]\n";
    let loaded = parse(text).expect("no mistakes");
    let sites = &loaded.config.sites;
    assert_eq!(sites.iter().map(|site| site.name.as_str()).collect::<Vec<_>>(), ["xn--bcher-kva.example", "two"]);
    assert_eq!(
        sites[0].hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["xn--bcher-kva.example", "*.shop.example"]
    );
    let upstream = Upstream::tcp;
    let two = vec![
        upstream("a", 80),
        Upstream::unix(Path::new("run/a.sock")),
        Upstream::unix(Path::new("/run/a.sock")),
        Upstream::unix(Path::new("a.sock")).in_http2(),
        upstream("a", 80).in_http2(),
        upstream("a", 443).in_http2().over_tls(&Default::default()),
    ];
    let rest =
        vec![upstream("10.0.0.11", 8080), upstream("shop_1", 80), upstream("2001:db8::1", 81), upstream("::1", 80)];
    assert_eq!(sites[0].routes, [("/".into(), rest.into()), ("/api".into(), vec![upstream("10.0.0.12", 80)].into())]);
    assert_eq!(
        [&sites[0], &sites[1]].map(|site| (site.minimum_validation, site.staging)),
        [(Some(ValidationLevel::Organisation), true), (None, false)]
    );
    assert_eq!(sites[1].routes, [("/".into(), two.into())]);
    assert_eq!(loaded.origins, [PathBuf::from("v.toml"), PathBuf::from("v.toml")]);
    assert_eq!(loaded.sources, [PathBuf::from("v.toml")]);
}

#[test]
fn what_may_not_be_meant_is_warned_about() {
    let said = [
        (
            "[limits]\nupstream_connect_timeout = \"3s\"",
            "v.toml:2: limits.upstream_connect_timeout: is below 4s: an upstream with a full backlog drops the \
             first packet \
             and answers its repeat, 1 to 3 seconds later; busy upstreams will look dead",
        ),
        (
            "[edge]\ntrusted_proxies = [\"::/0\"]",
            "v.toml:2: edge.trusted_proxies: trusts everybody: any client can then claim any address; name your \
             proxies' \
             networks",
        ),
        (
            "[tls]\ndefault_site = \"shop.example\"",
            "v.toml:2: tls.default_site: has no effect without unknown_name = \"default\"",
        ),
        (
            "[access_log]\nto = \"stdout\"\nsample = 0.1",
            "v.toml:3: access_log.sample: has no effect without mode = \"sampled\"",
        ),
        (
            "[[site]]\nhosts = [\"a.example\"]\nupstreams = [\n\"http://a\",\n\"http://A:80\"]",
            "v.toml:5: site.upstreams: a:80 is listed twice and gets twice the requests",
        ),
    ];
    for (text, warning) in said {
        assert_eq!(warnings(&good(text)), warning);
    }
    let empty = parse("").expect("no mistakes");
    assert_eq!(
        warnings(&empty),
        "v.toml:1: site: there is no site: every name is unknown and every request gets \
    404"
    );
}

#[test]
fn drop_folders_have_their_names() {
    let text = "[[certificates.drop]]\ndirectory = \"/srv/a/\"\nhosts = [\"A.example\", \"*.a.example\"]\n\
                [[certificates.drop]]\ndirectory = \"/srv/ab\"\nhosts = [\"b.example\"]\npassword_file = \"/nowhere/b\"\n";
    let pattern = |name: &str| HostPattern::parse(name).expect("a name");
    let expected = [
        DropFolder {
            directory: "/srv/a/".into(),
            hosts: vec![pattern("a.example"), pattern("*.a.example")],
            password_file: None,
        },
        DropFolder {
            directory: "/srv/ab".into(),
            hosts: vec![pattern("b.example")],
            password_file: Some("/nowhere/b".into()),
        },
    ];
    assert_eq!(good(text).config.certificates.drops, expected);
}
