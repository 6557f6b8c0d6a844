//! The Unix socket in the state folder: the command line's way in.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A listening socket that only the edge's own user can connect to. Its file goes when it is dropped.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
    inode: (u64, u64),
}

impl AdminSocket {
    /// Listens at `path`. What an edge that was killed left there is replaced.
    ///
    /// # Errors
    /// `AddrInUse` when somebody answers at `path`; else what the system says, with the path.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        if UnixStream::connect(path).is_ok() {
            let text =
                format!("another edge answers on {}; stop it, or give this one its own state folder", path.display());
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        match fs::symlink_metadata(path) {
            Ok(found) if !std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
                let text = "something that is no socket lies here; move it away";
                return Err(named(io::Error::new(io::ErrorKind::AlreadyExists, text)));
            }
            _ => {}
        }
        Self::bind_private(path).map_err(|error| {
            let text = format!("cannot make {}: {error}; choose a folder that can be written", path.display());
            io::Error::new(error.kind(), text)
        })
    }

    /// The socket comes into being in a folder nobody else can enter, gets its mode there, and moves to its name whole: at no
    /// moment could another user connect, whatever the umask is.
    fn bind_private(path: &Path) -> io::Result<Self> {
        let folder = Nursery::beside(path)?;
        let young = folder.0.join("s");
        let listener = UnixListener::bind(&young)?;
        fs::set_permissions(&young, Permissions::from_mode(0o600))?;
        fs::rename(&young, path)?;
        let inode = inode(path)?;
        Ok(Self { listener, path: path.to_path_buf(), inode })
    }

    /// For the accept loop.
    pub(super) fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        tokio::net::UnixListener::from_std(listener)
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // A later edge may have put its own there.
        if inode(&self.path).is_ok_and(|found| found == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A folder for one bind, gone afterwards.
struct Nursery(PathBuf);

impl Nursery {
    fn beside(path: &Path) -> io::Result<Self> {
        let parent = path.parent().unwrap_or(Path::new(""));
        // Short: a socket's path may have 107 octets (unix(7)).
        let folder = parent.join(format!(".{}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Left by an edge with our number that was killed in between; nobody else can write into the state folder.
                let _ = fs::remove_file(folder.join("s"));
                fs::remove_dir(&folder)?;
                DirBuilder::new().mode(0o700).create(&folder)?;
            }
            made => made?,
        }
        Ok(Self(folder))
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.join("s"));
        let _ = fs::remove_dir(&self.0);
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_its_users_alone_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin.sock");
        let socket = AdminSocket::bind(&path).expect("bound");
        assert_eq!(fs::metadata(&path).expect("the socket").permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).expect("somebody listens");
        let names: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
        assert_eq!(names, ["admin.sock"]);
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin.sock");
        drop(UnixListener::bind(&path).expect("a socket that nobody removes"));
        let first = AdminSocket::bind(&path).expect("replaced");
        let refused = AdminSocket::bind(&path).expect_err("somebody answers");
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        assert!(refused.to_string().starts_with("another edge answers on "), "{refused}");
        drop(first);
    }

    #[test]
    fn the_socket_of_a_later_edge_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin.sock");
        let first = AdminSocket::bind(&path).expect("bound");
        fs::remove_file(&path).expect("removed by hand");
        let second = AdminSocket::bind(&path).expect("bound again");
        drop(first);
        UnixStream::connect(&path).expect("the second listens");
        drop(second);
    }

    #[test]
    fn a_file_in_the_way_is_not_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin.sock");
        fs::write(&path, "precious").expect("written");
        assert_eq!(AdminSocket::bind(&path).expect_err("refused").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).expect("the file"), "precious");
    }
}
