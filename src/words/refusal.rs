//! Why something was not done, as a code with what is particular to it, for readers whose language the interface does not speak.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why something was not done. What the interface says in English stands where the refusal is made. Records of deeds have it as a
/// code: what it is called here stays what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", content = "details", rename_all = "kebab-case")]
pub enum Refusal {
    /// There is no such thing.
    NoSuch(Thing, String),
    /// There are as many of them as there may be.
    Full(Thing),
    /// Another has the name.
    NameTaken(Thing),
    /// Something else was expected in a field, by its name in the interface.
    Field(Cow<'static, str>, Expects),
    /// A host of no site.
    NoHost(String),
    /// A contact that stands in the configuration.
    ContactConfigured,
    /// A contact cannot change from mail to webhook, or back.
    OtherWay,
    /// What came of trying to tell a contact something, as the other side or the system said it.
    NotTold(String),
    /// Nobody else could say who may do what.
    LastAdmin,
    /// The code of a second factor is needed.
    CodeNeeded,
    /// The code of a second factor is another.
    WrongCode,
    /// A second factor stands already, or none was begun.
    FactorStands,
    /// A site of another organisation.
    SiteTaken(String),
    /// An organisation of whose sites these contacts are told.
    ContactsTold(String),
    /// A URL that is watched already.
    UrlKnown,
    /// A URL that is a host of this site.
    UrlServed(String, String),
    /// It could not be looked at, as was said.
    UrlUnseen(String),
    /// The time of a link is over.
    LinkOver,
    /// A link that nothing can be done with any more.
    LinkSpent,
    /// Something of a link is under way.
    LinkBusy,
    /// A link is for sites or for a request.
    SitesOrRequest,
    /// One certificate was expected.
    OneCertificate,
    /// A certificate that is for something else than the link, by its names.
    OfAnother(String),
    /// An edge that serves a fixed set of certificates.
    Fixed,
    /// An edge that is stopping.
    Stopping,
    /// An edge that is frozen: by whom, and why if that was said.
    Frozen(String, String),
    /// Only what is uploaded can be pinned.
    PinsUploaded,
    /// A host for which the edge's own authority does not issue.
    NotLocal(String),
    /// A certificate that is for none of the site's hosts.
    NotForSite(String),
    /// Nothing is ordered before the terms of authorities are agreed to.
    NoTerms,
    /// A host for which only who can write records gets a certificate.
    NeedsDns(String),
    /// A site that is not managed.
    NotManaged(String),
    /// A version that is expired or not valid yet.
    Untimely,
    /// A version that is revoked.
    Revoked,
    /// A version whose files are damaged, as was said.
    Damaged(String),
    /// A file of the drop folder.
    Dropped(String),
    /// Without it nothing valid would serve these names.
    LastGood(String),
    /// Private keys may not leave.
    ExportOff,
    /// A key that was made here.
    BornHere,
    /// It is not written yet.
    NotWrittenYet,
    /// More names are held back than were seen.
    HeldBack(usize),
    /// No withdrawal is held back.
    NothingHeld,
    /// A site without a whole name.
    OnlyWildcards(String),
    /// A site that shows another object.
    ShowsAnother(String, String),
    /// A file without content.
    EmptyFile,
    /// A file that is a secret.
    SecretFile,
    /// A certificate that names no merchant.
    NoMerchant,
    /// A certificate that has ended.
    Ended,
    /// A certificate for this request.
    ForRequest(String),
    /// An object of another type.
    OtherKind(String),
    /// A version that is not there or not whole.
    NoVersion(u32),
    /// A request that was changed meanwhile.
    RequestChanged,
    /// A request that awaits its certificate.
    RequestOpen,
    /// A renewal with the same key changes nothing.
    SameKey,
    /// What cannot be taken back is confirmed.
    Confirm,
    /// What was uploaded is not there any more.
    DraftGone,
    /// Too much waits for a word.
    DraftsFull,
    /// The system gives no random numbers.
    NoRandomness,
    /// The audit trail cannot be written.
    Unrecorded,
    /// It takes the right to change what is served.
    MayNotChange,
    /// It takes the right to say who may do what.
    MayNotRule,
    /// It takes the right to take private keys out.
    MayNotExport,
    /// It takes somebody who has signed in.
    NobodyHere,
    /// It takes a role for the whole edge.
    EdgeAlone,
    /// It takes a role for whom this belongs to.
    OthersOwn,
    /// A password of one's own is to be chosen first.
    ChooseFirst,
    /// A choice that is none of those that are offered, which are these.
    NotOffered(String),
    /// What was sent is not what is asked for here.
    Unlike,
    /// A wrong password, for this user, or for one that there is not.
    WrongPassword(Option<String>),
    /// The password for one time of this user is over.
    PasswordOver(String),
    /// The code of the second factor of this user is missing.
    NoCodeOf(String),
    /// The code of the second factor of this user is another.
    WrongCodeOf(String),
    /// Nobody signs in this way.
    NoSignIn,
    /// It is done with a command at the machine.
    AtTheMachine,
    /// The word of a proxy that is not believed.
    NotBelieved(Unproven),
    /// A name that may not be a site any more, as the operator's endpoint says.
    NotAllowedAnyMore(String),
    /// What is wrong with what a site says of itself, as the reader of the configuration says it.
    SiteUnread(String),
    /// What would be wrong with the whole configuration, as its reader says it.
    WouldNotHold(String),
    /// A site that was added already.
    SiteAdded(String),
    /// A site that is written in a file of the operator's.
    SiteWritten(String, String),
    /// An edge without a configuration file.
    NoConfiguration,
    /// A network that is not turned away by itself.
    NotDenied(String),
    /// A certificate that serves this managed site.
    StillServes(String),
    /// A certificate that was not ordered here.
    OrderedElsewhere,
    /// An authority that the configuration does not name any more.
    IssuerGone(String),
    /// Nobody's key is there that could sign.
    NobodySigns,
    /// A certificate that the edge made, or that has just come.
    SelfMade,
    /// An authority says no, in its words.
    AuthoritySaidNo(String),
    /// An authority is away, or answers out of order, as was said.
    AuthorityAway(String),
    /// It is revoked, and the keys of session tickets are those they were, as was said.
    TicketsKept(String),
    /// Something failed here; the log says what.
    Failed,
    /// An order came to no end, and part of it may be done.
    HalfDone,
    /// The state could not be read or written, as was said.
    Unwritten(String),
    /// What a page says in its reader's language.
    #[serde(skip)]
    Own(#[serde(skip)] &'static str),
}

impl Refusal {
    /// Something else was expected in a field, by its name in the interface.
    pub(crate) fn field(name: impl Into<Cow<'static, str>>, expects: Expects) -> Self {
        Self::Field(name.into(), expects)
    }

    /// As records have it.
    pub(crate) fn written(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }

    /// Out of a record; `None`: its code is none of these, or what is particular to it is something else.
    pub(crate) fn read(written: &Value) -> Option<Self> {
        Self::deserialize(written).ok()
    }
}

/// Why the word of a proxy does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unproven {
    /// It came through the edge's socket.
    Socket,
    /// It came from where no proxy is.
    Elsewhere,
    /// The name stands there several times.
    SeveralNames,
    /// The secret is missing.
    NoSecret,
    /// The secret stands there several times.
    SeveralSecrets,
    /// The secret is another.
    OtherSecret,
    /// There is no such user.
    NoUser,
}

/// What there is, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Thing {
    /// Somebody who is told.
    Contact,
    /// Somebody who signs in.
    User,
    /// An organisation.
    Organisation,
    /// A configured site.
    Site,
    /// A certificate, by its fingerprint.
    Certificate,
    /// An object that sites show.
    Object,
    /// A report.
    Report,
    /// A request for a certificate.
    Request,
    /// A URL that others serve.
    Url,
    /// A one-time link.
    Link,
    /// A session of somebody.
    Session,
    /// A token.
    Token,
    /// A network that is turned away.
    Network,
    /// A server behind the edge.
    Upstream,
    /// An authority that certificates are ordered from.
    Issuer,
}

/// What was expected in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expects {
    /// Anything.
    Something,
    /// What the field is for.
    Usual,
    /// One line of at most so many letters.
    Line(usize),
    /// One line of at least one and at most so many letters.
    Name(usize),
    /// At least so many letters.
    Letters(usize),
    /// At least so many different letters.
    Different(usize),
    /// Something else than the user's name.
    NotTheName,
    /// Another than the one so far.
    Another,
    /// A number from one to this.
    Number(u32),
    /// Names of configured sites, at most so many.
    Sites(usize),
    /// A moment to come.
    Later,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_code_and_no_other() {
        // Whoever reads an unknown code is told of all there are.
        let told = Refusal::deserialize(&serde_json::json!({ "code": "?" })).expect_err("no code").to_string();
        let codes: Vec<&str> = told.split('`').skip(1).step_by(2).filter(|code| *code != "?").collect();
        assert!(codes.len() > 90 && codes.contains(&"no-such"), "{told}");
        let manual = include_str!("../../docs/api.md");
        let (_, table) = manual.split_once("### Codes of the audit trail").expect("the codes");
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        assert_eq!(rows.collect::<Vec<_>>(), codes);
    }
}
