//! Who asks, and what whoever asks may do: the one table of permissions.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::problem::{Kind, Problem};

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
    /// The token that was shown.
    pub(super) token: Option<Bearer>,
}

/// A way to the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `admin.sock`, by this user of the machine.
    Socket(u32),
    /// `admin.listen`, from this address.
    Network(IpAddr),
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
}

impl Caller {
    /// Whether the caller may. Who comes through the socket without a token is the edge's own user, to whom the state folder
    /// lies open anyway; with one, the token says how far it goes.
    pub(super) fn may(&self, right: Right) -> bool {
        match (self.token.as_ref().map(|token| token.role), self.way) {
            (None, Way::Socket(_)) => true,
            (None, Way::Network(_)) => false,
            (Some(role), way) => match right {
                Right::Read => true,
                Right::Operate => role == Role::Operate,
                Right::Export => role == Role::Export && matches!(way, Way::Socket(_)),
                Right::Own => false,
            },
        }
    }

    /// Who it is, for the audit trail.
    pub(super) fn name(&self) -> String {
        match (&self.token, self.way) {
            (Some(Bearer { id, name, .. }), _) => format!("token {name:?} ({id})"),
            (None, Way::Socket(user)) => format!("user {user}"),
            (None, Way::Network(_)) => "nobody".into(),
        }
    }

    /// What a form of the panel must hold, so that no page elsewhere can have a browser send it. `None`: the caller is known by
    /// nothing that a browser sends along by itself.
    pub(super) fn form_token(&self) -> Option<&str> {
        None
    }

    /// Which way it came, for the audit trail.
    pub(super) fn door(&self) -> String {
        match self.way {
            Way::Socket(_) => "admin.sock".into(),
            Way::Network(peer) => peer.to_canonical().to_string(),
        }
    }

    /// Refuses who may not, and says who may.
    pub(super) fn demand(&self, right: Right) -> Result<(), Problem> {
        if self.may(right) {
            return Ok(());
        }
        let who = self.token.as_ref().map_or_else(String::new, |token| {
            format!("; the token {:?} has the role {}", token.name, token.role.word())
        });
        Err(Problem::new(Kind::NotAllowed, format!("{}{who}", right.terms())))
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
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Export => "export",
            Self::Own => "own",
        }
    }

    /// Who has it.
    pub(super) const fn terms(self) -> &'static str {
        match self {
            Self::Read => "this takes a token, or admin.sock",
            Self::Operate => "this takes a token with the role operate, or admin.sock",
            Self::Export => "this takes admin.sock, without a token or with one that has the role export",
            Self::Own => "this takes admin.sock without a token: use the vitrine command on the edge's machine",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_may_more_than_the_table_says() {
        let rights = [Right::Read, Right::Operate, Right::Export, Right::Own];
        let (socket, network) = (Way::Socket(0), Way::Network(IpAddr::from([10, 0, 0, 7])));
        for (way, role, allowed) in [
            (socket, None, [true, true, true, true]),
            (socket, Some(Role::Read), [true, false, false, false]),
            (socket, Some(Role::Operate), [true, true, false, false]),
            (socket, Some(Role::Export), [true, false, true, false]),
            (network, None, [false, false, false, false]),
            (network, Some(Role::Read), [true, false, false, false]),
            (network, Some(Role::Operate), [true, true, false, false]),
            (network, Some(Role::Export), [true, false, false, false]),
        ] {
            let token = role.map(|role| Bearer { id: "7".into(), name: "ci".into(), role });
            let caller = Caller { way, token };
            assert_eq!(rights.map(|right| caller.may(right)), allowed, "{caller:?}");
            assert_eq!(rights.map(|right| caller.demand(right).is_ok()), allowed, "{caller:?}");
        }
    }
}
