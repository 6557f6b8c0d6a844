//! How many certificates are written down at once: as many as the disk takes in the time that a change may be made to wait.

use std::time::Duration;

/// The size of the next batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch(usize);

impl Default for Batch {
    fn default() -> Self {
        Self(SMALLEST * 4)
    }
}

impl Batch {
    pub(super) const fn size(self) -> usize {
        self.0
    }

    /// So many took so long.
    pub(super) fn took(&mut self, count: usize, time: Duration) {
        if time > LONGEST {
            self.0 = (self.0 / 2).max(SMALLEST);
        } else if count >= self.0 && time < LONGEST / 2 {
            self.0 = (self.0 * 2).min(LARGEST);
        }
    }
}

/// Meanwhile what changed waits. Each batch waits for the disk twice, so that shorter ones would take longer in all.
const LONGEST: Duration = Duration::from_millis(250);
const SMALLEST: usize = 32;
const LARGEST: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_becomes_as_large_as_the_disk_is_fast() {
        for (each, most) in [(Duration::from_micros(20), LARGEST), (Duration::from_millis(1), 256)] {
            let mut batch = Batch::default();
            for _ in 0..20 {
                let size = batch.size();
                batch.took(size, each * u32::try_from(size).expect("small"));
            }
            assert!((most / 2..=most).contains(&batch.size()), "{each:?}: {batch:?}");
        }
        let mut batch = Batch::default();
        (0..20).for_each(|_| batch.took(batch.size(), Duration::from_secs(5)));
        assert_eq!(batch.size(), SMALLEST, "a disk that hangs still gets some");
        batch.took(1, Duration::ZERO);
        assert_eq!(batch.size(), SMALLEST, "what was less than a batch says nothing of a larger one");
    }
}
