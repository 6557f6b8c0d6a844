//! One order, from wherever it is to the certificate (RFC 8555 §7.4).

use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AuthorizationStatus, ChallengeStatus, ChallengeType, Identifier, NewOrder, Order, OrderStatus,
};
use tokio::time::{Instant, sleep, timeout};

use super::account::Accounts;
use super::failure::{Failure, Reason};
use super::progress::{Progress, Step};
use super::records::{Record, Records};
use super::shown::{Shown, ShownToken};
use super::terms::Issuer;
use super::wire::Wire;
use crate::config::Challenge;
use crate::name::HostName;
use crate::outbound::HttpsClient;

/// What an order needs.
#[derive(Clone)]
pub(super) struct Orders {
    pub(super) accounts: Accounts,
    pub(super) records: Records,
    pub(super) shown: Shown,
    pub(super) progress: Progress,
}

impl Orders {
    /// Goes on with an order, and gives the chain that was issued, PEM.
    pub(super) async fn fulfil(
        &self,
        record: &mut Record,
        (issuer, challenge): (&Issuer, Challenge),
        contact: &[String],
        https: HttpsClient,
    ) -> Result<String, Failure> {
        let wire = Wire::new(https);
        let done = timeout(PATIENCE, async {
            let mut tries = 1;
            loop {
                match self.go(record, (issuer, challenge), contact, &wire).await {
                    // A nonce is refused that was just given (RFC 8555 §6.5), as often as the client library tries.
                    Err(failure) if failure.is_forgetful && tries < MOST_TRIES => tries += 1,
                    done => return done,
                }
            }
        });
        let done = done.await;
        let done = done.unwrap_or_else(|_| {
            let text = format!("the order did not come to an end within {} minutes", PATIENCE.as_secs() / 60);
            Err(Failure::new(Reason::Unreachable, text))
        });
        done.map_err(|failure| Failure { come_again: wire.take_come_again(), ..failure })
    }

    async fn go(
        &self,
        record: &mut Record,
        (issuer, challenge): (&Issuer, Challenge),
        contact: &[String],
        wire: &Wire,
    ) -> Result<String, Failure> {
        let account = self.accounts.of(issuer, contact, wire).await?;
        let mut order = self.order(&account, record, issuer).await?;
        let mut pace = Pace::new();
        // What is shown stays until the authority has looked.
        let mut shown = Vec::new();
        let mut is_shown = false;
        loop {
            match order.state().status {
                OrderStatus::Pending if is_shown => pace.wait(&mut order, wire).await?,
                OrderStatus::Pending => {
                    (shown, is_shown) = (self.show(&mut order, challenge).await?, true);
                    self.progress.enter(&record.site, Some(Step::Validating));
                    tell_ready(&mut order, challenge).await?;
                }
                OrderStatus::Ready => {
                    self.progress.enter(&record.site, None);
                    shown.clear();
                    order.finalize_csr(&record.order.request).await?;
                }
                OrderStatus::Processing => pace.wait(&mut order, wire).await?,
                OrderStatus::Valid => {
                    let nothing =
                        || Failure::new(Reason::Unreachable, "the order is valid, and brought no certificate");
                    return order.certificate().await?.ok_or_else(nothing);
                }
                OrderStatus::Invalid => return Err(why(&mut order).await),
            }
        }
    }

    /// The order that was begun, or a new one.
    async fn order(&self, account: &Account, record: &mut Record, issuer: &Issuer) -> Result<Order, Failure> {
        if let Some(url) = &record.order.url {
            return Ok(account.order(url.clone()).await?);
        }
        let names: Vec<Identifier> = record.order.names.iter().cloned().map(Identifier::Dns).collect();
        let new = NewOrder::new(&names);
        let new = match &issuer.profile {
            Some(profile) => new.profile(profile),
            None => new,
        };
        let order = account.new_order(&new).await?;
        record.order.url = Some(order.url().to_owned());
        self.records.note(record)?;
        Ok(order)
    }

    /// Shows everything that is asked for, before the authority is told to look.
    async fn show(&self, order: &mut Order, way: Challenge) -> Result<Vec<ShownToken>, Failure> {
        let mut shown = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let name = authorization.identifier().to_string();
            let host = HostName::parse(&name)
                .map_err(|_| Failure::new(Reason::Refused, format!("it asks for {name:?}, which was not ordered")))?;
            let challenge = authorization.challenge(kind_of(way));
            let Some(challenge) = challenge else {
                return Err(Failure::new(Reason::Refused, format!("{name}: it does not offer {}", way.word())));
            };
            let answer = challenge.key_authorization();
            shown.push(match way {
                Challenge::Http01 => self.shown.token(&host, &challenge.token, answer.as_str()),
                Challenge::TlsAlpn01 => self.shown.handshake(&host, answer.digest().as_ref())?,
            });
        }
        Ok(shown)
    }
}

/// Tells the authority to look at what it was not told of yet.
async fn tell_ready(order: &mut Order, way: Challenge) -> Result<(), Failure> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        let Some(mut challenge) = authorization.challenge(kind_of(way)) else { continue };
        if challenge.status == ChallengeStatus::Pending {
            challenge.set_ready().await?;
        }
    }
    Ok(())
}

fn kind_of(way: Challenge) -> ChallengeType {
    match way {
        Challenge::Http01 => ChallengeType::Http01,
        Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
    }
}

/// Why an order is invalid: what stands at the challenge that failed says more than the order.
async fn why(order: &mut Order) -> Failure {
    for _ in 0..MOST_TRIES {
        if let Some(failure) = at_a_challenge(order).await {
            return failure;
        }
    }
    let told = order.state().error.as_ref().map(Failure::of);
    told.unwrap_or_else(|| Failure::new(Reason::Refused, "the order is invalid, and nothing says why"))
}

/// What stands at a challenge that failed; `None` also when the authority does not tell just now.
async fn at_a_challenge(order: &mut Order) -> Option<Failure> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else { continue };
        let problem = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problem {
            let failure = Failure::of(problem);
            return Some(Failure { text: format!("{name}: {}", failure.text), ..failure });
        }
    }
    None
}

/// How often the authority is asked.
struct Pace {
    pause: Duration,
    begun: Instant,
}

impl Pace {
    fn new() -> Self {
        Self { pause: SHORTEST_PAUSE, begun: Instant::now() }
    }

    /// Waits as long as the authority said, or longer each time, and asks.
    async fn wait(&mut self, order: &mut Order, wire: &Wire) -> Result<(), Failure> {
        let told = wire.take_come_again().and_then(|then| then.duration_since(SystemTime::now()).ok());
        let left = PATIENCE.saturating_sub(self.begun.elapsed());
        sleep(told.unwrap_or(self.pause).min(left)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        order.refresh().await?;
        Ok(())
    }
}

/// Each is three of the client library's.
const MOST_TRIES: u32 = 5;
/// An order that takes longer is gone on with at the next try.
const PATIENCE: Duration = Duration::from_mins(5);
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
