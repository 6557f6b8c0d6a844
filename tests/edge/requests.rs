//! A key is made, a request signed elsewhere, and what comes back is live; the key goes only when that was asked for.

mod apple;
mod orders;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use rustix::process::Signal;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::support::{Edge, Origin, Setup, authority, drop_file, eventually, run, shop_client, shown};

#[test]
fn a_signed_request_that_is_dropped_into_the_folder_is_live_and_completed() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let company = ["--o", "Bücher & Söhne GmbH", "--ou", "Web", "--l", "Köln", "--st", "NRW", "--c", "de"];
    let (pem, said) = csr(&edge, &[&["new", "--site", "shop.example"][..], &company].concat());
    assert!(said.contains("have the request signed by an authority"), "{said}");
    let seen = openssl(&["req", "-verify", "-text", "-noout", "-nameopt", "utf8,-esc_msb"], &pem);
    for field in ["C=DE", "ST=NRW", "L=Köln", "O=Bücher & Söhne GmbH", "OU=Web", "CN=shop.example"] {
        assert!(seen.replace(" = ", "=").contains(field), "{field} in {seen}");
    }
    assert!(seen.contains("DNS:shop.example, DNS:*.shop.example"), "{seen}");
    let request = only(&edge);
    assert_eq!((&request["status"], &request["pem"]), (&"pending".into(), &format!("{pem}\n").into()));
    assert!(edge.api("rejected").is_empty(), "a request waits, no file does");

    let signed = authority().sign(&pem, 30);
    drop_file(&edge.setup.certs().join("whatever.crt"), &signed);
    serves(&edge, "www.shop.example", &signed);
    let completed = status(&edge, &request, "completed");
    let certificate = &completed["certificates"][0];
    assert_eq!((&certificate["from"], &certificate["state"]), (&"certs/whatever.crt".into(), &"valid".into()));
    assert!(edge.api("rejected").is_empty());
    let key = fs::read_to_string(place(&edge, &request).join("key.pem")).expect("the key");
    let secret = key.lines().nth(1).expect("a line");
    assert!(!format!("{:?} {said} {completed}", edge.log()).contains(secret), "the key was shown");

    // Like an upload it stays without its file.
    let setup = edge.end(Signal::KILL);
    fs::remove_file(setup.certs().join("whatever.crt")).expect("removed");
    let edge = setup.start();
    serves(&edge, "shop.example", &signed);
    assert_eq!(only(&edge)["status"], "completed");
}

#[test]
fn a_wrong_certificate_keeps_everything_and_the_right_one_completes() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let (pem, _) = csr(&edge, &["new", "--name", "shop.example", "--key", "rsa-2048"]);
    let request = only(&edge);
    let id = id(&request);
    let file = |name: &str, content: &[u8]| {
        let path = edge.setup.folder.path().join(name);
        drop_file(&path, content);
        path.display().to_string()
    };
    let stranger = authority().issue(&["shop.example"]);
    let before = fs::read(place(&edge, &request).join("key.pem")).expect("the key");
    for (wrong, expected) in [
        (stranger.chain.as_bytes(), "for the key of this request; there is \"shop.example\" by \"Test Root\""),
        (stranger.both().as_bytes(), "there is a private key in it"),
        (pem.as_bytes(), "neither certificate nor key"),
        (b"hello", "neither certificate nor key"),
    ] {
        let output = attempt(&edge, &["complete", &id, &file("wrong.crt", wrong)]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "{said}");
        assert_eq!(only(&edge), request);
        assert_eq!(fs::read(place(&edge, &request).join("key.pem")).expect("the key"), before);
    }
    // Dropped, it waits as any certificate without a key does.
    drop_file(&edge.setup.certs().join("stranger.crt"), &stranger.chain);
    eventually("a file that waits", || edge.api("rejected").into_iter().find(|one| one["code"] == "waiting-for-key"));
    assert_eq!(only(&edge), request);

    let signed = authority().sign(&pem, 30);
    let der = CertificateDer::from_pem_slice(signed.as_bytes()).expect("PEM");
    let (told, _) = csr(&edge, &["complete", &id, &file("right.cer", &der)]);
    assert!(told.starts_with(&format!("completed: {id} with the certificate of shop.example")), "{told}");
    serves(&edge, "shop.example", &signed);
    let completed = status(&edge, &request, "completed");
    assert_eq!(completed["certificates"][0]["from"], "upload");
    let (list, _) = csr(&edge, &["list"]);
    assert!(list.contains(&id) && list.contains("completed"), "{list}");
}

#[test]
fn a_certificate_that_is_imported_without_a_key_finds_that_of_its_request() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let (pem, _) = csr(&edge, &["new", "--name", "shop.example"]);
    let (request, signed) = (only(&edge), authority().sign(&pem, 30));
    drop_file(&edge.setup.folder.path().join("shop.crt"), &signed);
    let imported = run(&["certs", "import", "shop.crt", "--config", "vitrine.toml"], &edge.setup);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    serves(&edge, "shop.example", &signed);
    assert_eq!(status(&edge, &request, "completed")["certificates"][0]["from"], "upload");
    let fingerprint = one(&edge, &id(&request))["certificates"][0]["fingerprint"].as_str().map(str::to_owned);
    let history = edge.ask_api("GET", &format!("/api/v1/certificates/{}/history", fingerprint.expect("one")));
    assert_eq!(history.json()[0]["source"], "requested");
}

#[test]
fn a_certificate_that_is_older_than_what_serves_completes_its_request_all_the_same() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let (first, _) = csr(&edge, &["new", "--name", "shop.example"]);
    let request = only(&edge);
    let older = authority().sign(&first, 30);
    let (second, _) = csr(&edge, &["new", "--name", "shop.example"]);
    let newer = authority().sign(&second, 60);
    for (file, signed, told) in
        [("newer.crt", &newer, "serves shop.example"), ("older.crt", &older, "serves nothing now")]
    {
        drop_file(&edge.setup.folder.path().join(file), signed);
        let imported = run(&["certs", "import", file, "--config", "vitrine.toml"], &edge.setup);
        let said = String::from_utf8_lossy(&imported.stdout).into_owned();
        assert!(imported.status.success() && said.contains(told), "{said}");
    }
    assert_eq!(one(&edge, &id(&request))["status"], "completed");
    serves(&edge, "shop.example", &newer);
}

#[test]
fn a_request_that_cannot_be_kept_is_not_shown() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&origin]);
    // Root writes through any mode: something lies in the way instead.
    fs::write(setup.state().join("requests"), "in the way").expect("written");
    let edge = setup.start();
    let made = attempt(&edge, &["new", "--name", "shop.example"]);
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert_eq!((made.status.code(), made.stdout.is_empty()), (Some(1), true), "{said}");
    assert!(said.contains("cannot write requests/shop.example-"), "{said}");
    assert!(edge.api("requests").is_empty());
}

#[test]
fn a_renewal_has_the_same_key_or_a_new_one_and_the_old_certificate_serves_until_then() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let (pem, _) = csr(&edge, &["new", "--name", "shop.example"]);
    let request = only(&edge);
    let id = id(&request);
    let first = authority().sign(&pem, 30);
    drop_file(&edge.setup.certs().join("shop.crt"), &first);
    status(&edge, &request, "completed");

    let (same, _) = csr(&edge, &["renew", &id, "--key", "same"]);
    assert_eq!(same, pem);
    status(&edge, &request, "renewing");
    serves(&edge, "shop.example", &first);
    let second = later(&first, &same, 60);
    drop_file(&edge.setup.certs().join("shop.crt"), &second);
    serves(&edge, "shop.example", &second);
    let completed = status(&edge, &request, "completed");
    assert_eq!(completed["certificates"].as_array().map(Vec::len), Some(2));

    let (new, _) = csr(&edge, &["renew", &id, "--key", "new"]);
    let public = |pem: &str| openssl(&["req", "-noout", "-pubkey"], pem);
    assert_ne!(public(&new), public(&pem));
    let renewing = status(&edge, &request, "renewing");
    let renewal = one(&edge, renewing["renewed_by"].as_str().expect("a renewal"));
    assert_eq!((&renewal["status"], &renewal["renews"]), (&"pending".into(), &id.clone().into()));
    assert_eq!(renewal["request"], renewing["request"]);
    serves(&edge, "shop.example", &second);
    let third = later(&second, &new, 90);
    drop_file(&edge.setup.certs().join("new.crt"), &third);
    serves(&edge, "shop.example", &third);
    status(&edge, &renewal, "completed");
    status(&edge, &request, "replaced");
}

#[test]
fn a_kill_between_any_two_steps_loses_neither_key_nor_certificate() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let (pem, _) = csr(&edge, &["new", "--name", "shop.example"]);
    // What was shown is there.
    let edge = edge.end(Signal::KILL).start();
    let request = only(&edge);
    assert_eq!(request["pem"], format!("{pem}\n"));
    let signed = authority().sign(&pem, 30);
    let file = edge.setup.folder.path().join("signed.crt");
    drop_file(&file, &signed);
    csr(&edge, &["complete", &id(&request), file.to_str().expect("a path")]);
    assert_eq!(only(&edge)["status"], "completed");

    // As if it had come between keeping the certificate and telling the request.
    let meta = place(&edge, &request).join("meta.json");
    let setup = edge.end(Signal::KILL);
    let mut content: Value = serde_json::from_slice(&fs::read(&meta).expect("read")).expect("JSON");
    content["answers"] = json!([]);
    drop_file(&meta, content.to_string());
    let edge = setup.start();
    serves(&edge, "shop.example", &signed);
    status(&edge, &request, "completed");
}

#[test]
fn a_key_leaves_only_by_explicit_discard_and_costs_no_certificate() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let (pem, _) = csr(&edge, &["new", "--name", "shop.example"]);
    let request = only(&edge);
    let (id, place) = (id(&request), place(&edge, &request));
    let signed = authority().sign(&pem, 30);
    drop_file(&edge.setup.certs().join("shop.crt"), &signed);
    status(&edge, &request, "completed");

    let refused = attempt(&edge, &["discard", &id]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("say --yes if that is meant"));
    assert_eq!(edge.ask_api("DELETE", &format!("/api/v1/requests/{id}")).status, 409);
    assert_eq!(edge.ask_api("DELETE", &format!("/api/v1/requests/{id}?confirm=other")).status, 409);
    assert!(place.join("key.pem").exists());
    let (told, _) = csr(&edge, &["discard", &id, "--yes"]);
    assert_eq!(told, format!("discarded: {id} and its private key"));
    assert!(!place.exists());
    assert_eq!(edge.ask_api("GET", &format!("/api/v1/requests/{id}")).status, 404);
    // Its certificate was taken in with the key, and its file lies there still: neither is missed.
    let setup = edge.end(Signal::TERM);
    let edge = setup.start();
    serves(&edge, "shop.example", &signed);
    assert!(edge.api("rejected").is_empty());
}

#[test]
fn going_back_from_a_certificate_for_a_request_is_not_undone_by_its_file() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let (pem, _) = csr(&edge, &["new", "--name", "shop.example"]);
    let request = only(&edge);
    let old = authority().sign(&pem, 30);
    let new = later(&old, &pem, 60);
    for (name, signed) in [("old.crt", &old), ("new.crt", &new)] {
        drop_file(&edge.setup.certs().join(name), signed);
        serves(&edge, "shop.example", signed);
    }
    let certificates = status(&edge, &request, "completed")["certificates"].clone();
    let fingerprint = certificates[0]["fingerprint"].as_str().expect("a fingerprint").to_owned();
    let back = edge.ask_api("POST", &format!("/api/v1/certificates/{fingerprint}/rollback"));
    assert_eq!(back.status, 200, "{}", back.text());
    serves(&edge, "shop.example", &old);
    // Another look at the folder, in which both lie.
    drop_file(&edge.setup.certs().join("garbage.pem"), "garbage");
    eventually("another look", || edge.api("rejected").into_iter().find(|one| one["file"] == "certs/garbage.pem"));
    serves(&edge, "shop.example", &old);
}

#[test]
fn who_writes_a_limited_folder_completes_requests_for_its_names_alone() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&origin]).site(&["other.example"], &[&origin]);
    setup.raw_site("[[certificates.drop]]\ndirectory = \"limited\"\nhosts = [\"shop.example\"]\n");
    fs::create_dir(setup.folder.path().join("limited")).expect("a folder");
    let edge = setup.start();
    let limited = |name: &str, signed: &str| drop_file(&edge.setup.folder.path().join("limited").join(name), signed);
    let (other, _) = csr(&edge, &["new", "--name", "other.example"]);
    let other_request = only(&edge);
    limited("other.crt", &authority().sign(&other, 30));
    eventually("a refusal", || edge.api("rejected").into_iter().find(|one| one["code"] == "name-not-allowed"));
    let (shop, _) = csr(&edge, &["new", "--name", "shop.example"]);
    let signed = authority().sign(&shop, 30);
    limited("shop.crt", &signed);
    serves(&edge, "shop.example", &signed);
    assert_eq!(one(&edge, &id(&other_request))["status"], "pending");
    assert!(shop_client().try_open(edge.https, "other.example").is_err());
}

/// An edge with a shop and without certificates.
fn bare(origin: &Origin) -> Edge {
    let mut setup = Setup::new();
    setup.site(&["shop.example", "*.shop.example"], &[origin]);
    setup.start()
}

/// What comes of `vitrine csr`.
fn attempt(edge: &Edge, arguments: &[&str]) -> Output {
    run(&[&["csr"], arguments, &["--config", "vitrine.toml"]].concat(), &edge.setup)
}

/// What it prints when it does what it should, and what it says beside it.
fn csr(edge: &Edge, arguments: &[&str]) -> (String, String) {
    let output = attempt(edge, arguments);
    let text = |octets: Vec<u8>| String::from_utf8(octets).expect("UTF-8").trim_end().to_owned();
    let (printed, said) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{arguments:?}: {said}");
    (printed, said)
}

fn only(edge: &Edge) -> Value {
    let mut all = edge.api("requests");
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn one(edge: &Edge, id: &str) -> Value {
    edge.ask_api("GET", &format!("/api/v1/requests/{id}")).json()
}

fn id(request: &Value) -> String {
    request["id"].as_str().expect("an id").to_owned()
}

/// Waits until a request has this status.
fn status(edge: &Edge, request: &Value, wanted: &str) -> Value {
    let id = id(request);
    eventually(&format!("{id} {wanted}"), || Some(one(edge, &id)).filter(|request| request["status"] == wanted))
}

/// A certificate that begins later than another: of the same second, neither is the newer one.
fn later(than: &str, request: &str, days: u32) -> String {
    let begins = |certificate: &str| openssl(&["x509", "-noout", "-startdate"], certificate);
    eventually("another second", || Some(authority().sign(request, days)).filter(|new| begins(new) != begins(than)))
}

/// Where a request lies.
fn place(edge: &Edge, request: &Value) -> PathBuf {
    edge.setup.state().join("requests").join(id(request))
}

/// Waits until this certificate is shown to whoever asks for a name.
fn serves(edge: &Edge, name: &str, certificate: &str) {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
    eventually(&format!("the certificate of {name}"), || {
        let mut talk = shop_client().try_open(edge.https, name).ok()?;
        let is_it = shown(talk.session()) == der;
        assert_eq!(talk.get(name, "/").text(), "hello");
        is_it.then_some(())
    });
}

/// What openssl prints and says of a PEM text.
fn openssl(arguments: &[&str], pem: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pem");
    fs::write(&file, pem).expect("written");
    let output = Command::new("openssl").args(arguments).arg("-in").arg(&file).output().expect("openssl is there");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).expect("UTF-8");
    assert!(output.status.success(), "{said}");
    said
}
