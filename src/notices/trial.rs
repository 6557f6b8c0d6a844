//! A message of no meaning, told at once: whether it arrives is all that is asked.

use std::sync::Arc;

use aws_lc_rs::rand;

use super::contact::{Contact, Way};
use super::mail::Session;
use super::mails::UNCONFIGURED;
use super::message::{List, Message, Recipient};
use super::queue::Entry;
use super::setback::Setback;
use super::{Office, now, webhook};
use crate::outbound::PostClient;

/// Tells, and gives what came of it in words. Nothing of it is kept.
pub(super) async fn run(office: &Arc<Office>, contact: &Contact) -> Result<(), String> {
    let words = &contact.language.mail().test;
    let mut number = [0; 8];
    rand::fill(&mut number).map_err(|_| "the system gives no random numbers".to_owned())?;
    let number: String = number.iter().map(|octet| format!("{octet:02x}")).collect();
    let text = (words.text)(&contact.name);
    let message = Message {
        identity: format!("test/{number}"),
        subject: words.subject.to_owned(),
        html: format!("<p>{}</p>\n", escaped(&text)),
        text: text + "\n",
        data: serde_json::json!({ "test": true }),
        list: List::Test,
        due: now(),
        about: Vec::new(),
    };
    let entry = Entry::of(&message, &Recipient::Contact(contact.id.clone()));
    let terms = Arc::clone(&office.terms.borrow());
    let told: Result<(), Setback> = async {
        match &contact.way {
            Way::Mail(to) => {
                let mail = terms.mail.as_ref().ok_or_else(|| Setback::Away(UNCONFIGURED.into()))?;
                let mut session = Session::open(mail).await?;
                session.send(mail, &number, to, &entry).await?;
                session.close().await;
                Ok(())
            }
            Way::Webhook(to) => {
                let client = PostClient::new(terms.roots.iter().cloned(), terms.webhook_networks.clone());
                let client = client.map_err(|error| Setback::Away(error.to_string()))?;
                webhook::post(&client, to, &number, &entry, now()).await
            }
        }
    }
    .await;
    told.map_err(|setback| setback.text().to_owned())
}

/// As text in HTML and in the value of an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}
