//! Requests at a fixed rate, whatever the answers take: how long they take then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::client::Target;
use crate::{Failure, end_of_stdin};

/// Sends `rate` requests a second for `seconds`, over connections that stay, and prints what half, 99 and all of a hundred answers took
/// at most, in µs.
///
/// What is due is due, whether a connection is free or not: the wait for one counts.
pub async fn run(target: Target, (rate, seconds): (usize, usize), connections: usize) -> Result<(), Failure> {
    let (count, mut lanes) = (rate * seconds, JoinSet::new());
    let (due, waiting) = mpsc::unbounded_channel::<Instant>();
    let waiting = Arc::new(Mutex::new(waiting));
    for _ in 0..connections {
        let connector = target.connector(false);
        let mut stream = target.connect(&connector).await?;
        target.get(&mut stream, false).await?;
        let (target, waiting) = (target.clone(), Arc::clone(&waiting));
        lanes.spawn(async move {
            let mut took = Vec::new();
            // Who is free waits in turn.
            while let Some(since) = async { waiting.lock().await.recv().await }.await {
                target.get(&mut stream, false).await?;
                took.push(since.elapsed());
            }
            Ok::<_, Failure>(took)
        });
    }
    println!("ready");
    end_of_stdin().await?;

    let (begin, mut sent) = (Instant::now(), 0);
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    while sent < count {
        tick.tick().await;
        let now = Instant::now();
        let elapsed = now.duration_since(begin).as_secs_f64();
        // Not negative, and far below what is lost in it.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let wanted = ((elapsed * rate as f64) as usize).min(count);
        while sent < wanted {
            let _ = due.send(now);
            sent += 1;
        }
    }
    drop(due);
    let mut took = Vec::with_capacity(count);
    while let Some(lane) = lanes.join_next().await {
        took.extend(lane.map_err(|error| Failure::Wrong(error.to_string()))??);
    }
    took.sort_unstable();
    let at = |share: usize| took.get((took.len() * share / 100).min(took.len().saturating_sub(1)));
    let [half, most, all] = [50, 99, 100].map(|share| at(share).map_or(0, Duration::as_micros));
    println!("p50 {half} p99 {most} max {all} of {}", took.len());
    Ok(())
}
