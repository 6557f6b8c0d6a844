//! Quiet turns and busy turns, one after the other, and what was measured in each.

use std::time::{Duration, Instant};

/// When which turn is: each round is a quiet one and a busy one.
pub(crate) struct Turns {
    start: Instant,
    length: Duration,
    rounds: u64,
}

/// The place of a moment that counts.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    round: usize,
    busy: bool,
}

impl Turns {
    pub(crate) fn new(start: Instant, length: Duration, rounds: u64) -> Self {
        Self { start, length, rounds }
    }

    pub(crate) fn rounds(&self) -> u64 {
        self.rounds
    }

    pub(crate) fn end(&self) -> Instant {
        self.start + self.length * 2 * self.rounds as u32
    }

    /// When each busy turn begins.
    #[allow(dead_code)] // not every bench asks
    pub(crate) fn busy(&self) -> impl Iterator<Item = Instant> {
        (0..self.rounds as u32).map(|round| self.start + self.length * (2 * round + 1))
    }

    /// The turn at a moment; `None` outside of all, and while the turn before still has its effect.
    pub(crate) fn at(&self, moment: Instant) -> Option<Turn> {
        let since = moment.checked_duration_since(self.start)?;
        let number = (since.as_nanos() / self.length.as_nanos()) as u64;
        let within = since.saturating_sub(self.length * number as u32);
        let counts = number < 2 * self.rounds && within >= AFTER_EFFECT.min(self.length / 2);
        counts.then_some(Turn { round: (number / 2) as usize, busy: number % 2 == 1 })
    }

    /// So many moments, evenly over the busy turns.
    #[allow(dead_code)] // not every bench asks
    pub(crate) fn spread(&self, count: usize) -> impl Iterator<Item = Instant> {
        let busy = self.length * self.rounds as u32;
        (0..count).map(move |number| {
            let at = busy.mul_f64(number as f64 / count as f64);
            let turn = (at.as_nanos() / self.length.as_nanos()) as u32;
            self.start + self.length * (turn + 1) + at
        })
    }
}

/// Latencies by turn.
pub(crate) struct Samples(Vec<[Vec<Duration>; 2]>);

impl Samples {
    pub(crate) fn new(rounds: u64) -> Self {
        Self((0..rounds).map(|_| Default::default()).collect())
    }

    pub(crate) fn add(&mut self, turn: Option<Turn>, latency: Duration) {
        if let Some(Turn { round, busy }) = turn {
            self.0[round][usize::from(busy)].push(latency);
        }
    }

    pub(crate) fn with(mut self, other: Self) -> Self {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            for (own, other) in own.iter_mut().zip(other) {
                own.extend(other);
            }
        }
        self
    }

    pub(crate) fn print(&self) {
        println!("{:>6} {:>22} {:>22} {:>12}", "round", "quiet p50 / p99 (µs)", "busy p50 / p99 (µs)", "p99 ratio");
        let all = [self.all(0), self.all(1)];
        let rounds = self.0.iter().enumerate().map(|(round, turns)| ((round + 1).to_string(), turns));
        for (round, [quiet, busy]) in rounds.chain([("all".to_owned(), &all)]) {
            let micros = |turn: &[Duration], share| quantile(turn, share).map_or(0, |latency| latency.as_micros());
            let both = |turn: &[Duration]| format!("{} / {}", micros(turn, 0.5), micros(turn, 0.99));
            let ratio = ratio(quiet, busy).map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}"));
            println!("{round:>6} {:>22} {:>22} {ratio:>12}", both(quiet), both(busy));
        }
    }

    /// The p99 of a round's busy turn over that of its quiet one, the median of all rounds: a machine that is busy with
    /// something else for a second spoils one round, while it would be all there is in the p99 of everything. `None` when
    /// nothing was measured.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let mut ratios: Vec<f64> = self.0.iter().filter_map(|[quiet, busy]| ratio(quiet, busy)).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied()
    }

    fn all(&self, kind: usize) -> Vec<Duration> {
        self.0.iter().flat_map(|turns| turns[kind].iter().copied()).collect()
    }
}

fn ratio(quiet: &[Duration], busy: &[Duration]) -> Option<f64> {
    Some(quantile(busy, 0.99)?.as_secs_f64() / quantile(quiet, 0.99)?.as_secs_f64())
}

fn quantile(latencies: &[Duration], share: f64) -> Option<Duration> {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    sorted.get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1))).copied()
}

/// A look at the folder comes up to half a second after the swap that it is for.
const AFTER_EFFECT: Duration = Duration::from_millis(700);
