//! Each rule is shown to fail on a planted violation, and to leave what is right alone.

use super::{Finding, Source, empty_rooms, findings, locked_crates, tree, unused_crates};

#[test]
fn a_module_that_names_a_higher_layer_is_found() {
    assert_eq!(
        say("live/route_table.rs", "//! Routes.\n\nuse crate::name::HostName;\nuse crate::proxy::Worker;\n"),
        [
            "src/live/route_table.rs:4: [layers] live (layer 1) names proxy (layer 2); a module names lower layers only: pass \
          a value in, or move what both need down"
        ]
    );
}

#[test]
fn every_way_to_name_a_module_is_seen() {
    let ways = [
        "use crate::proxy;",
        "use crate::{name::{self, HostName}, proxy::{Worker}};",
        "use crate::proxy as p;",
        "pub(crate) use crate::proxy::*;",
        "fn f() { crate::proxy::run() }",
        "type T = Vec<crate::proxy::Worker>;",
        "impl From<<u8 as crate::proxy::Tr>::X> for Y {}",
        "use super::super::proxy::Worker;",
        "use self::super::super::proxy::Worker;",
        "mod inner { use super::super::super::proxy::Worker; }",
        "macro_rules! m { () => { $crate::proxy::run() } }",
        "#[cfg(test)] mod tests { use crate::proxy::Worker; }",
    ];
    for way in ways {
        let said = say("certs/intake.rs", &format!("//! Intake.\n{way}\n"));
        assert_eq!(said.len(), 1, "{way}: {said:?}");
        assert!(
            said[0].starts_with("src/certs/intake.rs:2: [layers] certs (layer 2) names proxy (layer 2)"),
            "{said:?}"
        );
    }
}

#[test]
fn what_only_looks_like_a_name_is_left_alone() {
    let harmless = [
        "// use crate::proxy::Worker;",
        "/* crate::proxy /* nested crate::proxy */ crate::proxy */",
        "/// See [`crate::proxy`].\nfn f() {}",
        r#"const S: &str = "crate::proxy \" crate::proxy";"#,
        r##"const S: &str = r#"crate::proxy " hyper::x"#;"##,
        r#"const S: &[u8] = b"crate::proxy";"#,
        "const C: char = '\"'; fn f<'a>(x: &'a str) {} // \" crate::proxy",
        "use super::proxy::Worker;",
        "mod inner { use super::super::proxy; }",
        "pub(crate) fn f() {} pub(in crate::certs) fn g() {}",
        "mod hyper; use hyper::Thing;",
        "use super::hyper; fn f() { hyper::run() }",
        "fn f(hyper: X) { hyper.go(); a.hyper::<u8>(); }",
        "fn f() { some::hyper::run() }",
        "#[cfg(test)]\nmod tests {\n    use hyper::Request;\n    fn f() { notify::x() }\n}",
    ];
    for text in harmless {
        assert_eq!(say("certs/intake.rs", &format!("//! Intake.\n{text}\n")), [""; 0], "{text}");
    }
}

#[test]
fn the_hot_path_names_neither_configuration_nor_control_plane() {
    assert_eq!(
        say("proxy/listener.rs", "//! Listener.\nuse crate::config::Config;\nuse crate::admin::Server;\n"),
        [
            "src/proxy/listener.rs:2: [layers] proxy must not name config; let edge hand it a plain value or a table of live",
            "src/proxy/listener.rs:3: [layers] proxy (layer 2) names admin (layer 2); a module names lower layers only: pass \
             a value in, or move what both need down",
        ]
    );
}

#[test]
fn the_two_written_exceptions_hold_in_one_direction() {
    assert_eq!(say("config/mod.rs", "//! C.\nuse crate::live::SiteSpec;\n"), [""; 0]);
    assert_eq!(say("admin/server.rs", "//! A.\nuse crate::certs::Library;\n"), [""; 0]);
    assert_eq!(say("live/mod.rs", "//! L.\nuse crate::config::Config;\n").len(), 1);
    assert_eq!(say("certs/mod.rs", "//! C.\nuse crate::admin::Server;\n").len(), 1);
}

#[test]
fn a_module_without_a_layer_and_an_item_at_the_root_are_found() {
    assert_eq!(
        say("helpers.rs", "//! Help.\n"),
        ["src/helpers.rs:1: [layers] module helpers has no layer; add it to HOUSE in tests/layering.rs"]
    );
    for text in ["use crate::*;", "use crate::Error;", "use super::super::*;"] {
        assert_eq!(say("certs/intake.rs", &format!("//! I.\n{text}\n")).len(), 1, "{text}");
    }
}

#[test]
fn the_binary_names_the_library_from_above() {
    assert_eq!(say("main.rs", "//! M.\nuse vitrine::cli;\nfn main() { vitrine::edge::x() }\n"), [""; 0]);
    assert_eq!(say("cli/run.rs", "//! R.\nuse vitrine::main;\n").len(), 1);
}

#[test]
fn a_dependency_outside_its_door_is_found() {
    assert_eq!(
        say("access_log.rs", "//! Log.\nuse std::io;\nuse {toml::Table, hyper::Request};\n"),
        [
            "src/access_log.rs:3: [doors] names toml, which only config may; use what they offer, or add the room to DOORS \
             in tests/layering.rs",
            "src/access_log.rs:3: [doors] names hyper, which only admin, outbound, cli/demo may; use what they offer, \
             or add the room to DOORS in tests/layering.rs",
        ]
    );
    assert_eq!(say("proxy/http/serve.rs", "//! S.\nfn f(x: ::rustls::Error) {}\n").len(), 1);
    assert_eq!(say("proxy/http/serve.rs", "//! S.\n#[derive(clap::Parser)]\nstruct S;\n").len(), 1);
    assert_eq!(say("live/cert_index.rs", "//! I.\nuse arc_swap::ArcSwap;\n").len(), 1);
    assert_eq!(say("live/mod.rs", "//! I.\nuse arc_swap::ArcSwap;\n"), [""; 0]);
    assert_eq!(say("proxy/tls/hello.rs", "//! H.\nuse rustls::Error;\n"), [""; 0]);
    assert_eq!(say("proxy/tls_like.rs", "//! H.\nuse rustls::Error;\n").len(), 1);
}

#[test]
fn a_module_for_tests_in_a_file_of_its_own_may_name_any_dependency() {
    let gate = Source::new("proxy/gate.rs", "//! Gate.\n#[cfg(test)]\nmod tests;\n");
    let text = "//! Tests.\nuse rcgen::KeyPair;\n";
    assert_eq!(report(&findings(&tree(vec![gate, Source::new("proxy/gate/tests.rs", text)]))), [""; 0]);
    assert_eq!(say("proxy/gate/tests.rs", text).len(), 1);
}

#[test]
fn a_map_with_anything_but_modules_is_found() {
    assert_eq!(say("lib.rs", "//! Map.\n\npub mod name;\nmod inner;\n"), [""; 0]);
    assert_eq!(
        say("lib.rs", "//! Map.\n\npub mod name;\npub use name::HostName;\n"),
        ["src/lib.rs:4: [map] holds more than documentation and mod lines; move it into the module that owns it"]
    );
}

#[test]
fn a_long_file_and_one_that_does_not_say_what_it_is_are_found() {
    let text = format!("//! Name.\n{}", "\n".repeat(400));
    assert_eq!(say("name.rs", &text), ["src/name.rs:401: [shape] has 401 lines, more than 400; split it by noun"]);
    assert_eq!(
        say("name.rs", "use std::fmt;\n"),
        ["src/name.rs:1: [shape] does not begin with a //! line; say what the file owns"]
    );
}

#[test]
fn a_crate_of_the_plan_that_only_tests_use_is_found() {
    let plan = "use tokio as t; use {rustls::A, tokio_rustls::B, h2::C, hyper::D, hyper_util::E, arc_swap::F, x509_parser::G, instant_acme::H};";
    let rest = "#[cfg(test)] mod tests { use notify::Watcher; } fn f() { metrics_exporter_prometheus::g() }";
    assert_eq!(
        report(&unused_crates(&[Source::new("edge.rs", &format!("{plan} {rest}"))])),
        ["src: [used] notify is not used in src/ outside tests; put it to use again, or take it out of the plan"]
    );
}

#[test]
fn a_room_that_no_longer_uses_its_door_is_found() {
    let found = report(&empty_rooms(&[
        Source::new("certs/scan.rs", "use x509_parser::A;"),
        Source::new("live/mod.rs", "use arc_swap::A;"),
        Source::new("config/mod.rs", "#[cfg(test)] mod tests { use toml::A; }"),
    ]));
    let of = |room: &str| found.iter().filter(|line| line.starts_with(&format!("src: [doors] {room} "))).count();
    assert_eq!((of("certs"), of("live/mod.rs"), of("config"), of("folder_watch")), (0, 0, 1, 1));
    let config = "src: [doors] config does not name toml; take the room out of DOORS in tests/layering.rs";
    assert!(found.contains(&config.to_owned()), "{found:?}");
}

#[test]
fn a_banned_crate_in_the_lock_file_is_found() {
    let mentioned = "[[package]]\nname = \"ring\"\nversion = \"0.17.14\"\n\n[[package]]\nname = \"rustls-webpki\"\n\
                     dependencies = [\n \"aws-lc-rs\",\n \"ring\",\n]\n";
    assert_eq!(report(&locked_crates(mentioned)), [""; 0]);
    assert_eq!(
        report(&locked_crates(&format!(
            "{mentioned}\n[[package]]\nname = \"rcgen\"\ndependencies = [\n \"ring 0.17.14\",\n]\n"
        ))),
        ["Cargo.lock:15: [lock] rcgen brings ring; switch off the feature that does"]
    );
    assert_eq!(
        report(&locked_crates("[[package]]\nname = \"native-tls\"\nversion = \"0.2.0\"\n")),
        ["Cargo.lock:2: [lock] native-tls is locked; find who brings it with cargo tree -i native-tls"]
    );
}

fn say(path: &str, text: &str) -> Vec<String> {
    report(&findings(&tree(vec![Source::new(path, text)])))
}

fn report(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}
