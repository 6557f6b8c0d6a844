//! What a site asks of the TLS of its clients: a newer version, and certificates of their own. The clients are curl and openssl.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use rustix::process::Signal;

use crate::support::command::said;
use crate::support::{Edge, Http2, Origin, Setup, authority, drop_file, message, run};

const REQUIRED: &str =
    "[site.tls]\nclient_certificates = \"required\"\nclient_ca = [\"clients.pem\"]\nclient_headers = true\n";
const OPTIONAL: &str =
    "[site.tls]\nclient_certificates = \"optional\"\nclient_ca = [\"clients.pem\"]\nclient_headers = true\n";

#[test]
fn who_shows_no_certificate_or_a_wrong_one_does_not_get_in() {
    let (origin, staff) = (Origin::saying("hello"), Authority::new("Staff"));
    let edge = start(&origin, &staff, REQUIRED);
    let folder = edge.setup.folder.path();
    staff.issue(folder, "ada", 7, -1, 30);
    staff.issue(folder, "late", 8, -30, -1);
    Authority::new("Staff").issue(folder, "foreign", 7, -1, 30);

    assert_eq!(said(&curl(&edge, "shop.example", "--cert ada.pem").stdout), "hello");
    for (arguments, reason) in [
        ("", "no_client_certificate"),
        ("--cert late.pem", "client_certificate"),
        ("--cert foreign.pem", "client_certificate"),
    ] {
        let before = edge.scrape().sum("vitrine_handshakes_total", &[("result", reason)]);
        let output = curl(&edge, "shop.example", arguments);
        assert_eq!((output.status.success(), said(&output.stdout)), (false, String::new()), "{arguments}");
        edge.counted(before + 1.0, "vitrine_handshakes_total", &[("result", reason)]);
    }
    let alert = s_client(&edge, "shop.example", "-tls1_3");
    assert!(alert.contains("alert number 116"), "certificate_required is expected (RFC 8446 §6.2): {alert}");
    assert_eq!(said(&curl(&edge, "other.example", "").stdout), "hello", "the other site asks for none");
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn the_shop_is_told_whose_certificate_it_was_and_clients_cannot_say_so() {
    let (origin, staff) = (Origin::saying("hello"), Authority::new("Staff"));
    let edge = start(&origin, &staff, OPTIONAL);
    staff.issue(edge.setup.folder.path(), "ada", 0x2AF, -1, 30);
    let forged =
        "-H X-Client-Verify:SUCCESS -H X-Client-Subject:CN=root -H Client-Cert::AAAA: -H Client-Cert-Chain::AAAA:";

    for (site, arguments) in [
        ("shop.example", "--cert ada.pem"),
        ("shop.example", "--cert ada.pem --http1.1"),
        ("shop.example", ""),
        ("other.example", ""),
    ] {
        assert_eq!(said(&curl(&edge, site, &format!("{arguments} {forged}")).stdout), "hello", "{arguments}");
    }
    let told: Vec<Vec<(String, String)>> =
        origin.requests().into_iter().map(|request| about_clients(request.head.fields)).collect();
    let value = |request: &[(String, String)], wanted: &str| {
        let all: Vec<_> = request.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.clone()).collect();
        all.join("|")
    };
    for request in &told[..2] {
        assert_eq!(value(request, "x-client-verify"), "SUCCESS");
        assert_eq!(value(request, "x-client-subject"), "CN=ada");
        assert_eq!(value(request, "x-client-issuer"), "CN=Staff");
        assert_eq!(value(request, "x-client-serial"), "02AF");
        assert_eq!(request.len(), 7, "{request:?}");
    }
    let openssl = tool(&edge, "openssl x509 -in ada.pem -noout -fingerprint -sha256");
    let fingerprint = openssl.split('=').nth(1).expect("a fingerprint").trim().replace(':', "").to_lowercase();
    assert_eq!(value(&told[0], "x-client-fingerprint"), fingerprint);
    assert_eq!(told[2], [("x-client-verify".to_owned(), "NONE".to_owned())]);
    assert_eq!(told[3], []);
}

#[test]
fn a_list_of_revoked_certificates_counts() {
    let (origin, staff) = (Origin::saying("hello"), Authority::new("Staff"));
    let more = format!("{REQUIRED}client_crl = [\"revoked.pem\"]\n");
    let mut setup = setup(&origin, &staff, &more);
    let folder = setup.folder.path().to_owned();
    drop_file(&folder.join("revoked.pem"), staff.revoking(&[7]));
    setup.set("log", "level = \"info\"");
    let edge = setup.start();
    staff.issue(&folder, "gone", 7, -1, 30);
    staff.issue(&folder, "here", 8, -1, 30);
    assert!(!curl(&edge, "shop.example", "--cert gone.pem").status.success());
    edge.counted(1.0, "vitrine_handshakes_total", &[("result", "client_certificate")]);
    assert_eq!(said(&curl(&edge, "shop.example", "--cert here.pem").stdout), "hello");
}

#[test]
fn a_version_is_chosen_by_the_name() {
    let (origin, staff) = (Origin::saying("hello"), Authority::new("Staff"));
    let edge = start(&origin, &staff, "[site.tls]\nmin_version = \"1.3\"\n");
    assert!(!curl(&edge, "shop.example", "--tls-max 1.2").status.success());
    assert_eq!(said(&curl(&edge, "shop.example", "").stdout), "hello");
    assert_eq!(said(&curl(&edge, "other.example", "--tls-max 1.2").stdout), "hello");
}

#[test]
fn a_session_goes_on_after_a_reload_that_leaves_what_is_asked_for() {
    let (origin, staff) = (Origin::saying("hello"), Authority::new("Staff"));
    for version in ["-tls1_2", "-tls1_3"] {
        let mut edge = start(&origin, &staff, REQUIRED);
        staff.issue(edge.setup.folder.path(), "ada", 7, -1, 30);
        let first = s_client(&edge, "shop.example", &format!("{version} -cert ada.pem -sess_out session.pem"));
        assert!(first.contains("New, TLS") && first.contains("hello"), "{first}");
        edge.setup.set("limits", "idle_timeout = \"70s\"");
        edge.reload();
        let again = s_client(&edge, "shop.example", &format!("{version} -cert ada.pem -sess_in session.pem"));
        assert!(again.contains("Reused, TLS") && again.contains("hello"), "{again}");
        let elsewhere = s_client(&edge, "other.example", &format!("{version} -sess_in session.pem"));
        assert!(elsewhere.contains("New, TLS") && elsewhere.contains("hello"), "{elsewhere}");
    }
}

#[test]
fn a_session_from_before_lets_in_nobody_whom_the_new_authority_does_not_know() {
    let (origin, old, new) = (Origin::saying("hello"), Authority::new("Old"), Authority::new("New"));
    for version in ["-tls1_2", "-tls1_3"] {
        let edge = start(&origin, &old, REQUIRED);
        let folder = edge.setup.folder.path();
        old.issue(folder, "ada", 7, -1, 30);
        new.issue(folder, "eve", 7, -1, 30);
        s_client(&edge, "shop.example", &format!("{version} -cert ada.pem -sess_out session.pem"));
        let mut open = keep_open(&edge, folder);
        assert_eq!(open.get("shop.example", "/").status, 200);
        // The file alone is new; what names it stays.
        drop_file(&folder.join("clients.pem"), &new.pem);
        edge.reload();
        for arguments in ["-cert ada.pem", ""] {
            let refused = s_client(&edge, "shop.example", &format!("{version} {arguments} -sess_in session.pem"));
            assert!(!refused.contains("Reused") && !refused.contains("hello"), "{refused}");
        }
        let eve = s_client(&edge, "shop.example", &format!("{version} -cert eve.pem -sess_in session.pem"));
        assert!(eve.contains("New, TLS") && eve.contains("hello"), "{eve}");
        assert_eq!(open.get("shop.example", "/").status, 421, "an open connection is under the old rules");
    }
}

#[test]
fn no_site_is_reached_by_the_name_of_another_that_asks_for_something_else() {
    let (origin, staff) = (Origin::saying("hello"), Authority::new("Staff"));
    let edge = start(&origin, &staff, OPTIONAL);
    for (name, host, status) in [
        ("other.example", "shop.example", 421),
        ("shop.example", "other.example", 421),
        ("shop.example", "shop.example", 200),
        ("other.example", "third.example", 200),
    ] {
        assert_eq!(edge.open(name).get(host, "/").status, status, "{name} {host}");
    }
    edge.counted(2.0, "vitrine_local_answers_total", &[("reason", "misdirected")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_over_a_connection_of_http_2_that_two_sites_share() {
    let (origin, staff) = (Origin::saying("hello"), Authority::new("Staff"));
    let edge = start(&origin, &staff, OPTIONAL);
    let mut client = Http2::open(edge.https, "other.example").await;
    assert_eq!(client.get("other.example", "/").await.0, 200);
    assert_eq!(client.get("shop.example", "/").await.0, 421);
    assert_eq!(client.get("third.example", "/").await.0, 200);
}

#[test]
fn the_default_certificate_is_no_way_round() {
    let (origin, staff) = (Origin::saying("hello"), Authority::new("Staff"));
    let mut setup = setup(&origin, &staff, REQUIRED);
    setup.set("tls", "unknown_name = \"default\"").set("tls", "default_site = \"shop.example\"");
    let edge = setup.start();
    let anybody = crate::support::ClientTls::trusting(
        &[&rustls::version::TLS13],
        vec![rustls::SignatureScheme::ECDSA_NISTP256_SHA256],
    );
    let mut client = anybody.open(edge.https, "unknown.example");
    assert_eq!(client.get("shop.example", "/").status, 421);
    assert_eq!(client.get("other.example", "/").status, 200);
}

#[test]
fn a_broken_authority_changes_nothing() {
    let (origin, staff) = (Origin::saying("hello"), Authority::new("Staff"));
    let edge = start(&origin, &staff, REQUIRED);
    let folder = edge.setup.folder.path();
    staff.issue(folder, "ada", 7, -1, 30);
    let key = std::fs::read_to_string(folder.join("ada.pem")).expect("a file");
    drop_file(&folder.join("clients.pem"), key.split("-----BEGIN CERTIFICATE").next().expect("a key"));
    let before = edge.log().len();
    edge.signal(Signal::HUP);
    let said_why = edge.log_line_after(before, "the mistake", |line| message(line).contains("site.tls.client_ca"));
    let why = "clients.pem: expected PEM with \"-----BEGIN CERTIFICATE-----\", found something else";
    assert!(message(&said_why).ends_with(why), "{said_why}");
    assert_eq!(said(&curl(&edge, "shop.example", "--cert ada.pem").stdout), "hello");
    assert!(!curl(&edge, "shop.example", "").status.success());
    let output = run(&["check", "--config", "vitrine.toml"], &edge.setup);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output.stderr));
}

#[test]
fn the_edge_sees_what_it_serves_all_the_same() {
    let (origin, staff) = (Origin::saying("hello"), Authority::new("Staff"));
    let edge = start(&origin, &staff, REQUIRED);
    crate::support::eventually("a look at every name", || {
        (edge.scrape().sum("vitrine_truth_checks_total", &[("result", "match")]) >= 3.0).then_some(())
    });
    edge.counted(0.0, "vitrine_truth_checks_total", &[("result", "refused")]);
    edge.counted(0.0, "vitrine_truth_checks_total", &[("result", "no_answer")]);
}

fn setup(origin: &Origin, clients: &Authority, demands: &str) -> Setup {
    let hosts = ["shop.example", "other.example", "third.example"];
    let mut setup = Setup::new();
    setup.certificate("all", &authority().issue(&hosts));
    setup.site(&hosts[1..2], &[origin]).site(&hosts[2..], &[origin]).site(&hosts[..1], &[origin]).raw_site(demands);
    drop_file(&setup.folder.path().join("root.pem"), &authority().root_pem);
    drop_file(&setup.folder.path().join("clients.pem"), &clients.pem);
    setup
}

fn start(origin: &Origin, clients: &Authority, demands: &str) -> Edge {
    setup(origin, clients, demands).start()
}

/// What a shop was told of certificates.
fn about_clients(fields: Vec<(String, String)>) -> Vec<(String, String)> {
    let about = |name: &str| name.starts_with("client-cert") || name.starts_with("x-client-");
    fields.into_iter().filter(|(name, _)| about(name)).collect()
}

fn curl(edge: &Edge, host: &str, arguments: &str) -> Output {
    let port = edge.https.port();
    Command::new("curl")
        .args(["-sS", "--fail", "--cacert", "root.pem", "--resolve", &format!("{host}:{port}:127.0.0.1")])
        .args(arguments.split_whitespace())
        .arg(format!("https://{host}:{port}/"))
        .current_dir(edge.setup.folder.path())
        .output()
        .expect("curl is there")
}

/// What openssl says of a handshake and of the answer to a request behind it.
fn s_client(edge: &Edge, host: &str, arguments: &str) -> String {
    let mut child = Command::new("openssl")
        .args(["s_client", "-ign_eof", "-CAfile", "root.pem", "-connect", &edge.https.to_string(), "-servername", host])
        .args(arguments.split_whitespace())
        .current_dir(edge.setup.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is there");
    let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    // One that was refused takes no request.
    let _ = child.stdin.take().expect("stdin").write_all(request.as_bytes());
    let output = child.wait_with_output().expect("its words");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// A connection of a client with the certificate `ada`.
fn keep_open(edge: &Edge, folder: &Path) -> crate::support::Talk {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    let file = std::fs::read(folder.join("ada.pem")).expect("a file");
    let chain = vec![CertificateDer::from_pem_slice(&file).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(&file).expect("a key");
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(authority().roots())
        .with_client_auth_cert(chain, key)
        .expect("a certificate");
    crate::support::ClientTls { config: std::sync::Arc::new(config) }.open(edge.https, "shop.example")
}

fn tool(edge: &Edge, line: &str) -> String {
    crate::support::command::done(crate::support::command::tool(edge, line))
}

/// Who issues certificates of clients.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).expect("an authority").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Writes a certificate and its key that are valid from days after now until days after now.
    fn issue(&self, folder: &Path, name: &str, serial: u64, from: i64, until: i64) {
        let key = KeyPair::generate().expect("a key");
        let mut params = named(name);
        params.serial_number = Some(serial.into());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = time::OffsetDateTime::now_utc() + time::Duration::days(from);
        params.not_after = time::OffsetDateTime::now_utc() + time::Duration::days(until);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        drop_file(&folder.join(format!("{name}.pem")), format!("{}{}", key.serialize_pem(), certificate.pem()));
    }

    fn revoking(&self, serials: &[u64]) -> String {
        let now = time::OffsetDateTime::now_utc();
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now,
            next_update: now + time::Duration::days(1),
            crl_number: 1_u64.into(),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).expect("a list").pem().expect("PEM")
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
