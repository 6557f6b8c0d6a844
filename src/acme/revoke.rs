//! Taking a certificate back (RFC 8555 §7.6).

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::json;

use super::account::Known;
use super::authorities::{Authorities, NotDone, wire};
use super::dialogue::Dialogue;
use super::failure::Failure;
use super::jws::SigningKey;
use super::terms::{AcmeTerms, Issuer};
use crate::certs::{Kept, NotFound, Revocation};
use crate::live::OrderedKey;
use crate::words::refusal::Refusal;

/// Why a certificate is to be revoked: what a subscriber may say (RFC 5280 §5.3.1, Mozilla Root Store Policy §6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReason {
    /// Nobody needs to know.
    Unspecified,
    /// Somebody else has its key, or may.
    KeyCompromise,
    /// The organisation in it has another name.
    AffiliationChanged,
    /// There is a newer one.
    Superseded,
    /// The names are not in use any more, or somebody else's.
    CessationOfOperation,
}

impl RevocationReason {
    /// All that there are.
    pub const ALL: [Self; 5] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
    ];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
        }
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The operator's word for who revoked it.
    pub issuer: String,
    /// Whether the certificate's own key signed, and not the account's.
    pub by_its_key: bool,
    /// The managed sites that it serves, for which another is ordered now, with a new key.
    pub ordered: Vec<String>,
    /// The fingerprints of others that have the same key.
    pub same_key: Vec<String>,
}

/// Who signs that a certificate is to be revoked.
enum Signatory {
    Account,
    ItsKey,
}

impl Authorities {
    /// Has the authority that issued a certificate revoke it, and another ordered for the managed sites that it serves. It serves on
    /// until something better is there, unless it is to leave at once.
    ///
    /// Of a compromised key whatever else has it counts as revoked here too.
    ///
    /// # Errors
    /// [`NotDone`]; then nothing has changed, but that it may be revoked when the authority did not answer.
    pub async fn revoke(
        &self,
        fingerprint: &str,
        reason: RevocationReason,
        leaves: bool,
        now: i64,
    ) -> Result<Revoked, NotDone> {
        let kept = self.intake.kept(fingerprint.to_owned()).await.map_err(|why| not_found(why, fingerprint))?;
        let issuer = self.issuer_of(&kept)?;
        let is_compromised = reason == RevocationReason::KeyCompromise;
        let others = if is_compromised { kept.same_key.as_slice() } else { &[] };
        let condemned: Vec<String> = std::iter::once(fingerprint.to_owned()).chain(others.iter().cloned()).collect();
        let served = self.served_by(&condemned);
        if let Some((site, _)) = served.first().filter(|_| reason == RevocationReason::CessationOfOperation) {
            let text = format!(
                "it serves the managed site {site:?}, for which another would be ordered at once; remove the site, or let it have \
                 other certificates with `vitrine sites use {site} uploaded`, then revoke it"
            );
            return Err(NotDone::Unfit(Refusal::StillServes(site.clone()), text));
        }
        let signatory = self.have_revoked(&kept, &issuer, reason).await?;
        let revocation = Revocation { reason: reason.word().into(), at: now };
        tracing::warn!(%fingerprint, issuer = %issuer.name, reason = reason.word(), "a certificate was revoked");
        self.intake.revoked(condemned, revocation, leaves).await.map_err(|error| NotDone::State(error.to_string()))?;
        let mut ordered: Vec<String> = Vec::new();
        for (site, key) in served {
            if self.ordering.replace_key(&site, key).await.is_ok() && !ordered.contains(&site) {
                ordered.push(site);
            }
        }
        let by_its_key = matches!(signatory, Signatory::ItsKey);
        Ok(Revoked { issuer: issuer.name, by_its_key, ordered, same_key: kept.same_key })
    }

    fn issuer_of(&self, kept: &Kept) -> Result<Issuer, NotDone> {
        let name = kept.issued_by.as_deref().and_then(|by| by.strip_prefix(ACME)).ok_or_else(|| {
            let text = "the edge did not order it, so it cannot have it revoked: ask whoever it was ordered from, then delete it here";
            NotDone::Unfit(Refusal::OrderedElsewhere, text.into())
        })?;
        self.issuer(name).map_err(|_| {
            let text = format!(
                "it was issued by {name:?}, which the configuration does not name any more; add that issuer again, then revoke it"
            );
            NotDone::Unfit(Refusal::IssuerGone(name.to_owned()), text)
        })
    }

    async fn have_revoked(&self, kept: &Kept, issuer: &Issuer, reason: RevocationReason) -> Result<Signatory, NotDone> {
        let wire = wire(issuer)?;
        let known = {
            let _turn = self.accounts.turn.lock().await;
            self.accounts.known(issuer)?
        };
        let mut dialogue = Dialogue::begin(&wire, &issuer.directory).await?;
        // Whose key signs shows that it is known: an authority then takes it from nobody any more. It also takes every other reason
        // for this one (Let's Encrypt's CP/CPS §4.9.3), so the account goes first for those.
        let order = match reason {
            RevocationReason::KeyCompromise => [Signatory::ItsKey, Signatory::Account],
            _ => [Signatory::Account, Signatory::ItsKey],
        };
        let mut refused = None;
        for signatory in order {
            match say(&mut dialogue, kept, known.as_ref(), &signatory, reason).await {
                Ok(()) => return Ok(signatory),
                Err(Some(failure)) if failure.is("alreadyRevoked") => return Ok(signatory),
                Err(Some(failure)) if failure.problem.is_some() => refused = refused.or(Some(failure)),
                Err(Some(failure)) => return Err(failure.into()),
                Err(None) => {}
            }
        }
        let nobody = || {
            NotDone::Unfit(Refusal::NobodySigns, "neither the account nor the certificate's key can sign for it".into())
        };
        Err(refused.map_or_else(nobody, NotDone::from))
    }

    /// The managed sites that are served by one of these, with its type of key.
    fn served_by(&self, fingerprints: &[String]) -> Vec<(String, OrderedKey)> {
        let (index, terms) = (self.certificates.load(), self.terms.borrow().clone());
        let AcmeTerms { sites, .. } = &*terms;
        let mut served = Vec::new();
        for site in sites.iter().filter(|site| !self.ordering.each_of(&site.name).is_empty()) {
            let choices = site.hosts.iter().filter_map(|host| index.find_pattern(host));
            for certificate in choices.flat_map(|choice| choice.iter()) {
                let is_one = fingerprints.iter().any(|one| **one == *certificate.facts.fingerprint);
                let key = OrderedKey::ALL.into_iter().find(|key| key.word() == certificate.key_type.label());
                let found = key.filter(|_| is_one).map(|key| (site.name.clone(), key));
                served.extend(found.filter(|found| !served.contains(found)));
            }
        }
        served
    }
}

/// `None`: this one cannot sign.
async fn say(
    dialogue: &mut Dialogue<'_>,
    kept: &Kept,
    account: Option<&Known>,
    signatory: &Signatory,
    reason: RevocationReason,
) -> Result<(), Option<Failure>> {
    let Some(url) = dialogue.directory.revoke_cert.clone() else {
        let text = "the authority revokes nothing: its directory has no revokeCert";
        return Err(Some(Failure::new(super::failure::Reason::Refused, text)));
    };
    let certificate = Base64UrlUnpadded::encode_string(&kept.certificate);
    let order = json!({ "certificate": certificate, "reason": reason.code() });
    match signatory {
        Signatory::Account => {
            let account = account.ok_or(None)?;
            let key = account.signing().map_err(Some)?;
            dialogue.say(&url, (&key, Some(&account.id)), &order).await
        }
        Signatory::ItsKey => {
            let key = SigningKey::read(&kept.key).ok_or(None)?;
            dialogue.say(&url, (&key, None), &order).await
        }
    }
    .map(drop)
    .map_err(Some)
}

fn not_found(why: NotFound, fingerprint: &str) -> NotDone {
    match why {
        NotFound::Unknown => NotDone::NoCertificate(fingerprint.to_owned()),
        NotFound::NotKept => {
            let text = "the edge made it itself, or it has just come; it cannot be revoked";
            NotDone::Unfit(Refusal::SelfMade, text.into())
        }
        NotFound::Damaged(what) => {
            NotDone::Unfit(Refusal::Damaged(what.to_string()), format!("what is kept of it cannot be read: {what}"))
        }
        NotFound::Stopping => NotDone::Unfit(Refusal::Stopping, "the edge is stopping".into()),
    }
}

/// What versions say of who issued them.
pub(super) const ACME: &str = "acme ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_the_number_that_authorities_know() {
        let told: Vec<_> = RevocationReason::ALL.iter().map(|reason| (reason.word(), reason.code())).collect();
        let expected = [
            ("unspecified", 0),
            ("key-compromise", 1),
            ("affiliation-changed", 3),
            ("superseded", 4),
            ("cessation-of-operation", 5),
        ];
        assert_eq!(told, expected);
    }
}
