//! An order to be carried out, and the key that it may bring along.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::{EXCHANGE, now};
use crate::acme::failure::{Failure, Reason};
use crate::acme::order::{Asked, Orders};
use crate::acme::revoke::ACME;
use crate::acme::slot::Slot;
use crate::acme::terms::{AcmeTerms, Issuer};
use crate::certs::{Flaw, IntakeHandle, NotReceived, RequestKey, Upload};
use crate::config::Challenge;
use crate::outbound::HttpsClient;

/// What is to be ordered.
pub(super) struct Wanted {
    pub(super) slot: Slot,
    pub(super) asked: Asked,
    /// The fingerprint of the certificate whose key is to be used again.
    pub(super) predecessor: Option<String>,
}

impl Wanted {
    /// Orders a certificate, or goes on with the order that is open, and has it served.
    pub(super) async fn order(
        &self,
        orders: &Orders,
        intake: &IntakeHandle,
        (issuer, challenge): (&Issuer, Challenge),
        terms: &Arc<AcmeTerms>,
    ) -> Result<(), Failure> {
        let Self { slot, asked, predecessor } = self;
        let https = HttpsClient::new(issuer.roots.iter().cloned(), EXCHANGE)
            .map_err(|error| Failure::new(Reason::State, error.to_string()))?;
        let before = match predecessor {
            Some(fingerprint) => KeyBefore::of(intake, fingerprint).await,
            None => KeyBefore::None,
        };
        let names: Vec<String> = asked.names.iter().map(ToString::to_string).collect();
        let (records, own, hosts) = (orders.records.clone(), slot.clone(), asked.names.clone());
        let wanted = issuer.name.clone();
        let record = aside(move || {
            let open = records.open_order(&own)?.filter(|open| !before.spoils(&open.key));
            match open.filter(|open| open.order.names == names && open.order.issuer == wanted) {
                Some(open) => Ok(open),
                None => records.begin(&own, &wanted, &hosts, before.again(), now()),
            }
        });
        let mut record = record.await?;
        let chain = orders.fulfil(&mut record, (issuer, challenge, asked), terms, https).await;
        let chain = match chain {
            Ok(chain) => chain,
            Err(failure) => {
                // What the authority may still be working on is asked for again.
                let is_pending = matches!(failure.reason, Reason::Unreachable | Reason::State | Reason::Record);
                let goes_on =
                    (failure.is_held() || is_pending) && (record.order.url.is_some() || record.order.is_asked);
                if !goes_on {
                    end(orders, slot).await;
                }
                return Err(failure);
            }
        };
        let (key, by) = (record.key.clone(), format!("{ACME}{}", issuer.name));
        let upload = aside(move || Upload::issued(&chain, &key, by).map_err(|flaws| unusable(&flaws))).await?;
        intake.receive(upload, false).await.map_err(|why| match why {
            NotReceived::Flawed(flaws) => unusable(&flaws),
            NotReceived::NotKept(error) => error.into(),
            NotReceived::NotCompleted(error) => Failure::new(Reason::State, error.to_string()),
            NotReceived::Stopping => Failure::new(Reason::State, "the edge is stopping"),
        })?;
        end(orders, slot).await;
        Ok(())
    }
}

/// The order is over. A record that cannot be deleted is found again and leads to the same certificate.
async fn end(orders: &Orders, slot: &Slot) {
    let (records, own) = (orders.records.clone(), slot.clone());
    if let Ok(Err(error)) = spawn_blocking(move || records.end(&own)).await {
        tracing::warn!(site = %slot.site, key = slot.key.word(), %error, "the record of an order cannot be deleted");
    }
}

/// The key of the certificate before.
enum KeyBefore {
    /// There is none that is of use.
    None,
    /// To be used again.
    Good(RequestKey),
    /// Not to be used again, nor by an order that was begun with it; PEM.
    Revoked(Zeroizing<String>),
}

impl KeyBefore {
    async fn of(intake: &IntakeHandle, fingerprint: &str) -> Self {
        let kept = intake.kept(fingerprint.to_owned()).await.ok();
        let key = kept.as_ref().and_then(|kept| Some((RequestKey::read(&kept.key)?, kept.is_revoked)));
        let before = match key {
            Some((key, false)) => Self::Good(key),
            Some((key, true)) => key.pem().map_or(Self::None, Self::Revoked),
            None => Self::None,
        };
        if !matches!(before, Self::Good(_)) {
            tracing::info!(fingerprint, "the key of the certificate before is not used again");
        }
        before
    }

    fn again(self) -> Option<RequestKey> {
        match self {
            Self::Good(key) => Some(key),
            Self::None | Self::Revoked(_) => None,
        }
    }

    fn spoils(&self, key: &str) -> bool {
        matches!(self, Self::Revoked(revoked) if **revoked == *key)
    }
}

fn unusable(flaws: &[(String, Flaw)]) -> Failure {
    let told: Vec<String> = flaws.iter().map(|(piece, flaw)| format!("{piece}: {flaw}")).collect();
    Failure::new(Reason::Unusable, format!("what was issued cannot be served: {}", told.join("; ")))
}

/// Does what waits for the disk, or takes long, where nobody else waits.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    spawn_blocking(work).await.unwrap_or_else(|_| Err(Failure::new(Reason::State, "the edge is stopping")))
}
