//! A program of the operator's that writes records: no shell, nothing of our environment, killed with all that it started when it is
//! late.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::Written;
use super::writer::{Action, NotWritten};

/// Runs the program once. What it has done when it fails is not known, unless it could not be started.
pub(super) async fn run(
    command: &[String],
    patience: Duration,
    action: Action,
    record: &Written,
) -> Result<(), NotWritten> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(NotWritten::certain("acme.dns.hook: there is no program"));
    };
    let failed = |what: String| format!("acme.dns.hook: {program} {}: {what}", action.word());
    let spawned = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("VITRINE_DNS_ACTION", action.word())
        .env("VITRINE_DNS_NAME", &record.name)
        .env("VITRINE_DNS_VALUE", &record.value)
        .env("VITRINE_DNS_DOMAIN", &record.domain)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = spawned.map_err(|error| NotWritten::certain(failed(error.to_string())))?;
    // Declared behind the child: it is gone first when this future is dropped, as long as nobody else has the child's number.
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let said = child.stderr.take().map(|stderr| tokio::spawn(first_line(stderr)));
    let ended = timeout(patience, child.wait()).await;
    let status = match ended {
        Ok(Ok(status)) => {
            group.0 = None;
            status
        }
        Ok(Err(error)) => return Err(NotWritten::uncertain(failed(error.to_string()))),
        Err(_) => {
            drop(group);
            // It is waited for, so that nothing of it is left.
            let _ = child.wait().await;
            let text = format!(
                "it did not end within {} s and was killed; see what it waits for, or raise acme.dns.hook_timeout",
                patience.as_secs()
            );
            return Err(NotWritten::uncertain(failed(text)));
        }
    };
    if status.success() {
        return Ok(());
    }
    // What it started may still hold the other end.
    let said = match said {
        Some(reading) => timeout(LAST_WORDS, reading).await.ok().and_then(Result::ok).unwrap_or_default(),
        None => String::new(),
    };
    let said = if said.is_empty() { "without a word on standard error".to_owned() } else { said };
    Err(NotWritten::uncertain(failed(format!("it ended with {status}: {said}"))))
}

/// The first line of what a program says, in printable letters; the rest is read and dropped, so that it is not held up.
async fn first_line(mut stream: impl AsyncRead + Unpin) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let room = LONGEST_LINE.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..length.min(room)]);
    }
    let text = String::from_utf8_lossy(&kept);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A program with all that it started; killed when dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Where programs of the system lie.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// A line for a person.
const LONGEST_LINE: usize = 300;
/// What was said before the end is there by then.
const LAST_WORDS: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn record() -> Written {
        Written {
            domain: "shop.example".into(),
            name: "_acme-challenge.shop.example".into(),
            zone: "example".into(),
            value: "-value_".into(),
        }
    }

    fn shell(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn a_program_is_told_what_to_do_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let told = folder.path().join("told");
        let script = format!("env -u PWD -u SHLVL -u _ -u OLDPWD | sort > {0}; pwd >> {0}; cat >> {0}", told.display());
        assert_eq!(run(&shell(&script), LONG, Action::Cleanup, &record()).await, Ok(()));
        let expected = format!(
            "PATH={PATH}\nVITRINE_DNS_ACTION=cleanup\nVITRINE_DNS_DOMAIN=shop.example\n\
             VITRINE_DNS_NAME=_acme-challenge.shop.example\nVITRINE_DNS_VALUE=-value_\n/\n"
        );
        assert_eq!(fs::read_to_string(&told).expect("told"), expected);
    }

    #[tokio::test]
    async fn the_first_line_of_what_went_wrong_is_told() {
        let script =
            "echo out; printf '\\n no \\033[31mluck\\n' >&2; head -c 100000 /dev/zero >&2; echo more >&2; exit 3";
        let failed = run(&shell(script), LONG, Action::Present, &record()).await.expect_err("a failure");
        let expected = "acme.dns.hook: /bin/sh present: it ended with exit status: 3: no  [31mluck";
        assert_eq!(failed, NotWritten::uncertain(expected));
        let failed = run(&shell("exit 1"), LONG, Action::Present, &record()).await.expect_err("a failure");
        assert!(failed.text.ends_with("it ended with exit status: 1: without a word on standard error"), "{failed:?}");
        let failed = run(&["/nowhere/hook".into()], LONG, Action::Present, &record()).await.expect_err("a failure");
        assert!(failed.is_certain && failed.text.contains("/nowhere/hook present: No such file"), "{failed:?}");
        let folder = tempfile::tempdir().expect("a folder");
        let plain = folder.path().join("plain");
        fs::write(&plain, "").expect("written");
        fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).expect("set");
        let failed =
            run(&[plain.display().to_string()], LONG, Action::Present, &record()).await.expect_err("a failure");
        assert!(failed.text.contains("Permission denied"), "{failed:?}");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let (own, below) = (folder.path().join("own"), folder.path().join("below"));
        let script = format!("echo $$ > {}; sleep 1000 & echo $! > {}; wait", own.display(), below.display());
        let failed = run(&shell(&script), Duration::from_secs(1), Action::Present, &record()).await;
        let failed = failed.expect_err("a failure");
        assert!(!failed.is_certain && failed.text.contains("did not end within 1 s and was killed"), "{failed:?}");
        for file in [own, below] {
            let process = fs::read_to_string(file).expect("a number");
            // On a busy machine it dies a moment later; not waited for by its parent, it is a zombie until the first process looks.
            let state = || fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
            let is_dead = |state: &str| state.is_empty() || state.contains(") Z ") || state.contains(") X ");
            let begun = Instant::now();
            while !is_dead(&state()) {
                assert!(begun.elapsed() < LONG, "{}", state());
                tokio::task::yield_now().await;
            }
        }
    }
}
