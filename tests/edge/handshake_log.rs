//! The log of failed handshakes: who wanted what and why it failed, and never more than a person can read.

use std::time::Instant;

use crate::support::{Origin, Setup, eventually, message, shop_client};

#[test]
fn a_flood_of_failed_handshakes_leaves_a_few_lines_and_the_number_of_the_others() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    let client = shop_client();
    let begun = Instant::now();
    for _ in 0..FLOOD {
        assert!(client.try_open(edge.https, "other.example").is_err());
    }
    let seconds = begun.elapsed().as_secs();

    // Nobody fails after them: the clock alone brings the number to light.
    let (told, left_out) = eventually("a line or a number for each of them", || {
        let log = edge.log();
        let told: Vec<_> = log.iter().filter(|line| message(line) == "a TLS handshake failed").cloned().collect();
        let left_out: Vec<_> = log.iter().filter(|line| line["kind"] == "handshake").cloned().collect();
        let number: u64 = left_out.iter().filter_map(|line| line["left_out"].as_u64()).sum();
        (told.len() as u64 + number == FLOOD).then_some((told, left_out))
    });
    assert!(told.len() as u64 <= LINES * (seconds + 1), "{} lines in {seconds} s", told.len());
    for line in &told {
        assert_eq!(
            (&line["level"], &line["client"], &line["sni"], &line["reason"]),
            (&"INFO".into(), &"127.0.0.1".into(), &"other.example".into(), &"unknown_name".into())
        );
    }
    for line in &left_out {
        assert_eq!(
            (&line["level"], message(line)),
            (&"WARN".into(), "lines of this kind came too fast and were left out")
        );
    }
    edge.counted(FLOOD as f64, "vitrine_handshakes_total", &[("result", "unknown_name")]);
}

/// What a scanner does in a second.
const FLOOD: u64 = 300;
/// Each second, of the one worker.
const LINES: u64 = 5;
