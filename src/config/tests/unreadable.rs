//! Files that cannot be read at all.

use std::fs;

use super::super::Config;
use super::{wrong, wrong_alone};

fn load(content: Option<&[u8]>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("v.toml");
    if let Some(content) = content {
        fs::write(&path, content).expect("written");
    }
    let mistakes = Config::load(&path).expect_err("a mistake").to_string();
    mistakes.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn a_file_that_cannot_be_a_configuration_is_told() {
    assert_eq!(
        load(None),
        "v.toml: there is no such file; try `vitrine demo`, or begin with a copy of config/vitrine.toml"
    );
    assert_eq!(load(Some(b"# a\n# \xff")), "v.toml:2: expected UTF-8, found other octets; save the file as UTF-8");
    assert_eq!(
        load(Some(&vec![b'#'; 16 * 1024 * 1024 + 1])),
        "v.toml: expected at most 16 MiB, found more; split the sites into included files"
    );
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(
        Config::load(folder.path()).expect_err("a mistake").to_string(),
        format!("{}: expected a regular file, found a folder", folder.path().display())
    );
}

#[test]
fn a_named_pipe_is_refused_without_waiting_for_its_other_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).expect(
        "a \
    pipe",
    );
    assert_eq!(
        Config::load(&path).expect_err("a mistake").to_string(),
        format!("{}: expected a regular file, found something else", path.display())
    );
}

#[test]
fn every_syntax_error_is_told_and_every_mistake_beside_it() {
    assert_eq!(
        wrong("[edge]\nworkers = \n[limits]\nheaders = 0\nidle_timeout = 75s\nhead_size = 1\n"),
        "v.toml:2: syntax error at column 11: string values must be quoted, expected literal string\n\
         v.toml:4: limits.headers: expected a whole number of 1 to 1000, found 0\n\
         v.toml:5: syntax error at column 16: string values must be quoted, expected literal string\n\
         v.toml:6: limits.head_size: expected a size such as \"16KiB\", found 1; write \"1B\" if octets are meant"
    );
}

#[test]
fn what_stands_below_a_broken_header_is_not_held_against_the_operator() {
    assert_eq!(
        wrong("[edge]\nworkers = 1\n[limits\nheaders = 0\n"),
        "v.toml:3: syntax error at column 8: unclosed table, expected `]`"
    );
    assert_eq!(
        wrong_alone("[[site]]\nhosts = [\"a.example]\nupstreams = [\"http://a\"]\n"),
        "v.toml:2: syntax error at column 21: invalid basic string, expected `\"`\n\
         v.toml:3: syntax error at column 1: missing comma between array elements, expected `,`"
    );
}

#[test]
fn a_key_or_table_that_is_there_twice_is_named() {
    assert_eq!(wrong("[log]\nlevel = \"warn\"\nlevel = \"info\"\n"), "v.toml:3: level: is there twice; take one out");
    assert_eq!(wrong("[log]\n[tls]\n[log]\n"), "v.toml:3: log: is there twice; take one out");
}
