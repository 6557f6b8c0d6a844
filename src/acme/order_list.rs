//! The account's own list of orders (RFC 8555 §7.1.2.1), for the one question that only it answers: whether an order was made whose
//! address never came. Authorities need not have it; Let's Encrypt has none, and gives back the pending order to whoever asks for the
//! same names again.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Response;
use http::header::LINK;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::account::Accounts;
use super::dialogue::Dialogue;
use super::failure::{Failure, Reason};
use super::jws::SigningKey;
use super::terms::Issuer;
use super::wire::Wire;

/// What the list says.
pub(super) enum Listed {
    /// The order is there, at this address.
    Found(String),
    /// It was not made.
    Missing,
    /// There is no list, or it is too long.
    Untold,
}

/// Looks for an order of the account's that has exactly these names and still waits for a request to sign, beside those that are
/// known.
///
/// One that has its request already is not looked for: it was made for a key that is not this order's.
///
/// # Errors
/// When the authority cannot be reached or no longer knows the account.
pub(super) async fn find(
    accounts: &Accounts,
    issuer: &Issuer,
    (names, known): (&[String], &[String]),
    wire: &Wire,
) -> Result<Listed, Failure> {
    let Some(account) = accounts.known(issuer)? else { return Ok(Listed::Untold) };
    let key = account.signing()?;
    let mut asker =
        Asker { dialogue: Dialogue::begin(wire, &issuer.directory).await?, key: &key, account: &account.id };
    match asker.find(names, known).await {
        Err(failure) if has_no_list(&failure) => {
            tracing::info!(issuer = %issuer.name, "the authority lists no orders: {failure}");
            Ok(Listed::Untold)
        }
        found => found,
    }
}

/// Whether the authority said that it does not tell, rather than nothing.
fn has_no_list(failure: &Failure) -> bool {
    failure.problem.is_some() && failure.reason != Reason::Unreachable && !failure.is("accountDoesNotExist")
}

struct Asker<'a> {
    dialogue: Dialogue<'a>,
    key: &'a SigningKey,
    account: &'a str,
}

impl Asker<'_> {
    async fn find(&mut self, names: &[String], known: &[String]) -> Result<Listed, Failure> {
        let wanted: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let account: ListedAccount = read(&self.ask(self.account).await?)?;
        let Some(list) = account.orders else { return Ok(Listed::Untold) };
        let (mut page, mut looked_at) = (Some(list), 0);
        while let Some(url) = page.take() {
            let answer = self.ask(&url).await?;
            let list: OrderList = read(&answer)?;
            for order in list.orders.into_iter().filter(|order| !known.contains(order)) {
                looked_at += 1;
                if looked_at > MOST_LOOKED_AT {
                    tracing::warn!(orders = MOST_LOOKED_AT, "gives up to look for an order whose address was lost");
                    return Ok(Listed::Untold);
                }
                let told: ListedOrder = read(&self.ask(&order).await?)?;
                if told.waits_for_a_request() && told.names() == wanted {
                    return Ok(Listed::Found(order));
                }
            }
            page = next(&answer).filter(|next| *next != url);
        }
        Ok(Listed::Missing)
    }

    /// POST-as-GET (RFC 8555 §6.3)
    async fn ask(&mut self, url: &str) -> Result<Response<Bytes>, Failure> {
        self.dialogue.say(url, (self.key, Some(self.account)), &Value::Null).await
    }
}

#[derive(Deserialize)]
struct ListedAccount {
    /// Where the list is, if there is one.
    orders: Option<String>,
}

#[derive(Deserialize)]
struct OrderList {
    orders: Vec<String>,
}

#[derive(Deserialize)]
struct ListedOrder {
    status: String,
    identifiers: Vec<ListedName>,
}

#[derive(Deserialize)]
struct ListedName {
    value: String,
}

impl ListedOrder {
    fn waits_for_a_request(&self) -> bool {
        matches!(&*self.status, "pending" | "ready")
    }

    fn names(&self) -> BTreeSet<&str> {
        self.identifiers.iter().map(|name| &*name.value).collect()
    }
}

fn read<T: DeserializeOwned>(answer: &Response<Bytes>) -> Result<T, Failure> {
    // Who names a list and has none is asked for a new order rather than for ever.
    let wrong = |_| Failure {
        problem: Some("".into()),
        ..Failure::new(Reason::Refused, "what it answers where its list of orders should be is none")
    };
    serde_json::from_slice(answer.body()).map_err(wrong)
}

/// Where the list goes on (RFC 8288 §3).
fn next(answer: &Response<Bytes>) -> Option<String> {
    let links = answer.headers().get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    links.flat_map(|links| links.split(',')).find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
        parameters.split(';').any(is_next).then(|| target.to_owned())
    })
}

/// A list that keeps what has ended is long, and each order costs a request.
const MOST_LOOKED_AT: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_on_where_its_links_say() {
        let answer = |links: &[&str]| {
            let answer = links.iter().fold(Response::builder(), |answer, link| answer.header(LINK, *link));
            next(&answer.body(Bytes::new()).expect("an answer"))
        };
        let next = Some("https://ca.example/list?cursor=3".to_owned());
        for links in [
            &["<https://ca.example/dir>;rel=\"index\"", "<https://ca.example/list?cursor=3>;rel=\"next\""][..],
            &["<https://ca.example/dir>; rel=\"index\", <https://ca.example/list?cursor=3>; rel=\"next\""],
            &["<https://ca.example/list?cursor=3>; title=\"more\"; rel=next"],
        ] {
            assert_eq!(answer(links), next, "{links:?}");
        }
        for links in [&[][..], &["<https://ca.example/dir>;rel=\"index\""], &["rel=\"next\""], &["<unended;rel=next"]] {
            assert_eq!(answer(links), None, "{links:?}");
        }
    }

    #[test]
    fn an_order_is_the_one_with_exactly_these_names_that_has_no_request_yet() {
        let order = |status: &str, names: &[&str]| -> ListedOrder {
            let names: Vec<Value> =
                names.iter().map(|name| serde_json::json!({ "type": "dns", "value": name })).collect();
            serde_json::from_value(serde_json::json!({ "status": status, "identifiers": names })).expect("an order")
        };
        assert_eq!(order("pending", &["b", "a"]).names(), BTreeSet::from(["a", "b"]));
        assert_eq!(
            ["pending", "ready", "processing", "valid", "invalid"]
                .map(|status| order(status, &[]).waits_for_a_request()),
            [true, true, false, false, false]
        );
    }
}
