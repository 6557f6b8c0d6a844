//! What lies in the edge's memory stays there.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Origin, Setup, eventually};

#[test]
fn an_edge_that_dies_leaves_no_core_dump() {
    let place = tempfile::tempdir().expect("a folder");
    let mut other = Command::new("sleep").arg("60").current_dir(&place).spawn().expect("sleep runs");
    let status = die(Pid::from_child(&other), || ended(&mut other));
    assert!(status.core_dumped(), "this machine writes no core dumps at all: {status}");

    let mut edge = Setup::shop(&Origin::saying("hello")).start();
    let status = die(edge.pid(), || edge.wait());
    assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::QUIT.as_raw()), false));
}

/// Ends a process in the way that leaves a core dump where that is allowed, and allows it.
fn die(process: Pid, end: impl FnOnce() -> ExitStatus) -> ExitStatus {
    let id = process.as_raw_nonzero().to_string();
    let limit = Command::new("prlimit").args(["--pid", &id, "--core=unlimited:unlimited"]).status();
    assert!(limit.expect("prlimit runs").success());
    kill_process(process, Signal::QUIT).expect("a running process");
    end()
}

fn ended(process: &mut Child) -> ExitStatus {
    eventually("its end", || process.try_wait().expect("a child"))
}
