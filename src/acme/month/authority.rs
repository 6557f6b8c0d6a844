//! An authority with the limits that Let's Encrypt publishes, kept as it says: as token buckets that fill evenly.

use std::collections::HashMap;

use crate::name::HostPattern;

const HOUR: i64 = 3600;

pub(super) struct Authority {
    outage: (i64, i64),
    account: Bucket,
    domains: HashMap<String, Bucket>,
    names: HashMap<String, Bucket>,
    orders: Vec<i64>,
    of_domains: HashMap<String, Vec<i64>>,
    failed: HashMap<String, Vec<i64>>,
    /// Requests that it would have answered with a refusal.
    pub(super) refused: usize,
    /// Requests that it did not answer.
    pub(super) asked_in_vain: usize,
}

/// What comes of an order.
pub(super) enum Said {
    Issued,
    Unseen,
    Nothing,
}

/// Tokens that come back evenly over a time.
struct Bucket {
    most: f64,
    over: i64,
    left: f64,
    at: i64,
}

impl Bucket {
    fn new(most: u32, over: i64, now: i64) -> Self {
        Self { most: most.into(), over, left: most.into(), at: now }
    }

    fn is_left(&self, now: i64) -> bool {
        self.left + (now - self.at) as f64 * self.most / self.over as f64 >= 0.999
    }

    fn take(&mut self, now: i64) -> bool {
        let back = (now - self.at) as f64 * self.most / self.over as f64;
        (self.left, self.at) = ((self.left + back).min(self.most), now);
        let is_there = self.left >= 0.999;
        self.left -= f64::from(u8::from(is_there));
        is_there
    }
}

impl Authority {
    pub(super) fn new(outage: (i64, i64)) -> Self {
        Self {
            outage,
            account: Bucket::new(300, 3 * HOUR, 0),
            domains: HashMap::new(),
            names: HashMap::new(),
            orders: Vec::new(),
            of_domains: HashMap::new(),
            failed: HashMap::new(),
            refused: 0,
            asked_in_vain: 0,
        }
    }

    pub(super) fn is_away(&self, now: i64) -> bool {
        (self.outage.0..self.outage.1).contains(&now)
    }

    /// Takes an order, which is free when it says what it replaces.
    pub(super) fn order(&mut self, is_free: bool, name: &HostPattern, now: i64) {
        let name = name.to_string();
        let domain = name.split_once('.').map_or("", |(_, domain)| domain).to_owned();
        self.orders.push(now);
        let week = Bucket::new(50, 7 * 24 * HOUR, now);
        let of_domain = self.domains.entry(domain).or_insert(week);
        let is_taken = is_free || (self.account.take(now) && of_domain.is_left(now));
        self.refused += usize::from(!is_taken);
    }

    /// Looks at a name, and issues.
    pub(super) fn look(&mut self, fails: bool, is_free: bool, name: &str, now: i64) -> Said {
        if !fails {
            let domain = name.split_once('.').map_or("", |(_, domain)| domain).to_owned();
            if let Some(bucket) = self.domains.get_mut(&domain).filter(|_| !is_free) {
                self.refused += usize::from(!bucket.take(now));
            }
            self.of_domains.entry(domain).or_default().push(now);
            return Said::Issued;
        }
        self.failed.entry(name.to_owned()).or_default().push(now);
        let bucket = self.names.entry(name.to_owned()).or_insert(Bucket::new(5, HOUR, now));
        self.refused += usize::from(!bucket.take(now));
        Said::Unseen
    }

    pub(super) fn orders(&self) -> usize {
        self.orders.len()
    }

    pub(super) fn most_orders(&self) -> usize {
        most(&self.orders, 3 * HOUR)
    }

    pub(super) fn most_of_a_domain(&self) -> usize {
        self.of_domains.values().map(|orders| most(orders, 7 * 24 * HOUR)).max().unwrap_or(0)
    }

    pub(super) fn most_failed(&self) -> usize {
        self.failed.values().map(|looks| most(looks, HOUR)).max().unwrap_or(0)
    }
}

/// The most moments within any window of this length.
fn most(moments: &[i64], length: i64) -> usize {
    let within = |first: usize| moments[first..].iter().take_while(|at| **at < moments[first] + length).count();
    (0..moments.len()).map(within).max().unwrap_or(0)
}
