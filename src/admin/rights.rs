//! Who asks, and what whoever asks may do: the one table of permissions.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::people::{CsrfToken, Grants, Session, User, UserRole};
use super::problem::{Kind, Problem};
use crate::words::refusal::Refusal;

/// What a token was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// To look.
    Read,
    /// To look, and to change what is served.
    Operate,
    /// To look, and to take private keys out. That takes the socket as well: a token gets about, in scripts and logs, and must
    /// not by itself be every shop's key.
    Export,
}

/// What an operation asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// Nothing: it is how one gets in.
    Anyone,
    /// To be somebody who has signed in, whatever he may do: it is about himself.
    Account,
    /// To look.
    Read,
    /// To change what is served.
    Operate,
    /// To take private keys out.
    Export,
    /// To say who may do what: no token makes another.
    Own,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The way in.
    pub(super) way: Way,
    /// What says who it is.
    pub(super) proof: Proof,
    /// What the client says it is; may be empty.
    pub(super) agent: String,
}

/// A way to the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `admin.sock`, by this user of the machine.
    Socket(u32),
    /// `admin.listen`
    Network {
        /// From this address.
        peer: IpAddr,
        /// Over TLS.
        is_encrypted: bool,
    },
}

/// What says who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing but the way; over the network that is nothing, and why there is no more.
    Nothing(&'static str),
    /// A token.
    Token(Bearer),
    /// The cookie of a session.
    Session(Box<Person>),
    /// A one-time link, by its words: what it allows is looked at by itself, and nothing else is allowed.
    Link(String),
    /// The word of a proxy, by `admin.trusted_header`.
    Vouched(Box<Vouched>),
}

/// Whoever shows a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    /// The token's name for the API.
    pub(super) id: String,
    /// The operator's name for it.
    pub(super) name: String,
    /// What it was made for.
    pub(super) role: Role,
    /// The organisations it is for, by their ids; empty: it is for the edge.
    pub(super) organisations: Vec<String>,
}

/// Whoever has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    /// Who.
    pub(super) user: User,
    /// Where.
    pub(super) session: Session,
    /// What changes need beside the cookie.
    pub(super) csrf: CsrfToken,
}

/// Whoever a proxy says it is. There is no session: that is the proxy's affair, as are passwords and second factors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vouched {
    /// Who.
    pub(super) user: User,
    /// What changes need, since browsers send along by themselves what the proxy knows somebody by.
    pub(super) csrf: CsrfToken,
}

impl Caller {
    /// Whether the caller may. Who comes through the socket without a token is the edge's own user, to whom the state folder
    /// lies open anyway; with one, the token says how far it goes.
    pub(super) fn may(&self, right: Right) -> bool {
        match (&self.proof, self.way) {
            _ if right == Right::Anyone => true,
            (Proof::Nothing(_), Way::Socket(_)) => right != Right::Account,
            (Proof::Nothing(_), Way::Network { .. }) => false,
            (Proof::Link(_), _) => false,
            (Proof::Token(Bearer { role, .. }), way) => match right {
                Right::Anyone | Right::Read => true,
                Right::Operate => *role == Role::Operate,
                Right::Export => *role == Role::Export && matches!(way, Way::Socket(_)),
                Right::Account | Right::Own => false,
            },
            (Proof::Session(person), _) => match right {
                Right::Anyone | Right::Account => true,
                // Until he has a password of his own, somebody else knows his.
                _ if person.user.one_time_until.is_some() => false,
                right => person.user.grants.allow(right),
            },
            (Proof::Vouched(vouched), _) => right != Right::Account && vouched.user.grants.allow(right),
        }
    }

    /// The user, by whatever he is known.
    pub(super) fn user(&self) -> Option<&User> {
        match &self.proof {
            Proof::Session(person) => Some(&person.user),
            Proof::Vouched(vouched) => Some(&vouched.user),
            Proof::Nothing(_) | Proof::Token(_) | Proof::Link(_) => None,
        }
    }

    /// The organisations that the caller has a role for, each with whether something of it may be changed; `None`: the role is for
    /// the edge.
    pub(super) fn organisations(&self) -> Option<Vec<(&str, bool)>> {
        if let Some(user) = self.user().filter(|user| user.grants.role.is_none()) {
            let each = user.grants.organisations.iter();
            return Some(each.map(|(id, role)| (id.as_str(), *role >= UserRole::Operate)).collect());
        }
        match &self.proof {
            Proof::Token(token) if !token.organisations.is_empty() => {
                let operates = token.role == Role::Operate;
                Some(token.organisations.iter().map(|id| (id.as_str(), operates)).collect())
            }
            _ => None,
        }
    }

    /// Whether it is on the edge's machine.
    pub(super) fn is_here(&self) -> bool {
        match self.way {
            Way::Socket(_) => true,
            Way::Network { peer, .. } => peer.to_canonical().is_loopback(),
        }
    }

    /// Whether the edge itself made the way private. What the cookie is called hangs on it.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.way, Way::Network { is_encrypted: true, .. })
    }

    /// Whoever has signed in.
    pub(super) fn person(&self) -> Option<&Person> {
        match &self.proof {
            Proof::Session(person) => Some(person),
            Proof::Nothing(_) | Proof::Token(_) | Proof::Link(_) | Proof::Vouched(_) => None,
        }
    }

    /// Who it is, for the audit trail.
    pub(super) fn name(&self) -> String {
        match (&self.proof, self.way) {
            (Proof::Token(Bearer { id, name, .. }), _) => format!("token {name:?} ({id})"),
            (Proof::Session(person), _) => person.user.words(),
            (Proof::Link(words), _) => words.clone(),
            (Proof::Vouched(vouched), _) => format!("{} by admin.trusted_header", vouched.user.words()),
            (Proof::Nothing(_), Way::Socket(user)) => format!("user {user}"),
            (Proof::Nothing(_), Way::Network { .. }) => "nobody".into(),
        }
    }

    /// What a form of the panel must hold, so that no page elsewhere can have a browser send it. `None`: the caller is known by
    /// nothing that a browser sends along by itself.
    pub(super) fn form_token(&self) -> Option<&str> {
        self.csrf().map(CsrfToken::as_str)
    }

    fn csrf(&self) -> Option<&CsrfToken> {
        match &self.proof {
            Proof::Session(person) => Some(&person.csrf),
            Proof::Vouched(vouched) => Some(&vouched.csrf),
            Proof::Nothing(_) | Proof::Token(_) | Proof::Link(_) => None,
        }
    }

    /// Which way it came, for the audit trail.
    pub(super) fn door(&self) -> String {
        match self.way {
            Way::Socket(_) => "admin.sock".into(),
            Way::Network { peer, .. } => peer.to_canonical().to_string(),
        }
    }

    /// Refuses who may not, and says who may.
    pub(super) fn demand(&self, right: Right) -> Result<(), Problem> {
        if self.may(right) {
            return Ok(());
        }
        self.known()?;
        let who = match &self.proof {
            Proof::Nothing(_) | Proof::Link(_) => String::new(),
            Proof::Token(token) => format!("; the token {:?} has the role {}", token.name, token.role.word()),
            Proof::Session(person) if person.user.one_time_until.is_some() => CHOOSE_FIRST.into(),
            Proof::Session(person) => format!("; {} has {}", person.user.name, person.user.grants.words()),
            Proof::Vouched(_) if right == Right::Account => {
                "; who comes by admin.trusted_header has no session here: passwords and signing out are the proxy's affair".into()
            }
            Proof::Vouched(vouched) => format!("; {} has {}", vouched.user.name, vouched.user.grants.words()),
        };
        let why = if who == CHOOSE_FIRST { Refusal::ChooseFirst } else { right.refusal() };
        Err(Problem::new(Kind::NotAllowed, format!("{}{who}", right.terms())).because(why))
    }

    /// Refuses who comes over the network and says nothing of who he is.
    pub(super) fn known(&self) -> Result<(), Problem> {
        match (&self.proof, self.way) {
            (Proof::Nothing(why), Way::Network { .. }) => Err(Problem::unauthorized(why)),
            _ => Ok(()),
        }
    }

    /// Refuses what a page elsewhere may have made the browser of somebody send who has signed in: a change shows the
    /// session's token, in a header field or a form.
    pub(super) fn demand_csrf(&self, shown: Option<&[u8]>) -> Result<(), Problem> {
        match self.csrf() {
            Some(csrf) if !shown.is_some_and(|shown| csrf.is(shown)) => Err(Problem::new(Kind::Foreign, NO_CSRF)),
            _ => Ok(()),
        }
    }
}

impl Grants {
    /// Whether a user with these may, whose sign-in is beyond doubt.
    fn allow(&self, right: Right) -> bool {
        match right {
            Right::Anyone | Right::Account => true,
            Right::Read => self.highest().is_some(),
            Right::Operate => self.highest() >= Some(UserRole::Operate),
            Right::Export | Right::Own => self.role == Some(UserRole::Admin),
        }
    }
}

impl Role {
    /// Its word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Export => "export",
        }
    }
}

impl Right {
    /// Its word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Account => "account",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Export => "export",
            Self::Own => "own",
        }
    }

    /// Who has it.
    pub(super) const fn terms(self) -> &'static str {
        match self {
            Self::Anyone => "this takes nothing: it is how one gets in",
            Self::Account => "this takes somebody who has signed in with a user's name and password",
            Self::Read => "this takes a user who has signed in, a token, or admin.sock",
            Self::Operate => {
                "this takes a user with the role operate or admin, a token with the role operate, or admin.sock"
            }
            Self::Export => {
                "this takes a user with the role admin, or admin.sock, without a token or with one that has the role export"
            }
            Self::Own => {
                "this takes a user with the role admin, or admin.sock without a token: use the vitrine command on the edge's machine"
            }
        }
    }

    /// The same for readers of other languages.
    pub(super) const fn refusal(self) -> Refusal {
        match self {
            Self::Anyone | Self::Account | Self::Read => Refusal::NobodyHere,
            Self::Operate => Refusal::MayNotChange,
            Self::Export => Refusal::MayNotExport,
            Self::Own => Refusal::MayNotRule,
        }
    }
}

const NO_CSRF: &str = "a change by somebody who has signed in needs the session's token: the header field X-CSRF-Token, as GET \
                       /api/v1/session shows it, or a form of the panel";
const CHOOSE_FIRST: &str =
    "; the password is for one time: choose one of your own first, with POST /api/v1/session/password";

#[cfg(test)]
mod tests {
    use super::*;

    impl Person {
        fn called(name: &str, role: UserRole) -> Self {
            let (user, session, csrf) = crate::admin::people::signed_in(name, role);
            Self { user, session, csrf }
        }
    }

    const RIGHTS: [Right; 6] = [Right::Anyone, Right::Account, Right::Read, Right::Operate, Right::Export, Right::Own];

    fn check(caller: &Caller, allowed: [bool; 6]) {
        assert_eq!(RIGHTS.map(|right| caller.may(right)), allowed, "{caller:?}");
        assert_eq!(RIGHTS.map(|right| caller.demand(right).is_ok()), allowed, "{caller:?}");
    }

    #[test]
    fn nobody_may_more_than_the_table_says() {
        let (socket, network) =
            (Way::Socket(0), Way::Network { peer: IpAddr::from([10, 0, 0, 7]), is_encrypted: true });
        for (way, role, allowed) in [
            (socket, None, [true, false, true, true, true, true]),
            (socket, Some(Role::Read), [true, false, true, false, false, false]),
            (socket, Some(Role::Operate), [true, false, true, true, false, false]),
            (socket, Some(Role::Export), [true, false, true, false, true, false]),
            (network, None, [true, false, false, false, false, false]),
            (network, Some(Role::Read), [true, false, true, false, false, false]),
            (network, Some(Role::Operate), [true, false, true, true, false, false]),
            (network, Some(Role::Export), [true, false, true, false, false, false]),
        ] {
            let proof = role.map_or(Proof::Nothing("a token is needed here"), |role| {
                Proof::Token(Bearer { id: "7".into(), name: "ci".into(), role, organisations: Vec::new() })
            });
            check(&Caller { way, proof, agent: String::new() }, allowed);
        }
        for (role, one_time_until, allowed) in [
            (UserRole::Read, None, [true, true, true, false, false, false]),
            (UserRole::Operate, None, [true, true, true, true, false, false]),
            (UserRole::Admin, None, [true, true, true, true, true, true]),
            (UserRole::Admin, Some(100), [true, true, false, false, false, false]),
        ] {
            let mut person = Person::called("anna", role);
            person.user.one_time_until = one_time_until;
            let Person { user, csrf, .. } = person.clone();
            check(&Caller { way: network, proof: Proof::Session(Box::new(person)), agent: String::new() }, allowed);
            // By the word of a proxy a password for one time is no matter, and there is no session to look after.
            let may = |least: UserRole| role >= least;
            let (operate, admin) = (may(UserRole::Operate), may(UserRole::Admin));
            let proof = Proof::Vouched(Box::new(Vouched { user, csrf }));
            check(&Caller { way: network, proof, agent: String::new() }, [true, false, true, operate, admin, admin]);
        }
    }

    #[test]
    fn a_change_by_somebody_who_has_signed_in_shows_the_token_of_the_session() {
        let way = Way::Network { peer: IpAddr::from([10, 0, 0, 7]), is_encrypted: true };
        let person = Person::called("anna", UserRole::Admin);
        let csrf = person.csrf.as_str().to_owned();
        let caller = Caller { way, proof: Proof::Session(Box::new(person)), agent: String::new() };
        assert_eq!(caller.demand_csrf(Some(csrf.as_bytes())), Ok(()));
        for shown in [None, Some(&b""[..]), Some(&csrf.as_bytes()[1..])] {
            assert_eq!(caller.demand_csrf(shown).map_err(|problem| problem.kind()), Err(Kind::Foreign));
        }
        let other = Caller { proof: Proof::Nothing(""), ..caller };
        assert_eq!(other.demand_csrf(None), Ok(()));
    }
}
