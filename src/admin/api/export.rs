//! Certificates that leave with their private keys.

use serde::{Deserialize, Deserializer};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::certificates::fingerprint_in;
use super::realm::Realm;
use super::recorded::Note;
use super::versions::{intake, unknown};
use super::{Call, Operation, Resource, Takes};
use crate::admin::problem::{Answer, Kind, Problem, file};
use crate::admin::rights::Right;
use crate::certs::{Export, NotExported};
use crate::words::refusal::{Expects, Refusal};

/// `certificates/{fingerprint}/export`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[Operation::post("certificates/{fingerprint}/export", |call| Box::pin(export(call)))
        .about(Realm::Certificate)
        .taking(Takes::Json)
        .with_right(Right::Export)
        .even_frozen()],
    description: include_str!("export.json"),
};

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    format: Format,
    #[serde(default, deserialize_with = "secret")]
    password: Option<Zeroizing<String>>,
    #[serde(default)]
    plain: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Pem,
    Pfx,
}

/// The order, once it makes sense.
enum Form {
    Pem(Option<Zeroizing<String>>),
    Pfx(Zeroizing<String>),
}

async fn export(call: Call) -> Result<Answer, Problem> {
    let fingerprint = fingerprint_in(&call)?;
    let form = Form::of(call.json()?)?;
    let export = intake(&call)?.export(fingerprint.clone()).await.map_err(|why| refused(why, &fingerprint))?;
    let (names, how) = (export.names().join(" "), form.words());
    // Encrypting is work by design; one at a time, so that nobody can ask for more than one core of it.
    let turn = WRITING.acquire().await;
    let writing = tokio::task::spawn_blocking(move || form.write(&export)).await;
    drop(turn);
    let content = writing.unwrap_or_else(|error| Err(error.to_string())).map_err(|error| {
        tracing::error!(error, fingerprint, "an export could not be written");
        Problem::new(Kind::Internal, "the file could not be written; see the log").because(Refusal::Failed)
    })?;
    let (who, door) = (call.caller.name(), call.caller.door());
    tracing::warn!(who, door, fingerprint, names, how, "a private key leaves the edge");
    let object = format!("certificates/{fingerprint}/export");
    Ok(Note::of(object, format!("{how}: {names}")).on(file(content)))
}

impl Form {
    fn of(Order { format, password, plain }: Order) -> Result<Self, Problem> {
        if let Some(password) = &password {
            check(password)?;
        }
        match (format, password, plain) {
            (_, Some(_), true) => Err(Problem::malformed("plain and password contradict each other; leave one out")
                .because(Refusal::field("export.password", Expects::Usual))),
            (Format::Pfx, Some(password), false) => Ok(Self::Pfx(password)),
            (Format::Pfx, None, _) => Err(Problem::malformed("format pfx needs a password; add one, or ask for pem")
                .because(Refusal::field("export.password", Expects::Usual))),
            (Format::Pem, Some(password), false) => Ok(Self::Pem(Some(password))),
            (Format::Pem, None, true) => Ok(Self::Pem(None)),
            (Format::Pem, None, false) => Err(Problem::malformed(
                "expected a password, or plain: true for a key that whoever has the file can use",
            )
            .because(Refusal::field("export.password", Expects::Usual))),
        }
    }

    fn write(&self, export: &Export) -> Result<Zeroizing<Vec<u8>>, String> {
        match self {
            Self::Pem(password) => {
                export.pem(password.as_ref().map(|password| password.as_str())).ok_or("no random numbers".into())
            }
            Self::Pfx(password) => export.pfx(password),
        }
    }

    /// For whoever reads of it later.
    const fn words(&self) -> &'static str {
        match self {
            Self::Pem(None) => "pem, the key not encrypted",
            Self::Pem(Some(_)) => "pem, the key encrypted",
            Self::Pfx(_) => "pfx",
        }
    }
}

/// What every program can be told as a password, and nobody guesses.
fn check(password: &str) -> Result<(), Problem> {
    if password.chars().count() < FEWEST {
        return Err(Problem::malformed(format!(
            "the password is too short: whoever has the file may guess for as long as they like; expected {FEWEST} letters \
             at least"
        )).because(Refusal::field("password", Expects::Letters(FEWEST))));
    }
    if password.len() > LONGEST || password.chars().any(|letter| letter.is_control() || letter > '\u{FFFF}') {
        return Err(Problem::malformed(format!(
            "the password is not one line of text of {LONGEST} octets at most, or has letters beyond U+FFFF, which programs \
             read differently"
        )).because(Refusal::field("password", Expects::Line(LONGEST))));
    }
    Ok(())
}

fn refused(why: NotExported, fingerprint: &str) -> Problem {
    let (text, refusal) = match why {
        NotExported::Unknown => return unknown(fingerprint),
        NotExported::Off => (
            "no private key may leave: admin.export is false; set [admin] export = true in the configuration, which applies at \
             once, and back when it is done"
                .to_owned(),
            Refusal::ExportOff,
        ),
        NotExported::BornHere => (
            "the key was made by this edge and is known nowhere else, which is the good of it; where one is needed \
             elsewhere, make a request with csr new --exportable, or bring a certificate with a key of your own"
                .to_owned(),
            Refusal::BornHere,
        ),
        NotExported::NotKept => (
            "it serves and is not written in the state folder yet; try again, and see the alarms".to_owned(),
            Refusal::NotWrittenYet,
        ),
        NotExported::Damaged(what) => (
            format!("the version cannot be read, restore it from a backup: {what}"),
            Refusal::Damaged(what.to_string()),
        ),
    };
    Problem::new(Kind::Conflict, text).because(refusal)
}

/// A secret of an order that must be there.
pub(super) fn required_secret<'de, D: Deserializer<'de>>(value: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(value).map(Zeroizing::new)
}

/// Wiped also where the rest of the order makes no sense.
pub(super) fn secret<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Option::<String>::deserialize(value).map(|password| password.map(Zeroizing::new))
}

/// Whoever has its permit encrypts.
static WRITING: Semaphore = Semaphore::const_new(1);
/// 150,000 rounds a guess: twelve letters at random hold, eight would not for long.
const FEWEST: usize = 12;
/// As long as a password may be that comes in, in octets.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Result<&'static str, String> {
        let order = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Form::of(order).map(|form| form.words()).map_err(|problem| problem.detail().to_owned())
    }

    #[test]
    fn an_open_key_is_given_only_to_who_says_so() {
        assert_eq!(form(r#"{"format":"pem","plain":true}"#), Ok("pem, the key not encrypted"));
        assert_eq!(form(r#"{"format":"pem","password":"long enough now"}"#), Ok("pem, the key encrypted"));
        assert_eq!(form(r#"{"format":"pfx","password":"long enough now"}"#), Ok("pfx"));
        for (text, words) in [
            (r#"{"format":"pem"}"#, "plain: true"),
            (r#"{"format":"pfx"}"#, "needs a password"),
            (r#"{"format":"pfx","plain":true}"#, "needs a password"),
            (r#"{"format":"pem","plain":true,"password":"long enough now"}"#, "contradict"),
            (r#"{"format":"pfx","password":""}"#, "too short"),
            (r#"{"format":"pfx","password":"geheim12345"}"#, "12 letters at least"),
            (r#"{"format":"pfx","password":"long enough\nnow"}"#, "one line"),
            (r#"{"format":"pfx","password":"long enough 😀"}"#, "U+FFFF"),
        ] {
            let said = form(text).expect_err("wrong");
            assert!(said.contains(words) && !said.contains("geheim"), "{text}: {said}");
        }
    }
}
