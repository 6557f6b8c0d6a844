//! The configuration and the reference that ship with the program.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::document::Document;
use super::super::keys::KEYS;
use super::super::reader::{Pad, Section};
use super::super::restart::RESTART_KEYS;
use super::super::*;
use super::{good, parse, warnings, wrong};

const SHIPPED: &str = include_str!("../../../config/vitrine.toml");
const REFERENCE: &str = include_str!("../../../docs/configuration.md");

#[test]
fn the_shipped_file_works_as_it_stands() {
    let loaded = Config::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config/vitrine.toml")).expect(
        "no \
    mistakes",
    );
    assert_eq!(warnings(&loaded), "");
    let defaults = good("").config;
    assert_eq!(settings(&loaded.config), settings(&defaults));
    assert_eq!(loaded.config.sites.len(), 1);
}

#[test]
fn the_defaults_the_shipped_file_shows_are_the_defaults() {
    let shown = uncomment(|line| !line.contains("no default"));
    let (shown, shipped) = (parse(&shown).expect("no mistakes"), parse(SHIPPED).expect("no mistakes"));
    assert_eq!(format!("{:?}", shown.config), format!("{:?}", shipped.config));
}

#[test]
fn every_key_of_the_shipped_file_may_be_uncommented() {
    // A file that is there wherever the tests run.
    let everything = uncomment(|_| true).replace("\"roots.pem\"", "\"Cargo.toml\"").replace("\"pages\"", "\"docs\"");
    // One that nobody else may read.
    let key = tempfile::NamedTempFile::new().expect("a file");
    let everything = everything.replace("\"edge.pem\"", "\"Cargo.toml\"");
    let everything = everything.replace("\"edge.key\"", &format!("{:?}", key.path()));

    let folder = tempfile::tempdir().expect("a folder");
    let everything = everything.replace("\"client-c", &format!("\"{}/client-c", folder.path().display()));
    write_client_files(folder.path());
    parse(&everything).unwrap_or_else(|mistakes| panic!("{mistakes}"));
}

#[test]
fn the_reader_asks_for_every_known_key_and_every_one_is_shipped_and_explained() {
    let known: BTreeSet<String> =
        KEYS.iter().flat_map(|(section, keys)| keys.iter().map(|key| keys::dotted(section, key))).collect();
    let everything = Document::new(Path::new("v.toml"), uncomment(|_| true));
    let (table, _) = everything.parse();
    let pad = Pad::new(&everything);
    load::read_everything(&Section::top(&pad, &table), None, None);
    assert_eq!(*pad.asked.borrow(), known);
    assert_eq!(standing(&table, ""), known);

    let tables = [
        "edge",
        "tls",
        "limits",
        "certificates",
        "certificates.drop",
        "acme",
        "acme.dns",
        "acme.issuer",
        "admin",
        "admin.trusted_header",
        "mail",
        "notices",
        "notices.contact",
        "reports",
        "log",
        "access_log",
        "site",
        "site.redirect",
        "site.tls",
        "site.hsts",
        "site.request_headers",
        "site.response_headers",
        "site.rate_limit",
        "site.connections",
        "site.maintenance",
        "site.compression",
        "site.limits",
        "site.balance",
        "site.health",
        "site.upstream_tls",
        "site.route",
        "site.route.limits",
        "site.route.rate_limit",
    ];
    let explained: BTreeSet<String> = reference_rows().map(|cells| cells[0].trim_matches('`').to_owned()).collect();
    let keys: BTreeSet<String> = known.into_iter().filter(|key| !tables.contains(&key.as_str())).collect();
    assert_eq!(explained, keys);
    for table in tables {
        assert!(REFERENCE.contains(&format!("[{table}]")), "{table}");
    }
}

#[test]
fn the_reference_tells_which_keys_need_a_restart() {
    let told: BTreeSet<String> =
        reference_rows().filter(|cells| cells[3] == "restart").map(|cells| key_or_section(cells[0])).collect();
    assert_eq!(told, RESTART_KEYS.iter().map(|(key, _)| (*key).to_owned()).collect());
}

/// The access log is changed as a whole, and so are the folders.
fn key_or_section(cell: &str) -> String {
    let key = cell.trim_matches('`');
    let whole = ["access_log", "admin.trusted_header", "certificates.drop"].into_iter();
    whole.into_iter().find(|section| key.starts_with(&format!("{section}."))).unwrap_or(key).to_owned()
}

#[test]
fn the_mistakes_the_reference_shows_are_said_like_that() {
    let first = wrong("[limits]\nidle_timeout = \"75 parsecs\"").replace("v.toml:2:", "config/vitrine.toml:12:");
    assert!(REFERENCE.contains(&format!("\n{first}\n")), "{first}");
    let site = "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [\"http://a\"]\n";
    let second =
        wrong(site).replace("v.toml:6:", "config/vitrine.toml:40:").replace("v.toml:2 ", "config/vitrine.toml:31 ");
    assert!(REFERENCE.contains(&format!("\n{second}\n")), "{second}");
}

/// An authority of clients, and what it has revoked.
fn write_client_files(folder: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyPair};
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("an authority").pem();
    let now = time::OffsetDateTime::now_utc();
    let revoked = CertificateRevocationListParams {
        this_update: now,
        next_update: now + time::Duration::days(1),
        crl_number: 1_u64.into(),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    let revoked = revoked.signed_by(&Issuer::new(params, &key)).expect("a list").pem().expect("PEM");
    for (name, content) in [("client-ca.pem", authority), ("client-crl.pem", revoked)] {
        std::fs::write(folder.join(name), content).expect("written");
    }
}

/// The shipped file with the keys in force that `wanted` lets through.
fn uncomment(wanted: impl Fn(&str) -> bool) -> String {
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(key) if !key.is_empty() && !key.starts_with(' ') && wanted(line) => key,
        _ => line,
    };
    SHIPPED.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Everything of a configuration but its sites.
fn settings(config: &Config) -> String {
    format!("{:?}", Config { sites: Vec::new(), ..config.clone() })
}

/// The dotted keys that stand in a table and those below it.
fn standing(table: &toml::de::DeTable<'_>, section: &str) -> BTreeSet<String> {
    let mut standing = BTreeSet::new();
    for (key, value) in table {
        let dotted = keys::dotted(section, key.get_ref());
        let value = value.get_ref();
        let below = value.as_array().into_iter().flat_map(|tables| tables.iter().map(|table| table.get_ref()));
        for table in below.chain([value]).filter_map(toml::de::DeValue::as_table) {
            standing.extend(self::standing(table, &dotted));
        }
        standing.insert(dotted);
    }
    standing
}

/// The cells of the reference's tables: key, type, default, change, effect, reason.
fn reference_rows() -> impl Iterator<Item = Vec<&'static str>> {
    let rows = REFERENCE.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>())
        .inspect(|cells| assert_eq!(cells.len(), 6, "{cells:?}"))
}
