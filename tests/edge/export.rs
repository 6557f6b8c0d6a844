//! Certificates that leave with their keys: only where that is allowed, only through the socket, never unseen.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::command::tool;
use crate::support::{
    Edge, Issued, KeyKind, Origin, Response, Setup, Talk, authority, drop_file, eventually, run, shop_client, shown,
};

const PASSWORD: &str = "Schl\u{fc}ssel zum Laden 7";

/// An edge that lets keys out, and what it serves.
fn open(origin: &Origin, kind: KeyKind) -> (Edge, Issued) {
    let issued = authority().issue_for(&["shop.example"], kind, -1, 24 * 60);
    let mut setup = Setup::new();
    drop_file(&setup.folder.path().join("root.pem"), &authority().root_pem);
    setup.site(&["shop.example"], &[origin]).certificate("shop", &issued).set("admin", "export = true");
    setup.set("certificates", "trusted_roots = [\"root.pem\"]");
    let edge = setup.start();
    // What is found serves first and is kept then.
    eventually("it is kept", || {
        let history = edge.ask_api("GET", &format!("/api/v1/certificates/{}/history", fingerprint(&issued)));
        (history.status == 200).then_some(())
    });
    put(&edge, "password", format!("{PASSWORD}\n"));
    (edge, issued)
}

fn fingerprint(issued: &Issued) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &issued.der);
    digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Orders an export, through the socket or the network, with a token or without.
fn order(talk: &mut Talk, issued: &Issued, token: Option<&str>, order: &Value) -> Response {
    let (order, path) = (order.to_string(), format!("/api/v1/certificates/{}/export", fingerprint(issued)));
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    talk.ask(format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\n{token}content-type: application/json\r\ncontent-length: {}\r\n\r\n{order}",
        order.len()
    ))
}

fn socket(edge: &Edge) -> Talk {
    Talk::unix(&edge.setup.state().join("admin.sock")).expect("admin.sock")
}

fn vitrine(edge: &Edge, line: &str) -> Output {
    let arguments: Vec<&str> = line.split(' ').chain(["--config", "vitrine.toml"]).collect();
    run(&arguments, &edge.setup)
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{}", said(&output.stderr));
    said(&output.stdout)
}

fn refused(output: Output) -> String {
    assert_ne!(output.status.code(), Some(0), "{}", said(&output.stdout));
    said(&output.stderr)
}

fn said(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("text")
}

fn put(edge: &Edge, name: &str, content: impl AsRef<[u8]>) {
    drop_file(&edge.setup.folder.path().join(name), content);
}

/// The public key of a file with a private one, as openssl writes it.
fn public(edge: &Edge, line: &str) -> String {
    done(tool(edge, &format!("openssl {line} -pubout")))
}

#[test]
fn no_key_leaves_an_edge_that_was_not_told_to_let_it() {
    let origin = Origin::saying("hello");
    let issued = authority().issue(&["shop.example"]);
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&origin]).certificate("shop", &issued);
    let edge = setup.start();
    let plain = json!({ "format": "pem", "plain": true });
    let answer = order(&mut socket(&edge), &issued, None, &plain);
    assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("conflict")));
    assert!(answer.text().contains("set [admin] export = true"), "{}", answer.text());
    let told = refused(vitrine(&edge, "certs export shop.example --format pem --plain --out shop.pem"));
    assert!(told.contains("admin.export is false") && !edge.setup.folder.path().join("shop.pem").exists(), "{told}");

    // Turned on, it holds at once; turned off again too.
    let file = edge.setup.folder.path().join("vitrine.toml");
    let off = fs::read_to_string(&file).expect("a configuration");
    drop_file(&file, off.replace("[admin]", "[admin]\nexport = true"));
    eventually("it is allowed", || (order(&mut socket(&edge), &issued, None, &plain).status == 200).then_some(()));
    drop_file(&file, &off);
    eventually("it is not", || (order(&mut socket(&edge), &issued, None, &plain).status == 409).then_some(()));
}

#[test]
fn openssl_reads_the_pfx_with_its_password_alone() {
    let origin = Origin::saying("hello");
    for kind in [KeyKind::Ecdsa, KeyKind::Rsa] {
        let (edge, issued) = open(&origin, kind);
        let ascii = "twelve letters and more";
        put(&edge, "ascii", ascii);
        done(vitrine(&edge, "certs export shop.example --format pfx --password-file ascii --out shop.pfx"));
        let mode = fs::metadata(edge.setup.folder.path().join("shop.pfx")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let told = said(&tool(&edge, "openssl pkcs12 -in shop.pfx -info -noout -passin file:ascii").stderr);
        assert!(
            told.contains("PBES2, PBKDF2, AES-256-CBC") && told.contains("MAC: sha256, Iteration 150000"),
            "{told}"
        );
        done(tool(&edge, "openssl pkcs12 -in shop.pfx -passin file:ascii -nodes -out all.pem"));
        let all = fs::read_to_string(edge.setup.folder.path().join("all.pem")).expect("a file");
        assert!(all.contains("friendlyName: shop.example") && all.contains("localKeyID"), "{all}");
        assert_eq!(all.matches("BEGIN CERTIFICATE").count(), issued.chain.matches("BEGIN CERTIFICATE").count());
        put(&edge, "own.pem", &issued.key);
        assert_eq!(public(&edge, "pkey -in all.pem"), public(&edge, "pkey -in own.pem"));
        put(&edge, "chain.pem", &issued.chain);
        assert_eq!(public(&edge, "pkey -in all.pem"), done(tool(&edge, "openssl x509 -in chain.pem -noout -pubkey")));

        put(&edge, "wrong", "thirteen letters");
        let told = tool(&edge, "openssl pkcs12 -in shop.pfx -passin file:wrong -noout");
        assert!(!told.status.success() && said(&told.stderr).contains("invalid password"), "{told:?}");
    }
}

#[test]
fn what_was_exported_serves_at_another_edge() {
    let origin = Origin::saying("hello");
    let (edge, issued) = open(&origin, KeyKind::Ecdsa);
    done(vitrine(&edge, "certs export shop.example --format pfx --password-file password --out shop.pfx"));
    let pfx = fs::read(edge.setup.folder.path().join("shop.pfx")).expect("a file");
    done(tool(&edge, "openssl pkcs12 -in shop.pfx -passin file:password -noout"));
    done(vitrine(&edge, "certs export shop.example --format pem --password-file password --out shop.pem"));
    let pem = fs::read(edge.setup.folder.path().join("shop.pem")).expect("a file");
    for (name, content) in [("new.pfx", pfx), ("new.pem", pem)] {
        let mut setup = Setup::new();
        setup.site(&["shop.example"], &[&origin]);
        let other = setup.start();
        put(&other, name, content);
        put(&other, "password", format!("{PASSWORD}\n"));
        done(vitrine(&other, &format!("certs import {name} --password-file password")));
        assert_eq!(shown(shop_client().open(other.https, "shop.example").session()), issued.der, "{name}");
    }
}

#[test]
fn a_key_in_pem_is_encrypted_or_open_as_it_was_asked_for() {
    let origin = Origin::saying("hello");
    for kind in [KeyKind::Ecdsa, KeyKind::Rsa] {
        let (edge, issued) = open(&origin, kind);
        put(&edge, "own.pem", &issued.key);
        let own = public(&edge, "pkey -in own.pem");
        done(vitrine(&edge, "certs export shop.example --format pem --password-file password --out shut.pem"));
        let shut = fs::read_to_string(edge.setup.folder.path().join("shut.pem")).expect("a file");
        assert!(shut.starts_with(&issued.chain) && shut.contains("BEGIN ENCRYPTED PRIVATE KEY"), "{shut}");
        assert_eq!(public(&edge, "pkey -in shut.pem -passin file:password"), own);
        put(&edge, "wrong", "thirteen letters");
        assert!(!tool(&edge, "openssl pkey -in shut.pem -passin file:wrong -noout").status.success());
        done(vitrine(&edge, "certs export shop.example --format pem --plain --out open.pem"));
        assert_eq!(public(&edge, "pkey -in open.pem"), own);
    }
}

#[test]
fn a_token_alone_takes_no_key_out_whatever_its_role() {
    let origin = Origin::saying("hello");
    let (edge, issued) = open(&origin, KeyKind::Ecdsa);
    let (operate, export) = (edge.token("work", "operate"), edge.token("take", "export"));
    let wanted = json!({ "format": "pem", "plain": true });
    for token in [&operate, &export] {
        let answer = order(&mut Talk::plain(edge.admin), &issued, Some(token), &wanted);
        assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("not-allowed")));
    }
    assert_eq!(order(&mut socket(&edge), &issued, Some(&operate), &wanted).status, 403);
    let answer = order(&mut socket(&edge), &issued, Some(&export), &wanted);
    assert_eq!((answer.status, answer.field("cache-control")), (200, Some("no-store")));
    assert!(answer.text().contains("BEGIN PRIVATE KEY"));
}

#[test]
fn every_key_that_leaves_is_recorded_and_no_secret_with_it() {
    let origin = Origin::saying("hello");
    let (edge, issued) = open(&origin, KeyKind::Ecdsa);
    let wanted = json!({ "format": "pem", "password": PASSWORD });
    assert_eq!(order(&mut socket(&edge), &issued, None, &wanted).status, 200);
    let line = edge.logged("a private key leaves the edge");
    let user = format!("user {}", rustix::process::geteuid().as_raw());
    assert_eq!((&line["level"], &line["who"], &line["names"]), (&json!("WARN"), &json!(user), &json!("shop.example")));
    let short = json!({ "format": "pfx", "password": "geheim12345" });
    let answer = order(&mut socket(&edge), &issued, None, &short);
    assert!(answer.status == 400 && !answer.text().contains("geheim"), "{}", answer.text());
    for broken in ["{\"format\":\"pfx\",\"password\":\"geheim12345", "{\"format\":\"geheim12345\"}", "[]", ""] {
        let target = format!("POST /api/v1/certificates/{}/export HTTP/1.1\r\nhost: localhost", fingerprint(&issued));
        let length = broken.len();
        let head = format!("{target}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
        assert_eq!(socket(&edge).ask(head + broken).status, 400, "{broken}");
    }

    let trail: Vec<Value> = edge.api("audit");
    let action = "POST certificates/{fingerprint}/export";
    let object = format!("certificates/{}/export", fingerprint(&issued));
    let told: Vec<_> = trail.iter().map(|line| [&line["action"], &line["object"], &line["result"]]).collect();
    // Before a key leaves, that somebody asks for it; whatever becomes of that has a line too.
    let results = ["begun", "done"].into_iter().chain(["begun", "refused"].repeat(5));
    let expected: Vec<_> = results.map(|result| [json!(action), json!(object), json!(result)]).collect();
    assert_eq!(told, expected.iter().map(|line| line.each_ref()).collect::<Vec<_>>());
    assert_eq!((&trail[1]["who"], &trail[1]["detail"]), (&json!(user), &json!("pem, the key encrypted: shop.example")));

    let log = format!("{:?}", edge.log());
    let file = fs::read_to_string(edge.setup.state().join("audit.jsonl")).expect("a trail");
    let key: String = issued.key.lines().nth(1).expect("a key").into();
    for secret in [PASSWORD, "geheim12345", &key, "PRIVATE KEY"] {
        assert!(!log.contains(secret) && !file.contains(secret), "{secret}");
    }
}

#[test]
fn a_key_does_not_leave_when_that_cannot_be_recorded() {
    let origin = Origin::saying("hello");
    let (edge, issued) = open(&origin, KeyKind::Ecdsa);
    fs::create_dir(edge.setup.state().join("audit.jsonl")).expect("in the way");
    let answer = order(&mut socket(&edge), &issued, None, &json!({ "format": "pem", "plain": true }));
    assert!(answer.status == 500 && answer.text().contains("no key leaves without"), "{}", answer.text());
}

#[test]
fn a_key_that_was_born_here_stays_unless_its_request_was_marked() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.test\"]\nupstreams = [\"{}\"]\ncertificate = \"self-signed\"\n",
        origin.url()
    ));
    drop_file(&setup.folder.path().join("root.pem"), &authority().root_pem);
    setup.site(&["shop.example"], &[&origin]).set("certificates", "trusted_roots = [\"root.pem\"]");
    setup.set("admin", "export = true");
    let edge = setup.start();
    done(vitrine(&edge, "csr new --name shop.example --out shop.csr"));
    let request = fs::read_to_string(edge.setup.folder.path().join("shop.csr")).expect("a request");
    put(&edge, "shop.crt", authority().sign(&request, 30));
    let id = edge.api("requests")[0]["id"].as_str().expect("an id").to_owned();
    done(vitrine(&edge, &format!("csr complete {id} shop.crt")));
    // Neither its own authority's nor a request's.
    for name in ["shop.test", "shop.example"] {
        let told = refused(vitrine(&edge, &format!("certs export {name} --format pem --plain --out own.pem")));
        assert!(told.contains("409") && told.contains("the key was made by this edge"), "{told}");
    }
    assert!(!edge.setup.folder.path().join("own.pem").exists());
    // One that was meant to from the start.
    done(vitrine(&edge, "csr new --name shop.example --exportable --out free.csr"));
    let request = fs::read_to_string(edge.setup.folder.path().join("free.csr")).expect("a request");
    put(&edge, "free.crt", authority().sign(&request, 60));
    done(vitrine(&edge, "certs import free.crt"));
    let requests = edge.api("requests");
    let free = requests.iter().find(|request| request["request"]["exportable"] == true).expect("the marked one");
    let free = free["certificates"][0]["fingerprint"].as_str().expect("a fingerprint").to_owned();
    done(vitrine(&edge, &format!("certs export {free} --format pem --plain --out free.pem")));
    put(&edge, "free.csr", request);
    assert_eq!(public(&edge, "pkey -in free.pem"), done(tool(&edge, "openssl req -in free.csr -noout -pubkey")));
    let refusals = edge.api("audit").into_iter().filter(|line| line["result"] == "refused").count();
    assert_eq!(refusals, 2);
}

#[test]
fn the_command_writes_over_nothing_and_prints_no_key() {
    let origin = Origin::saying("hello");
    let (edge, _) = open(&origin, KeyKind::Ecdsa);
    put(&edge, "there.pem", "precious");
    let told = refused(vitrine(&edge, "certs export shop.example --format pem --plain --out there.pem"));
    assert!(told.contains("there.pem is there already"), "{told}");
    assert_eq!(fs::read_to_string(edge.setup.folder.path().join("there.pem")).expect("a file"), "precious");
    let told = refused(vitrine(&edge, "certs export shop.example --format pem --plain --out -"));
    assert!(told.contains("is not printed"), "{told}");
    let told = refused(vitrine(&edge, "certs export shop.example --format pem --out x.pem"));
    assert!(told.contains("--password-file"), "{told}");
    let told = refused(vitrine(&edge, "certs export shop.example --format pfx --plain --out x.pfx"));
    assert!(told.contains("needs a password"), "{told}");
    fs::set_permissions(edge.setup.folder.path().join("password"), fs::Permissions::from_mode(0o644)).expect("opened");
    let told = refused(vitrine(&edge, "certs export shop.example --format pfx --password-file password --out x.pfx"));
    assert!(told.contains("others may read the password"), "{told}");
    // No key has left for any of it, and nothing half made lies about.
    assert_eq!(edge.api("audit"), Vec::<Value>::new());
    let left = fs::read_dir(edge.setup.folder.path()).expect("a folder").filter_map(Result::ok);
    assert!(left.map(|file| file.file_name().into_string().expect("a name")).all(|name| !name.starts_with("x.")));
}
