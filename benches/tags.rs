//! A hundred thousand requests, each with a tag of its own, to upstreams of which most misbehave now and then, from clients of which
//! some go away in the middle: does anybody get the answer to another's question, or a part that passes for the whole?
//!
//! Clients of HTTP/1.1 keep their connections and send some requests one behind the other; those of HTTP/2 have twenty under way on
//! each. Upstreams say the tag back in the head and all over the body, and compare what they are asked with itself.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use clap::Parser;

use authority::Authority;
use cargo::Cargo;
use edge::{Client, Place, RunningEdge};
use judge::Judge;

#[path = "support/authority.rs"]
#[allow(dead_code)] // it keeps none
mod authority;
#[path = "support/cargo.rs"]
mod cargo;
#[path = "support/edge.rs"]
#[allow(dead_code)] // no certificate changes
mod edge;
#[path = "tags/http1.rs"]
mod http1;
#[path = "tags/http2.rs"]
mod http2;
#[path = "tags/judge.rs"]
mod judge;
#[path = "../tests/edge/support/message.rs"]
#[allow(dead_code)] // the tests read more than this
mod message;
#[path = "tags/origins.rs"]
mod origins;
#[path = "support/random.rs"]
#[allow(dead_code)] // nothing here has a name
mod random;

/// Sends tagged requests and compares the answers. Exit code 1: one was another's, or a part passed for the whole.
#[derive(Parser)]
struct Arguments {
    /// Requests altogether; 100000, and 2000 without --bench
    #[arg(long)]
    requests: Option<u64>,
    /// Connections of clients that speak HTTP/1.1
    #[arg(long, default_value_t = 40)]
    http1: u64,
    /// Connections of clients that speak HTTP/2, with twenty requests under way on each
    #[arg(long, default_value_t = 4)]
    http2: u64,
    #[command(flatten)]
    cargo: Cargo,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.cargo.run("tags", || run(&arguments))
}

fn run(arguments: &Arguments) -> io::Result<bool> {
    let requests = arguments.requests.unwrap_or(if arguments.cargo.is_real() { 100_000 } else { 2_000 });
    let authority = Authority::new()?;
    let client = Client::new(authority.root_pem());
    let place = Place::new()?;
    place.put(NAME, &authority.issue(&[NAME])?)?;
    let judge = Arc::new(Judge::new(requests));
    let upstreams: Vec<String> = (0..3)
        .map(|number| Ok(format!("{:?}", format!("http://{}", origins::start(number, &judge)?))))
        .collect::<io::Result<_>>()?;
    let http2 = origins::start_http2(&judge)?;
    let sites = format!(
        "[limits]\nupstream_response_timeout = \"2s\"\nbody_idle_timeout = \"2s\"\n\
         [[site]]\nhosts = [\"{NAME}\"]\nupstreams = [{}]\nretries = 1\nhealth = {{ eject_after = 0, failure_statuses = [500] }}\n\
         [[site.route]]\npath = \"/2\"\nupstreams = [\"h2c://{http2}\"]\n",
        upstreams.join(", ")
    );
    let (running, _) = RunningEdge::start(&place, &sites, &client, NAME)?;

    let begun = Instant::now();
    thread::scope(|scope| {
        for number in 0..arguments.http1 {
            let (judge, client, running) = (&judge, &client, &running);
            scope.spawn(move || http1::ask(number, judge, || client.connect(running.address(), NAME)));
        }
        let (judge, address, root) = (&judge, running.address(), authority.root_pem());
        scope.spawn(move || http2::ask(arguments.http2, judge, address, root));
    });
    println!("{requests} requests in {:.1} s", begun.elapsed().as_secs_f64());
    let good = judge.print();
    println!("{}", if good { "met" } else { "MISSED" });
    if !good {
        eprintln!("{}", place.log());
    }
    Ok(good)
}

const NAME: &str = "shop.example";
