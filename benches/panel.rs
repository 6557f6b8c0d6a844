//! The panel with ten thousand sites and as many certificates: how long does whoever opens a page wait for its last octet?
//!
//! Every page that a link leads to is visited, two or three of each kind, and so is what a certificate comes to that is brought and
//! not confirmed. Each is first visited when something has just changed, so that nothing is known of before, and then again.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;
use vitrine::store::Store;
use vitrine::store::audit::{Audit, Deed, Outcome};

use cargo::Cargo;
use edge::{Client, Place, RunningEdge};
use stock::{Stock, await_library, host, issue};

#[path = "support/authority.rs"]
mod authority;
#[path = "support/cargo.rs"]
mod cargo;
#[path = "support/edge.rs"]
#[allow(dead_code)] // it looks at no leaf
mod edge;
#[path = "support/stock.rs"]
#[allow(dead_code)] // it replaces none
mod stock;

/// Visits every page of the panel. Exit code 1: one took longer than it may.
#[derive(Parser)]
struct Arguments {
    /// Sites, certificates and lines of the audit trail; 10000, and 100 without --bench
    #[arg(long)]
    sites: Option<usize>,
    /// Times that every page is visited right after a change; 3, and 1 without --bench
    #[arg(long)]
    rounds: Option<usize>,
    #[command(flatten)]
    cargo: Cargo,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.cargo.run("panel", || measure(&arguments))
}

/// Whether every page came in time.
fn measure(arguments: &Arguments) -> io::Result<bool> {
    let real = arguments.cargo.is_real();
    let count = arguments.sites.unwrap_or(if real { 10_000 } else { 100 }).max(10);
    let rounds = arguments.rounds.unwrap_or(if real { 3 } else { 1 }).max(1);
    let folder = TempDir::new()?;
    let stock = Stock::open(folder.path(), count)?;
    let place = Place::with_drop_folder(stock.certificates())?;
    record(&place, count)?;
    let client = Client::new(stock.authority.root_pem());
    let (_running, _) = RunningEdge::start(&place, &sites(count), &client, &host(count / 2))?;
    await_library(&place, count)?;
    let mut panel =
        Panel { socket: place.path("state").join("admin.sock"), drop: stock.certificates(), spoiled: 0, count };
    panel.fill()?;

    let mut places = panel.walk()?;
    places.push(panel.judgement(&stock)?);
    let mut seen: BTreeMap<&str, Visits> = BTreeMap::new();
    for _ in 0..rounds {
        for place in &places {
            panel.change()?;
            let visits = seen.entry(place).or_default();
            let mut visit = || -> io::Result<Duration> {
                let page = panel.look(place)?;
                visits.octets = page.content.len();
                Ok(page.took)
            };
            let (first, again) = (visit()?, [visit()?, visit()?, visit()?]);
            visits.first.push(first);
            visits.again.extend(again);
        }
    }
    println!("{:>12} {:>12} {:>10}  page", "first visit", "another", "octets");
    let mut met = true;
    for (place, visits) in &mut seen {
        let (first, again) = (median(&mut visits.first), median(&mut visits.again));
        let mark = if first.max(again) > LONGEST { "  MISSED" } else { "" };
        println!(
            "{:>9.1} ms {:>9.1} ms {:>10}  {place}{mark}",
            first.as_secs_f64() * 1e3,
            again.as_secs_f64() * 1e3,
            visits.octets
        );
        met &= mark.is_empty();
    }
    let verdict = match (real, met) {
        (false, _) => "not judged",
        (true, true) => "met",
        (true, false) => "MISSED",
    };
    println!("{verdict}: {} pages, each within {} ms, {count} sites", seen.len(), LONGEST.as_millis());
    Ok(met || !real)
}

/// How long a page's visits took.
#[derive(Default)]
struct Visits {
    first: Vec<Duration>,
    again: Vec<Duration>,
    octets: usize,
}

/// The operator's way to the panel.
struct Panel {
    socket: PathBuf,
    drop: PathBuf,
    /// Files that cannot be used.
    spoiled: usize,
    count: usize,
}

/// What came, and how long its last octet took.
struct Page {
    status: u16,
    location: Option<String>,
    content: String,
    took: Duration,
}

impl Panel {
    /// Fills what no folder fills: rejected files, requests and contacts.
    fn fill(&mut self) -> io::Result<()> {
        for _ in 0..self.count / 50 {
            self.spoil()?;
        }
        for number in 0..self.count / 50 {
            let request = json!({ "request": { "sites": [site(number)], "names": [host(number)] } });
            self.post("/api/v1/requests", "application/json", request.to_string().as_bytes())?;
            let contact =
                json!({ "name": site(number), "site": site(number), "webhook": { "url": "https://192.0.2.1/" } });
            self.post("/api/v1/contacts", "application/json", contact.to_string().as_bytes())?;
        }
        Ok(())
    }

    /// Something changes: whatever was known of before has to be looked at anew.
    fn change(&mut self) -> io::Result<()> {
        self.spoil()?;
        let begun = Instant::now();
        loop {
            let listed: Value = serde_json::from_str(&self.look("/api/v1/rejected")?.content)?;
            if listed.as_array().is_some_and(|files| files.len() >= self.spoiled) {
                return Ok(());
            }
            if begun.elapsed() > GIVEN_UP {
                return Err(io::Error::other("a file that cannot be used is not listed"));
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    fn spoil(&mut self) -> io::Result<()> {
        self.spoiled += 1;
        fs::write(self.drop.join(format!("spoiled-{:06}.pem", self.spoiled)), "garbage")
    }

    /// Every page that a link leads to, some of each kind.
    fn walk(&self) -> io::Result<Vec<String>> {
        let (mut found, mut next) = (Vec::new(), VecDeque::from(["/sites".to_owned()]));
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        while let Some(place) = next.pop_front() {
            let known = kinds.entry(kind(&place)).or_default();
            if *known == OF_A_KIND || found.contains(&place) {
                continue;
            }
            *known += 1;
            let page = self.look(&place)?;
            let links = page.content.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
            let own = links.filter(|link| link.starts_with('/') && !link.starts_with("/assets/"));
            next.extend(own.map(|link| link.replace("&amp;", "&").replace("&#38;", "&")));
            found.push(place);
        }
        Ok(found)
    }

    /// A certificate that is brought and not confirmed; gives where it is judged.
    fn judgement(&self, stock: &Stock) -> io::Result<String> {
        let issued = issue(&stock.authority, 0)?;
        let form = format!(
            "--limit\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n{}{}\r\n--limit--\r\n",
            issued.chain,
            issued.key.as_str()
        );
        let page = self.post("/certificates/add", "multipart/form-data; boundary=limit", form.as_bytes())?;
        page.location.ok_or_else(|| io::Error::other(format!("nothing was judged: {}", page.content)))
    }

    fn look(&self, place: &str) -> io::Result<Page> {
        let page = self.ask(&format!("GET {place} HTTP/1.1\r\n"), b"")?;
        match page.status {
            200 | 303 => Ok(page),
            status => Err(io::Error::other(format!("{place}: {status}: {}", page.content))),
        }
    }

    fn post(&self, place: &str, media_type: &str, body: &[u8]) -> io::Result<Page> {
        let length = body.len();
        let head = format!("POST {place} HTTP/1.1\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n");
        let page = self.ask(&head, body)?;
        match page.status {
            200..=399 => Ok(page),
            status => Err(io::Error::other(format!("{place}: {status}: {}", page.content))),
        }
    }

    fn ask(&self, head: &str, body: &[u8]) -> io::Result<Page> {
        let mut stream = UnixStream::connect(&self.socket)?;
        let begun = Instant::now();
        write!(stream, "{head}Host: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n")?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let took = begun.elapsed();
        let answer = String::from_utf8_lossy(&answer);
        let (head, content) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let location = head.lines().find_map(|line| line.strip_prefix("location: ")).map(str::to_owned);
        Ok(Page { status, location, content: content.to_owned(), took })
    }
}

/// What is alike with pages of one kind: the words of their path, and what is asked.
fn kind(place: &str) -> String {
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let is_word = |segment: &&str| segment.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'-');
    let segments = path.split('/').map(|segment| Some(segment).filter(is_word).unwrap_or("*"));
    let asked = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    format!("{}?{}", segments.collect::<Vec<_>>().join("/"), asked.collect::<Vec<_>>().join("&"))
}

/// As many lines in the audit trail as there are sites; made where no disk is waited for.
fn record(place: &Place, count: usize) -> io::Result<()> {
    let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new())?;
    let audit = Audit::open(Store::open(folder.path()).map_err(io::Error::other)?);
    for number in 0..count {
        let deed = Deed {
            who: "operator".into(),
            door: "admin.sock".into(),
            action: "POST sites/{site}/choice".into(),
            object: format!("sites/{}", site(number)),
            result: Outcome::Done,
            detail: "uploaded".into(),
            why: None,
        };
        audit.record(deed).map_err(io::Error::other)?;
    }
    let state = place.path("state");
    fs::create_dir_all(&state)?;
    fs::copy(folder.path().join("audit.jsonl"), state.join("audit.jsonl")).map(|_| ())
}

/// A site for each certificate, and a fiftieth as many that have none.
fn sites(count: usize) -> String {
    let of = |number: usize| {
        let name = host(number);
        format!("[[site]]\nhosts = [\"{name}\", \"www.{name}\"]\nupstreams = [\"http://127.0.0.1:9\"]\n")
    };
    (0..count + count / 50).map(of).collect()
}

/// What the site of a certificate is called.
fn site(number: usize) -> String {
    host(number)
}

fn median(values: &mut [Duration]) -> Duration {
    values.sort();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// What nobody calls slow.
const LONGEST: Duration = Duration::from_millis(200);
/// Pages of the same kind that are visited.
const OF_A_KIND: usize = 2;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const GIVEN_UP: Duration = Duration::from_secs(60);
