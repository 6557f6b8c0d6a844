//! The pages about people in English.

use crate::words::people::{AccountWords, PeopleWords, SetUpWords, SignInWords};

pub(in crate::words) static PEOPLE: PeopleWords = PeopleWords {
    sign_in: SignInWords {
        title: "Sign in",
        about: "These pages are for those who look after this edge.",
        user: "User",
        password: "Password",
        send: "Sign in",
        sign_out: "Sign out",
        wrong: "The user or the password is wrong.",
        too_many: "There were too many attempts. Wait a little, then try again.",
        lost: "Who has lost the password has another made on the edge's machine: vitrine user reset NAME",
    },
    set_up: SetUpWords {
        title: "The first user",
        about: "Nobody can sign in yet. The edge has written a token into a file and named the file in its log. Whoever can read it makes the \
                first user here, who may do everything.",
        token: "Token from the file",
        user: "User: letters, digits, dots, hyphens, underscores, plus and at signs",
        send: "Make the first user",
        wrong: "This is not what the file holds.",
        closed: "This way in is closed: it is open for 15 minutes after a start, as long as there is no user. On the edge's machine: vitrine \
                 user add NAME --role admin",
    },
    account: AccountWords {
        title: "Account",
        nobody: "Nobody has signed in: you came without a user's name.",
        who: |user, role| format!("You are {user}, with the role {role}."),
        must_choose: "Your password is for one time. Choose one of your own first.",
        password: "Password",
        password_rules: "12 letters at least, five of them different, without your name. Several words make a good one. All other sessions end.",
        current: "Password so far",
        new: "New password",
        repeated: "The new one again",
        differ: "The new password was not the same twice.",
        change: "Change the password",
        changed: "The password is changed; all other sessions have ended.",
        sessions: "Where you are signed in",
        begun: "Since (UTC)",
        last_seen: "Last seen (UTC)",
        ends: "Ends (UTC)",
        address: "From",
        browser: "Browser",
        this: "this one",
        end: "Sign out",
        end_all: "Sign out everywhere",
    },
};
