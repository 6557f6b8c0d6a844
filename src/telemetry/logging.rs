//! How events are written: to stderr, one a line.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::panic::{self, PanicHookInfo};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{io, thread};

use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::log_writer;

/// How an event is written to stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line.
    Text,
    /// One JSON object a line.
    Json,
}

/// How severe an event must be to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Ours failed.
    Error,
    /// Somebody should look.
    Warn,
    /// What happened.
    Info,
    /// What peers did wrong, too.
    Debug,
}

impl LogLevel {
    /// All there are, the quietest first.
    pub const ALL: [Self; 4] = [Self::Error, Self::Warn, Self::Info, Self::Debug];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Writes events to stderr from now on, for the whole process, from a thread of its own; panics are events too. A second call
/// changes nothing.
pub fn install(format: LogFormat, level: LogLevel) {
    let (filter, filtering) = reload::Layer::new(filter(level));
    let layer = match log_writer::of_the_process() {
        Some(lines) => layer(format, filter, lines.clone()),
        None => layer(format, filter, io::stderr),
    };
    // An error means that somebody, a test for instance, listens already.
    if tracing_subscriber::registry().with(layer).try_init().is_ok() {
        panic::set_hook(Box::new(tell_panic));
        let _ = FILTERING.set(filtering);
    }
}

/// Writes events of this level and above from now on. Without [`install`] there is nothing to change.
pub fn set_level(level: LogLevel) {
    if let Some(filtering) = FILTERING.get() {
        // An error means that nobody writes any more.
        let _ = filtering.reload(filter(level));
    }
}

/// Says where and why somebody panicked. What Rust does by itself writes to stderr directly, and waits for whoever reads it.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let backtrace = Backtrace::capture(); // if the environment asks for it
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        thread = thread::current().name(),
        at = panic.location().map(tracing::field::display),
        reason = panic.payload_as_str(),
        backtrace,
        "panicked"
    );
    // The process may be about to end.
    log_writer::flush(LAST_WORDS);
}

fn layer<W>(
    format: LogFormat,
    filter: impl Filter<Registry> + Send + Sync + 'static,
    writer: W,
) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    let lines = match format {
        // No colours: a terminal's escape sequences in a log file are noise, and peers' names are in these lines.
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    };
    lines.with_filter(filter).boxed()
}

fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    Targets::new().with_default(level).with_targets(LOUD.map(|target| (target, level.min(LevelFilter::WARN))))
}

/// A text for a line: whoever may name a file must not be able to write lines or move a terminal's cursor.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_control() {
            true => printable.extend(letter.escape_default()),
            false => printable.push(letter),
        }
    }
    printable
}

/// Keeps one kind of line to so many a second; then one line says how many were left out. A worker has its own, and asking
/// costs no lock and no locked instruction.
#[derive(Debug)]
pub struct RateLimited {
    kind: &'static str,
    per_second: u32,
    began: Cell<Option<Instant>>,
    written: Cell<u32>,
    left_out: Cell<u64>,
}

impl RateLimited {
    /// At most `per_second` lines in a second. `kind` is what the line about those left out calls them.
    #[must_use]
    pub const fn new(kind: &'static str, per_second: u32) -> Self {
        Self { kind, per_second, began: Cell::new(None), written: Cell::new(0), left_out: Cell::new(0) }
    }

    /// Runs `write`, which writes the line, unless this second has its share. Before the first line of a later second, the
    /// number that was left out is written.
    pub fn say(&self, write: impl FnOnce()) {
        let now = Instant::now();
        self.tell_left_out(now);
        if self.admit(now) {
            write();
        }
    }

    /// Writes how many lines were left out, if their second is over. For a clock that ticks anyway, so that the number is
    /// told even when no further line comes.
    pub fn tell_left_out(&self, now: Instant) {
        if let Some(left_out) = self.overdue(now) {
            tracing::warn!(kind = self.kind, left_out, "lines of this kind came too fast and were left out");
        }
    }

    /// Whether there are lines left out that nothing was said of, which a clock has to come back for.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.left_out.get() > 0
    }

    fn admit(&self, now: Instant) -> bool {
        if self.is_over(now) {
            self.began.set(Some(now));
            self.written.set(0);
        }
        let admitted = self.written.get() < self.per_second;
        if admitted {
            self.written.set(self.written.get() + 1);
        } else {
            self.left_out.set(self.left_out.get() + 1);
        }
        admitted
    }

    fn overdue(&self, now: Instant) -> Option<u64> {
        let left_out = self.left_out.get();
        (left_out > 0 && self.is_over(now)).then(|| self.left_out.replace(0))
    }

    fn is_over(&self, now: Instant) -> bool {
        self.began.get().is_none_or(|began| now.duration_since(began) >= SECOND)
    }
}

/// Enough for a reader that reads; a worker whose task panicked stands still for it at most.
const LAST_WORDS: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
/// What is written, of the whole process.
static FILTERING: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();
/// What these say below `warn` is for their own developers; rustls prints whole hellos, which peers choose.
const LOUD: [&str; 6] = ["rustls", "tokio_rustls", "hyper", "hyper_util", "h2", "notify"];

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("the sink").extend_from_slice(octets);
            Ok(octets.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat, level: LogLevel, events: impl FnOnce()) -> String {
        let sink = Sink::default();
        let lines = sink.clone();
        let subscriber = tracing_subscriber::registry().with(layer(format, filter(level), move || lines.clone()));
        tracing::subscriber::with_default(subscriber, events);
        String::from_utf8(sink.0.lock().expect("the sink").clone()).expect("UTF-8")
    }

    #[test]
    fn libraries_are_held_at_warn_and_ours_speak_as_told() {
        let text = written(LogFormat::Text, LogLevel::Debug, || {
            tracing::debug!("ours");
            tracing::info!(target: "rustls::server", "a hello");
            tracing::debug!(target: "h2", "a frame");
            tracing::warn!(target: "hyper", "a warning");
        });
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].ends_with("ours") && lines[1].ends_with("a warning"), "{text}");
    }

    #[test]
    fn a_quieter_level_holds_for_libraries_too() {
        let text = written(LogFormat::Text, LogLevel::Error, || tracing::warn!(target: "rustls", "a warning"));
        assert_eq!(text, "");
    }

    #[test]
    fn json_events_are_one_object_a_line_with_their_fields_on_top() {
        let text = written(LogFormat::Json, LogLevel::Info, || tracing::info!(sni = "a\nb\"c", "failed"));
        let event: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((text.lines().count(), &event["sni"], &event["message"]), (1, &"a\nb\"c".into(), &"failed".into()));
    }

    #[test]
    fn what_a_peer_named_itself_never_breaks_a_line_of_text() {
        let text = written(LogFormat::Text, LogLevel::Info, || tracing::info!(sni = "a\nb\x1b[31m", "failed"));
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(!text.contains('\x1b'), "{text:?}");
    }

    #[test]
    fn what_a_file_is_called_is_one_line_and_no_command_to_a_terminal() {
        assert_eq!(printable("bücher\n\x1b[2J\u{9b}.pem"), "bücher\\n\\u{1b}[2J\\u{9b}.pem");
    }

    #[test]
    fn lines_beyond_the_share_are_left_out_and_their_number_told_once() {
        let limited = RateLimited::new("handshake", 2);
        let start = Instant::now();
        assert_eq!(
            [0, 10, 20, 999].map(|ms| limited.admit(start + Duration::from_millis(ms))),
            [true, true, false, false]
        );
        assert_eq!(limited.overdue(start + Duration::from_millis(999)), None);
        let later = start + SECOND;
        assert_eq!((limited.overdue(later), limited.overdue(later)), (Some(2), None));
        assert!(limited.admit(later));
    }

    #[test]
    fn the_line_about_the_others_comes_before_the_next() {
        let limited = RateLimited::new("handshake", 1);
        let text = written(LogFormat::Text, LogLevel::Info, || {
            limited.say(|| tracing::info!("first"));
            limited.say(|| tracing::info!("second"));
            limited.tell_left_out(Instant::now() + SECOND);
        });
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].ends_with("first") && lines[1].contains("left_out=1"), "{text}");
    }
}
