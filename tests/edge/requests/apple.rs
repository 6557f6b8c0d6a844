//! What Apple issues is kept and told of, and never offered in a handshake.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{bare, csr, id, one, openssl, status};
use crate::support::{Origin, authority, drop_file, eventually, run, shop_client};

#[test]
fn an_apple_certificate_completes_its_request_and_never_serves() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let making = |kind: &str| {
        let (pem, said) =
            csr(&edge, &["new", "--kind", kind, "--cn", "merchant.example.shop", "--site", "shop.example"]);
        assert!(said.contains("hand the request in at developer.apple.com"), "{said}");
        let request = edge.api("requests").into_iter().find(|one| one["request"]["kind"] == kind).expect("a request");
        (pem, request)
    };
    let (identity, identity_request) = making("apple-merchant-identity");
    let (payment, payment_request) = making("apple-payment-processing");
    assert!(openssl(&["req", "-verify", "-text", "-noout"], &identity).contains("Public-Key: (2048 bit)"));
    assert!(openssl(&["req", "-verify", "-text", "-noout"], &payment).contains("ASN1 OID: prime256v1"));

    // With the shop's name in it, it would serve if it could.
    let signed = authority().sign_with(&payment, 30, "subjectAltName = DNS:shop.example");
    let der = CertificateDer::from_pem_slice(signed.as_bytes()).expect("PEM");
    drop_file(&edge.setup.certs().join("apple_pay.cer"), &der);
    let completed = status(&edge, &payment_request, "completed");
    let certificate = &completed["certificates"][0];
    assert_eq!((&certificate["from"], &certificate["state"]), (&"certs/apple_pay.cer".into(), &"valid".into()));
    assert_eq!(certificate["chain"], signed);
    assert!(shop_client().try_open(edge.https, "shop.example").is_err());
    assert!(edge.api("certificates").is_empty());
    assert!(edge.api("rejected").is_empty());

    let file = edge.setup.folder.path().join("merchant_id.cer");
    let signed = authority().sign_with(&identity, 60, "extendedKeyUsage = clientAuth");
    drop_file(&file, CertificateDer::from_pem_slice(signed.as_bytes()).expect("PEM"));
    csr(&edge, &["complete", &id(&identity_request), file.to_str().expect("a path")]);
    let completed = one(&edge, &id(&identity_request));
    assert_eq!((&completed["status"], &completed["certificates"][0]["from"]), (&"completed".into(), &"upload".into()));
    assert_eq!(edge.scrape().sum("vitrine_certificates_served", &[]), 0.0);
    let [identity_id, payment_id] = [id(&identity_request), id(&payment_request)];
    for request in [identity_request, payment_request] {
        let file = format!("state/requests/{}/meta.json", id(&request));
        let expires = edge.scrape().sum("x509_cert_not_after", &[("filepath", &file)]);
        let told = one(&edge, &id(&request))["certificates"][0]["not_after"].as_str().map(str::to_owned);
        let told = OffsetDateTime::parse(&told.expect("a time"), &Rfc3339).expect("a time").unix_timestamp();
        assert_eq!(expires, told as f64, "{file}");
    }
    // The one ends in 30 days, the other in 60.
    let told =
        eventually("an alarm", || edge.api("alarms").into_iter().find(|one| one["code"] == "object-expires-soon"));
    let message = told["message"].as_str().expect("text");
    let expected = format!("these end within 45 days: the request {payment_id} (until ");
    assert!(message.starts_with(&expected) && !message.contains(&identity_id), "{message}");
}

#[test]
fn an_import_completes_the_request_that_the_certificate_is_for() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let (pem, _) = csr(&edge, &["new", "--kind", "apple-merchant-identity", "--cn", "merchant.example.shop"]);
    let request = edge.api("requests").remove(0);
    let signed = authority().sign_with(&pem, 60, "1.2.840.113635.100.6.32 = ASN1:UTF8String:00");
    let folder = edge.setup.folder.path();
    drop_file(&folder.join("merchant_id.cer"), CertificateDer::from_pem_slice(signed.as_bytes()).expect("PEM"));
    drop_file(&folder.join("issuer.pem"), &authority().root_pem);
    let import = |more: &[&str]| {
        let files = ["certs", "import", "merchant_id.cer", "issuer.pem", "--config", "vitrine.toml"];
        let output = run(&[&files[..], more].concat(), &edge.setup);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (String::from_utf8_lossy(&output.stdout).trim_end().to_owned(), said)
    };
    let id = id(&request);
    let arguments =
        ["objects", "add", "merchant_id.cer", "--type", "apple-pay-certificate", "--config", "vitrine.toml"];
    let refused = run(&arguments, &edge.setup);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains(&format!("csr complete {id} FILE")), "{said}");
    let (told, said) = import(&["--dry-run"]);
    assert_eq!((told, said), (format!("would complete the request {id}"), String::new()));
    assert_eq!(one(&edge, &id)["status"], "pending");
    let (told, said) = import(&[]);
    assert_eq!(told, format!("completes the request {id}"), "{said}");
    let completed = one(&edge, &id);
    let certificate = &completed["certificates"][0];
    assert_eq!((&completed["status"], &certificate["from"]), (&"completed".into(), &"upload".into()));
    assert_eq!(certificate["chain"], format!("{signed}{}", authority().root_pem.replace("\r\n", "\n")));
    let audit = edge.api("audit");
    let last = audit.iter().max_by_key(|deed| deed["number"].as_u64()).expect("a deed");
    assert_eq!((&last["object"], &last["detail"]), (&"certificates".into(), &format!("requests/{id}").into()));
    assert!(edge.api("certificates").is_empty() && edge.api("objects").is_empty());
}
