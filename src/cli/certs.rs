//! `vitrine certs`: what a running edge serves and holds back, what is brought to it, and the versions of all.

mod export;
mod import;
mod list;
mod pick;
mod revoke;
mod versions;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Asking, Running};
pub(super) use import::{LeftOver, Pieces};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The certificates in service, soonest to expire first; then what is rejected, waiting or alarming
    #[command(after_help = "Example: vitrine certs list --json | jq '.[] | select(.days_left < 14) | .file'")]
    List(Asking),
    /// Everything about one certificate
    Show(Choosing),
    /// Bring certificates with their keys and chains to the edge, in any form and any number of files; they serve at once
    #[command(after_help = IMPORT)]
    Import(Importing),
    /// Write a certificate with its chain and its private key into a file; the configuration must allow it
    #[command(after_help = EXPORT)]
    Export(Exporting),
    /// The versions of a certificate, the newest first
    History(Choosing),
    /// Let the version before serve again, or the one named, until something newer comes
    #[command(after_help = "Example: vitrine certs rollback shop.example")]
    Rollback(GoingBack),
    /// Delete a version with its key, for good; the last good one of a name only when that is meant
    Delete(Deleting),
    /// Have a certificate that the edge ordered revoked by its authority, and another ordered where it serves
    #[command(after_help = REVOKE)]
    Revoke(Revoking),
    /// Let certificates go whose files were deleted in such numbers that it looked like an accident
    #[command(after_help = "The alarm that `vitrine certs list` shows has the number of names.")]
    Confirm(Confirming),
}

#[derive(Args, Debug)]
pub(super) struct Choosing {
    #[command(flatten)]
    running: Running,
    /// A name that it is for, or its fingerprint, or at least eight digits of it
    #[arg(value_name = "NAME|FINGERPRINT")]
    certificate: String,
    /// Print the API's answer instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Importing {
    #[command(flatten)]
    running: Running,
    /// PEM, DER, PKCS#7 or PKCS#12; what belongs together is found out
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One line with the password of what is encrypted, at mode 0600; without it, FILE.password is looked for
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Only say what would come of it
    #[arg(long)]
    dry_run: bool,
    /// Print the API's answer instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Exporting {
    #[command(flatten)]
    running: Running,
    /// A name that it is for, or its fingerprint, or at least eight digits of it
    #[arg(value_name = "NAME|FINGERPRINT")]
    certificate: String,
    /// What to write: PEM, or PKCS#12 as Windows and Java take it
    #[arg(long, value_enum)]
    format: export::Format,
    /// One line with the password to encrypt the key with, at mode 0600
    #[arg(long, value_name = "FILE", required_unless_present = "plain")]
    password_file: Option<PathBuf>,
    /// With PEM: leave the key open to whoever can read the file
    #[arg(long, conflicts_with = "password_file")]
    plain: bool,
    /// The file to make, at mode 0600; there must be none of this name
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct GoingBack {
    #[command(flatten)]
    running: Running,
    /// A name that the certificate is for, or its fingerprint, or at least eight digits of it
    #[arg(value_name = "NAME|FINGERPRINT")]
    certificate: String,
    /// The version to go back to, by its fingerprint or at least eight digits of it; without it, the one before
    #[arg(long, value_name = "FINGERPRINT")]
    to: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Deleting {
    #[command(flatten)]
    running: Running,
    /// The whole fingerprint, as `vitrine certs history` shows it
    #[arg(value_name = "FINGERPRINT")]
    fingerprint: String,
    /// Also when names are left with nothing valid
    #[arg(long)]
    last_good: bool,
}

#[derive(Args, Debug)]
pub(super) struct Revoking {
    #[command(flatten)]
    running: Running,
    /// The whole fingerprint, as `vitrine certs history` shows it
    #[arg(value_name = "FINGERPRINT")]
    fingerprint: String,
    /// Why; authorities publish it
    #[arg(long, value_enum, default_value = "unspecified")]
    reason: revoke::Reason,
    /// It serves no more from this moment on, even if names are left with nothing
    #[arg(long)]
    now: bool,
}

#[derive(Args, Debug)]
pub(super) struct Confirming {
    #[command(flatten)]
    running: Running,
    /// As many names as you have seen held back; with more by now, none goes
    #[arg(long, value_name = "N")]
    names: Option<usize>,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::List(Asking { running, json }) => running.ask(async |edge| list::list(edge, json).await),
            Self::Show(Choosing { running, certificate, json }) => {
                running.ask(async |edge| versions::show(edge, &certificate, json).await)
            }
            Self::Import(Importing { running, files, password_file, dry_run, json }) => {
                match Pieces::read(&files, password_file.as_deref()) {
                    Ok(pieces) => running.ask(async |edge| import::import(edge, &pieces, dry_run, json).await),
                    Err(complaint) => {
                        super::output::complain(&complaint);
                        super::exit::FAILURE
                    }
                }
            }
            Self::Export(Exporting { running, certificate, format, password_file, plain: _, out }) => {
                match export::Taking::new(format, password_file.as_deref(), &out) {
                    Ok(taking) => running.ask(async |edge| export::export(edge, &certificate, &taking).await),
                    Err(complaint) => {
                        super::output::complain(&complaint);
                        super::exit::FAILURE
                    }
                }
            }
            Self::History(Choosing { running, certificate, json }) => {
                running.ask(async |edge| versions::history(edge, &certificate, json).await)
            }
            Self::Rollback(GoingBack { running, certificate, to }) => {
                running.ask(async |edge| versions::roll_back(edge, &certificate, to.as_deref()).await)
            }
            Self::Delete(Deleting { running, fingerprint, last_good }) => {
                running.ask(async |edge| versions::delete(edge, &fingerprint, last_good).await)
            }
            Self::Revoke(Revoking { running, fingerprint, reason, now }) => {
                running.ask(async |edge| revoke::revoke(edge, &fingerprint, reason, now).await)
            }
            Self::Confirm(Confirming { running, names }) => running.ask(async |edge| list::confirm(edge, names).await),
        }
    }
}

const IMPORT: &str = "\
Examples:
  vitrine certs import shop.pfx --password-file shop.pfx.password
  vitrine certs import shop.crt shop.key chain.pem --dry-run
Exit code: 0 when everything with a key was taken in, 1 when nothing was.";
const REVOKE: &str = "\
The certificate serves on until the new one is there: a handshake that fails helps nobody, and few clients look whether it is revoked.
With --reason key-compromise the keys of TLS session tickets are replaced too, and other certificates with the same key are named.
The certificate's own key signs for that, which shows the authority that it is known, so that it takes it from nobody again.
Example: vitrine certs revoke FINGERPRINT --reason key-compromise";
const EXPORT: &str = "\
Examples:
  vitrine certs export shop.example --format pfx --password-file shop.password --out shop.pfx
  vitrine certs export shop.example --format pem --plain --out shop.pem
The edge lets no key out unless its configuration says [admin] export = true.";
