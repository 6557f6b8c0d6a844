//! A drop folder that somebody has emptied a waste bin into.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{certs, serves};
use crate::support::{Origin, Setup, authority, drop_file, replace_file};

#[test]
fn ten_thousand_files_that_are_none_are_told_and_hinder_nothing() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    let hosts = ["a.example", "b.example", "c.example"];
    setup.site(&hosts, &[&origin]);
    let good = hosts.map(|host| authority().issue(&[host]));
    let (garbage, folder) = (garbage(), setup.certs().join("m"));
    fs::create_dir(&folder).expect("a folder");
    let mut written = HashMap::new();
    for Garbage { name, content, .. } in &garbage {
        // Each of them is read and parsed, whatever it shares with others; a disk is busy with new files for longer.
        match written.entry(content) {
            Entry::Occupied(first) => fs::hard_link(folder.join(first.get()), folder.join(name)).expect("a link"),
            Entry::Vacant(first) => fs::write(folder.join(first.insert(name)), content).expect("written"),
        }
    }
    // One before all of it in the order of paths, one after it, and one among it, whose halves are apart.
    drop_file(&setup.certs().join("a.pem"), good[0].both());
    drop_file(&setup.certs().join("z.pem"), good[1].both());
    drop_file(&folder.join("n.crt"), &good[2].chain);
    drop_file(&setup.certs().join("n.key"), &good[2].key);
    let begun = Instant::now();
    let edge = setup.start();
    assert!(begun.elapsed() < READY, "ready after {:?}", begun.elapsed());
    for (host, issued) in hosts.iter().zip(&good) {
        serves(&edge, host, issued);
    }

    // Each is listed with what is wrong with it, and none is quoted.
    edge.counted(10_000.0, "vitrine_certificates_rejected", &[]);
    let listed = edge.api("rejected");
    let found: Vec<(&str, &str)> = listed.iter().map(|entry| (text(entry, "file"), text(entry, "code"))).collect();
    let shown: Vec<String> = garbage.iter().map(|garbage| format!("certs/m/{}", garbage.shown())).collect();
    let expected = shown.iter().zip(&garbage).map(|(file, garbage)| (file.as_str(), garbage.code));
    assert_eq!(found, expected.collect::<Vec<_>>());
    assert!(listed.iter().all(|entry| entry["state"] == "rejected" && !text(entry, "mend").is_empty()));

    // The log says of the first of them what is wrong, and of the rest where that is said; no line is lost.
    let lines = edge.log();
    let told =
        lines.iter().filter(|line| line["code"].is_string() && line["file"].is_string()).map(|line| text(line, "file"));
    assert_eq!(told.collect::<Vec<_>>(), shown[..TOLD]);
    let more = edge.logged("more files are rejected; vitrine certs list and /api/v1/rejected name each of them");
    assert_eq!(more["more"], 10_000 - TOLD);
    assert!(lines.len() < TOLD + 50, "{} lines", lines.len());
    edge.counted(0.0, "vitrine_log_lines_dropped_total", &[]);

    // Renewals go on as if nothing were there.
    let before = edge.resident();
    let fastest = (0..3).map(|_| {
        let next = authority().issue(&["a.example"]);
        replace_file(&certs(&edge, "a.pem"), next.both());
        let begun = Instant::now();
        serves(&edge, "a.example", &next);
        begun.elapsed()
    });
    // Of several, since other tests want the processors too.
    let fastest = fastest.min().expect("some");
    assert!(fastest < SERVED, "{fastest:?}");
    let grown = edge.resident().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more than {before}");

    // What goes takes its entries along, and the certificate that lay among it.
    drop_file(&certs(&edge, "n.crt"), &good[2].chain);
    fs::rename(&folder, edge.setup.folder.path().join("away")).expect("moved");
    edge.counted(0.0, "vitrine_certificates_rejected", &[]);
    assert_eq!(edge.api("rejected"), Vec::<Value>::new());
    edge.counted(0.0, "x509_cert_error", &[]);
    serves(&edge, "c.example", &good[2]);
}

fn text<'v>(entry: &'v Value, key: &str) -> &'v str {
    entry[key].as_str().unwrap_or_else(|| panic!("{entry} has no {key}"))
}

/// A file that is no certificate and no key.
struct Garbage {
    name: OsString,
    content: Vec<u8>,
    /// What is said of it.
    code: &'static str,
}

impl Garbage {
    /// Its name, as lists have it.
    fn shown(&self) -> String {
        let name = self.name.to_string_lossy();
        name.replace('\n', "\\n").replace('\x1B', "\\u{1b}")
    }
}

/// Ten thousand of every kind, under names that are read, in their order.
fn garbage() -> Vec<Garbage> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let octets: Vec<Vec<u8>> = (0..20).map(|_| random.octets(700)).collect();
    let mut all: Vec<Garbage> = (0..9_980).map(|number| small(number, &octets[number % octets.len()])).collect();
    for size in [LARGEST - 1, LARGEST, LARGEST + 1] {
        let mut put = |kind: &str, content: Vec<u8>, code| {
            let code = if size > LARGEST { "too-large" } else { code };
            all.push(Garbage { name: format!("{kind}-{size}.pem").into(), content, code });
        };
        put("random", random.octets(size), "nothing");
        put("markers", repeated("-----BEGIN CERTIFICATE-----\n", size), "truncated");
        put("seams", repeated("-----BEGIN CERTIFICATE----------END CERTIFICATE-----", size), "truncated");
        put("dashes", repeated("-", size), "nothing");
    }
    let odd: [&[u8]; 8] = [
        b"two\nlines.pem",
        b"not \xFF\xFE utf-8.crt",
        b" .pem",
        b"\"quoted\" 'twice'.key",
        b"\x1B[31mred.cer",
        b"-rf.pem",
        b"%2e%2e%2fetc.pem",
        &[&[b'x'; 251][..], b".pem"].concat(),
    ];
    let odd = odd.map(|name| Garbage {
        name: OsString::from_vec(name.to_vec()),
        content: random.octets(100),
        code: "nothing",
    });
    all.extend(odd);
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

fn small(number: usize, random: &[u8]) -> Garbage {
    let block = |label: &str, inner: &str| format!("-----BEGIN {label}-----\n{inner}\n-----END {label}-----\n");
    let wide = |text: String| text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let (ending, content, code) = match number % 12 {
        0 => ("pem", random.to_vec(), "nothing"),
        1 => ("crt", b"-----BEGIN CERTIFICATE-----\nMIIB".to_vec(), "truncated"),
        2 => ("cer", block("CERTIFICATE", "this is no base64!").into_bytes(), "malformed"),
        3 => ("key", Vec::new(), "empty"),
        4 => ("der", [&[0x30, 0x82, 0x02, 0x00], &random[..0x200]].concat(), "der"),
        5 => ("pem", wide(block("CERTIFICATE", "AAAA")), "certificate-malformed"),
        6 => ("crt", block("CERTIFICATE", "MAMCAQE=").into_bytes(), "certificate-malformed"),
        7 => ("p12", [&[0x30, 0x82, 0x03, 0x00, 2, 1, 3, 0x30], &random[..0x200]].concat(), "truncated"),
        8 => ("pem", b"<!DOCTYPE html><title>404 Not Found</title>\n".to_vec(), "nothing"),
        9 => ("key", block("PRIVATE KEY", "MAMCAQE=").into_bytes(), "key-unsupported"),
        10 => ("PFX", random[..64].to_vec(), "nothing"),
        _ => ("p7b", [&[0xFF, 0xFE], &random[..301]].concat(), "nothing"),
    };
    Garbage { name: format!("{number:05}.{ending}").into(), content, code }
}

fn repeated(text: &str, size: usize) -> Vec<u8> {
    text.bytes().cycle().take(size).collect()
}

/// Xorshift: the same rubbish each time.
struct Random(u64);

impl Random {
    fn octets(&mut self, count: usize) -> Vec<u8> {
        let mut next = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_le_bytes()
        };
        let mut octets: Vec<u8> = (0..count.div_ceil(8)).flat_map(|_| next()).collect();
        octets.truncate(count);
        octets
    }
}

/// More is not read.
const LARGEST: usize = 1024 * 1024;
/// After this much, people begin to look.
const READY: Duration = Duration::from_secs(10);
/// What was promised of a certificate that is dropped.
const SERVED: Duration = Duration::from_secs(1);
/// Files that the log names at once.
const TOLD: usize = 500;
