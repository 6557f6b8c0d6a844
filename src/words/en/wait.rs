//! Why nothing is ordered yet, in English.

use crate::words::wait::Wait;

pub(in crate::words) fn wait(wait: &Wait) -> String {
    match wait {
        Wait::OrdersLimited { issuer, most, kept } => {
            format!("orders at {issuer} are limited to {most} in 3 hours{}", of_which(*kept))
        }
        Wait::DomainLimited { issuer, domain, most, kept } => {
            format!("certificates of {issuer} for names of {domain} are limited to {most} a week{}", of_which(*kept))
        }
        Wait::NamesLimited { issuer, most } => {
            format!("certificates of {issuer} for the very same names are limited to {most} a week")
        }
        Wait::ValidationsLimited { issuer, name, most } => {
            format!("validations of {name} that fail at {issuer} are limited to {most} in an hour")
        }
        Wait::Failed { issuer: Some(issuer), text, .. } => format!("{issuer}: {text}"),
        Wait::Failed { issuer: None, text, .. } => text.clone(),
        Wait::IssuerAway { issuer, text, .. } => format!("{issuer} fails everybody: {text}"),
        Wait::AnotherAsks { issuer } => format!("{issuer} may be there again; another site asks"),
        Wait::NoIssuer => "no issuer is configured".to_owned(),
        Wait::OtherKey { name } => format!("{name} is in the order for the other type of key, which has not ended"),
        Wait::OtherSite { name, site } => format!("{name} is in the order of the site {site:?}, which has not ended"),
    }
}

fn of_which(kept: u32) -> String {
    if kept == 0 { String::new() } else { format!(", {kept} of which are kept for renewals") }
}
