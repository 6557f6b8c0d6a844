//! How much memory the edge has in use, looked at all the time: above its budget new work is refused.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use rustix::param::page_size;
use tokio::time::sleep;

use super::descriptors;
use crate::proxy::Shared;
use crate::shutdown::Lifecycle;

/// Looks until the edge drains.
pub(super) async fn watch(shared: Arc<Shared>, mut lifecycle: Lifecycle) {
    let statm = match File::open("/proc/self/statm") {
        Ok(statm) => statm,
        Err(error) => {
            tracing::warn!(%error, "the memory in use cannot be looked at; limits.memory does not hold");
            return;
        }
    };
    let available = descriptors::memory();
    let looking = async {
        loop {
            let budget = match shared.routes.load().limits.memory {
                0 => available / 10 * 9,
                budget => budget,
            };
            let used = used(&statm).unwrap_or(0);
            match shared.shortage.judge(used, budget) {
                Some(true) => {
                    tracing::error!(used, budget, "memory is short: new connections and requests are refused");
                }
                Some(false) => tracing::warn!(used, budget, "memory is no longer short"),
                None => {}
            }
            sleep(INTERVAL).await;
        }
    };
    tokio::select! {
        _ = lifecycle.draining() => {}
        () = looking => {}
    }
}

/// What the process has of its own, in octets: what it shares with the files it was read from can be had back.
fn used(statm: &File) -> Option<u64> {
    let mut text = [0; 128];
    // The kernel makes it anew for each read from its beginning.
    let length = statm.read_at(&mut text, 0).ok()?;
    own(std::str::from_utf8(text.get(..length)?).ok()?).map(|pages| pages.saturating_mul(page_size() as u64))
}

/// Pages of proc_pid_statm(5): those in memory without those of files.
fn own(statm: &str) -> Option<u64> {
    let mut fields = statm.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(resident.saturating_sub(shared))
}

/// A flood takes longer to fill what a tenth of the memory leaves.
const INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_shared_with_files_is_not_counted() {
        assert_eq!(own("25000 7000 3000 10 0 9000 0\n"), Some(4000));
        assert_eq!(own("25000"), None);
        // Other tests of the same process take and give back memory meanwhile: a process of its own has none beside it.
        if std::env::var_os(ALONE).is_none() {
            let this = format!("{}::what_is_shared_with_files_is_not_counted", module_path!());
            let this = this.split_once("::").expect("the crate's name").1;
            let mut alone = Command::new(std::env::current_exe().expect("this program"));
            let ended = alone.args([this, "--exact"]).env(ALONE, "1").output().expect("started");
            let said = String::from_utf8_lossy(&ended.stdout);
            assert!(ended.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        let statm = File::open("/proc/self/statm").expect("there");
        let before = used(&statm).expect("a number");
        let held = vec![1_u8; 64 << 20];
        let after = used(&statm).expect("a number");
        assert!(after > before + (32 << 20), "{before} {after} {}", held.len());
    }

    /// Whoever is started with this set is looked at.
    const ALONE: &str = "VITRINE_TEST_ALONE";
}
