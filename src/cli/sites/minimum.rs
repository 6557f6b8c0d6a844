//! `vitrine sites minimum`: what the authority of a site's certificates must have checked.

use clap::{Args, ValueEnum};

use crate::admin::answers::{HostEffect, MinimumEffect, Validated};
use crate::cli::Running;
use crate::cli::output::table;
use crate::outbound::{CallError, EdgeSocket, escaped};

#[derive(Args, Debug)]
pub(in crate::cli) struct Demanding {
    #[command(flatten)]
    pub(super) running: Running,
    /// The site's name, as `vitrine sites list` shows it
    #[arg(value_name = "SITE")]
    site: String,
    /// What it is to ask for
    #[arg(value_enum)]
    level: Level,
    /// Only say what would serve then, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    /// nothing, whatever the configuration says
    None,
    /// control of the names
    Dv,
    /// an organisation
    Ov,
    /// an organisation, thoroughly
    Ev,
    /// whatever the configuration says
    Configured,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Dv => "dv",
            Self::Ov => "ov",
            Self::Ev => "ev",
            Self::Configured => "configured",
        }
    }
}

/// Decides it, or looks ahead.
pub(super) async fn demand(edge: &EdgeSocket, demanding: &Demanding) -> Result<String, CallError> {
    let Demanding { site, level, dry_run, .. } = demanding;
    let target = format!("/api/v1/sites/{}/minimum", escaped(site));
    let effect: MinimumEffect = match level {
        level if *dry_run => edge.get(&format!("{target}?level={}", level.word())).await?,
        Level::Configured => edge.delete(&target).await?,
        level => {
            let word = Some(level.word()).filter(|_| *level != Level::None);
            edge.post_json(&target, &serde_json::json!({ "level": word })).await?
        }
    };
    let asks = effect.minimum.effective.as_deref().unwrap_or("nothing");
    let would = if *dry_run { "would ask" } else { "asks" };
    Ok(format!("{site} {would} for {asks}\n{}", told(&effect)))
}

/// What serves each host before and behind, and what is below.
fn told(effect: &MinimumEffect) -> String {
    let of = |found: &[Validated]| match found {
        [] => "nothing".to_owned(),
        found => found.iter().map(named).collect::<Vec<_>>().join(", "),
    };
    let row = |HostEffect { host, before, behind }: &HostEffect| {
        let below = if behind.iter().any(|served| served.is_below) { "less than asked for" } else { "" };
        [host.clone(), of(before), of(behind), below.to_owned()]
    };
    let rows: Vec<_> = effect.hosts.iter().map(row).collect();
    let below: Vec<String> = effect.below.iter().map(|served| format!("below: {}", named(served))).collect();
    let hosts = table(["HOST", "BEFORE", "BEHIND", ""], &rows);
    [hosts].into_iter().chain(below).collect::<Vec<_>>().join("\n")
}

fn named(served: &Validated) -> String {
    let short = served.fingerprint.get(..12).unwrap_or(&served.fingerprint);
    format!("{short} ({}, {})", served.key_type, served.level.as_deref().unwrap_or("level not said"))
}
