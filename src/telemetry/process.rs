//! What the system tells of this process: the basics every Prometheus client library exports.

use std::fs;

/// The process now. What could not be read is `None` and has no series.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ProcessFacts {
    pub(super) cpu_seconds: Option<f64>,
    pub(super) start_seconds: Option<f64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) open_fds: Option<u64>,
    pub(super) max_fds: Option<u64>,
}

impl ProcessFacts {
    /// Reads `/proc/self`.
    pub(super) fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").ok();
        let boot = fs::read_to_string("/proc/stat").ok();
        let status = fs::read_to_string("/proc/self/status").ok();
        Self {
            cpu_seconds: stat.as_deref().and_then(cpu_seconds),
            start_seconds: stat.as_deref().zip(boot.as_deref()).and_then(|(stat, boot)| start_seconds(stat, boot)),
            resident_bytes: status.as_deref().and_then(|status| kibibytes(status, "VmRSS:")),
            virtual_bytes: status.as_deref().and_then(|status| kibibytes(status, "VmSize:")),
            // The folder's own descriptor is among them while it is read.
            open_fds: fs::read_dir("/proc/self/fd").ok().map(|fds| (fds.count() as u64).saturating_sub(1)),
            max_fds: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
        }
    }
}

/// `utime` and `stime` of proc_pid_stat(5).
fn cpu_seconds(stat: &str) -> Option<f64> {
    let user: u64 = field(stat, 14)?.parse().ok()?;
    let system: u64 = field(stat, 15)?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

/// `starttime` of proc_pid_stat(5), which counts from `btime` of proc_stat(5).
fn start_seconds(stat: &str, boot: &str) -> Option<f64> {
    let ticks: u64 = field(stat, 22)?.parse().ok()?;
    let boot: u64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot as f64 + ticks as f64 / TICKS_PER_SECOND)
}

/// A field by its number in the manual. The second, the command's name, may hold spaces and parentheses.
fn field(stat: &str, number: usize) -> Option<&str> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_ascii_whitespace().nth(number.checked_sub(3)?)
}

fn kibibytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// USER_HZ: what the kernel shows to programs on every architecture Rust's standard library supports on Linux, whatever it
/// ticks with inside.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) (b c) S 1 7 7 0 -1 4194304 9 0 0 0 150 50 0 0 20 0 1 0 1234 5 6";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(start_seconds(stat, "cpu 1\nbtime 1000\n"), Some(1012.34));
    }

    #[test]
    fn this_process_is_told_in_full() {
        let facts = ProcessFacts::read();
        let resident = facts.resident_bytes.expect("resident memory");
        assert!(resident > 1024 * 1024 && resident <= facts.virtual_bytes.expect("virtual memory"), "{facts:?}");
        assert!(facts.open_fds.expect("open descriptors") >= 3, "{facts:?}");
        assert!(facts.cpu_seconds.is_some() && facts.max_fds.is_some(), "{facts:?}");
        let now = std::time::UNIX_EPOCH.elapsed().expect("a clock past 1970").as_secs_f64();
        let age = now - facts.start_seconds.expect("start time");
        assert!((-2.0..86_400.0).contains(&age), "started {age} s ago");
    }
}
