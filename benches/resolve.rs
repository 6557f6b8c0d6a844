//! How long it takes to find a name's certificates in the index, at 1 k, 100 k and 1 M names.
//!
//! The names are random and asked for in another random order, so that at 1 M names neither the index nor what it points to is
//! in a cache. What is asked for lies in one piece of memory in the order of asking: a real hello's name is in the cache too.
//!
//! `exact` looks one name up after the other, which lets the processor begin the next while it waits for the last, as it does
//! with a hello's other work. Lines with `alone` make every lookup wait for the result of the one before it. `memory` is the
//! machine's share: one cache line from a random place of a block as large as the index, and nothing else.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rustls::SignatureScheme;
use vitrine::live::{CertIndex, Choice};

use deck::Deck;
use random::Random;

#[path = "support/deck.rs"]
mod deck;
#[path = "support/random.rs"]
mod random;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(benches, resolve);
criterion_main!(benches);

fn resolve(criterion: &mut Criterion) {
    // `--test` asks whether everything runs, which smaller indexes show as well.
    let sizes: &[usize] = if std::env::args().any(|argument| argument == "--bench") {
        &[1_000, 100_000, 1_000_000]
    } else {
        &[100, 1_000]
    };
    let deck = Deck::new();
    let mut group = criterion.benchmark_group("resolve");
    for &size in sizes {
        let mut random = Random::new(size as u64);
        let names: Vec<String> = (0..size).map(|_| random.host_name()).collect();
        let strangers: Vec<String> = (0..size).map(|_| random.host_name()).collect();
        let exact = CertIndex::ranked(names.iter().map(|name| deck.certificate(name)));
        let wildcard = CertIndex::ranked(names.iter().map(|name| deck.certificate(&format!("*.{name}"))));

        let mut text = String::new();
        let mut asked = Asked::shuffled(names.clone(), &mut random, &mut text);
        group.bench_function(BenchmarkId::new("exact", size), |bencher| {
            bencher.iter(|| asked.next(|name| found(exact.find(name))));
        });
        group.bench_function(BenchmarkId::new("exact alone", size), |bencher| {
            bencher.iter(|| asked.next(|name| present(exact.find(name))));
        });
        group.bench_function(BenchmarkId::new("exact and pick alone", size), |bencher| {
            bencher.iter(|| asked.next(|name| picked(exact.find(name))));
        });
        let below = names.iter().map(|name| format!("www.{name}")).collect();
        let mut asked = Asked::shuffled(below, &mut random, &mut text);
        group.bench_function(BenchmarkId::new("wildcard", size), |bencher| {
            bencher.iter(|| asked.next(|name| found(wildcard.find(name))));
        });
        let mut asked = Asked::shuffled(strangers, &mut random, &mut text);
        group.bench_function(BenchmarkId::new("miss", size), |bencher| {
            bencher.iter(|| asked.next(|name| absent(exact.find(name))));
        });
        let lines = vec![[1u64; 8]; size + size / 4];
        group.bench_function(BenchmarkId::new("memory", size), |bencher| {
            bencher.iter(|| black_box(lines[random.below(lines.len())][0]));
        });
        let mut at = 0;
        group.bench_function(BenchmarkId::new("memory alone", size), |bencher| {
            bencher.iter(|| at = random.below(lines.len() - 1) + lines[at][0] as usize);
        });
    }
    group.finish();
}

fn found(choice: Option<&Choice>) -> usize {
    assert!(black_box(choice).is_some());
    0
}

fn absent(choice: Option<&Choice>) -> usize {
    assert!(black_box(choice).is_none());
    0
}

/// What makes the next lookup wait for this one; 0.
fn present(choice: Option<&Choice>) -> usize {
    let first = choice.and_then(|choice| choice.iter().next()).expect("a certificate");
    Arc::as_ptr(first).addr() >> (usize::BITS - 1)
}

fn picked(choice: Option<&Choice>) -> usize {
    let picked = choice.and_then(|choice| choice.pick(&BROWSER)).expect("a certificate");
    // Hidden, or the compiler knows that no key type has a number above 127.
    black_box(picked.key_type as usize) >> 7
}

/// Names in the order in which they are asked for.
struct Asked<'t> {
    names: Vec<&'t str>,
    next: usize,
}

impl<'t> Asked<'t> {
    fn shuffled(mut names: Vec<String>, random: &mut Random, text: &'t mut String) -> Self {
        random.shuffle(&mut names);
        *text = names.concat();
        let mut rest: &'t str = text;
        let mut cut = |name: &String| {
            let (name, after) = rest.split_at(name.len());
            rest = after;
            name
        };
        Self { names: names.iter().map(&mut cut).collect(), next: 0 }
    }

    /// `look` gives 0; where that is computed from what it found, the next lookup waits for it.
    fn next(&mut self, look: impl FnOnce(&str) -> usize) {
        let waits = look(self.names[self.next]);
        self.next += 1 + waits;
        if self.next >= self.names.len() {
            self.next = 0;
        }
    }
}

/// What Chrome sends.
const BROWSER: [SignatureScheme; 8] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA512,
];
