//! What an order for a certificate failed for, in German.

/// By its code: what happened, and what to do.
pub(super) fn order_failed(reason: &str) -> Option<(&'static str, &'static str)> {
    Some(match reason {
        "unreachable" => (
            "Die Zertifizierungsstelle war nicht zu erreichen oder antwortete nicht richtig",
            "Es wird von selbst wieder versucht; bleibt es so, ihre Störungsmeldungen und den Weg nach draußen prüfen",
        ),
        "rate-limited" => (
            "Die Zertifizierungsstelle hatte zu viele Bestellungen",
            "Es wird von selbst wieder versucht, sobald sie es erlaubt",
        ),
        "validation" => (
            "Die Zertifizierungsstelle fand unter dem Namen nicht, was sie dort sehen sollte",
            "Prüfen, ob der Name aus dem Internet auf diesen Server führt und Port 80 oder 443 dort offen ist",
        ),
        "dns" => (
            "Das DNS eines Namens antwortet nicht",
            "Den Namen dort eintragen, wo seine Zone geführt wird, oder ihn aus der Konfiguration nehmen",
        ),
        "unreachable-name" => (
            "Ein Name führt woandershin oder zu niemandem",
            "Seine Einträge im DNS (A und AAAA) auf diesen Server zeigen lassen",
        ),
        "record" => (
            "Der Eintrag im DNS war nicht zu schreiben oder ist dort nicht zu sehen",
            "Den Abschnitt [[acme.dns]] prüfen, und ob der Nameserver den Eintrag zeigt",
        ),
        "permission" => (
            "Der Name ist nicht mehr erlaubt, oder wer das sagt, antwortet nicht",
            "Den Dienst prüfen, der Namen erlaubt",
        ),
        "caa" => (
            "Ein CAA-Eintrag verbietet der Zertifizierungsstelle, dafür auszustellen",
            "Den CAA-Eintrag im DNS um diese Zertifizierungsstelle ergänzen",
        ),
        "name-refused" => (
            "Für diesen Namen stellt die Zertifizierungsstelle nichts aus",
            "Ihn aus der Konfiguration nehmen oder bei einer anderen Zertifizierungsstelle bestellen",
        ),
        "account" => (
            "Die Zertifizierungsstelle kennt das Konto nicht oder will es anders gebunden",
            "Die Angaben zum Konto in der Konfiguration prüfen",
        ),
        "refused" => ("Die Zertifizierungsstelle lehnt ab", "Was sie schreibt, sagt den Grund"),
        "unusable" => (
            "Was ausgestellt wurde, kann nicht ausgeliefert werden",
            "Was damit nicht stimmt, der Zertifizierungsstelle melden",
        ),
        "state" => (
            "Der Zustandsordner ist nicht zu lesen oder zu schreiben",
            "Prüfen, ob dort Platz ist und die Rechte stimmen",
        ),
        _ => return None,
    })
}
