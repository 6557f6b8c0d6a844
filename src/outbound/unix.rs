//! A connection to a socket in the file system of this machine.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout_at};

/// Connects to whoever listens at `path`. Where many wait to be taken the system refuses at once, and tells nobody when there is room
/// again (unix(7), connect(2)): that is tried until `until`.
///
/// # Errors
/// The system's, and `TimedOut`.
pub async fn connect_unix(path: &Path, until: Instant) -> io::Result<UnixStream> {
    let trying = async {
        let mut pause = PAUSE;
        loop {
            match UnixStream::connect(path).await {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(pause).await,
                connected => return connected,
            }
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    };
    timeout_at(until, trying).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Whoever listens takes thousands in a second.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use socket2::{Domain, SockAddr, Socket, Type};

    use super::*;

    #[tokio::test]
    async fn a_full_queue_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("shop.sock");
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        listener.bind(&SockAddr::unix(&path).expect("an address")).expect("bound");
        listener.listen(0).expect("listening");
        let first = connect_unix(&path, Instant::now() + Duration::from_secs(20)).await.expect("room for one");
        let short = connect_unix(&path, Instant::now() + Duration::from_millis(50)).await;
        assert_eq!(short.expect_err("no room").kind(), io::ErrorKind::TimedOut);
        let second = tokio::spawn({
            let path = path.clone();
            async move { connect_unix(&path, Instant::now() + Duration::from_secs(20)).await.map(drop) }
        });
        tokio::task::yield_now().await;
        listener.accept().expect("the first");
        second.await.expect("no panic").expect("room again");
        drop(first);
    }

    #[tokio::test]
    async fn nobody_there_is_told_at_once() {
        let until = Instant::now() + Duration::from_secs(20);
        let error = connect_unix(Path::new("/nowhere/shop.sock"), until).await.expect_err("nobody is there");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
