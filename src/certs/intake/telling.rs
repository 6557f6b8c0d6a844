//! What lists and alarms say of it all.

use std::sync::Arc;

use super::Desk;
use crate::certs::alarms::AlarmCode;
use crate::certs::ledger::Alarm;
use crate::certs::shelf::Moment;
use crate::store::StoreError;

impl Desk {
    /// Puts out what lists and alarms say.
    pub(super) fn tell(&mut self, trouble: Option<StoreError>, degraded: bool, now: Moment) {
        let mut ledger = self.shelf.ledger();
        let terms = Arc::clone(&self.shelf.terms);
        self.enter(&mut ledger, &terms);
        if let Some(message) = self.not_issued.clone() {
            ledger.raise(Alarm { code: AlarmCode::LocalCaFailed, message, since: now.unix });
        }
        ledger.failed_scans = self.failed;
        ledger.watching = !degraded;
        self.unwatched_since = degraded.then(|| self.unwatched_since.unwrap_or(now.unix));
        if let Some(since) = self.unwatched_since {
            let message = "the system does not report changes in the drop folder, so it is looked at every few seconds; \
                           raise fs.inotify.max_user_watches";
            ledger.raise(Alarm { code: AlarmCode::NotWatching, message: message.into(), since });
        }
        if let Some(alarm) = self.tell_not_kept(trouble, now) {
            ledger.raise(alarm);
        }
        self.tell_endings(now).into_iter().for_each(|alarm| ledger.raise(alarm));
        self.requests.alarms(now.unix).into_iter().for_each(|alarm| ledger.raise(alarm));
        self.ledger.publish(ledger);
    }

    /// What to say of a library that cannot be written; logged when it begins and when it ends.
    fn tell_not_kept(&mut self, trouble: Option<StoreError>, now: Moment) -> Option<Alarm> {
        let Some(trouble) = trouble else {
            if self.not_kept.take().is_some() {
                tracing::info!("the state folder can be written again");
            }
            return None;
        };
        let message = format!(
            "certificates in service are not kept in the state folder, and a start without their files would lack \
                               them: {trouble}"
        );
        if self.not_kept.is_none() {
            tracing::error!(code = AlarmCode::StateNotWritten.as_str(), "alarm: {message}");
        }
        let since = *self.not_kept.get_or_insert(now.unix);
        Some(Alarm { code: AlarmCode::StateNotWritten, message, since })
    }
}
