//! Who carries the posts: some at once, but never two to the same contact, and in the order in which they became due.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::contact::{Way, Webhook};
use super::message::Recipient;
use super::queue::Head;
use super::setback::Setback;
use super::tally::Lane;
use super::{Office, now, webhook};
use crate::outbound::PostClient;
use crate::shutdown::Lifecycle;

/// Carries until the edge drains.
pub(super) async fn carry(office: Arc<Office>, mut lifecycle: Lifecycle) {
    let mut carrier = Carrier { office, under_way: JoinSet::new(), busy: Vec::new(), resting: HashMap::new() };
    let (mut changes, mut hurries, mut terms) =
        (carrier.office.queue.changes(), carrier.office.hurries.subscribe(), carrier.office.terms.clone());
    while !lifecycle.stage().ends() {
        changes.mark_unchanged();
        carrier.begin();
        let pause = carrier.pause();
        tokio::select! {
            Some(ended) = carrier.under_way.join_next() => {
                if let Ok((recipient, head, result)) = ended {
                    carrier.end(recipient, head, result).await;
                }
            }
            () = tokio::time::sleep(pause) => {}
            Ok(()) = changes.changed() => {}
            Ok(()) = hurries.changed() => carrier.resting.clear(),
            Ok(()) = terms.changed() => carrier.resting.clear(),
            _ = lifecycle.draining() => {}
        }
    }
    while let Some(ended) = carrier.under_way.join_next().await {
        if let Ok((recipient, head, result)) = ended {
            carrier.end(recipient, head, result).await;
        }
    }
}

struct Carrier {
    office: Arc<Office>,
    under_way: JoinSet<(Recipient, Arc<Head>, Result<(), Setback>)>,
    busy: Vec<Recipient>,
    /// Who is away, how often in a row, and until when it is left alone.
    resting: HashMap<Recipient, (u32, Instant)>,
}

impl Carrier {
    /// Begins what may be begun.
    fn begin(&mut self) {
        for (head, way) in self.office.due(now()) {
            let Some(Way::Webhook(to)) = way else { continue };
            let is_resting = self.resting.get(&head.recipient).is_some_and(|(_, until)| *until > Instant::now());
            if is_resting || self.busy.contains(&head.recipient) || self.under_way.len() >= AT_ONCE {
                continue;
            }
            self.busy.push(head.recipient.clone());
            let office = Arc::clone(&self.office);
            self.under_way.spawn(async move {
                let result = deliver(&office, &head, &to).await;
                (head.recipient.clone(), head, result)
            });
        }
    }

    async fn end(&mut self, recipient: Recipient, head: Arc<Head>, result: Result<(), Setback>) {
        match result {
            Ok(()) => {
                self.resting.remove(&recipient);
                self.office.told(Lane::Webhook, &head).await;
            }
            Err(setback) => {
                let (attempts, until) = self.resting.entry(recipient.clone()).or_insert((0, Instant::now()));
                *attempts = attempts.saturating_add(1);
                *until = Instant::now() + setback.rest(*attempts);
                self.office.refused(Lane::Webhook, &head, setback).await;
            }
        }
        self.busy.retain(|busy| *busy != recipient);
    }

    fn pause(&self) -> Duration {
        let now_instant = Instant::now();
        let rests = self.resting.values().map(|(_, until)| until.saturating_duration_since(now_instant));
        let rest = rests.filter(|rest| !rest.is_zero()).min();
        let pause = self.office.pause(now());
        rest.map_or(pause, |rest| rest.min(pause))
    }
}

async fn deliver(office: &Arc<Office>, head: &Arc<Head>, to: &Webhook) -> Result<(), Setback> {
    let terms = Arc::clone(&office.terms.borrow());
    let client = PostClient::new(terms.roots.iter().cloned(), terms.webhook_networks.clone());
    let client = client.map_err(|error| Setback::Away(error.to_string()))?;
    let entry = office.entry(head).await?;
    webhook::post(&client, to, &head.id, &entry, now()).await
}

/// Enough for those of a large installation, few enough for a slow line.
const AT_ONCE: usize = 8;
