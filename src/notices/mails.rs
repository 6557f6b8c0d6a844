//! Who carries the mails: one after the other, over one connection while there are any. While the server is away all of them wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::contact::Way;
use super::mail::Session;
use super::queue::Head;
use super::setback::Setback;
use super::tally::{Lane, Outcome};
use super::{Office, now};
use crate::mail_address::MailAddress;
use crate::shutdown::Lifecycle;

/// Carries until the edge drains.
pub(super) async fn carry(office: Arc<Office>, mut lifecycle: Lifecycle) {
    let mut carrier = Carrier { office, session: None, attempts: 0, rests_until: None };
    let (mut changes, mut hurries, mut terms) =
        (carrier.office.queue.changes(), carrier.office.hurries.subscribe(), carrier.office.terms.clone());
    // What was due before this was begun is seen by the first look.
    while !lifecycle.stage().ends() {
        changes.mark_unchanged();
        let rests = carrier.rests_until.is_some_and(|until| until > Instant::now());
        if !rests {
            carrier.carry_all(&lifecycle).await;
        }
        carrier.hang_up().await;
        let pause = carrier.pause();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // One more does not bring a server back that is away.
            Ok(()) = changes.changed(), if !rests => {}
            Ok(()) = hurries.changed() => carrier.forgive(),
            Ok(()) = terms.changed() => carrier.forgive(),
            _ = lifecycle.draining() => {}
        }
    }
    carrier.hang_up().await;
}

struct Carrier {
    office: Arc<Office>,
    session: Option<Session>,
    /// How often in a row the server was not to be had.
    attempts: u32,
    rests_until: Option<Instant>,
}

impl Carrier {
    /// Carries what is due, until the server is not to be had or the edge drains.
    async fn carry_all(&mut self, lifecycle: &Lifecycle) {
        let due = self.office.due(now());
        let mut mine = due.into_iter().filter(|(_, way)| !matches!(way, Some(Way::Webhook(_)))).peekable();
        if mine.peek().is_none() {
            self.office.stick(None);
        }
        for (head, way) in mine {
            if lifecycle.stage().ends() {
                return;
            }
            let Some(Way::Mail(to)) = way else {
                self.office.nobody(&head).await;
                continue;
            };
            match self.send(&head, &to).await {
                Ok(()) => {
                    self.forgive();
                    self.office.stick(None);
                    self.office.told(Lane::Mail, &head).await;
                }
                Err(Setback::Away(text)) => {
                    self.session = None;
                    self.attempts = self.attempts.saturating_add(1);
                    self.rests_until = Some(Instant::now() + Setback::Away(String::new()).rest(self.attempts));
                    self.office.tally.count(Lane::Mail, Outcome::PutOff);
                    return self.office.stick(Some(&text));
                }
                Err(refused) => {
                    self.forgive();
                    self.office.stick(None);
                    self.office.refused(Lane::Mail, &head, refused).await;
                    if let Some(session) = &mut self.session
                        && !session.begin_anew().await
                    {
                        self.session = None;
                    }
                }
            }
        }
    }

    async fn send(&mut self, head: &Arc<Head>, to: &MailAddress) -> Result<(), Setback> {
        let terms = Arc::clone(&self.office.terms.borrow());
        let mail = terms.mail.as_ref().ok_or_else(|| Setback::Away(UNCONFIGURED.into()))?;
        let entry = self.office.entry(head).await?;
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(Session::open(mail).await?),
        };
        session.send(mail, &head.id, to, &entry).await
    }

    /// What was in the way may be gone.
    fn forgive(&mut self) {
        (self.attempts, self.rests_until) = (0, None);
    }

    async fn hang_up(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    fn pause(&self) -> Duration {
        let rest = self.rests_until.map(|until| until.saturating_duration_since(Instant::now()));
        let pause = self.office.pause(now());
        rest.filter(|rest| !rest.is_zero()).map_or(pause, |rest| rest.min(super::LONGEST_PAUSE))
    }
}

pub(super) const UNCONFIGURED: &str = "no mail server is configured; say which in [mail]";
