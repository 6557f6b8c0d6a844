//! Many certificates, each with two names and a key of its own, as two files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use vitrine::certs::Issued;

use crate::authority::Authority;
use crate::edge::Place;

/// The certificates, and who issued them.
pub(crate) struct Stock {
    folder: PathBuf,
    pub(crate) authority: Authority,
}

impl Stock {
    /// Those that are kept in this folder; made, if they are not there.
    pub(crate) fn open(folder: &Path, count: usize) -> io::Result<Self> {
        let folder = folder.join(count.to_string());
        fs::create_dir_all(&folder)?;
        let stock = Self { authority: Authority::kept(&folder)?, folder };
        if !stock.folder.join(COMPLETE).exists() {
            let begun = Instant::now();
            fs::create_dir_all(stock.certificates())?;
            fill(&Place::with_drop_folder(stock.certificates())?, &stock.authority, count)?;
            fs::write(stock.folder.join(COMPLETE), "")?;
            println!("{count} certificates with keys of their own made in {:.1} s", begun.elapsed().as_secs_f64());
        }
        Ok(stock)
    }

    /// Where they lie.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.folder.join("certs")
    }
}

fn fill(place: &Place, authority: &Authority, count: usize) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            place.put(&stem(number), &issue(authority, number)?)?;
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))
    })
}

/// Waits until the state folder has them all: a change is measured of an edge at rest.
pub(crate) fn await_library(place: &Place, count: usize) -> io::Result<()> {
    let (folder, begun) = (place.path("state").join("certificates"), Instant::now());
    let kept = || fs::read_dir(&folder).map_or(0, Iterator::count);
    let first = kept();
    while kept() < count {
        if begun.elapsed() > WRITTEN {
            println!("the library had {} of {count} after {} s", kept(), WRITTEN.as_secs());
            return Ok(());
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    let (written, took) = (count.saturating_sub(first), begun.elapsed().as_secs_f64());
    println!("the library wrote the last {written} in {took:.1} s, {:.0} a second", written as f64 / took);
    Ok(())
}

/// The next certificate of this number, with a key of its own.
pub(crate) fn issue(authority: &Authority, number: usize) -> io::Result<Issued> {
    authority.issue(&[&host(number), &format!("www.{}", host(number))])
}

/// Its first name; the second is that with `www.` before it.
pub(crate) fn host(number: usize) -> String {
    format!("{}.example", stem(number))
}

/// How its files are named.
pub(crate) fn stem(number: usize) -> String {
    format!("shop-{number:06}")
}

/// However slow the disk is.
const WRITTEN: Duration = Duration::from_mins(5);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// Says that all certificates were made.
const COMPLETE: &str = "complete";
