//! `vitrine import`: what another edge or ACME client has, as site files, certificates and accounts of ours.

mod carrying;
mod laying;
mod report;
mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::carrying::Carried;
use self::laying::Ground;
use super::{exit, output};
use crate::peers::{self, Files, Plan, Weight};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// nginx's configuration, with all that it includes
    Nginx(Nginx),
    /// HAProxy's configuration, a file or a folder of them
    Haproxy(Haproxy),
    /// A Caddyfile, and Caddy's storage with its certificates and account
    Caddy(Caddy),
    /// certbot's folder: certificates, accounts and how they are renewed
    Certbot(Certbot),
}

#[derive(Args, Debug)]
pub(super) struct Nginx {
    /// Its main file
    #[arg(value_name = "FILE", default_value = "/etc/nginx/nginx.conf")]
    file: PathBuf,
    #[command(flatten)]
    into: Into,
}

#[derive(Args, Debug)]
pub(super) struct Haproxy {
    /// Its configuration
    #[arg(value_name = "FILE", default_value = "/etc/haproxy/haproxy.cfg")]
    file: PathBuf,
    #[command(flatten)]
    into: Into,
}

#[derive(Args, Debug)]
pub(super) struct Caddy {
    /// Its configuration
    #[arg(value_name = "FILE", default_value = "/etc/caddy/Caddyfile")]
    file: PathBuf,
    /// Where it keeps certificates and accounts; without it, where the file says, or where Caddy has it by itself
    #[arg(long, value_name = "FOLDER")]
    storage: Option<PathBuf>,
    #[command(flatten)]
    into: Into,
}

#[derive(Args, Debug)]
pub(super) struct Certbot {
    /// The folder with renewal/, live/ and accounts/
    #[arg(value_name = "FOLDER", default_value = "/etc/letsencrypt")]
    folder: PathBuf,
    /// Where requests for all of its names go, such as http://10.0.0.11:8080: certbot does not know
    #[arg(long = "upstream", value_name = "URL")]
    upstreams: Vec<String>,
    #[command(flatten)]
    into: Into,
}

#[derive(Args, Debug)]
struct Into {
    /// The folder to write to: vitrine.toml, sites.d/, certs/ and state/ in it. A vitrine.toml that is there stays as it is
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
    /// Write nothing, only say what would be written and what is left out
    #[arg(long)]
    dry_run: bool,
    /// Replace files and accounts that are there already
    #[arg(long, conflicts_with = "dry_run")]
    force: bool,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        let files = Files::of_the_disk();
        let (peer, source, read, into) = match &self {
            Self::Nginx(Nginx { file, into }) => ("nginx", file, peers::nginx(&absolute(file), &files), into),
            Self::Haproxy(Haproxy { file, into }) => ("haproxy", file, peers::haproxy(&absolute(file), &files), into),
            Self::Caddy(Caddy { file, storage, into }) => {
                let storage = storage.as_deref().map(absolute);
                ("caddy", file, peers::caddy(&absolute(file), storage.as_deref(), &files), into)
            }
            Self::Certbot(Certbot { folder, upstreams, into }) => {
                ("certbot", folder, peers::certbot(&absolute(folder), upstreams, &files), into)
            }
        };
        let plan = match read {
            Ok(plan) => plan,
            Err(why) => {
                output::complain(&why);
                return exit::FAILURE;
            }
        };
        into.carry(plan, peer, &absolute(source))
    }
}

impl Into {
    fn carry(&self, plan: Plan, peer: &'static str, source: &Path) -> ExitCode {
        let ground = match Ground::at(&absolute(&self.into)) {
            Ok(ground) => ground,
            Err(why) => {
                output::complain(&why);
                return exit::configuration();
            }
        };
        let mut carried = Carried::of(plan, &ground);
        let texts = text::write(&carried.plan, &ground, (peer, source), self.dry_run);
        let laid = if self.dry_run { Ok(()) } else { laying::lay(&mut carried, &texts, &ground, self.force) };
        if let Err(why) = laid {
            output::complain(&why);
            return exit::FAILURE;
        }
        output::tell(&report::of(&carried, &texts, &ground, self.dry_run));
        let is_sound =
            if self.dry_run { text::check(&carried.plan, &ground, (peer, source)) } else { ground.check(&texts) };
        match carried.plan.remarks.iter().any(|remark| remark.weight == Weight::LeftOut) {
            _ if !is_sound => exit::configuration(),
            true => exit::FAILURE,
            false => ExitCode::SUCCESS,
        }
    }
}

/// Counted from the working directory, which what is written is not to depend on.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

pub(super) const HELP: &str = "\
Nothing is changed where it is read. What cannot be carried over is listed with its file, its line and what to do about it.

Examples:
  vitrine import nginx --into /etc/vitrine --dry-run           what would come of /etc/nginx/nginx.conf
  vitrine import certbot --into /etc/vitrine --upstream http://127.0.0.1:8080
  vitrine run --config /etc/vitrine/vitrine.toml               serve it

Exit code: 0 when everything was carried over, 1 when something was left out or nothing could be written, 78 when what was written
does not pass vitrine check. Notes do not count.";
