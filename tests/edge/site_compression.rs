//! A shop's answers compressed on their way. The client is curl, which reads all three.

use std::io::Read;
use std::process::{Command, Output};
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};

use crate::support::{Edge, Origin, Setup, Then, authority, drop_file};

const ON: &str = "[site.compression]\non = true\n";

#[test]
fn each_client_gets_what_it_reads_and_the_page_as_it_is() {
    let edge = start(shop(), ON);
    for (accepts, coding) in [
        ("zstd", Some("zstd")),
        ("br", Some("br")),
        ("gzip", Some("gzip")),
        ("gzip, br;q=0.2", Some("gzip")),
        ("deflate", None),
    ] {
        for version in ["--http1.1", "--http2"] {
            let page = curl(&edge, "/page", &["--compressed", "-H", &format!("Accept-Encoding: {accepts}"), version]);
            assert_eq!(page.body, content(), "{accepts} {version}");
            assert_eq!(page.field("content-encoding").as_deref(), coding, "{accepts} {version}");
            assert_eq!(page.field("vary").as_deref(), Some("Accept-Encoding"));
            let (tag, length) =
                if coding.is_some() { ("W/\"a\"", None) } else { ("\"a\"", Some(content().len().to_string())) };
            assert_eq!((page.field("etag").as_deref(), page.field("content-length")), (Some(tag), length));
        }
        let head = curl(&edge, "/page", &["-I", "-H", &format!("Accept-Encoding: {accepts}")]);
        assert_eq!(head.field("content-encoding").as_deref(), coding, "{accepts}");
        assert_eq!(head.field("etag").as_deref(), Some(if coding.is_some() { "W/\"a\"" } else { "\"a\"" }));
    }
}

#[test]
fn what_is_small_coded_a_part_or_no_text_stays_as_it_is() {
    let edge = start(shop(), ON);
    for (target, length) in [("/small", 10), ("/coded", 5000), ("/part", 5000), ("/picture", 5000), ("/stay", 5000)] {
        let answer = curl(&edge, target, &["-H", "Accept-Encoding: gzip"]);
        assert_eq!(answer.body.len(), length, "{target}");
        let coding = (target == "/coded").then_some("br");
        assert_eq!(answer.field("content-encoding").as_deref(), coding, "{target}");
        assert_eq!(answer.field("content-length"), Some(length.to_string()), "{target}");
        assert_eq!(answer.field("etag").as_deref(), Some("\"a\""), "{target}");
    }
    let same = curl(&edge, "/same", &["-H", "Accept-Encoding: gzip", "-H", "If-None-Match: W/\"a\""]);
    assert_eq!((same.status.as_str(), same.field("etag").as_deref()), ("304", Some("W/\"a\"")));
}

#[test]
fn nothing_is_compressed_unless_it_is_asked_for() {
    for rules in ["", "[site.compression]\n"] {
        let edge = start(shop(), rules);
        let page = curl(&edge, "/page", &["-H", "Accept-Encoding: gzip"]);
        assert_eq!((page.field("vary"), page.body), (None, content()), "{rules}");
    }
}

#[test]
fn what_the_shop_has_said_reaches_the_client_before_it_says_more() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let origin = Origin::new(move |exchange| {
        exchange.body()?;
        exchange.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n")?;
        exchange.write(b"d\r\ndata: first\n\n\r\n")?;
        let _ = wait.lock().unwrap_or_else(PoisonError::into_inner).recv();
        exchange.write(b"e\r\ndata: second\n\n\r\n0\r\nx-sum: 7\r\n\r\n")?;
        Ok(Then::Keep)
    });
    let edge = start(origin, "[site.compression]\non = true\ntypes = [\"text/event-stream\"]\n");
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\naccept-encoding: gzip\r\nte: trailers\r\n\r\n");
    let mut reader = Chunks { talk: &mut client.reader, left: 0, ended: false, trailers: Vec::new() };
    let head = reader.line_until_empty();
    assert!(head.iter().any(|line| line.eq_ignore_ascii_case("content-encoding: gzip")), "{head:?}");
    let mut decoder = flate2::read::GzDecoder::new(reader);
    let mut first = [0; 13];
    decoder.read_exact(&mut first).expect("the first event");
    assert_eq!(&first, b"data: first\n\n");
    go.send(()).expect("told");
    let mut rest = String::new();
    decoder.read_to_string(&mut rest).expect("the rest");
    assert_eq!(rest, "data: second\n\n");
    let mut reader = decoder.into_inner();
    assert_eq!(reader.read(&mut [0; 1]).expect("the end"), 0);
    assert_eq!(reader.trailers, ["x-sum: 7"]);
}

#[test]
fn a_page_that_breaks_off_does_not_look_whole() {
    let origin = Origin::new(|exchange| {
        exchange.body()?;
        exchange.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 5000\r\n\r\n")?;
        exchange.write(&[b'x'; 2000])?;
        Ok(Then::Close)
    });
    let edge = start(origin, ON);
    for version in ["--http1.1", "--http2"] {
        let output = run(&edge, "/", &["--compressed", version]);
        assert!(!output.status.success(), "{version}");
    }
    edge.counted(2.0, "vitrine_upstream_failures_total", &[("reason", "body_broken")]);
}

/// Answers of every kind.
fn shop() -> Origin {
    Origin::new(|exchange| {
        exchange.body()?;
        let tag = ("etag", "\"a\"");
        let html = ("content-type", "text/html; charset=utf-8");
        let filler = [b'x'; 5000];
        let target = exchange.asked().1.to_owned();
        match target.as_str() {
            "/small" => exchange.answer("200 OK", &[html, tag], b"0123456789"),
            "/coded" => exchange.answer("200 OK", &[html, tag, ("content-encoding", "br")], &filler),
            "/part" => {
                exchange.answer("206 Partial Content", &[html, tag, ("content-range", "bytes 0-4999/9999")], &filler)
            }
            "/picture" => exchange.answer("200 OK", &[("content-type", "image/png"), tag], &filler),
            "/stay" => exchange.answer("200 OK", &[html, tag, ("cache-control", "no-transform")], &filler),
            "/same" => {
                exchange.write(b"HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n")?;
                Ok(Then::Keep)
            }
            _ => exchange.answer("200 OK", &[html, tag], &content()),
        }
    })
}

/// More than one piece and more than one turn.
fn content() -> Vec<u8> {
    (0..20_000).flat_map(|number| format!("<p>line {number}</p>\n").into_bytes()).collect()
}

/// A shop and the edge before it, for as long as the edge is there.
struct Running {
    edge: Edge,
    _origin: Origin,
}

impl std::ops::Deref for Running {
    type Target = Edge;

    fn deref(&self) -> &Edge {
        &self.edge
    }
}

fn start(origin: Origin, rules: &str) -> Running {
    let mut setup = Setup::shop(&origin);
    setup.raw_site(rules);
    drop_file(&setup.folder.path().join("root.pem"), &authority().root_pem);
    Running { edge: setup.start(), _origin: origin }
}

/// What curl got.
struct Answer {
    status: String,
    head: Vec<String>,
    body: Vec<u8>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<String> {
        let mut found = self.head.iter().filter_map(|line| line.split_once(": "));
        found.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    }
}

fn curl(edge: &Edge, target: &str, arguments: &[&str]) -> Answer {
    let folder = tempfile::tempdir().expect("a folder");
    let head = folder.path().join("head");
    let output = run(edge, target, &[arguments, &["-D", head.to_str().expect("a path")]].concat());
    assert!(output.status.success(), "{target} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let head = std::fs::read_to_string(head).expect("a head");
    let lines: Vec<String> = head.lines().map(str::to_owned).collect();
    let status = lines[0].split(' ').nth(1).expect("a status").to_owned();
    Answer { status, head: lines, body: output.stdout }
}

fn run(edge: &Edge, target: &str, arguments: &[&str]) -> Output {
    let port = edge.https.port();
    Command::new("curl")
        .args(["-sS", "--cacert", "root.pem", "--resolve", &format!("shop.example:{port}:127.0.0.1")])
        .args(arguments)
        .arg(format!("https://shop.example:{port}{target}"))
        .current_dir(edge.setup.folder.path())
        .output()
        .expect("curl is there")
}

/// The content of chunks as they come.
struct Chunks<'a, R> {
    talk: &'a mut R,
    left: usize,
    ended: bool,
    trailers: Vec<String>,
}

impl<R: std::io::BufRead> Chunks<'_, R> {
    fn line_until_empty(&mut self) -> Vec<String> {
        std::iter::from_fn(|| Some(self.line()).filter(|line| !line.is_empty())).collect()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.talk.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }
}

impl<R: std::io::BufRead> Read for Chunks<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 && !self.ended {
            self.left = usize::from_str_radix(&self.line(), 16).expect("a size");
            if self.left == 0 {
                self.ended = true;
                self.trailers = self.line_until_empty();
            }
        }
        if self.ended {
            return Ok(0);
        }
        let room = buffer.len().min(self.left);
        let read = self.talk.read(&mut buffer[..room])?;
        self.left -= read;
        if self.left == 0 {
            assert_eq!(self.line(), "");
        }
        Ok(read)
    }
}
