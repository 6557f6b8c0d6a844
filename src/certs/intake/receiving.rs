//! What comes another way than as files, and is kept before it serves.

use std::sync::Arc;

use super::Desk;
use crate::certs::certificate::Certificate;
use crate::certs::shelf::{Moment, NotTaken};
use crate::certs::upload::{AUTHORITIES_ALONE, Matched, NotReceived, Received, SetAside, Upload, preview};

impl Desk {
    /// Keeps what was sent, then publishes it.
    pub(super) fn receive(
        &mut self,
        mut upload: Upload,
        only_look: bool,
        now: Moment,
    ) -> Result<Received, NotReceived> {
        let known: Vec<Arc<Certificate>> = self.shelf.known_authorities(self.scanner.files());
        let offer = self.requests.offer();
        let SetAside { answers, left_over: set_aside } = upload.set_aside(&offer);
        let Matched { pairs, mut left_over } = match upload.pairs(&offer, &known, &self.shelf.terms.roots, now.unix) {
            Ok(matched) => matched,
            Err(flaws) if answers.is_empty() => return Err(NotReceived::Flawed(flaws)),
            // The authorities' were for what is set aside.
            Err(flaws) => Matched {
                pairs: Vec::new(),
                left_over: flaws.into_iter().filter(|(_, flaw)| flaw.code != AUTHORITIES_ALONE).collect(),
            },
        };
        left_over.extend(set_aside);
        let completed: Vec<_> = answers.iter().map(|(request, _)| request.clone()).collect();
        if only_look {
            let would = |pair| {
                let certificate = preview(pair)?;
                Some(self.shelf.would_be(certificate, now))
            };
            return Ok(Received { certificates: pairs.iter().filter_map(would).collect(), completed, left_over });
        }
        for (_, answer) in answers {
            self.requests.answered(answer, now.unix).map_err(NotReceived::NotCompleted)?;
        }
        let (mut taken, mut not_kept) = (Vec::new(), None);
        for pair in &pairs {
            match self.shelf.take(pair, (upload.source_of(pair, &offer), offer.is_exportable(pair)), upload.by(), now) {
                Ok(own) => taken.push(own),
                Err(NotTaken::Flaw(flaw)) => left_over.push((pair.certificate_files[0].display().to_string(), flaw)),
                Err(NotTaken::Store(error)) => not_kept = Some(error),
            }
        }
        self.publish(now);
        self.requests.receive(taken.iter().map(|own| own.answer(None)).collect(), now.unix);
        match not_kept {
            Some(error) => Err(NotReceived::NotKept(error)),
            None => {
                let certificates = taken.into_iter().map(|own| self.shelf.arrival(own)).collect();
                Ok(Received { certificates, completed, left_over })
            }
        }
    }
}
