//! What configuration accepts, refuses and says.

mod accepted;
mod any_text;
mod balance;
mod contested;
mod dns;
mod included;
mod notices;
mod orders;
mod policy;
mod preflight;
mod refused_sections;
mod refused_sites;
mod reload;
mod reports;
mod shipped;
mod site_compression;
mod site_tls;
mod unreadable;
mod upstream_tls;

use std::path::Path;

use super::{Config, Loaded, Mistakes};

/// The least there can be.
const SITE: &str = "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [\"http://127.0.0.1:8080\"]\n";

fn parse(text: &str) -> Result<Loaded, Mistakes> {
    Config::parse(Path::new("v.toml"), text)
}

/// Loads a text without mistakes, a site added behind it.
fn good(text: &str) -> Loaded {
    parse(&format!("{text}\n{SITE}")).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"))
}

/// The mistakes of a text, a site added behind it.
fn wrong(text: &str) -> String {
    match parse(&format!("{text}\n{SITE}")) {
        Ok(_) => panic!("no mistake found in\n{text}"),
        Err(mistakes) => mistakes.to_string(),
    }
}

/// The mistakes of a text as it is.
fn wrong_alone(text: &str) -> String {
    match parse(text) {
        Ok(_) => panic!("no mistake found in\n{text}"),
        Err(mistakes) => mistakes.to_string(),
    }
}

/// Warnings, one a line.
fn warnings(loaded: &Loaded) -> String {
    loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
