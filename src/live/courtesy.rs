//! Long work on the control plane's side that leaves the processor to whoever waits for it.

use std::thread;

/// Counts the steps of work on everything that serves, and lets others go first after some: a worker that wakes up on the same
/// processor would wait for the end of the scheduler's slice, which is milliseconds.
#[derive(Debug, Default)]
pub struct Courtesy(u32);

impl Courtesy {
    /// One step is done, such as taking one certificate into a list.
    #[inline]
    pub fn step(&mut self) {
        self.0 = self.0.wrapping_add(1);
        if self.0.is_multiple_of(STEPS) {
            thread::yield_now();
        }
    }
}

/// Each waits for main memory perhaps once: some twenty microseconds, beside which a system call is nothing.
const STEPS: u32 = 512;
