//! Certificates and keys in the forms in which they are handed over, as openssl makes them.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{bare, certs, rejected, serves};
use crate::support::{Edge, Issued, Origin, authority, drop_file};

/// A file: its name, and what is in it.
pub(super) type File = (&'static str, Vec<u8>);

/// A host, and the files that its certificate comes in.
type Form = (&'static str, fn(&Issued) -> Vec<File>);

#[test]
fn what_a_file_holds_is_told_by_its_content() {
    let origin = Origin::saying("hello");
    let forms: &[Form] = &[
        ("der.example", |issued| vec![("a.der", der_of(issued)), ("a.key", openssl("pkey -outform DER", &issued.key))]),
        ("misnamed.example", |issued| vec![("b.pem", der_of(issued)), ("b.p7b", issued.key.clone().into_bytes())]),
        ("old-key.example", |issued| {
            vec![("c.cer", der_of(issued)), ("c.key", openssl("pkey -traditional -outform DER", &issued.key))]
        }),
        ("p7b.example", |issued| vec![("d.p7b", pkcs7("PEM", issued)), ("d.key", issued.key.clone().into_bytes())]),
        ("p7b-der.example", |issued| vec![("e.p7b", pkcs7("DER", issued)), ("e.key", issued.key.clone().into_bytes())]),
        ("p7b-called-certificate.example", |issued| {
            let text = String::from_utf8(pkcs7("PEM", issued)).expect("PEM");
            vec![("f.crt", format!("{}{}", text.replace("PKCS7", "CERTIFICATE"), issued.key).into_bytes())]
        }),
        ("trusted.example", |issued| {
            let trusted = openssl("x509 -trustout -addtrust serverAuth -setalias shop", &issued.chain);
            assert!(trusted.starts_with(b"-----BEGIN TRUSTED CERTIFICATE"));
            vec![("g.crt", [trusted, issued.key.clone().into_bytes()].concat())]
        }),
        ("wide.example", |issued| vec![("h.pem", wide(&format!("\u{feff}Gr\u{fc}\u{df}e\r\n{}", issued.both())))]),
    ];
    let hosts: Vec<&str> = forms.iter().map(|(host, _)| *host).collect();
    let edge = bare(&origin, &hosts);
    for (host, form) in forms {
        let issued = authority().issue(&[host]);
        put(&edge, form(&issued));
        serves(&edge, host, &issued);
    }
    assert_eq!(edge.api("rejected"), Vec::<serde_json::Value>::new());
}

#[test]
fn what_cannot_be_read_is_named_with_the_line_that_helps() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin, &["shop.example"]);
    let issued = authority().issue(&["shop.example"]);
    put(
        &edge,
        vec![
            ("c.der", openssl("req -new -key /dev/stdin -subj /CN=shop.example -outform DER", &issued.key)),
            ("d.der", vec![0x30, 0x02, 0x05, 0x00]),
            ("e.p7b", pkcs7("DER", &issued)[..400].to_vec()),
        ],
    );
    for (file, code, mend) in [
        ("c.der", "certificate-request", "authority"),
        ("d.der", "der", "openssl asn1parse"),
        ("e.p7b", "truncated", "copy the file again"),
    ] {
        let entry = rejected(&edge, &format!("certs/{file}"));
        assert_eq!(entry["code"], code, "{entry}");
        assert!(entry["mend"].as_str().is_some_and(|text| text.contains(mend)), "{entry}");
    }
    put(&edge, vec![("shop.pem", issued.both().into_bytes())]);
    serves(&edge, "shop.example", &issued);
}

pub(super) fn put(edge: &Edge, files: Vec<File>) {
    for (name, content) in files {
        drop_file(&certs(edge, name), content);
    }
}

fn der_of(issued: &Issued) -> Vec<u8> {
    openssl("x509 -outform DER", &issued.chain)
}

/// The certificate and its root.
fn pkcs7(form: &str, issued: &Issued) -> Vec<u8> {
    let chain = format!("{}{}", authority().root_pem, issued.chain);
    openssl(&format!("crl2pkcs7 -nocrl -certfile /dev/stdin -outform {form}"), &chain)
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// What openssl makes of its input.
pub(super) fn openssl(command: &str, input: &str) -> Vec<u8> {
    let mut openssl = Command::new("openssl")
        .args(command.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl runs");
    openssl.stdin.take().expect("its input").write_all(input.as_bytes()).expect("written");
    let output = openssl.wait_with_output().expect("its end");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
