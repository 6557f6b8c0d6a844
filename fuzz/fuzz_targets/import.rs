//! Reads any text as the configuration of nginx, of HAProxy and of Caddy: it may be refused, with where, and never panics; no site
//! is for nobody, and no host has two.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run import`

#![no_main]

use std::collections::HashSet;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use vitrine::peers::{Files, caddy, haproxy, nginx};

fuzz_target!(|text: &str| {
    let (path, files) = (Path::new("/x/file"), Files::only(text));
    for read in [nginx(path, &files), haproxy(path, &files), caddy(path, Some(path), &files)] {
        match read {
            Ok(plan) => {
                let mut hosts = HashSet::new();
                for site in &plan.sites {
                    assert!(!site.hosts.is_empty(), "a site for nobody");
                    assert!(site.hosts.iter().all(|host| hosts.insert(host)), "a host has one site");
                }
            }
            Err(why) => assert!(why.contains("/x/file"), "{why}"),
        }
    }
});
