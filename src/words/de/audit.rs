//! What the audit trail says of a deed beside what it was about, in German. The trail itself keeps what was written; what is made of no
//! fixed sentence, such as a reason that somebody gave, is not here.

use super::refused::{refused, unproven};
use crate::words::refusal::{Refusal, Unproven};

/// By the action and what was written; `None`: it stays as it was written.
pub(super) fn audited(action: &str, detail: &str) -> Option<String> {
    let after = |prefix: &str| detail.strip_prefix(prefix);
    Some(match action {
        "POST session" => return sign_in(detail),
        "DELETE session" | "DELETE sessions" | "DELETE sessions/{id}" => {
            format!("beendete Sitzungen: {}", after("sessions ended: ")?)
        }
        "POST session/password" => exactly(detail, "his own password", "das eigene Passwort")?,
        "POST session/second-factor" => exactly(detail, "a second factor is begun", "ein zweiter Faktor ist begonnen")?,
        "POST session/second-factor/confirm" => {
            exactly(detail, "a second factor is on", "ein zweiter Faktor ist eingerichtet")?
        }
        "POST session/second-factor/remove" => {
            exactly(detail, "the second factor is off", "der zweite Faktor ist abgeschaltet")?
        }
        "admin.trusted_header" => not_believed(detail)?.to_owned(),
        "POST setup" => {
            let (name, _) = detail.rsplit_once(", role admin, the first")?;
            format!("{name}, Rolle admin, der erste Benutzer")
        }
        "POST users" | "PATCH users/{id}" => return user(detail),
        "POST users/{id}/reset" => format!("ein Passwort für ein Mal für {}", after("a password for one time for ")?),
        "DELETE users/{id}/sessions" => {
            let (name, number) = detail.rsplit_once(", sessions ended: ")?;
            format!("{name}, beendete Sitzungen: {number}")
        }
        "POST tokens" | "DELETE tokens/{id}" => {
            let (name, role) = detail.rsplit_once(", role ")?;
            format!("{name}, Rolle {role}")
        }
        "DELETE organisations/{id}" => {
            let (before, urls) = detail.rsplit_once("; now the edge's: ")?;
            format!("{before}; jetzt bei der Edge: {urls}")
        }
        "POST contacts/{id}/test" => match detail.rsplit_once(": ")? {
            (name, "it was told") => format!("{name}: die Nachricht kam an"),
            (name, "it was not told") => format!("{name}: die Nachricht kam nicht an"),
            _ => return None,
        },
        "POST links" | "DELETE links/{id}" | "POST links/{id}/accept" | "POST links/{id}/decline" | "POST hand-in" => {
            return link(detail);
        }
        "POST hand-in/open" => exactly(detail, "opened", "geöffnet")?,
        "POST elsewhere/{url}/look" => state(detail)?.to_owned(),
        "POST elsewhere/{url}/organisation" => exactly(detail, "the edge's", "die Edge")?,
        "POST elsewhere/{url}/watched" | "POST watched/{host}" => match after("not watched: ") {
            Some(reason) => format!("ausgelassen: {reason}"),
            None => exactly(detail, "watched", "wieder aufgeführt")?,
        },
        "POST sites/{site}/choice" | "DELETE sites/{site}/choice" => {
            let (way, pinned) = detail.split_once(' ')?;
            let pinned = if pinned.is_empty() { String::new() } else { format!(", fest gewählt: {pinned}") };
            format!("{}{pinned}", source(way)?)
        }
        "POST sites/{site}/minimum" | "DELETE sites/{site}/minimum" => return minimum(after("minimum validation ")?),
        "POST sites/{site}/maintenance" | "DELETE log-level" => switched(detail)?.to_owned(),
        "DELETE freeze" => exactly(detail, "off", "aufgehoben")?,
        "POST upstreams/{upstream}" => format!("Zustand {}", after("state ")?),
        "POST certificates/{fingerprint}/export" => {
            let (how, names) = detail.split_once(": ")?;
            let how = match how {
                "pem, the key not encrypted" => "PEM, der Schlüssel unverschlüsselt",
                "pem, the key encrypted" => "PEM, der Schlüssel verschlüsselt",
                "pfx" => "PFX",
                _ => return None,
            };
            format!("{how}: {names}")
        }
        "POST certificates/{fingerprint}/revoke" => {
            let (reason, by) = after("reason ")?.split_once(", signed by the ")?;
            let by = match by {
                "account" => "mit dem Schlüssel des Kontos",
                "certificate's key" => "mit dem Schlüssel des Zertifikats",
                _ => return None,
            };
            format!("Grund {reason}, unterschrieben {by}")
        }
        "POST requests/{id}/renew" => match after("by ") {
            Some(request) => format!("durch {request}"),
            None => exactly(detail, "with the same key", "mit demselben Schlüssel")?,
        },
        "POST objects" | "POST objects/{id}/rollback" => format!("Fassung {}", after("version ")?),
        _ => return None,
    })
}

fn exactly(detail: &str, sentence: &str, satz: &str) -> Option<String> {
    (detail == sentence).then(|| satz.to_owned())
}

/// Why somebody was not let in, of lines that were written before they had codes.
fn sign_in(detail: &str) -> Option<String> {
    let user = |rest: &str| Some(rest.strip_prefix("user \"")?.strip_suffix('"')?.to_owned());
    let is_over = detail.strip_prefix("the password for one time of ").and_then(|rest| rest.strip_suffix(" is over"));
    let why = match (detail.strip_prefix("wrong password for "), is_over) {
        (Some("a user that there is not"), _) => Refusal::WrongPassword(None),
        (Some(rest), _) => Refusal::WrongPassword(Some(user(rest)?)),
        (_, Some(rest)) => Refusal::PasswordOver(user(rest)?),
        _ => match detail.split_once(" code of the second factor of ")? {
            ("no", rest) => Refusal::NoCodeOf(user(rest)?),
            ("wrong", rest) => Refusal::WrongCodeOf(user(rest)?),
            _ => return None,
        },
    };
    Some(refused(&why))
}

/// Why the word of a proxy did not count, of the same.
fn not_believed(detail: &str) -> Option<&'static str> {
    Some(unproven(match detail {
        "it came through admin.sock, which is for this machine's own commands and for no proxy" => Unproven::Socket,
        "it came from an address that is not in admin.trusted_header.networks" => Unproven::Elsewhere,
        "the name stands there several times" => Unproven::SeveralNames,
        "the secret is missing" => Unproven::NoSecret,
        "the secret stands there several times" => Unproven::SeveralSecrets,
        "the secret is another" => Unproven::OtherSecret,
        _ => return None,
    }))
}

/// Who may do what from now on, and what he could before. A name has neither blanks nor commas.
fn user(detail: &str) -> Option<String> {
    let may = |text: &str| match text.strip_prefix("role ") {
        Some(role) => Some(format!("Rolle {role}")),
        None => Some(format!("Organisationen {}", text.strip_prefix("organisations ")?)),
    };
    let (name, rest) = detail.split_once(", ")?;
    match rest.split_once(", was ") {
        Some((now, before)) => Some(format!("{name}, {}, vorher {}", may(now)?, may(before)?)),
        None => Some(format!("{name}, {}", may(rest)?)),
    }
}

/// What a link is for, and how it stands. What people call it stands in front, in quotes.
fn link(detail: &str) -> Option<String> {
    let (rest, until) = match detail.rsplit_once("; until ") {
        Some((rest, until)) => (rest, format!("; bis {until}")),
        None => (detail, String::new()),
    };
    let (note, rest) = rest.rsplit_once("\" for ")?;
    let part = |part: &str| match part {
        "open" => "offen".to_owned(),
        "waiting" => "wartet".to_owned(),
        "taken" => "angenommen".to_owned(),
        "declined" => "abgelehnt".to_owned(),
        "revoked" => "zurückgenommen".to_owned(),
        "spoiled" => "verdorben".to_owned(),
        other => match other.strip_prefix("request ") {
            Some(request) => format!("Anforderung {request}"),
            None => other.to_owned(),
        },
    };
    let parts = rest.split(", ").map(part).collect::<Vec<_>>().join(", ");
    Some(format!("{note}\" für {parts}{until}"))
}

/// What is asked of a site's certificates.
fn minimum(detail: &str) -> Option<String> {
    let (level, by) = match detail.strip_suffix(", as configured") {
        Some(level) => (level, ", wie in der Konfiguration"),
        None => (detail, ""),
    };
    Some(format!("mindestens geprüft: {}{by}", if level == "none" { "nichts" } else { level }))
}

fn source(word: &str) -> Option<&'static str> {
    Some(match word {
        "managed" => "automatisch",
        "uploaded" => "hochgeladen",
        "self-signed" => "selbst signiert",
        _ => return None,
    })
}

fn switched(word: &str) -> Option<&'static str> {
    Some(match word {
        "on" => "an",
        "off" => "aus",
        "as configured" => "wie in der Konfiguration",
        _ => return None,
    })
}

/// What a URL that others serve is like.
fn state(word: &str) -> Option<&'static str> {
    Some(match word {
        "expired" => "abgelaufen",
        "wrong" => "von Clients abgelehnt",
        "unreachable" => "nicht erreichbar",
        "expiring" => "läuft ab",
        "well" => "in Ordnung",
        "unknown" => "noch nicht gesehen",
        "unwatched" => "ausgelassen",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_trail_says_in_fixed_sentences_is_said_in_german() {
        for (action, detail, expected) in SAID {
            assert_eq!(audited(action, detail).as_deref(), Some(*expected), "{action}: {detail}");
        }
    }

    #[test]
    fn what_somebody_wrote_and_what_is_a_value_stays_as_it_is() {
        for (action, detail) in [
            ("POST freeze", "off"),
            ("POST denied", "as configured"),
            ("POST elsewhere", "watched"),
            ("DELETE elsewhere/{url}", "the edge's"),
            ("POST certificates", "00aa requests/1b"),
            ("POST organisations", "\"Books\": a.example"),
            ("DELETE organisations/{id}", "\"Books\": a.example"),
            ("POST elsewhere/{url}/organisation", "organisations/0a"),
            ("POST log-level", "debug"),
            ("POST session", ""),
            ("POST users/{id}/reset", "the system gives no random numbers"),
            ("POST something/new", "opened"),
        ] {
            assert_eq!(audited(action, detail), None, "{action}: {detail}");
        }
    }

    const SAID: &[(&str, &str, &str)] = &[
        ("POST session", "wrong password for user \"anna\"", "falsches Passwort für den Benutzer \"anna\""),
        (
            "POST session",
            "wrong password for a user that there is not",
            "falsches Passwort für einen Benutzer, den es nicht gibt",
        ),
        (
            "POST session",
            "the password for one time of user \"anna\" is over",
            "abgelaufenes Passwort für ein Mal für den Benutzer \"anna\"",
        ),
        (
            "POST session",
            "no code of the second factor of user \"anna\"",
            "kein Code des zweiten Faktors für den Benutzer \"anna\"",
        ),
        (
            "POST session",
            "wrong code of the second factor of user \"anna\"",
            "falscher Code des zweiten Faktors für den Benutzer \"anna\"",
        ),
        ("DELETE session", "sessions ended: 1", "beendete Sitzungen: 1"),
        ("DELETE sessions", "sessions ended: 3", "beendete Sitzungen: 3"),
        ("POST session/password", "his own password", "das eigene Passwort"),
        ("POST session/second-factor", "a second factor is begun", "ein zweiter Faktor ist begonnen"),
        ("POST session/second-factor/confirm", "a second factor is on", "ein zweiter Faktor ist eingerichtet"),
        ("POST session/second-factor/remove", "the second factor is off", "der zweite Faktor ist abgeschaltet"),
        ("admin.trusted_header", "the secret is missing", "das Geheimnis fehlt"),
        ("POST setup", "\"anna\", role admin, the first", "\"anna\", Rolle admin, der erste Benutzer"),
        ("POST users", "\"anna\", role read", "\"anna\", Rolle read"),
        (
            "PATCH users/{id}",
            "\"anna\", organisations 0a: read, 0b: operate, was role admin",
            "\"anna\", Organisationen 0a: read, 0b: operate, vorher Rolle admin",
        ),
        ("POST users/{id}/reset", "a password for one time for \"anna\"", "ein Passwort für ein Mal für \"anna\""),
        ("DELETE users/{id}/sessions", "\"anna\", sessions ended: 2", "\"anna\", beendete Sitzungen: 2"),
        ("POST tokens", "\"a, role b\", role read", "\"a, role b\", Rolle read"),
        (
            "DELETE organisations/{id}",
            "\"Books\": a.example; now the edge's: pay.example",
            "\"Books\": a.example; jetzt bei der Edge: pay.example",
        ),
        ("POST contacts/{id}/test", "\"a: b\": it was told", "\"a: b\": die Nachricht kam an"),
        ("POST contacts/{id}/test", "\"ops\": it was not told", "\"ops\": die Nachricht kam nicht an"),
        (
            "POST links",
            "\"for Anna\" for a.example b.example, request 0a, open; until 2027-01-31T00:00:00Z",
            "\"for Anna\" für a.example b.example, Anforderung 0a, offen; bis 2027-01-31T00:00:00Z",
        ),
        ("POST hand-in", "\"\" for a.example, waiting, 00aa", "\"\" für a.example, wartet, 00aa"),
        ("POST hand-in/open", "opened", "geöffnet"),
        ("POST elsewhere/{url}/look", "well", "in Ordnung"),
        ("POST elsewhere/{url}/organisation", "the edge's", "die Edge"),
        ("POST elsewhere/{url}/watched", "not watched: not ours", "ausgelassen: not ours"),
        ("POST watched/{host}", "watched", "wieder aufgeführt"),
        ("POST sites/{site}/choice", "uploaded 00aa 11bb", "hochgeladen, fest gewählt: 00aa 11bb"),
        ("DELETE sites/{site}/choice", "managed ", "automatisch"),
        ("POST sites/{site}/minimum", "minimum validation ov", "mindestens geprüft: ov"),
        (
            "DELETE sites/{site}/minimum",
            "minimum validation none, as configured",
            "mindestens geprüft: nichts, wie in der Konfiguration",
        ),
        ("POST sites/{site}/maintenance", "as configured", "wie in der Konfiguration"),
        ("DELETE log-level", "as configured", "wie in der Konfiguration"),
        ("DELETE freeze", "off", "aufgehoben"),
        ("POST upstreams/{upstream}", "state drain", "Zustand drain"),
        (
            "POST certificates/{fingerprint}/export",
            "pem, the key not encrypted: a.example",
            "PEM, der Schlüssel unverschlüsselt: a.example",
        ),
        (
            "POST certificates/{fingerprint}/revoke",
            "reason superseded, signed by the certificate's key",
            "Grund superseded, unterschrieben mit dem Schlüssel des Zertifikats",
        ),
        ("POST requests/{id}/renew", "by requests/0a", "durch requests/0a"),
        ("POST requests/{id}/renew", "with the same key", "mit demselben Schlüssel"),
        ("POST objects/{id}/rollback", "version 2", "Fassung 2"),
    ];
}
