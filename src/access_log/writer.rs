//! The thread that writes what the hot path recorded.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use super::{Line, Record, Target};

/// What the thread is sent.
#[derive(Debug)]
pub(super) enum Message {
    /// Write this.
    Record(Box<Record>),
    /// Look at the flags.
    Wake,
}

/// The owner's half: opens the file again, and ends the thread. Dropped, it lets the thread end when the last [`AccessLog`]
/// is gone.
///
/// [`AccessLog`]: super::AccessLog
#[derive(Debug)]
pub struct Writer(Option<Running>);

#[derive(Debug)]
struct Running {
    queue: SyncSender<Message>,
    asked: Arc<Asked>,
    ended: Receiver<()>,
}

/// Wishes of the owner, beside the queue because that may be full.
#[derive(Debug, Default)]
struct Asked {
    reopen: AtomicBool,
    stop: AtomicBool,
}

impl Writer {
    /// Opens the file again under its name, after it was moved away (logrotate). The old one stays in use if that fails.
    pub fn reopen(&self) {
        if let Some(running) = &self.0 {
            running.asked.reopen.store(true, Ordering::Release);
            running.wake();
        }
    }

    /// Writes what is queued and ends the thread; false when that took longer than `patience`, as it does when nobody reads
    /// our standard output any more.
    #[must_use]
    pub fn stop(self, patience: Duration) -> bool {
        let Some(running) = self.0 else { return true };
        running.asked.stop.store(true, Ordering::Release);
        running.wake();
        // An error other than the timeout means that the thread is gone.
        running.ended.recv_timeout(patience) != Err(std::sync::mpsc::RecvTimeoutError::Timeout)
    }

    pub(super) const fn none() -> Self {
        Self(None)
    }

    pub(super) fn start(target: &Target, lost: Arc<AtomicU64>) -> io::Result<(SyncSender<Message>, Self)> {
        let output = Output::open(target)?;
        let (queue, messages) = sync_channel(QUEUE);
        let (end, ended) = sync_channel(1);
        let asked = Arc::<Asked>::default();
        let thread = Thread { output, lost, asked: Arc::clone(&asked), trouble: Trouble::default() };
        std::thread::Builder::new().name("access-log".into()).spawn(move || {
            thread.run(&messages);
            // Nobody may be waiting.
            let _ = end.try_send(());
        })?;
        Ok((queue.clone(), Self(Some(Running { queue, asked, ended }))))
    }
}

impl Running {
    /// A full queue keeps the thread awake anyway.
    fn wake(&self) {
        let _ = self.queue.try_send(Message::Wake);
    }
}

struct Thread {
    output: Output,
    lost: Arc<AtomicU64>,
    asked: Arc<Asked>,
    trouble: Trouble,
}

impl Thread {
    fn run(mut self, messages: &Receiver<Message>) {
        loop {
            // The flag is read before the queue is found empty: whatever was queued before the wish is written.
            let stop = self.asked.stop.load(Ordering::Acquire);
            match messages.try_recv() {
                Ok(message) => self.take(message),
                Err(TryRecvError::Empty) if !stop => {
                    self.flush();
                    match messages.recv() {
                        Ok(message) => self.take(message),
                        Err(_) => break,
                    }
                }
                Err(_) => break,
            }
        }
        self.flush();
    }

    fn take(&mut self, message: Message) {
        if self.asked.reopen.swap(false, Ordering::AcqRel) {
            self.reopen();
        }
        let Message::Record(record) = message else { return };
        match self.output.write(&record) {
            Ok(()) => self.trouble.over(),
            Err(error) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                self.trouble.tell(&self.output, &error);
            }
        }
    }

    /// What cannot be written now stays in the buffer and is tried again with the next record.
    fn flush(&mut self) {
        if let Err(error) = self.output.flush() {
            self.trouble.tell(&self.output, &error);
        }
    }

    fn reopen(&mut self) {
        self.flush();
        if let Err(error) = self.output.reopen() {
            tracing::error!(%error, log = %self.output.name(), "the access log cannot be opened again; the old file stays in use");
        }
    }
}

/// Where lines go, buffered.
enum Output {
    Stdout(BufWriter<io::Stdout>),
    File { path: PathBuf, file: BufWriter<File> },
}

impl Output {
    fn open(target: &Target) -> io::Result<Self> {
        Ok(match target {
            Target::Stdout => Self::Stdout(BufWriter::with_capacity(BUFFER, io::stdout())),
            Target::File(path) => Self::File { path: path.clone(), file: appending(path)? },
        })
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Self::File { path, file } = self {
            *file = appending(path)?;
        }
        Ok(())
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        // The whole line first: a line whose second half finds the disk full would spoil the next one too.
        let mut line = serde_json::to_vec(&Line::of(record))?;
        line.push(b'\n');
        match self {
            Self::Stdout(stdout) => stdout.write_all(&line),
            Self::File { file, .. } => file.write_all(&line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File { file, .. } => file.flush(),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Stdout(_) => "standard output".into(),
            Self::File { path, .. } => path.display().to_string(),
        }
    }
}

fn appending(path: &PathBuf) -> io::Result<BufWriter<File>> {
    let file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
    Ok(BufWriter::with_capacity(BUFFER, file))
}

/// Whether writing fails now, so that a full disk gives a line a minute and not one a request.
#[derive(Default)]
struct Trouble {
    told: Option<Instant>,
}

impl Trouble {
    fn tell(&mut self, output: &Output, error: &io::Error) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            self.told = Some(Instant::now());
            tracing::error!(%error, log = %output.name(), "the access log cannot be written; records are being lost");
        }
    }

    fn over(&mut self) {
        if self.told.take().is_some() {
            tracing::info!("the access log takes records again");
        }
    }
}

/// Half a second of 16,000 requests each second: longer than a disk's write-back stalls, and 4 MiB at most.
const QUEUE: usize = 8192;
/// Some 200 lines a system call when it is busy.
const BUFFER: usize = 64 * 1024;
/// The operator's group may read, as it may other logs under /var/log.
const MODE: u32 = 0o640;
const TELL_AGAIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::tests::record;
    use super::super::{AccessLog, Options};
    use super::*;

    fn to(target: Target) -> Options {
        Options { to: Some(target), sample: 1.0, query: false, truncate_client: true }
    }

    fn lines(path: &std::path::Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).expect("the log");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn what_was_recorded_before_the_stop_is_in_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access.log");
        let (log, writer) = AccessLog::start(&to(Target::File(path.clone()))).expect("started");
        for number in 0..1000 {
            assert!(log.record(record(&format!("/{number}"))));
        }
        assert!(writer.stop(PATIENCE));
        let lines = lines(&path);
        let paths: Vec<_> = lines.iter().map(|line| line["path"].as_str().expect("a path").to_owned()).collect();
        assert_eq!(paths, (0..1000).map(|number| format!("/{number}")).collect::<Vec<_>>());
        assert_eq!((lines[0].get("query"), &lines[0]["client"]), (None, &"203.0.113.0".into()));
        let mode = std::fs::metadata(&path).expect("the log").permissions().mode() & 0o777;
        assert_eq!(mode & !0o640, 0, "{mode:o}");
    }

    #[test]
    fn a_full_queue_drops_and_never_waits() {
        // Nobody reads the FIFO after it was opened, so the thread stands still at the pipe's 64 KiB.
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a FIFO");
        let reader = OpenOptions::new().read(true).write(true).open(&path).expect("the other end");
        let (log, writer) = AccessLog::start(&to(Target::File(path))).expect("started");
        let room = QUEUE + 4 * BUFFER / 100;
        let taken = (0..room).filter(|_| log.record(record("/"))).count();
        assert!((QUEUE..room).contains(&taken), "{taken} of {room} were taken");
        assert!(!writer.stop(Duration::from_millis(1)), "the thread cannot have ended");
        drop(reader);
    }

    #[test]
    fn after_logrotate_records_go_into_a_new_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        let (log, writer) = AccessLog::start(&to(Target::File(path.clone()))).expect("started");
        assert!(log.record(record("/before")));
        let deadline = Instant::now() + PATIENCE;
        while std::fs::metadata(&path).expect("the log").len() == 0 {
            assert!(Instant::now() < deadline, "the record was not flushed");
            std::thread::yield_now();
        }
        std::fs::rename(&path, &moved).expect("moved");
        writer.reopen();
        assert!(log.record(record("/after")));
        assert!(writer.stop(PATIENCE));
        let paths = [&moved, &path].map(|path| lines(path)[0]["path"].clone());
        assert_eq!(paths, ["/before", "/after"].map(serde_json::Value::from));
    }

    #[test]
    fn a_full_disk_loses_records_and_not_the_thread() {
        let (log, writer) = AccessLog::start(&to(Target::File("/dev/full".into()))).expect("started");
        for _ in 0..1000 {
            assert!(log.record(record("/")));
        }
        assert!(writer.stop(PATIENCE));
        // What the buffer holds is not lost before it is full.
        assert!((500..1000).contains(&log.lost()), "{}", log.lost());
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error_at_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = Target::File(folder.path().join("none").join("access.log"));
        let kind = AccessLog::start(&to(missing)).map(|_| ()).map_err(|error| error.kind());
        assert_eq!(kind, Err(io::ErrorKind::NotFound));
    }

    const PATIENCE: Duration = Duration::from_secs(20);
}
