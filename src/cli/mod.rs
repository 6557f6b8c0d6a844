//! The command line: `vitrine run`, `check`, `demo`, `inspect`, `import`, `certs`, `csr`, `sites`, `upstreams`, `explain`, `levers`, `deny`,
//! `admit`, `freeze`, `log-level`, `acme`, `objects`, `links`, `contacts`, `probe`, `reports`, `token`, `organisations`, `user`, `audit`, `backup`, `restore`, `state`.

mod acme;
mod audit;
mod backup;
mod certs;
mod check;
mod contacts;
mod csr;
mod decided;
mod demo;
mod elsewhere;
mod exit;
mod explain;
mod import;
mod inspect;
mod lasting;
mod levers;
mod links;
mod objects;
mod organisations;
mod output;
mod probe;
mod reports;
mod run;
mod running;
mod sites;
mod state;
mod tokens;
mod upstreams;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use running::Running;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::config::{Config, Loaded};

/// Does what the arguments of the process say.
#[must_use]
pub fn main() -> ExitCode {
    keep_memory_private();
    match Vitrine::try_parse() {
        Ok(vitrine) => vitrine.command.obey(),
        Err(error) => {
            // Help and version come this way too, and are no error. A closed pipe leaves nobody to tell.
            let _ = error.print();
            if error.use_stderr() { exit::usage() } else { ExitCode::SUCCESS }
        }
    }
}

/// Keys lie in memory: no core dump shows them, and nobody but root looks into the process (`PR_SET_DUMPABLE`).
fn keep_memory_private() {
    // Refused only where the system has no such thing.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// An HTTPS edge for webshops: many names on one address, certificates dropped in a folder.
#[derive(Debug, Parser)]
#[command(name = "vitrine", version, about, disable_help_subcommand = true, arg_required_else_help = true)]
#[command(after_help = EXAMPLES)]
struct Vitrine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until a signal: SIGTERM drains and stops, SIGHUP reads configuration and certificates again
    Run(Configuration),
    /// Read the configuration and the certificates, and say everything that is wrong
    #[command(after_help = "Exit code: 0 when it can be served, 78 when something is wrong. Warnings do not count.")]
    Check(Configuration),
    /// Serve a sample shop on https://127.0.0.1:8443 with certificates made in memory; needs nothing else
    Demo,
    /// Say what files hold, and what would become of them in the drop folder
    #[command(after_help = INSPECT)]
    Inspect(Inspecting),
    /// Bring along what another edge or ACME client has: sites, certificates and accounts
    #[command(subcommand, after_help = import::HELP)]
    Import(import::Command),
    /// What a running edge serves and holds back; bring certificates to it, and go back to older ones
    #[command(subcommand)]
    Certs(certs::Command),
    /// Certificate signing requests, whose keys a running edge keeps
    #[command(subcommand)]
    Csr(csr::Command),
    /// The sites of a running edge
    #[command(subcommand)]
    Sites(sites::Command),
    /// The servers behind a running edge: how each is doing; take one out, or back in
    #[command(subcommand)]
    Upstreams(upstreams::Command),
    /// What a running edge does with a request, and why
    #[command(after_help = explain::HELP)]
    Explain(explain::Explaining),
    /// All that is wanted otherwise than configured while the edge runs
    Levers(Asking),
    /// Turn the clients of a network away, from all sites of a running edge
    #[command(after_help = levers::DENY)]
    Deny(levers::Denying),
    /// Turn the clients of a network away no longer
    Admit(levers::Admitting),
    /// Have all stand still that changes in a running edge, while traffic flows
    #[command(after_help = levers::FREEZING)]
    Freeze(levers::Freezing),
    /// Change how much a running edge logs
    LogLevel(levers::Logging),
    /// The accounts at the authorities that certificates are ordered from
    #[command(subcommand)]
    Acme(acme::Command),
    /// What is kept and is no certificate of a server: Apple Pay's domain association file, which sites show, and its certificates
    #[command(subcommand)]
    Objects(objects::Command),
    /// One-time links, by which somebody without an account hands in a certificate
    #[command(subcommand)]
    Links(links::Command),
    /// Who is told by a running edge what happens
    #[command(subcommand)]
    Contacts(contacts::Command),
    /// Look at hosts from outside, as customers do: where they lead, what they show, until when
    #[command(after_help = probe::HELP)]
    Probe(Box<probe::Probing>),
    /// What is told of certificates at regular times
    #[command(subcommand)]
    Reports(reports::Command),
    /// URLs that others serve, which a running edge looks at
    #[command(subcommand)]
    Elsewhere(elsewhere::Command),
    /// Tokens for programs that ask a running edge from elsewhere
    #[command(subcommand)]
    Token(tokens::Command),
    /// Whose sites are whose at a running edge
    #[command(subcommand)]
    Organisations(organisations::Command),
    /// Who signs in at the panel of a running edge
    #[command(subcommand)]
    User(users::Command),
    /// Who ordered what of a running edge
    #[command(subcommand)]
    Audit(audit::Command),
    /// Write the state as it is at this moment into one file; an edge that runs goes on
    #[command(after_help = BACKUP)]
    Backup(backup::BackingUp),
    /// Make a state folder of a backup
    Restore(backup::Restoring),
    /// What is done to the state folder while no edge has it
    #[command(subcommand)]
    State(state::Command),
}

#[derive(Args, Debug)]
struct Configuration {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
}

/// How to find the state folder itself.
#[derive(Args, Debug)]
struct StateFolder {
    /// The configuration file, which names the state folder
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// The state folder; the configuration is not read then
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    state_directory: Option<PathBuf>,
}

impl StateFolder {
    /// Where it is.
    fn path(&self) -> Result<PathBuf, ExitCode> {
        match &self.state_directory {
            Some(folder) => Ok(folder.clone()),
            None => self.load().map(|loaded| loaded.config.certificates.state_directory),
        }
    }

    /// The file of its key, where the configuration is asked and names one.
    fn key_file(&self) -> Result<Option<PathBuf>, ExitCode> {
        match &self.state_directory {
            Some(_) => Ok(None),
            None => self.load().map(|loaded| loaded.config.certificates.state_key_file),
        }
    }

    fn load(&self) -> Result<Loaded, ExitCode> {
        Config::load(&self.config).map_err(|mistakes| {
            output::complain(&format!("{mistakes}\nname the state folder with --state-directory instead"));
            exit::configuration()
        })
    }
}

#[derive(Args, Debug)]
struct Inspecting {
    /// Certificates, keys and chains in any form; what belongs together is found out
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One line with the password of what is encrypted, at mode 0600; without it, that of FILE is looked for in FILE.password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A configuration whose sites and roots judge too: names that no site uses, the level a site asks for, staging, its roots
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Asking {
    #[command(flatten)]
    running: Running,
    /// Print the API's answer instead of a table
    #[arg(long)]
    json: bool,
}

impl Command {
    fn obey(self) -> ExitCode {
        match self {
            Self::Run(configuration) => run::run(&configuration.config),
            Self::Check(configuration) => check::check(&configuration.config),
            Self::Demo => demo::demo(),
            Self::Inspect(Inspecting { files, password_file, config, json }) => {
                inspect::inspect(&files, password_file.as_deref(), config.as_deref(), json)
            }
            Self::Import(command) => command.obey(),
            Self::Certs(command) => command.obey(),
            Self::Sites(command) => command.obey(),
            Self::Csr(command) => command.obey(),
            Self::Upstreams(command) => command.obey(),
            Self::Explain(explaining) => explaining.obey(),
            Self::Levers(asking) => levers::list(&asking),
            Self::Deny(denying) => denying.obey(),
            Self::Admit(admitting) => admitting.obey(),
            Self::Freeze(freezing) => freezing.obey(),
            Self::LogLevel(logging) => logging.obey(),
            Self::Acme(command) => command.obey(),
            Self::Objects(command) => command.obey(),
            Self::Links(command) => command.obey(),
            Self::Contacts(command) => command.obey(),
            Self::Probe(probing) => probing.obey(),
            Self::Reports(command) => command.obey(),
            Self::Elsewhere(command) => command.obey(),
            Self::Token(command) => command.obey(),
            Self::Organisations(command) => command.obey(),
            Self::User(command) => command.obey(),
            Self::Audit(command) => command.obey(),
            Self::Backup(backing_up) => backing_up.obey(),
            Self::Restore(restoring) => restoring.obey(),
            Self::State(command) => command.obey(),
        }
    }
}

/// What a command asks and waits in; `None`: it was said why not.
fn runtime() -> Option<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| output::complain(&format!("cannot start: {error}"))).ok()
}

const CONFIG: &str = "config/vitrine.toml";
const INSPECT: &str = "\
Exit code: 0 when nothing would be rejected, 1 when something would. Warnings do not count, nor does what waits for its other half.";
const BACKUP: &str = "\
Examples:
  vitrine backup --to state.tar                               readable by its owner alone; never overwrites
  vitrine backup --to - | age -r age1... > state.tar.age      encrypted on its way
  vitrine restore state.tar --check                           whole, and every key with its certificate?
  vitrine restore state.tar --to /var/lib/vitrine             into an empty folder";
const EXAMPLES: &str = "\
Examples:
  vitrine demo                                   look at it, with nothing prepared
  vitrine check --config /etc/vitrine.toml       before a start or a reload
  vitrine inspect shop.pfx                       what a file holds, and what clients will have against it
  vitrine import nginx --into /etc/vitrine       bring along what nginx has
  vitrine run --config /etc/vitrine.toml         serve
  vitrine certs list                             what is served, until when, from which file
  vitrine certs import shop.pfx                  bring a certificate to the running edge
  vitrine csr new --site shop.example            a request for an authority; the key stays
  vitrine sites list                             which certificate serves which host, and why
  vitrine token new --name ci --role read        let a program ask from elsewhere
  vitrine user add anna --role admin             let somebody sign in at the panel

Exit codes: 0 done, 1 failed, 64 wrong usage, 78 wrong configuration";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    fn refused(line: &str) -> ErrorKind {
        Vitrine::try_parse_from(line.split(' ')).expect_err("refused").kind()
    }

    #[test]
    fn the_definitions_hold_together() {
        Vitrine::command().debug_assert();
    }

    #[test]
    fn the_configuration_has_a_place_unless_one_is_named() {
        let config = |line: &str| match Vitrine::try_parse_from(line.split(' ')).expect("parsed").command {
            Command::Run(configuration) | Command::Check(configuration) => configuration.config,
            other => panic!("{other:?}"),
        };
        assert_eq!(config("vitrine run"), PathBuf::from("config/vitrine.toml"));
        assert_eq!(config("vitrine check --config x.toml"), PathBuf::from("x.toml"));
    }

    #[test]
    fn what_is_not_meant_is_not_done() {
        assert_eq!(refused("vitrine"), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
        assert_eq!(refused("vitrine serve"), ErrorKind::InvalidSubcommand);
        assert_eq!(refused("vitrine run x.toml"), ErrorKind::UnknownArgument);
        assert_eq!(refused("vitrine certs list --config a --socket b"), ErrorKind::ArgumentConflict);
        assert_eq!(refused("vitrine sites add --host a.example"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("vitrine sites add --host a.example --route api=http://a:1"), ErrorKind::ValueValidation);
        assert_eq!(refused("vitrine --version"), ErrorKind::DisplayVersion);
    }
}
