//! What the shelf tells the operator: alarms, open keys, what came in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokio::time::Instant;

use super::holding::State;
use super::remarks::MOST_LINES;
use super::{Holding, Moment, Shelf};
use crate::certs::alarms::AlarmCode;
use crate::certs::certificate::Fingerprint;
use crate::certs::ledger::{REST, shown, some_of};
use crate::certs::scan::{Content, Files, Root, Scan};
use crate::live::ServedCert;

impl Shelf {
    pub(super) fn raise_alarms(&mut self, scan: &Scan, now: Moment) {
        let mut raised = BTreeMap::new();
        let folders = self.folders.all().iter().map(|folder| shown(&folder.directory)).zip(&scan.roots);
        let missing: Vec<String> =
            folders.clone().filter(|(_, root)| **root == Root::Missing).map(|(folder, _)| folder).collect();
        if let [folder] = &missing[..] {
            let message = format!("the drop folder {folder} does not exist; create it or mount it");
            raised.insert(AlarmCode::FolderMissing, message);
        } else if !missing.is_empty() {
            let message = format!("these drop folders do not exist; create or mount them: {}", some_of(&missing));
            raised.insert(AlarmCode::FolderMissing, message);
        }
        let unreadable = folders.filter_map(|(folder, root)| match root {
            Root::Unreadable(reason) => Some(format!("the drop folder {folder} cannot be read: {reason}")),
            Root::Readable(..) | Root::Missing => None,
        });
        let unreadable: Vec<String> = unreadable.collect();
        if !unreadable.is_empty() {
            raised.insert(AlarmCode::FolderUnreadable, unreadable.join("; "));
        }
        let held: Vec<String> = self.held_names().into_iter().map(ToString::to_string).collect();
        if !held.is_empty() {
            let names = held.len();
            let places: BTreeSet<usize> = self.held().map(|holding| self.place(holding)).collect();
            let from = places.into_iter().map(|place| shown(&self.folders.all()[place].directory));
            raised.insert(
                AlarmCode::WithdrawalHeld,
                format!(
                    "the files of {names} names, or those of their chains, went from {} at once, which looks like an \
                     accident: {}; their certificates go on serving as before until the files are back, or until you say that it was meant, with: \
                     vitrine certs confirm --names {names}",
                    some_of(&from.collect::<Vec<_>>()),
                    some_of(&held)
                ),
            );
        }
        let all_untimely = self.standing.untimely(now.unix);
        for (code, words, untimely) in [
            (
                AlarmCode::ExpiredServing,
                "is expired",
                (|served, now| served.facts.not_after < now) as fn(&ServedCert, i64) -> bool,
            ),
            (AlarmCode::NotYetValidServing, "is not valid yet", |served, now| served.facts.not_before > now),
        ] {
            let untimely = all_untimely.iter().filter(|ranked| untimely(ranked.certificate(), now.unix));
            let files: Vec<String> = untimely
                .filter_map(|ranked| {
                    Some(format!("{} ({})", ranked.names().first()?, shown(&ranked.certificate().facts.file)))
                })
                .collect();
            if !files.is_empty() {
                let message =
                    format!("what serves these names {words}, and there is nothing better: {}", some_of(&files));
                raised.insert(code, message);
            }
        }
        let revoked = self.standing.order().iter().filter(|ranked| ranked.certificate().facts.revoked);
        let revoked: Vec<String> = revoked.flat_map(|ranked| ranked.names()).map(ToString::to_string).collect();
        if !revoked.is_empty() {
            let message = format!(
                "what serves these names is revoked, and browsers that look into their lists of such refuse it: {}; for managed \
                 sites another is ordered (vitrine sites list shows what keeps it), for others bring one",
                some_of(&revoked)
            );
            raised.insert(AlarmCode::RevokedServing, message);
        }
        if !self.standing.ignored().is_empty() {
            let hosts: Vec<String> = self.standing.ignored().iter().map(ToString::to_string).collect();
            let message = format!(
                "the certificate that was pinned for these hosts is gone or not valid now, and the best of the others serves: {}; \
                 pin another, or take the choice back with: vitrine sites use SITE configured",
                some_of(&hosts)
            );
            raised.insert(AlarmCode::PinIgnored, message);
        }
        if let Some(message) = self.orphans(now) {
            raised.insert(AlarmCode::ChainIncomplete, message);
        }
        raised.extend(self.remarks.alarms());
        self.alarms.raise(raised, now.unix);
    }

    /// Certificates whose issuer's is not in the folder, once the folder had time to get it.
    fn orphans(&mut self, now: Moment) -> Option<String> {
        let unsettled = self.holdings.unsettled().map(|(_, holding)| holding);
        let present = unsettled.filter(|holding| holding.state == State::Present);
        let (told, untold): (Vec<_>, Vec<_>) = present
            .filter_map(|holding| Some((holding, holding.orphaned? + REST)))
            .partition(|(_, due)| *due <= now.steady);
        self.untold = untold.into_iter().map(|(_, due)| due).min();
        let file = |(holding, _): (&Holding, Instant)| {
            let file = shown(&holding.served.facts.file);
            if holding.served.facts.vouched { format!("{file} (the one before is still sent)") } else { file }
        };
        let files: Vec<String> = told.into_iter().map(file).collect();
        (!files.is_empty()).then(|| {
            format!(
                "the certificate of their issuer is not in the folder, and clients that do not know it refuse these: {}; put \
                 the chain that the authority sent along into the folder, or your own authority's root",
                some_of(&files)
            )
        })
    }

    /// Whether a key in the file is encrypted, and nothing but the password beside it opens it.
    fn is_shut_by_its_own_password(&self, files: &Files, file: &Path) -> bool {
        let is_shut = files.get(file).is_some_and(|record| match &record.content {
            Content::Parts(parts) => !parts.keys.is_empty() && !parts.has_open_key,
            Content::Flawed(_) => false,
        });
        is_shut && self.folders.all()[self.folders.place(file)].password_file.is_none()
    }

    pub(super) fn tell_accepted(&self, accepted: &[Fingerprint], files: &Files, now: Moment) {
        for holding in accepted.iter().take(MOST_LINES).filter_map(|fingerprint| self.holdings.get(fingerprint)) {
            let facts = &holding.served.facts;
            let names: Vec<String> = holding.bundle.names().iter().map(ToString::to_string).collect();
            tracing::info!(
                file = %shown(&facts.file),
                names = %some_of(&names),
                days = (facts.not_after - now.unix) / 86_400,
                fingerprint = %facts.fingerprint,
                "accepted"
            );
            for file in holding.key_files().iter().filter(|file| self.is_shut_by_its_own_password(files, file)) {
                let file = shown(file);
                tracing::info!(
                    file = %file,
                    "its password has to lie beside it for as long as it is here; to be rid of both, have the edge keep it with: \
                     vitrine certs import {file}, then delete the file and the password"
                );
            }
        }
        if let Some(more) = accepted.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
            tracing::info!(more, "more certificates accepted");
        }
    }
}
