//! `vitrine state`: what is done to the state folder while no edge has it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{StateFolder, exit, output};
use crate::store::{self, KeyFileError, Rekeyed, StateKey};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Encrypt the secrets with the key of certificates.state_key_file, change the key, or go back to plain files
    #[command(after_help = REKEY)]
    Rekey(Rekeying),
}

#[derive(Args, Debug)]
pub(super) struct Rekeying {
    #[command(flatten)]
    state: StateFolder,
    /// The key that secrets are encrypted with so far
    #[arg(long, value_name = "FILE")]
    old_key_file: Option<PathBuf>,
    /// The key that they are to be encrypted with, instead of the one that the configuration names
    #[arg(long, value_name = "FILE", conflicts_with = "plain")]
    new_key_file: Option<PathBuf>,
    /// Write them plain, as certificates.state_key_file being absent says too
    #[arg(long, requires = "old_key_file")]
    plain: bool,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::Rekey(rekeying) => rekeying.obey(),
        }
    }
}

impl Rekeying {
    fn obey(self) -> ExitCode {
        let root = match self.state.path() {
            Ok(root) => root,
            Err(code) => return code,
        };
        let configured = match self.state.key_file() {
            Ok(file) => file,
            Err(code) => return code,
        };
        let new = self.new_key_file.or(configured).filter(|_| !self.plain);
        if new.is_none() && self.old_key_file.is_none() {
            output::complain(NO_KEY);
            return exit::usage();
        }
        match change(&root, self.old_key_file.as_deref(), new.as_deref()) {
            Ok(text) => {
                output::tell(&text);
                ExitCode::SUCCESS
            }
            Err(text) => {
                output::complain(&text);
                exit::FAILURE
            }
        }
    }
}

fn change(root: &Path, old: Option<&Path>, new: Option<&Path>) -> Result<String, String> {
    let read =
        |file: Option<&Path>| file.map(StateKey::read).transpose().map_err(|error: KeyFileError| error.to_string());
    let (old, new) = (read(old)?, read(new)?);
    let Rekeyed { secrets, changed } =
        store::rekey(root, old.as_ref(), new.as_ref()).map_err(|error| error.to_string())?;
    let how = new.map_or("not encrypted".into(), |key| format!("encrypted with the key {}", key.id()));
    Ok(format!("{}: secrets: {secrets}, changed: {changed}; all are {how} and were read again", root.display()))
}

const NO_KEY: &str = "there is no key, neither a new one nor an old one: set certificates.state_key_file to encrypt the secrets, or name \
                      the key they are encrypted with in --old-key-file to go back to plain files";
const REKEY: &str = "\
The edge must be stopped. Killed at any moment, the same command goes on where it was.

Examples:
  openssl rand -hex 32 > state.key && chmod 0600 state.key    a key; keep a copy apart from the backups
  vitrine state rekey                                         encrypt what is plain, after setting certificates.state_key_file
  vitrine state rekey --old-key-file old.key                  change the key, after setting it to the new one
  vitrine state rekey --old-key-file old.key --plain          back to plain files; then take the key out of the configuration";
