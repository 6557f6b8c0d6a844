//! How the command line finds the running edge: its socket, or its admin listener from elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use zeroize::Zeroizing;

use super::{CONFIG, exit, output, runtime};
use crate::certs::Roots;
use crate::config::Config;
use crate::outbound::{CallError, EdgeSocket, EdgeTrust, Elsewhere};

/// How to find the running edge.
#[derive(Args, Clone, Debug)]
pub(super) struct Running {
    /// The running edge's configuration file, which names its state folder
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// The running edge's admin.sock; the configuration is not read then
    #[arg(long, value_name = "SOCKET", conflicts_with = "config")]
    socket: Option<PathBuf>,
    /// An edge elsewhere: where its admin listener speaks TLS, such as https://edge.shop.example:9180
    #[arg(long, value_name = "URL", conflicts_with_all = ["config", "socket"], requires = "token_file", help_heading = ELSEWHERE)]
    admin: Option<String>,
    /// A file with a token, as `vitrine token new` prints it there, at mode 0600
    #[arg(long, value_name = "FILE", requires = "admin", help_heading = ELSEWHERE)]
    token_file: Option<PathBuf>,
    /// Believe the edge that shows this certificate, or one that leads to it, and no other; without it, what browsers believe
    #[arg(long, value_name = "FILE", requires = "admin", conflicts_with = "admin_pin", help_heading = ELSEWHERE)]
    admin_ca: Option<PathBuf>,
    /// Believe the edge that shows the certificate with this SHA-256 and no other
    #[arg(long, value_name = "FINGERPRINT", requires = "admin", value_parser = fingerprint, help_heading = ELSEWHERE)]
    admin_pin: Option<[u8; 32]>,
}

impl Running {
    /// The running edge. It was said why not, where there is an exit code instead.
    pub(super) fn edge(&self) -> Result<EdgeSocket, ExitCode> {
        let found = match (&self.admin, &self.token_file) {
            (Some(url), Some(token_file)) => self.elsewhere(url, token_file),
            _ => return self.socket(),
        };
        found.map(EdgeSocket::at).map_err(|why| {
            output::complain(&why);
            exit::usage()
        })
    }

    fn socket(&self) -> Result<EdgeSocket, ExitCode> {
        if let Some(socket) = &self.socket {
            return Ok(EdgeSocket::new(socket));
        }
        let loaded = Config::load(&self.config).map_err(|mistakes| {
            output::complain(&format!("{mistakes}\nname the running edge's admin.sock with --socket instead"));
            exit::configuration()
        })?;
        Ok(EdgeSocket::new(loaded.config.certificates.state_directory.join("admin.sock")))
    }

    fn elsewhere(&self, url: &str, token_file: &Path) -> Result<Elsewhere, String> {
        let trust = match (&self.admin_ca, self.admin_pin) {
            (_, Some(pin)) => EdgeTrust::Pin(pin),
            (Some(file), None) => {
                let named = |what: String| format!("--admin-ca: {}: {what}", file.display());
                let content = fs::read(file).map_err(|error| named(error.to_string()))?;
                let roots = Roots::certificates_in(&content).map_err(|flaw| named(flaw.to_string()))?;
                EdgeTrust::Roots(roots)
            }
            (None, None) => EdgeTrust::Roots(Roots::web_certificates().collect()),
        };
        let token = fs::read_to_string(token_file).map(Zeroizing::new);
        let token = token.map_err(|error| format!("--token-file: {}: {error}", token_file.display()))?;
        Elsewhere::new(url, trust, &token).map_err(|why| format!("--admin: {why}"))
    }

    /// Asks the running edge something and prints the answer, or why there is none.
    pub(super) fn ask(&self, question: impl AsyncFnOnce(&EdgeSocket) -> Result<String, CallError>) -> ExitCode {
        let edge = match self.edge() {
            Ok(edge) => edge,
            Err(code) => return code,
        };
        let Some(runtime) = runtime() else { return exit::FAILURE };
        match runtime.block_on(question(&edge)) {
            Ok(answer) => {
                output::tell(&answer);
                ExitCode::SUCCESS
            }
            Err(error) => {
                output::complain(&error.to_string());
                exit::FAILURE
            }
        }
    }
}

/// SHA-256 in hexadecimal, with colons as openssl writes it or without.
fn fingerprint(text: &str) -> Result<[u8; 32], String> {
    let wrong = || format!("expected a SHA-256 of 64 hexadecimal digits, found {text:?}");
    let digits: Vec<u8> = text
        .bytes()
        .filter(|octet| *octet != b':')
        .map(|octet| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or_else(wrong))
        .collect::<Result<_, _>>()?;
    let octets: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] * 16 + pair[1]).collect();
    if digits.len() != 64 {
        return Err(wrong());
    }
    octets.try_into().map_err(|_| wrong())
}

const ELSEWHERE: &str = "From elsewhere";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_openssl_and_the_log_write_it() {
        let plain = "0a".repeat(32);
        let colons = ["0A"; 32].join(":");
        assert_eq!((fingerprint(&plain), fingerprint(&colons)), (Ok([10; 32]), Ok([10; 32])));
        for wrong in ["", "0a", &plain[1..], &format!("{plain}0a"), &plain.replace('a', "g")] {
            assert!(fingerprint(wrong).is_err(), "{wrong}");
        }
    }
}
