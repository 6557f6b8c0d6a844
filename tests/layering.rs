//! The house rules of the source tree, checked by reading `src/` as text: layers, one door per dependency, small files that
//! say what they are for. A rule that has to change is changed here, in a commit that says why.

#[path = "layering/source.rs"]
mod source;

use std::fmt;
use std::fs;
use std::path::Path;

use source::Source;

#[test]
fn the_tree_keeps_the_house_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tree = read_tree(&root.join("src"));
    let lock = fs::read_to_string(root.join("Cargo.lock")).expect("Cargo.lock is committed");
    let mut found = findings(&tree);
    found.extend(unused_crates(&tree));
    found.extend(empty_rooms(&tree));
    found.extend(locked_crates(&lock));
    let report: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert!(report.is_empty(), "\n\n{}\n", report.join("\n"));
}

/// A module right under the crate's root. It may name modules of lower layers.
struct Module {
    name: &'static str,
    layer: u8,
    /// Of the same layer, and may be named all the same.
    beside: &'static [&'static str],
    /// Of a lower layer, and must not be named.
    never: &'static [&'static str],
}

const fn module(layer: u8, name: &'static str) -> Module {
    Module { name, layer, beside: &[], never: &[] }
}

/// The house, top floor first. A module is added here by the change that adds it.
const HOUSE: &[Module] = &[
    module(5, "main"),
    module(4, "cli"),
    module(3, "edge"),
    // the hot path reads tables; what the operator wrote and where state lies is not its business
    Module { never: &["config", "store"], ..module(2, "proxy") },
    Module {
        beside: &["certs", "acme", "levers", "overview", "notices", "reports", "elsewhere"],
        ..module(2, "admin")
    },
    Module { beside: &["certs"], ..module(2, "acme") },
    // what follows from all that certificates and orders are
    Module { beside: &["certs", "acme", "elsewhere"], ..module(2, "overview") },
    // what others serve is looked at as what the edge serves
    Module { beside: &["certs", "probe"], ..module(2, "elsewhere") },
    module(2, "certs"),
    module(2, "levers"),
    // what happened is what two overviews differ in
    Module { beside: &["overview", "elsewhere"], ..module(2, "notices") },
    // what a certificate that lies at a peer is for, certs says
    Module { beside: &["certs"], ..module(2, "peers") },
    // what sites are like is derived in one place, and told by one office
    Module { beside: &["overview", "notices", "elsewhere"], ..module(2, "reports") },
    // what somebody shows is read and trusted as what is brought here
    Module { beside: &["certs"], ..module(2, "probe") },
    // the configuration's last step is a plain value that a table is built from
    Module { beside: &["live"], ..module(1, "config") },
    module(1, "live"),
    module(1, "store"),
    module(0, "calendar"),
    module(0, "name"),
    // an address is a host's name and what stands before it
    Module { beside: &["name"], ..module(0, "mail_address") },
    module(0, "limits"),
    module(0, "telemetry"),
    module(0, "shutdown"),
    module(0, "access_log"),
    module(0, "folder_watch"),
    module(0, "outbound"),
    module(0, "words"),
];

/// A dependency and the rooms that may name it: a module with all below it, or one file when it ends in `.rs`.
struct Door {
    crates: &'static [&'static str],
    rooms: &'static [&'static str],
}

/// A new major version of a dependency touches these files and no others. Tests in `src/` may use what they like.
const DOORS: &[Door] = &[
    Door {
        crates: &["rustls", "tokio_rustls"],
        rooms: &[
            "proxy/tls",
            "proxy/upstream/transport.rs",
            "live",
            "certs/bundle",
            "certs/truth",
            "outbound",
            "acme",
            "admin/tls.rs",
        ],
    },
    Door { crates: &["h2"], rooms: &["proxy/upstream", "outbound/glimpse"] },
    Door {
        crates: &["tokio_tungstenite"],
        rooms: &["cli/demo", "proxy/http/websocket.rs", "proxy/upstream/http2_head.rs"],
    },
    Door { crates: &["httparse"], rooms: &["proxy/framing", "proxy/http/serve/http1", "proxy/upstream"] },
    Door { crates: &["hyper", "hyper_util"], rooms: &["admin", "outbound", "cli/demo"] },
    Door { crates: &["x509_parser", "rcgen"], rooms: &["certs", "proxy/tls"] },
    Door { crates: &["p12_keystore", "aes", "cbc", "des", "md5"], rooms: &["certs/formats"] },
    Door { crates: &["qrcodegen"], rooms: &["admin/people/totp.rs"] },
    Door { crates: &["argon2"], rooms: &["admin/people/password.rs"] },
    Door { crates: &["webpki"], rooms: &["certs/path.rs"] },
    Door { crates: &["webpki_root_certs"], rooms: &["certs/roots.rs"] },
    Door { crates: &["instant_acme"], rooms: &["acme"] },
    Door { crates: &["hickory_proto"], rooms: &["outbound/dns"] },
    Door { crates: &["psl"], rooms: &["acme/budget", "config/policy/hsts.rs"] },
    Door { crates: &["flate2", "brotli", "zstd"], rooms: &["proxy/http/compression"] },
    Door { crates: &["notify"], rooms: &["folder_watch"] },
    Door { crates: &["arc_swap"], rooms: &["live/mod.rs"] },
    Door { crates: &["toml"], rooms: &["config"] },
    Door { crates: &["metrics", "metrics_exporter_prometheus"], rooms: &["telemetry"] },
    Door { crates: &["base64ct"], rooms: &["store", "acme", "proxy/tls"] },
    Door { crates: &["tar"], rooms: &["store"] },
    Door { crates: &["jiff"], rooms: &["calendar.rs"] },
    Door { crates: &["clap"], rooms: &["cli"] },
    Door { crates: &["askama"], rooms: &["admin/panel"] },
    Door { crates: &["lettre"], rooms: &["notices/mail.rs", "notices/letter.rs"] },
];

/// What the edge is built on: a tree that no longer names one of these has lost a part.
const FOUNDATION: &[&str] = &[
    "tokio",
    "rustls",
    "tokio_rustls",
    "h2",
    "hyper",
    "hyper_util",
    "arc_swap",
    "x509_parser",
    "instant_acme",
    "notify",
    "metrics_exporter_prometheus",
];

/// Crates that must not be in the lock file, but for the packages that only mention them: a weak feature (`ring?/alloc`) locks
/// an optional dependency without ever building it. `scripts/test dependencies` looks at what is built.
const BANNED: &[(&str, &[&str])] = &[
    ("ring", &["hickory-proto", "rustls-webpki"]),
    ("openssl-sys", &[]),
    ("native-tls", &[]),
    ("rustls-pemfile", &[]),
    ("serde_yaml", &[]),
];

const LIBRARY: &str = "vitrine";
const LONGEST_FILE: usize = 400;

/// A broken rule: where, which, and how to mend it.
struct Finding {
    place: String,
    rule: &'static str,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: [{}] {}", self.place, self.rule, self.what)
    }
}

fn finding(source: &Source, line: usize, rule: &'static str, what: String) -> Finding {
    Finding { place: format!("src/{}:{line}", source.path), rule, what }
}

/// Everything that a single file can do wrong.
fn findings(tree: &[Source]) -> Vec<Finding> {
    tree.iter().flat_map(|source| [layers(source), doors(source), map(source), shape(source)]).flatten().collect()
}

fn layers(source: &Source) -> Vec<Finding> {
    if source.top() == "lib" {
        return Vec::new();
    }
    let Some(own) = floor(source.top()) else {
        let what = format!("module {} has no layer; add it to HOUSE in tests/layering.rs", source.top());
        return vec![finding(source, 1, "layers", what)];
    };
    let mut found = Vec::new();
    for path in source.roots(LIBRARY) {
        let named = &*path.segments[0];
        let what = match floor(named) {
            _ if named == own.name => continue,
            None => format!("names {named} of the crate's root, which is no module; name the module that owns it"),
            Some(_) if own.never.contains(&named) => {
                format!("{} must not name {named}; let edge hand it a plain value or a table of live", own.name)
            }
            Some(other) if other.layer < own.layer || own.beside.contains(&named) => continue,
            Some(other) => format!(
                "{} (layer {}) names {named} (layer {}); a module names lower layers only: pass a value in, or move what \
                 both need down",
                own.name, own.layer, other.layer
            ),
        };
        found.push(finding(source, path.line, "layers", what));
    }
    found
}

fn floor(name: &str) -> Option<&'static Module> {
    HOUSE.iter().find(|module| module.name == name)
}

fn doors(source: &Source) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for path in source.crates().iter().filter(|path| !path.test) {
        let named = &*path.segments[0];
        for door in DOORS.iter().filter(|door| door.crates.contains(&named)) {
            if door.rooms.iter().any(|room| is_in(source, room)) {
                continue;
            }
            let what = format!(
                "names {named}, which only {} may; use what they offer, or add the room to DOORS in tests/layering.rs",
                door.rooms.join(", ")
            );
            found.push(finding(source, path.line, "doors", what));
        }
    }
    found.dedup_by(|a, b| a.place == b.place && a.what == b.what);
    found
}

fn is_in(source: &Source, room: &str) -> bool {
    source.path == room
        || source.module().strip_prefix(room).is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// `lib.rs` is the map of the crate: its documentation and its modules.
fn map(source: &Source) -> Vec<Finding> {
    if source.path != "lib.rs" {
        return Vec::new();
    }
    let statements: Vec<Vec<(usize, &str)>> =
        source.words().collect::<Vec<_>>().split(|(_, word)| *word == ";").map(<[_]>::to_vec).collect();
    let mut found = Vec::new();
    for statement in statements.iter().filter(|statement| !statement.is_empty()) {
        let words: Vec<_> = statement.iter().map(|(_, word)| *word).collect();
        if !matches!(words[..], ["pub", "mod", _] | ["mod", _]) {
            let what = "holds more than documentation and mod lines; move it into the module that owns it".to_owned();
            found.push(finding(source, statement[0].0, "map", what));
        }
    }
    found
}

fn shape(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    if !source.text.starts_with("//! ") {
        found.push(finding(source, 1, "shape", "does not begin with a //! line; say what the file owns".to_owned()));
    }
    let lines = source.text.lines().count();
    if lines > LONGEST_FILE {
        let what = format!("has {lines} lines, more than {LONGEST_FILE}; split it by noun");
        found.push(finding(source, lines, "shape", what));
    }
    found
}

fn unused_crates(tree: &[Source]) -> Vec<Finding> {
    let used: Vec<_> = tree.iter().flat_map(Source::crates).filter(|path| !path.test).collect();
    let unused = FOUNDATION.iter().filter(|name| !used.iter().any(|path| path.segments[0] == **name));
    let what =
        |name| format!("{name} is not used in src/ outside tests; put it to use again, or take it out of the plan");
    unused.map(|name| Finding { place: "src".to_owned(), rule: "used", what: what(name) }).collect()
}

/// Rooms that have a door and do not use it: the next who names the crate there goes through unseen.
fn empty_rooms(tree: &[Source]) -> Vec<Finding> {
    let uses = |room: &str, door: &Door| {
        tree.iter().filter(|source| is_in(source, room)).flat_map(Source::crates).any(|path| {
            let named = &*path.segments[0];
            !path.test && door.crates.contains(&named)
        })
    };
    let rooms = DOORS.iter().flat_map(|door| door.rooms.iter().map(move |room| (door, room)));
    let empty = rooms.filter(|(door, room)| !uses(room, door));
    let what = |door: &Door, room| {
        let crates = door.crates.join(" or ");
        format!("{room} does not name {crates}; take the room out of DOORS in tests/layering.rs")
    };
    empty.map(|(door, room)| Finding { place: "src".to_owned(), rule: "doors", what: what(door, room) }).collect()
}

fn locked_crates(lock: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let (mut package, mut dependencies) = ("", false);
    for (index, line) in lock.lines().enumerate() {
        if let Some(name) = line.strip_prefix("name = ") {
            (package, dependencies) = (name.trim_matches('"'), false);
        }
        dependencies |= line == "dependencies = [";
        let named = if dependencies { line.trim_matches([' ', '"', ',']) } else { package };
        let named = named.split(' ').next().unwrap_or_default();
        for (banned, mentioned_by) in BANNED.iter().filter(|(banned, _)| *banned == named) {
            let what = if dependencies && !mentioned_by.contains(&package) {
                format!("{package} brings {banned}; switch off the feature that does")
            } else if !dependencies && mentioned_by.is_empty() && line.starts_with("name = ") {
                format!("{banned} is locked; find who brings it with cargo tree -i {banned}")
            } else {
                continue;
            };
            found.push(Finding { place: format!("Cargo.lock:{}", index + 1), rule: "lock", what });
        }
    }
    found
}

/// All of `src/`; the files of modules under `#[cfg(test)]` are marked as test code.
fn read_tree(root: &Path) -> Vec<Source> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src/ can be listed") {
            let path = entry.expect("src/ can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(root).expect("it is below src/").to_str().expect("names are UTF-8");
                let text = fs::read_to_string(&path).expect("a source file can be read");
                files.push(Source::new(&relative.replace('\\', "/"), &text));
            }
        }
    }
    tree(files)
}

fn tree(mut files: Vec<Source>) -> Vec<Source> {
    let tests: Vec<_> = files.iter().flat_map(Source::test_modules).collect();
    for file in &mut files {
        if tests.iter().any(|test| is_in(file, test)) {
            file.mark_as_test();
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

#[path = "layering/negative.rs"]
mod negative;
