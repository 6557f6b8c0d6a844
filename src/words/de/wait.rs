//! Why nothing is ordered yet, in German.

use super::order::order_failed;
use crate::words::wait::Wait;

pub(in crate::words) fn wait(wait: &Wait) -> String {
    match wait {
        Wait::OrdersLimited { issuer, most, kept } => {
            format!("bei {issuer} sind in 3 Stunden höchstens {most} Bestellungen möglich{}", of_which(*kept))
        }
        Wait::DomainLimited { issuer, domain, most, kept } => format!(
            "{issuer} stellt für Namen unter {domain} höchstens {most} Zertifikate in der Woche aus{}",
            of_which(*kept)
        ),
        Wait::NamesLimited { issuer, most } => {
            format!("{issuer} stellt für genau dieselben Namen höchstens {most} Zertifikate in der Woche aus")
        }
        Wait::ValidationsLimited { issuer, name, most } => {
            format!("bei {issuer} darf {name} höchstens {most} Mal in der Stunde vergeblich geprüft werden")
        }
        Wait::Failed { issuer, reason, .. } => {
            let why = reason
                .as_deref()
                .and_then(order_failed)
                .map_or("Die letzte Bestellung ist gescheitert", |(why, _)| why);
            issuer.as_ref().map_or_else(|| why.to_owned(), |issuer| format!("{issuer}: {why}"))
        }
        Wait::IssuerAway { issuer, reason, .. } => {
            let why = order_failed(reason).map_or("Die letzten Bestellungen sind gescheitert", |(why, _)| why);
            format!("{issuer} scheitert bei einer Site nach der anderen: {why}")
        }
        Wait::AnotherAsks { issuer } => format!("{issuer} ist vielleicht wieder da; eine andere Site fragt nach"),
        Wait::NoIssuer => "es ist keine Zertifizierungsstelle eingerichtet".to_owned(),
        Wait::OtherKey { name } => {
            format!("{name} steht in der Bestellung für die andere Art von Schlüssel, die noch nicht beendet ist")
        }
        Wait::OtherSite { name, site } => {
            format!("{name} steht in der Bestellung der Site „{site}“, die noch nicht beendet ist")
        }
    }
}

fn of_which(kept: u32) -> String {
    if kept == 0 { String::new() } else { format!(", von denen {kept} für Erneuerungen bleiben") }
}
