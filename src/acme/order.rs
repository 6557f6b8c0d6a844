//! One order, from wherever it is to the certificate (RFC 8555 §7.4).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeStatus, ChallengeType, Error, Identifier, NewOrder,
    Order, OrderStatus,
};
use rustls_pki_types::CertificateDer;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep, timeout};

use super::account::Accounts;
use super::budget::{Budgets, Claim, Kind};
use super::dns01::{Dns01, Put};
use super::failure::{Failure, Reason};
use super::order_list::{self, Listed};
use super::progress::{Progress, Step};
use super::records::{Record, Records};
use super::shown::{Shown, ShownToken};
use super::terms::{AcmeTerms, Issuer};
use super::wire::Wire;
use crate::config::Challenge;
use crate::live::ServedCert;
use crate::name::{HostName, HostPattern};
use crate::outbound::HttpsClient;

/// What an order needs.
#[derive(Clone)]
pub(super) struct Orders {
    pub(super) accounts: Accounts,
    pub(super) records: Records,
    pub(super) shown: Shown,
    pub(super) progress: Progress,
    pub(super) budgets: Budgets,
    pub(super) dns: Dns01,
}

/// What is asked for.
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) names: Vec<HostPattern>,
    /// Names of the site that are not asked for, because they keep failing.
    pub(super) left_out: Vec<HostPattern>,
    pub(super) profile: Option<String>,
    /// The issuer's certificate that comes to its end.
    pub(super) replaces: Option<Arc<ServedCert>>,
}

impl Asked {
    fn claim<'a>(&'a self, issuer: &'a Issuer, replaces: bool) -> Claim<'a> {
        Claim { issuer: &issuer.name, limits: issuer.budgets, kind: self.kind, names: &self.names, replaces }
    }
}

impl Orders {
    /// Goes on with an order, and gives the chain that was issued, PEM.
    pub(super) async fn fulfil(
        &self,
        record: &mut Record,
        (issuer, challenge, asked): (&Issuer, Challenge, &Asked),
        terms: &Arc<AcmeTerms>,
        https: HttpsClient,
    ) -> Result<String, Failure> {
        if challenge == Challenge::Dns01 && terms.dns.is_empty() {
            return Err(Failure::new(Reason::Record, "dns-01 needs [[acme.dns]], which says how records are written"));
        }
        let (wire, mut puts) = (Wire::new(https), Vec::new());
        let patience = match challenge {
            Challenge::Dns01 => PATIENCE + Dns01::patience(terms, record.order.names.len()),
            Challenge::TlsAlpn01 | Challenge::Http01 => PATIENCE,
        };
        let done = timeout(patience, async {
            let (mut tries, mut is_reopened) = (1, false);
            loop {
                match self.go(record, (issuer, challenge, asked), terms, (&wire, &mut puts)).await {
                    // A nonce is refused that was just given (RFC 8555 §6.5), as often as the client library tries.
                    Err(failure) if failure.is_forgetful && tries < MOST_TRIES => tries += 1,
                    // Its data was lost, or it was set up anew: what was ordered there is lost too.
                    Err(failure) if failure.is("accountDoesNotExist") && !is_reopened => {
                        self.accounts.reopen(issuer, &terms.contact, &wire).await?;
                        (record.order.url, record.order.is_asked, is_reopened) = (None, false, true);
                        self.records.note(record)?;
                    }
                    done => return done,
                }
            }
        });
        let done = done.await;
        self.dns.clean(terms, puts);
        let done = done.unwrap_or_else(|_| {
            let text = format!("the order did not come to an end within {} minutes", patience.as_secs() / 60);
            Err(Failure::new(Reason::Unreachable, text))
        });
        done.map_err(|failure| match failure.is_held() {
            true => failure,
            false => Failure { come_again: wire.take_come_again(), ..failure.with_mend(&issuer.name) },
        })
    }

    async fn go(
        &self,
        record: &mut Record,
        (issuer, challenge, asked): (&Issuer, Challenge, &Asked),
        terms: &AcmeTerms,
        (wire, puts): (&Wire, &mut Vec<Put>),
    ) -> Result<String, Failure> {
        let account = self.accounts.of(issuer, &terms.contact, wire).await?;
        let mut order = self.order(&account, record, (issuer, asked), wire).await?;
        let mut pace = Pace::new();
        // What is shown stays until the authority has looked.
        let mut shown = Vec::new();
        let mut is_shown = false;
        loop {
            match order.state().status {
                OrderStatus::Pending if is_shown => pace.wait(&mut order, wire).await?,
                OrderStatus::Pending => {
                    block_in_place(|| self.budgets.risk(&asked.claim(issuer, false), now()))?;
                    let done = self.show(&mut order, challenge, (terms, puts)).await;
                    if done.is_err() {
                        // Nobody has looked.
                        block_in_place(|| self.budgets.forgive(&asked.claim(issuer, false), now()));
                    }
                    (shown, is_shown) = (done?, true);
                    self.progress.enter(&record.slot, Some(Step::Validating));
                    tell_ready(&mut order, challenge).await?;
                }
                OrderStatus::Ready => {
                    self.progress.enter(&record.slot, None);
                    if is_shown {
                        block_in_place(|| self.budgets.forgive(&asked.claim(issuer, false), now()));
                    }
                    shown.clear();
                    order.finalize_csr(&record.order.request).await?;
                }
                OrderStatus::Processing => pace.wait(&mut order, wire).await?,
                OrderStatus::Valid => {
                    let nothing =
                        || Failure::new(Reason::Unreachable, "the order is valid, and brought no certificate");
                    return order.certificate().await?.ok_or_else(nothing);
                }
                OrderStatus::Invalid => {
                    if record.order.is_paid {
                        block_in_place(|| self.budgets.give_back(&asked.claim(issuer, false), now()));
                    }
                    return Err(why(&mut order).await);
                }
            }
        }
    }

    /// The order that was begun, or a new one.
    async fn order(
        &self,
        account: &Account,
        record: &mut Record,
        (issuer, asked): (&Issuer, &Asked),
        wire: &Wire,
    ) -> Result<Order, Failure> {
        if let Some(url) = &record.order.url {
            return Ok(account.order(url.clone()).await?);
        }
        if record.order.is_asked
            && let Some(order) = self.lost(account, record, issuer, wire).await?
        {
            return Ok(order);
        }
        let names: Vec<Identifier> = record.order.names.iter().cloned().map(Identifier::Dns).collect();
        let leaf = asked.replaces.as_ref().and_then(|served| served.certified.chain().first());
        let leaf = leaf.map(|der| CertificateDer::from(&**der));
        let mut replaces = leaf.as_ref().and_then(|leaf| CertificateIdentifier::try_from(leaf).ok());
        let order = loop {
            let claim = asked.claim(issuer, replaces.is_some());
            if !record.order.is_paid {
                block_in_place(|| self.budgets.spend(&claim, now()))?;
                record.order.is_paid = !claim.is_free();
            }
            // An answer that never comes may tell of an order: the next start looks for it.
            record.order.is_asked = true;
            self.records.note(record)?;
            let mut new = NewOrder::new(&names);
            if let Some(profile) = &asked.profile {
                new = new.profile(profile);
            }
            if let Some(replaced) = &replaces {
                new = new.replaces(replaced.clone());
            }
            match account.new_order(&new).await {
                Ok(order) => break order,
                Err(error) if replaces.is_some() && is_about_replacing(&error) => {
                    tracing::info!(issuer = %issuer.name, %error, "orders without saying which certificate is replaced");
                    // One that made the order all the same is not asked for a second.
                    if let Some(url) = wire.take_location() {
                        break account.order(url).await?;
                    }
                    replaces = None;
                }
                Err(error) => {
                    let failure = Failure::from(error);
                    // It said no, and did not only say nothing.
                    if failure.is_forgetful || failure.reason != Reason::Unreachable {
                        if record.order.is_paid {
                            block_in_place(|| self.budgets.give_back(&claim, now()));
                        }
                        (record.order.is_paid, record.order.is_asked) = (false, false);
                    }
                    return Err(failure);
                }
            }
        };
        record.order.url = Some(order.url().to_owned());
        self.records.note(record)?;
        Ok(order)
    }

    /// The order that was asked for when the answer never came, if the authority made it and tells of it.
    async fn lost(
        &self,
        account: &Account,
        record: &mut Record,
        issuer: &Issuer,
        wire: &Wire,
    ) -> Result<Option<Order>, Failure> {
        let known = block_in_place(|| self.records.others(&record.slot));
        let found = order_list::find(&self.accounts, issuer, (&record.order.names, &known), wire).await?;
        let url = match found {
            Listed::Found(url) => url,
            // It is still to be made with what was paid.
            Listed::Missing => return Ok(None),
            // It may be there, and count.
            Listed::Untold => {
                (record.order.is_paid, record.order.is_asked) = (false, false);
                return Ok(None);
            }
        };
        tracing::info!(site = %record.slot.site, issuer = %issuer.name, order = %url, "goes on with an order whose address was lost");
        let order = account.order(url).await?;
        record.order.url = Some(order.url().to_owned());
        self.records.note(record)?;
        Ok(Some(order))
    }

    /// Shows everything that is asked for, before the authority is told to look.
    async fn show(
        &self,
        order: &mut Order,
        way: Challenge,
        (terms, puts): (&AcmeTerms, &mut Vec<Put>),
    ) -> Result<Vec<ShownToken>, Failure> {
        let (mut shown, mut records) = (Vec::new(), Vec::new());
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let name = authorization.identifier().to_string();
            let host = HostName::parse(name.strip_prefix("*.").unwrap_or(&name))
                .map_err(|_| Failure::new(Reason::Refused, format!("it asks for {name:?}, which was not ordered")))?;
            let challenge = authorization.challenge(kind_of(way));
            let Some(challenge) = challenge else {
                return Err(Failure::new(Reason::Refused, format!("{name}: it does not offer {}", way.word())));
            };
            let answer = challenge.key_authorization();
            match way {
                Challenge::Http01 => shown.push(self.shown.token(&host, &challenge.token, answer.as_str())),
                Challenge::TlsAlpn01 => shown.push(self.shown.handshake(&host, answer.digest().as_ref())?),
                Challenge::Dns01 => records.push((host, answer.dns_value())),
            }
        }
        if !records.is_empty() {
            self.dns.show(terms, records, puts).await?;
        }
        Ok(shown)
    }
}

/// Whether an order without `replaces` may do (RFC 9773 §5): the authority has no such field, or has something against what stands in
/// it.
fn is_about_replacing(error: &Error) -> bool {
    match error {
        Error::Unsupported(_) => true,
        Error::Api(problem) => {
            let kind = problem.r#type.as_deref().unwrap_or_default();
            ["alreadyReplaced", "malformed", "unauthorized", "conflict"].iter().any(|known| kind.ends_with(known))
        }
        other => other.to_string().contains("replaces"),
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
        let name = authorization.identifier().to_string();
        let Some(mut challenge) = authorization.challenge(kind_of(way)) else { continue };
        if challenge.status == ChallengeStatus::Pending {
            // One that looks at once says so here.
            challenge.set_ready().await.map_err(|error| at_challenge(error).at(name))?;
        }
    }
    Ok(())
}

/// What stands at a challenge is about its name.
fn at_challenge(error: Error) -> Failure {
    match error {
        Error::Api(problem) => Failure::of(&problem),
        other => other.into(),
    }
}

fn kind_of(way: Challenge) -> ChallengeType {
    match way {
        Challenge::Http01 => ChallengeType::Http01,
        Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
        Challenge::Dns01 => ChallengeType::Dns01,
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
    let mut found: Option<Failure> = None;
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else { continue };
        let problem = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        let Some(problem) = problem else { continue };
        let failure = Failure::of(problem).at(name);
        match &mut found {
            None => found = Some(failure),
            Some(first) => {
                first.text = format!("{}; {}", first.text, failure.text);
                first.names.extend(failure.names);
            }
        }
    }
    found
}

/// Seconds since the Unix epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
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
