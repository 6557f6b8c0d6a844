//! The texts of the pages about people: signing in, setting up, one's account.

/// All texts about people.
pub(crate) struct PeopleWords {
    pub(crate) sign_in: SignInWords,
    pub(crate) set_up: SetUpWords,
    pub(crate) account: AccountWords,
    pub(crate) factor: FactorWords,
}

/// *Second factor*
pub(crate) struct FactorWords {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) begin: &'static str,
    pub(crate) scan: &'static str,
    pub(crate) secret: &'static str,
    pub(crate) code: &'static str,
    pub(crate) turn_on: &'static str,
    pub(crate) on: &'static str,
    pub(crate) recovery: &'static str,
    pub(crate) is_on: &'static str,
    pub(crate) turn_off: &'static str,
    pub(crate) wrong: &'static str,
}

/// *Sign in*
pub(crate) struct SignInWords {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
    pub(crate) code: &'static str,
    pub(crate) send: &'static str,
    pub(crate) sign_out: &'static str,
    pub(crate) wrong: &'static str,
    pub(crate) too_many: &'static str,
    pub(crate) lost: &'static str,
}

/// *Set up*
pub(crate) struct SetUpWords {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) token: &'static str,
    pub(crate) user: &'static str,
    pub(crate) send: &'static str,
    pub(crate) wrong: &'static str,
    pub(crate) closed: &'static str,
}

/// *Account*
pub(crate) struct AccountWords {
    pub(crate) title: &'static str,
    pub(crate) nobody: &'static str,
    pub(crate) who: fn(&str, &str) -> String,
    pub(crate) must_choose: &'static str,
    pub(crate) password: &'static str,
    pub(crate) password_rules: &'static str,
    pub(crate) current: &'static str,
    pub(crate) new: &'static str,
    pub(crate) repeated: &'static str,
    pub(crate) differ: &'static str,
    pub(crate) change: &'static str,
    pub(crate) changed: &'static str,
    pub(crate) sessions: &'static str,
    pub(crate) begun: &'static str,
    pub(crate) last_seen: &'static str,
    pub(crate) ends: &'static str,
    pub(crate) address: &'static str,
    pub(crate) browser: &'static str,
    pub(crate) this: &'static str,
    pub(crate) end: &'static str,
    pub(crate) end_all: &'static str,
}
