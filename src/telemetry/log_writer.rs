//! The thread that writes log lines: whoever has something to say never waits for whoever reads it.
//!
//! A pipe that nobody reads is full after 64 KiB, and a worker that wrote to it by itself would stand still for good.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Where lines are put. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    queue: SyncSender<Box<[u8]>>,
    counts: Arc<LineCounts>,
}

/// What became of the lines.
#[derive(Debug, Default)]
struct LineCounts {
    /// Put into the queue and not written yet.
    waiting: AtomicUsize,
    /// Not written: the queue was full, or writing failed.
    lost: AtomicU64,
}

impl Lines {
    /// Starts the thread that writes to `output`.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = sync_channel(QUEUE);
        let counts = Arc::<LineCounts>::default();
        let mine = Arc::clone(&counts);
        std::thread::Builder::new().name("log".into()).spawn(move || write(output, &lines, &mine))?;
        Ok(Self { queue, counts })
    }

    /// Waits until everything that was said is written, `patience` at most.
    pub(super) fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.counts.waiting.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
            std::thread::sleep(GLANCE);
        }
    }

    fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Lines {
    /// Takes a line; the formatter writes each in one piece.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Counted first: whoever looks between must not find that nothing waits.
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        if self.queue.try_send(line.into()).is_err() {
            self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(mut output: impl Write, lines: &Receiver<Box<[u8]>>, counts: &LineCounts) {
    let mut told = 0;
    for line in lines {
        if output.write_all(&line).is_err() {
            // Nothing is told while nothing can be written: that line would be lost too, and be told again, without end.
            counts.lost.fetch_add(1, Ordering::Relaxed);
        } else {
            let lost = counts.lost.load(Ordering::Relaxed);
            if lost > told {
                // Goes into the queue like any other, and is told with the next ones if that is full.
                tracing::warn!(left_out = lost - told, "nobody took the log's lines; some were left out");
                told = lost;
            }
        }
        counts.waiting.fetch_sub(1, Ordering::Release);
    }
}

/// The process' own: lines go to standard error. `None`: the system refused the thread.
pub(super) fn of_the_process() -> Option<&'static Lines> {
    LINES.get_or_init(|| Lines::start(io::stderr()).ok()).as_ref()
}

/// Waits until everything that was logged is written, `patience` at most. Before the end of the process.
pub fn flush(patience: Duration) {
    if let Some(Some(lines)) = LINES.get() {
        lines.flush(patience);
    }
}

/// How many lines were not written.
pub(super) fn lost() -> u64 {
    LINES.get().and_then(Option::as_ref).map_or(0, Lines::lost)
}

static LINES: OnceLock<Option<Lines>> = OnceLock::new();
/// A minute of what one worker may say, and 200 KiB.
const QUEUE: usize = 1024;
/// Between two looks at what waits; only the end of a thread or of the process is held up by it.
const GLANCE: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    /// Takes nothing until it is told to.
    struct Stuck {
        gate: Receiver<()>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Stuck {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let _ = self.gate.recv();
            self.taken.lock().expect("the sink").extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_nobody_reads_holds_up_nobody() {
        let (open, gate) = channel();
        let taken = Arc::default();
        let lines = Lines::start(Stuck { gate, taken: Arc::clone(&taken) }).expect("a thread");
        let said = QUEUE + 100;
        for number in 0..said {
            lines.clone().write_all(format!("{number}\n").as_bytes()).expect("taken or lost");
        }
        let lost = usize::try_from(lines.lost()).expect("a number");
        assert!((99..=100).contains(&lost), "the queue is full, and one line may be under way: {lost}");
        let begun = Instant::now();
        lines.flush(Duration::from_millis(20));
        assert!(begun.elapsed() >= Duration::from_millis(20), "it waits for who does not read, and not for ever");
        drop(open);
        lines.flush(Duration::from_secs(20));
        let taken = String::from_utf8(taken.lock().expect("the sink").clone()).expect("UTF-8");
        let numbers: Vec<usize> = taken.lines().map(|line| line.parse().expect("a number")).collect();
        // The one that finds room because another is under way may be any of those behind the full queue.
        assert_eq!((&numbers[..QUEUE], numbers.len()), (&(0..QUEUE).collect::<Vec<_>>()[..], said - lost));
        assert!(numbers.is_sorted());
    }
}
