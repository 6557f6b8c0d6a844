//! `vitrine probe`: what customers are shown, seen from outside.

mod arguments;
mod expected;
mod told;

use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use http::Request;
use http_body_util::Full;
use time::OffsetDateTime;

use arguments::{Format, Order};
pub(super) use arguments::{HELP, Probing};

use super::{exit, output};
use crate::certs::Roots;
use crate::outbound::HttpsClient;
use crate::probe::{Sight, Target, prometheus};

impl Probing {
    pub(super) fn obey(self) -> ExitCode {
        let Some(runtime) = super::runtime() else { return exit::FAILURE };
        let order = match Order::of(self) {
            Ok(order) => order,
            Err(code) => return code,
        };
        let ping = order.ping.clone();
        let is_well = runtime.block_on(order.run()).unwrap_or_else(|complaint| {
            output::complain(&complaint);
            false
        });
        // Who waits for the ping is told of a run that came to nothing too.
        let pinged = ping.is_none_or(|url| runtime.block_on(pinged(&url, is_well)));
        if is_well && pinged { ExitCode::SUCCESS } else { exit::FAILURE }
    }
}

impl Order {
    /// Looks, and tells what was seen. Whether all is well.
    ///
    /// # Errors
    /// Why nothing could be looked at, or told.
    async fn run(self) -> Result<bool, String> {
        let began = Instant::now();
        let Self { hosts, edge, port, ca_files, probe, format, output: to, .. } = self;
        let (targets, own_root) = match &edge {
            None => (hosts, None),
            Some(edge) => expected::all(edge, port).await.map_err(|error| error.to_string())?,
        };
        // What others serve is not at the address of the edge.
        let targets: Vec<_> =
            targets.into_iter().filter(|one| !is_elsewhere(one, edge.is_some() && probe.is_led())).collect();
        let probe = probe.trusting(&ca_files, own_root.as_deref())?;
        let progress = stderr().is_terminal();
        let sights = probe
            .look(targets, |done, all| {
                if progress {
                    let _ = write!(stderr(), "\r{done} of {all} hosts{}", if done == all { "\n" } else { "" });
                }
            })
            .await;
        let text = match format {
            Format::Table => told::table_of(&sights),
            Format::Json => told::json(&sights),
            Format::Prometheus => prometheus(&sights, OffsetDateTime::now_utc().unix_timestamp(), began.elapsed()),
        };
        match to {
            Some(file) => told::replace(&file, &text)?,
            None => output::tell(text.trim_end()),
        }
        for line in told::remarks(&sights) {
            output::complain(&line);
        }
        Ok(sights.iter().all(Sight::is_well))
    }
}

/// Whether a host is not looked at, as all are looked at where the edge is.
fn is_elsewhere(target: &Target, is_led: bool) -> bool {
    is_led && target.published.is_none()
}

/// Tells whoever raises an alarm when nobody tells him anything.
async fn pinged(url: &str, is_well: bool) -> bool {
    let url = if is_well { url.to_owned() } else { format!("{}{FAIL}", url.trim_end_matches('/')) };
    let answer = async {
        let client = HttpsClient::new(Roots::web_certificates(), PATIENCE).map_err(|error| error.to_string())?;
        let request = Request::get(&url).body(Full::default()).map_err(|error| error.to_string())?;
        let answer = client.send(request).await.map_err(|error| error.to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("it answers {}", answer.status())) }
    };
    match answer.await {
        Ok(()) => true,
        Err(why) => {
            output::complain(&format!("--ping {url}: {why}; see whether the address is right"));
            false
        }
    }
}

/// What healthchecks.io and its kin append to the address of a check for a run that went wrong.
const FAIL: &str = "/fail";
const PATIENCE: Duration = Duration::from_secs(20);
