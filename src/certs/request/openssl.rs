//! What openssl reads in requests and keys, for tests: another reader than ours.

use std::io::Write;
use std::process::{Command, Stdio};

/// Every field of a request whose signature is checked: what is printed, and what is said beside it.
pub(crate) fn req(request: &str) -> (String, String) {
    run(&["req", "-verify", "-text", "-noout", "-nameopt", "multiline,utf8,-esc_msb"], request)
}

/// The values of a request, one a line.
pub(crate) fn asn1(request: &str) -> String {
    run(&["asn1parse"], request).0
}

pub(crate) fn public_of_request(request: &str) -> String {
    run(&["req", "-noout", "-pubkey"], request).0
}

pub(crate) fn public_of_key(key: &str) -> String {
    run(&["pkey", "-pubout"], key).0
}

/// A certificate in DER.
pub(crate) fn der(certificate: &str) -> Vec<u8> {
    octets(&["x509", "-outform", "DER"], certificate).0
}

/// Certificates in PKCS#7, in DER.
pub(crate) fn pkcs7(certificates: &str) -> Vec<u8> {
    octets(&["crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin", "-outform", "DER"], certificates).0
}

fn run(arguments: &[&str], input: &str) -> (String, String) {
    let (said, told) = octets(arguments, input);
    (String::from_utf8(said).expect("UTF-8"), told)
}

fn octets(arguments: &[&str], input: &str) -> (Vec<u8>, String) {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is there");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("its words");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{arguments:?}: {told}");
    (output.stdout, told)
}
