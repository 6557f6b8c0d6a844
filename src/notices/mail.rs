//! Mails on their way: one connection to the operator's mail server (RFC 5321), used for all that is due.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::letter::{address, letter};
use super::queue::Entry;
use super::setback::Setback;
use crate::mail_address::{MailAddress, Mailbox};
use crate::outbound::{MailServer, MailStream};

/// How mails are sent.
#[derive(Clone, Debug)]
pub struct MailTerms {
    /// Through whom.
    pub server: MailServer,
    /// As whom, and the file of the password, which is read whenever a connection is made.
    pub user: Option<(String, PathBuf)>,
    /// Whose name they bear.
    pub from: Mailbox,
}

/// A connection that takes mails.
pub(super) struct Session(AsyncSmtpConnection);

impl Session {
    /// Connects and signs in.
    pub(super) async fn open(terms: &MailTerms) -> Result<Self, Setback> {
        let hello = ClientId::default();
        let stream = terms.server.connect(&hello.to_string(), Instant::now() + CONNECT).await;
        let stream = stream.map_err(|error| Setback::Away(error.to_string()))?;
        let away = |what: &str| Setback::Away(format!("{}: {what}", terms.server));
        let hold = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello);
        let mut session = match timeout(CONNECT, hold).await {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => return Err(away(&words(&error))),
            Err(_) => return Err(away("no answer in time")),
        };
        if let Some((user, file)) = &terms.user {
            let password = password(file).map_err(|why| Setback::Away(format!("mail.password_file: {why}")))?;
            let credentials = Credentials::new(user.clone(), password.to_string());
            match timeout(COMMAND, session.auth(&[Mechanism::Plain, Mechanism::Login], &credentials)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    // The server's own words might repeat what it was told.
                    let why = match error.status() {
                        Some(code) => {
                            format!("refuses the user {user:?} ({code}); see mail.user and mail.password_file")
                        }
                        None => format!("lets no user sign in ({}); see mail.security", kind(&error)),
                    };
                    return Err(away(&why));
                }
                Err(_) => return Err(away("no answer to the password in time")),
            }
        }
        Ok(Self(session))
    }

    /// Hands a mail over. When this gives nothing the server has taken it upon itself.
    pub(super) async fn send(
        &mut self,
        terms: &MailTerms,
        id: &str,
        to: &MailAddress,
        entry: &Entry,
    ) -> Result<(), Setback> {
        let octets = letter(id, &terms.from, to, entry).map_err(Setback::refused)?;
        let (sender, receiver) = (address(&terms.from.address), address(to));
        let (sender, receiver) = (sender.map_err(Setback::Away)?, receiver.map_err(Setback::refused)?);
        let of_sender = |error: Failure| match error {
            // Whom it does not take mails of, it takes none at all of.
            Failure::Refused { text, .. } => Setback::Away(format!(
                "{} refuses the sender {}: {text}; see mail.from",
                terms.server, terms.from.address
            )),
            Failure::Broken(text) => Setback::Away(format!("{}: {text}", terms.server)),
        };
        let of_letter = |error: Failure| match error {
            Failure::Refused { is_lasting, text } => {
                Setback::Refused { is_lasting, text: format!("{to}: {text}"), after: None }
            }
            Failure::Broken(text) => Setback::Away(format!("{}: {text}", terms.server)),
        };
        self.say(Mail::new(Some(sender), Vec::new())).await.map_err(of_sender)?;
        self.say(Rcpt::new(receiver, Vec::new())).await.map_err(of_letter)?;
        self.say(Data).await.map_err(of_letter)?;
        match timeout(TAKING, self.0.message(&octets)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(of_letter(Failure::of(&error))),
            Err(_) => Err(of_letter(Failure::Broken("did not say in time whether it took a mail".into()))),
        }
    }

    /// Forgets a mail that was refused half-way. False: the connection is of no more use.
    pub(super) async fn begin_anew(&mut self) -> bool {
        self.say(Rset).await.is_ok()
    }

    /// Says farewell.
    pub(super) async fn close(mut self) {
        let _ = timeout(COMMAND, self.0.quit()).await;
    }

    async fn say(&mut self, command: impl fmt::Display) -> Result<(), Failure> {
        match timeout(COMMAND, self.0.command(command)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failure::of(&error)),
            Err(_) => Err(Failure::Broken("no answer in time".into())),
        }
    }
}

/// What came of something said.
enum Failure {
    /// No, for now or for good.
    Refused { is_lasting: bool, text: String },
    /// Nothing.
    Broken(String),
}

impl Failure {
    fn of(error: &Error) -> Self {
        match error.status() {
            // It closes the connection with it (RFC 5321 §3.8).
            Some(code) if code.to_string() == "421" => Self::Broken(words(error)),
            Some(_) => Self::Refused { is_lasting: error.is_permanent(), text: words(error) },
            None => Self::Broken(words(error)),
        }
    }
}

/// The server's, with its code in front, or the system's; on one line.
fn words(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |above| above.source());
    let cause = causes.last().map_or_else(|| kind(error).to_owned(), ToString::to_string);
    let code = error.status().map(|code| format!("{code} ")).unwrap_or_default();
    let cause: String = cause.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    format!("{code}{}", cause.trim()).chars().take(LONGEST_WORDS).collect()
}

fn kind(error: &Error) -> &'static str {
    if error.is_response() {
        "it answers in something else than SMTP"
    } else if error.is_client() {
        "it offers no way to sign in that is known here"
    } else {
        "the connection broke off"
    }
}

/// One line of a file that nobody else may read.
fn password(file: &std::path::Path) -> Result<Zeroizing<String>, String> {
    let content = std::fs::read_to_string(file).map(Zeroizing::new);
    let content = content.map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let line = content.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(format!("{} is empty, and the password is expected on its first line", file.display()));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

impl AsyncTokioStream for MailStream {
    fn peer_addr(&self) -> std::io::Result<std::net::SocketAddr> {
        Self::peer_addr(self)
    }
}

/// To be connected, encrypted and greeted.
const CONNECT: Duration = Duration::from_secs(30);
/// Servers look names up while they are asked (RFC 5321 §4.5.3.2 allows five minutes).
const COMMAND: Duration = Duration::from_secs(60);
/// A server that took a mail and is not listened to gets it a second time: RFC 5321 §4.5.3.2.6 asks for ten minutes.
const TAKING: Duration = Duration::from_secs(600);
const LONGEST_WORDS: usize = 400;
