//! `vitrine backup` and `vitrine restore`: the state in one file, and back.

use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{StateFolder, exit, output};
use crate::certs;
use crate::store::{self, BackedUp, Backup, StateKey, StoreError};

#[derive(Args, Debug)]
pub(super) struct BackingUp {
    #[command(flatten)]
    state: StateFolder,
    /// The file to make; there must be none of this name. "-" is standard output
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct Restoring {
    /// A file that `vitrine backup` made
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The state folder to make of it; it must be missing or empty
    #[arg(long, value_name = "FOLDER", required_unless_present = "check")]
    to: Option<PathBuf>,
    /// Change nothing, only say whether it could be restored
    #[arg(long)]
    check: bool,
    /// The key that the secrets in it are encrypted with, to look at them too
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl BackingUp {
    pub(super) fn obey(&self) -> ExitCode {
        let root = match self.state.path() {
            Ok(root) => root,
            Err(code) => return code,
        };
        let backed_up = if self.to == Path::new("-") {
            if stdout().is_terminal() {
                output::complain("a backup is nothing for a terminal; name a file with --to, or send it to a program");
                return exit::usage();
            }
            store::back_up(&root, stdout().lock())
        } else {
            store::back_up_to_file(&root, &self.to)
        };
        match backed_up {
            // Standard output may be the backup.
            Ok(backed_up) => {
                told(&backed_up, &self.to).iter().for_each(|line| output::complain(line));
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        }
    }
}

fn told(backed_up: &BackedUp, to: &Path) -> Vec<String> {
    let BackedUp { files, plain_secrets, key } = *backed_up;
    let mut lines = vec![format!("backed up {files} files of the state folder to {}", to.display())];
    if let Some(key) = key {
        lines.push(format!(
            "secrets in it are encrypted with the key {key}; without that key they are lost: keep it elsewhere"
        ));
    }
    if plain_secrets > 0 {
        lines.push(format!(
            "private keys and other secrets in it are not encrypted ({plain_secrets}): keep it where nobody else can read it"
        ));
    }
    lines.push("the configuration and the drop folder are not in it".into());
    lines
}

impl Restoring {
    pub(super) fn obey(self) -> ExitCode {
        let key = match self.key_file.as_deref().map(StateKey::read).transpose() {
            Ok(key) => key,
            Err(error) => {
                output::complain(&error.to_string());
                return exit::FAILURE;
            }
        };
        let is_opened = key.is_some();
        let backup = match store::check_backup(&self.file, key) {
            Ok(backup) => backup,
            Err(error) => return failed(&error),
        };
        let (text, wrong) = match looked_at(&backup, is_opened) {
            Ok(found) => found,
            Err(error) => return failed(&error),
        };
        wrong.iter().for_each(|line| output::complain(line));
        let Backup { files, taken, program, .. } = &backup;
        let whole = format!(
            "{}: {files} files, taken at {taken} by {program}, all as they were written\n{text}",
            self.file.display()
        );
        if self.check {
            if let Some(Err(error)) = self.to.as_deref().map(store::can_be_restored_to) {
                return failed(&error);
            }
            output::tell(&whole);
            return if wrong.is_empty() { ExitCode::SUCCESS } else { exit::FAILURE };
        }
        // What was wrong when it was taken is no reason to leave the rest behind.
        let to = self.to.unwrap_or_default();
        match store::restore(&self.file, &to) {
            Ok(()) => {
                output::tell(&format!("{whole}\nrestored into {}", to.display()));
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        }
    }
}

/// What is to be said about the certificates in a backup, and what is wrong with them.
fn looked_at(backup: &Backup, is_opened: bool) -> Result<(String, Vec<String>), StoreError> {
    if let (Some(key), false) = (backup.key, is_opened) {
        return Ok((
            format!("secrets are encrypted with the key {key}; name its file with --key-file to look at them"),
            Vec::new(),
        ));
    }
    let (whole, wrong) = certs::verify(backup.state.clone(), Path::new("state"))?;
    let secrets = backup.secrets;
    Ok((
        format!(
            "secrets: {secrets}; certificates whose key and chain belong together: {whole}; others: {}",
            wrong.len()
        ),
        wrong,
    ))
}

fn failed(error: &StoreError) -> ExitCode {
    output::complain(&error.to_string());
    exit::FAILURE
}
