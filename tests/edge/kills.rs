//! kill -9 at any moment of an upload, a going back, a request that is completed, a choice: at the next start each name is served by
//! what was confirmed last, or by what was under way, and nothing kept is lost or half.
//!
//! `VITRINE_KILLS=500 cargo test --release --test edge kills` kills as often; without it, a few times.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use vitrine::store::Store;

use crate::support::{Edge, Issued, KeyKind, Origin, Setup, Talk, authority, eventually, site};

#[test]
fn a_kill_at_any_moment_leaves_every_name_its_old_or_its_new_certificate() {
    let kills = std::env::var("VITRINE_KILLS").ok().map_or(A_FEW, |kills| kills.parse().expect("a number"));
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    let names: Vec<String> = (0..NAMES).map(|number| format!("shop{number}.test")).collect();
    for name in &names {
        setup.raw_site(&site(&[name], &[origin.url()]));
    }
    let mut model = Model::default();
    let mut edge = setup.start();
    let (mut orders, mut cut_off) = (0, 0);
    for round in 0..kills {
        let (done, pending) = until_killed(&edge, &mut model, &names, round);
        orders += done;
        cut_off += u32::from(pending.is_some());
        let setup = edge.end(Signal::KILL);
        verify(&setup.state());
        edge = setup.start();
        model.compare(&edge, pending);
    }
    println!("{kills} kills, {orders} orders confirmed, {cut_off} cut off, {} versions kept", model.versions.len());
    assert!(orders >= kills && cut_off > 0, "{orders} orders, {cut_off} cut off: the kills did not meet the work");
}

/// What was confirmed.
#[derive(Default)]
struct Model {
    /// What serves each name, by fingerprint.
    serving: BTreeMap<String, String>,
    /// Every version that was confirmed, with its name.
    versions: BTreeMap<String, String>,
}

/// An order that was under way when the edge was killed.
struct Pending {
    name: String,
    /// What it would bring, if it is known.
    fingerprint: Option<String>,
}

/// Gives orders one after the other until the edge is gone. Gives how many were confirmed, and what was under way.
fn until_killed(edge: &Edge, model: &mut Model, names: &[String], round: u32) -> (u32, Option<Pending>) {
    let (socket, pid) = (edge.setup.state().join("admin.sock"), edge.pid());
    // So many orders are confirmed first, however slow the machine is; and no two rounds are cut off at the same place.
    let (confirmed, first) = (Arc::new(AtomicU32::new(0)), round % 5);
    let delay = Duration::from_micros(u64::from(round.wrapping_mul(7_919) % 25_000));
    let seen = Arc::clone(&confirmed);
    let killer = thread::spawn(move || {
        eventually("the first orders", || (seen.load(Ordering::Relaxed) >= first).then_some(()));
        thread::sleep(delay);
        kill_process(pid, Signal::KILL).expect("a running edge");
    });
    let (mut done, mut pending) = (0, None);
    for step in 0.. {
        let turn = round.wrapping_mul(31).wrapping_add(step);
        let name = &names[turn as usize % names.len()];
        match order(&socket, model, name, turn) {
            Ok(()) => {
                done += 1;
                confirmed.store(done, Ordering::Relaxed);
            }
            Err(under_way) => {
                pending = Some(under_way);
                break;
            }
        }
    }
    killer.join().expect("killed");
    (done, pending)
}

/// One order. An error is what was under way when nobody answered any more.
fn order(socket: &Path, model: &mut Model, name: &str, turn: u32) -> Result<(), Pending> {
    let lost = |fingerprint: Option<String>| Pending { name: name.to_owned(), fingerprint };
    if turn % 4 == 3 {
        // Back to the version before, if there is one.
        let Some(current) = model.serving.get(name).cloned() else { return Ok(()) };
        let versions =
            ask(socket, "GET", &format!("certificates/{current}/history"), None).ok_or_else(|| lost(None))?;
        let versions = versions.as_array().cloned().unwrap_or_default();
        let before = versions.iter().skip_while(|version| version["fingerprint"] != json!(current)).nth(1);
        let Some(before) = before.and_then(|version| version["fingerprint"].as_str()) else { return Ok(()) };
        let target = format!("certificates/{before}/rollback");
        ask(socket, "POST", &target, None).ok_or_else(|| lost(Some(before.to_owned())))?;
        model.serving.insert(name.to_owned(), before.to_owned());
        return Ok(());
    }
    let issued = next(name);
    let fingerprint = fingerprint(&issued);
    let form = form(&issued.both());
    ask(socket, "POST", "certificates", Some(&form)).ok_or_else(|| lost(Some(fingerprint.clone())))?;
    model.serving.insert(name.to_owned(), fingerprint.clone());
    model.versions.insert(fingerprint, name.to_owned());
    Ok(())
}

impl Model {
    /// Each name is served by what was confirmed, or by what was under way.
    fn compare(&mut self, edge: &Edge, pending: Option<Pending>) {
        let sites = edge.api("sites");
        for site in &sites {
            let name = site["name"].as_str().expect("a name").to_owned();
            let served = site["hosts"][0]["certificates"][0]["fingerprint"].as_str().map(str::to_owned);
            let confirmed = self.serving.get(&name).cloned();
            if served == confirmed {
                continue;
            }
            let under_way = pending.as_ref().filter(|pending| pending.name == name);
            let was_under_way = under_way.is_some_and(|pending| pending.fingerprint == served);
            assert!(was_under_way, "{name} is served by {served:?}, confirmed was {confirmed:?}");
            let served = served.expect("a certificate");
            self.versions.entry(served.clone()).or_insert_with(|| name.clone());
            self.serving.insert(name, served);
        }
        for (name, current) in &self.serving {
            let kept = edge.api(&format!("certificates/{current}/history"));
            let kept: Vec<&str> = kept.iter().filter_map(|version| version["fingerprint"].as_str()).collect();
            for version in self.versions.iter().filter(|(_, of)| *of == name).map(|(version, _)| version.as_str()) {
                assert!(kept.contains(&version), "a version of {name} is lost: {version} is not in {kept:?}");
            }
        }
    }
}

/// What the library says of itself while no edge runs.
fn verify(state: &Path) {
    let store = Store::open(state).expect("the state of a killed edge");
    let (_, wrong) = vitrine::certs::verify(store, state).expect("listed");
    assert_eq!(wrong, Vec::<String>::new());
}

/// Asks the edge; `None` when it is gone.
fn ask(socket: &Path, method: &str, target: &str, form: Option<&[u8]>) -> Option<Value> {
    let mut talk = Talk::unix(socket).ok()?;
    let content = form.unwrap_or_default();
    let media = form.map_or(String::new(), |_| format!("content-type: multipart/form-data; boundary={BOUNDARY}\r\n"));
    let head = format!(
        "{method} /api/v1/{target} HTTP/1.1\r\nhost: localhost\r\n{media}content-length: {}\r\n\r\n",
        content.len()
    );
    talk.try_send([head.as_bytes(), content].concat()).ok()?;
    let response = talk.try_response().ok()?;
    assert!(response.status < 300, "{method} {target}: {} {}", response.status, response.text());
    Some(response.json())
}

fn form(file: &str) -> Vec<u8> {
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"all.pem\"";
    format!("--{BOUNDARY}\r\n{head}\r\n\r\n{file}\r\n--{BOUNDARY}--\r\n").into_bytes()
}

/// Each later than the one before.
fn next(name: &str) -> Issued {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let hour = i64::from(NEXT.fetch_add(1, Ordering::Relaxed)) - 100_000;
    authority().issue_for(&[name], KeyKind::Ecdsa, hour, 24 * 60)
}

fn fingerprint(issued: &Issued) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &issued.der);
    digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

const NAMES: usize = 5;
const A_FEW: u32 = 20;
const BOUNDARY: &str = "kills-boundary";
