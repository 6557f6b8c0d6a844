//! The panel in German.

use crate::words::panel::{AuditWords, FrameWords, PanelWords, RejectedWords, TroubleWords};

pub(in crate::words) static PANEL: PanelWords = PanelWords {
    frame: FrameWords {
        skip: "Zum Inhalt springen",
        navigation: "Seiten",
        language: "Sprache",
        signed_in_as: |who| format!("Sie sind {who}"),
        alerts: "Was Aufmerksamkeit braucht",
    },
    trouble: TroubleWords {
        title: "Das ging nicht",
        not_found: "Diese Seite gibt es nicht",
        not_allowed: "Das dürfen Sie nicht",
        sign_in: "Bitte melden Sie sich an",
        how_to_sign_in: "Diese Seite ist für Angemeldete. Auf der Maschine der Edge ist die Oberfläche auch ohne Anmeldung über \
                         admin.sock erreichbar, etwa mit: ssh -L 9180:/pfad/zu/state/admin.sock die-maschine",
        foreign: "Diese Anfrage kommt von einer fremden Seite und wurde abgelehnt",
        refused: "Das geht so nicht",
        ours: "Der Edge ist ein Fehler unterlaufen; ihr Protokoll sagt mehr",
        back: "Zurück",
    },
    rejected: RejectedWords {
        title: "Abgelehnte Dateien",
        about: "Dateien des Ablageordners, die nicht ausgeliefert werden. Was vorher ausgeliefert wurde, bleibt es.",
        none: "Jede Datei des Ablageordners wird ausgeliefert.",
        file: "Datei",
        state: "Zustand",
        reason: "Was gefunden wurde",
        mend: "Was zu tun ist",
        since: "Seit (UTC)",
        waiting: "wartet",
        rejected: "abgelehnt",
    },
    audit: AuditWords {
        title: "Protokoll",
        about: "Jeder Auftrag, der hereinkam, was immer aus ihm wurde, der neueste zuerst. Zeiten in UTC.",
        none: "Noch wurde nichts aufgetragen.",
        number: "Nr.",
        time: "Zeit",
        who: "Wer",
        action: "Auftrag",
        object: "Woran",
        result: "Ergebnis",
        detail: "Näheres",
        older: "Ältere",
        newest: "Neueste",
    },
};
