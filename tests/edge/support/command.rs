//! The command line, as an operator uses it beside a running edge.

use std::process::{Command, Output};

use super::edge::{Edge, run};

/// Runs a command against the edge; files are taken from its folder.
pub(crate) fn vitrine(edge: &Edge, line: &str) -> Output {
    let arguments: Vec<&str> = line.split(' ').chain(["--config", "vitrine.toml"]).collect();
    run(&arguments, &edge.setup)
}

/// Runs another program in the edge's folder.
pub(crate) fn tool(edge: &Edge, line: &str) -> Output {
    let mut words = line.split_whitespace();
    let program = words.next().expect("a program");
    Command::new(program).args(words).current_dir(edge.setup.folder.path()).output().expect("it runs")
}

/// What a command printed that did as it was told.
pub(crate) fn done(output: Output) -> String {
    assert!(output.status.success(), "{}", said(&output.stderr));
    said(&output.stdout)
}

/// Why a command did not.
pub(crate) fn refused(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", said(&output.stdout));
    said(&output.stderr)
}

/// Words.
pub(crate) fn said(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("text")
}
