//! The stages of the edge's life, and the signals that end it.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// Where in its life the edge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Listeners or the first scan of the certificates are not there yet.
    Starting,
    /// Serving.
    Ready,
    /// No new connections; requests in flight may end until the deadline.
    Draining {
        /// When what is left is cut off.
        deadline: Instant,
    },
    /// What is left is cut off now.
    Stopping,
}

impl Stage {
    /// Whether no new work is taken any more.
    #[must_use]
    pub const fn ends(self) -> bool {
        matches!(self, Self::Draining { .. } | Self::Stopping)
    }

    const fn order(self) -> u8 {
        match self {
            Self::Starting => 0,
            Self::Ready => 1,
            Self::Draining { .. } => 2,
            Self::Stopping => 3,
        }
    }

    /// The word health checks and logs use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining { .. } => "draining",
            Self::Stopping => "stopping",
        }
    }
}

/// Makes the two halves: the one that moves the edge from stage to stage, and the one everybody else watches.
#[must_use]
pub fn lifecycle() -> (Conductor, Lifecycle) {
    let (sender, receiver) = watch::channel(Stage::Starting);
    (Conductor(Arc::new(sender)), Lifecycle(receiver))
}

/// The half that moves the edge from stage to stage, never back.
pub struct Conductor(Arc<watch::Sender<Stage>>);

impl Conductor {
    /// Everything listens and the first scan has ended.
    pub fn ready(&self) {
        self.advance(Stage::Ready);
    }

    /// Stops taking work; what is in flight has `patience`.
    pub fn drain(&self, patience: Duration) {
        self.advance(Stage::Draining { deadline: Instant::now() + patience });
    }

    /// Cuts off what is left.
    pub fn stop(&self) {
        self.advance(Stage::Stopping);
    }

    fn advance(&self, next: Stage) {
        self.0.send_if_modified(|stage| {
            let later = next.order() > stage.order();
            if later {
                *stage = next;
            }
            later
        });
    }
}

/// The half that watches.
#[derive(Clone)]
pub struct Lifecycle(watch::Receiver<Stage>);

impl Lifecycle {
    /// The stage now.
    #[must_use]
    pub fn stage(&self) -> Stage {
        *self.0.borrow()
    }

    /// Waits until the edge drains or stops, and tells the deadline. A conductor that is gone means: stop now.
    pub async fn draining(&mut self) -> Instant {
        match self.0.wait_for(|stage| stage.ends()).await.map(|stage| *stage) {
            Ok(Stage::Draining { deadline }) => deadline,
            Ok(_) | Err(_) => Instant::now(),
        }
    }

    /// Waits until what is left is to be cut off.
    pub async fn stopping(&mut self) {
        // An error means that the conductor is gone, which is the end too.
        let _ = self.0.wait_for(|stage| *stage == Stage::Stopping).await;
    }
}

/// What the system asks of a running edge.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes over SIGTERM, SIGINT and SIGHUP.
    ///
    /// # Errors
    /// When the system refuses to register a handler.
    pub fn register() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Request::Stop("SIGINT"),
            _ = self.hangup.recv() => Request::Reload,
        }
    }
}

/// What a signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// SIGTERM or SIGINT: stop, at once if it is the second.
    Stop(&'static str),
    /// SIGHUP: read configuration and certificates again, open log files again.
    Reload,
}
