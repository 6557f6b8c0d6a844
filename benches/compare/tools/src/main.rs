//! What stands on both sides of an edge while it is measured: the origin behind it and the clients before it. A client checks
//! every answer and fails loudly: a wrong answer is never a fast one.

mod certificates;
mod client;
mod handshakes;
mod idle;
mod latency;
mod origin;
mod websocket;

use std::process::ExitCode;

use client::Target;

const USAGE: &str = "\
usage: compare-tools origin ADDRESS
       compare-tools handshakes TARGET --count N [--concurrency N] [--resume] [--group x25519|x25519mlkem768]
       compare-tools idle TARGET --count N [--http2 | --websocket]
       compare-tools latency TARGET --rate N --seconds N [--concurrency N]
       compare-tools certificates FOLDER --ca FILE --ca-key FILE --count N
TARGET: --address IP:PORT --name HOST --ca FILE --path PATH --length BYTES

origin      serves /1k, /64k and /1m over HTTP/1.1 with keep-alive, and a WebSocket at /ws, until it is killed
handshakes  connects once per lane, prints ready, waits until stdin ends, then makes N handshakes with one GET each;
            with --resume each resumes the session of the lane's last
idle        opens N connections, one GET or one message on each, prints ready, holds them until stdin ends, and tells if one
            was closed
latency     connects, prints ready, waits until stdin ends, then sends N requests a second and prints how long answers took
certificates  makes N certificates with their keys, a file each

Exit status: 0 all answers were right, 1 something failed, 3 the peer refuses the key exchange group, 64 usage.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(what)) => {
            eprintln!("compare-tools: {what}\n{USAGE}");
            ExitCode::from(64)
        }
        Err(Failure::Group) => {
            eprintln!("compare-tools: the peer refuses the key exchange group");
            ExitCode::from(3)
        }
        Err(Failure::Wrong(what)) => {
            eprintln!("compare-tools: {what}");
            ExitCode::from(1)
        }
    }
}

async fn run(arguments: &[String]) -> Result<(), Failure> {
    match arguments {
        [command, address] if command == "origin" => origin::serve(address).await,
        [command, options @ ..] if command == "handshakes" => {
            let options = Options::parse(options)?;
            handshakes::run(
                options.target()?,
                options.number("--count")?,
                options.concurrency()?,
                options.flag("--resume"),
            )
            .await
        }
        [command, options @ ..] if command == "idle" => {
            let options = Options::parse(options)?;
            let kind = match (options.flag("--http2"), options.flag("--websocket")) {
                (true, _) => idle::Kind::Http2,
                (_, true) => idle::Kind::WebSocket,
                _ => idle::Kind::Http1,
            };
            idle::run(options.target()?, kind, options.number("--count")?).await
        }
        [command, options @ ..] if command == "latency" => {
            let options = Options::parse(options)?;
            let pace = (options.number("--rate")?, options.number("--seconds")?);
            latency::run(options.target()?, pace, options.concurrency()?).await
        }
        [command, folder, options @ ..] if command == "certificates" => {
            let options = Options::parse(options)?;
            let authority = (options.needed("--ca")?, options.needed("--ca-key")?);
            certificates::make(folder, authority, options.number("--count")?)
        }
        _ => Err(Failure::Usage("no such command".to_owned())),
    }
}

/// Returns when whoever started us has closed our standard input.
async fn end_of_stdin() -> Result<(), Failure> {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let read = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(read);
    });
    match end.await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(Failure::Wrong("stdin cannot be read".to_owned())),
    }
}

/// Why a run does not count.
enum Failure {
    Usage(String),
    Group,
    Wrong(String),
}

struct Options(Vec<(String, String)>);

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Vec::new();
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let value = match &**name {
                "--resume" | "--http2" | "--websocket" => String::new(),
                "--address" | "--name" | "--ca" | "--ca-key" | "--path" | "--length" | "--count" | "--concurrency"
                | "--group" | "--rate" | "--seconds" => {
                    rest.next().cloned().ok_or_else(|| Failure::Usage(format!("{name} needs a value")))?
                }
                _ => return Err(Failure::Usage(format!("unknown option {name}"))),
            };
            options.push((name.clone(), value));
        }
        Ok(Self(options))
    }

    fn target(&self) -> Result<Target, Failure> {
        let group = self.value("--group").unwrap_or("x25519");
        let (address, ca) = ((self.needed("--address")?, self.needed("--name")?), self.needed("--ca")?);
        Target::new(address, ca, (self.needed("--path")?, self.number("--length")?), group)
    }

    fn concurrency(&self) -> Result<usize, Failure> {
        if self.value("--concurrency").is_some() { self.number("--concurrency") } else { Ok(16) }
    }

    fn number(&self, name: &str) -> Result<usize, Failure> {
        self.needed(name)?.parse().map_err(|_| Failure::Usage(format!("{name} is not a number")))
    }

    fn needed(&self, name: &str) -> Result<&str, Failure> {
        self.value(name).ok_or_else(|| Failure::Usage(format!("{name} is missing")))
    }

    fn flag(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(option, _)| option == name).map(|(_, value)| &**value)
    }
}
