//! Files that are not served and why, and what else asks for the operator.

use std::sync::Arc;

use serde::Serialize;

use super::timestamp;
use crate::admin::Sources;
use crate::certs::{IntakeHandle, Ledger, NoticeState};

/// One file.
#[derive(Serialize)]
pub(super) struct Rejected {
    file: String,
    state: &'static str,
    code: &'static str,
    reason: String,
    mend: String,
    since: String,
}

/// Waiting and rejected files, in order of their path.
pub(super) fn list(sources: &Sources) -> Vec<Rejected> {
    let entry = |notice: &crate::certs::Notice| Rejected {
        file: notice.file.clone(),
        state: match notice.state {
            NoticeState::Waiting => "waiting",
            NoticeState::Rejected => "rejected",
        },
        code: notice.code,
        reason: notice.reason.clone(),
        mend: notice.mend.clone(),
        since: timestamp(notice.since),
    };
    ledger(sources).rejected.iter().map(entry).collect()
}

/// A condition that lasts until somebody does something about it.
#[derive(Serialize)]
pub(super) struct Alarm {
    code: &'static str,
    message: String,
    since: String,
}

/// The alarms that are on.
pub(super) fn alarms(sources: &Sources) -> Vec<Alarm> {
    let entry = |alarm: &crate::certs::Alarm| Alarm {
        code: alarm.code,
        message: alarm.message.clone(),
        since: timestamp(alarm.since),
    };
    ledger(sources).alarms.iter().map(entry).collect()
}

fn ledger(sources: &Sources) -> Arc<Ledger> {
    sources.intake.as_ref().map(IntakeHandle::ledger).unwrap_or_default()
}
