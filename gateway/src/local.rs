//! Sockets of this machine, for what is neither encrypted nor authenticated: loopback, or a file.
//!
//! Used by the relay and by who follows one. A socket file is for its owner alone from the moment it
//! exists, whatever the process's umask, and is removed when it accepts no longer; one that was left
//! behind by a process that is gone is taken over.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use rustix::fs::Mode;
use socket2::{Domain, SockAddr, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::config::RelayAddress;
use crate::listen;

/// Connections the kernel holds until they are accepted.
const BACKLOG: i32 = 16;
/// Read and write, by the owner.
const OWNER_ONLY: u32 = 0o600;

/// A connection of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Connects.
pub(crate) async fn dial(address: &RelayAddress) -> io::Result<Box<dyn Stream>> {
    Ok(match address {
        RelayAddress::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
        RelayAddress::Unix(file) => Box::new(UnixStream::connect(file).await?),
    })
}

/// A port or file that is taken.
#[derive(Debug)]
pub(crate) struct Listener {
    address: RelayAddress,
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Listener {
    /// Takes an address.
    pub(crate) fn bind(address: &RelayAddress) -> io::Result<Self> {
        match address {
            RelayAddress::Tcp(address) => {
                let socket = listen::listen(listen::bind(*address)?, BACKLOG)?;
                let address = RelayAddress::Tcp(socket.local_addr()?);
                Ok(Self { address, socket: Socket::Tcp(socket) })
            }
            RelayAddress::Unix(file) => {
                remove_abandoned(file)?;
                let socket = take_file(file)?;
                // Where the umask took something from the owner, too.
                std::fs::set_permissions(file, PermissionsExt::from_mode(OWNER_ONLY))?;
                socket.listen(BACKLOG)?;
                socket.set_nonblocking(true)?;
                let socket = Socket::Unix(socket.into());
                Ok(Self { address: address.clone(), socket })
            }
        }
    }

    /// The port is a real one even where port 0 was asked for.
    pub(crate) const fn address(&self) -> &RelayAddress {
        &self.address
    }

    /// Begins to accept, within a runtime.
    pub(crate) fn start(self) -> io::Result<Accepting> {
        Ok(match self.socket {
            Socket::Tcp(socket) => Accepting::Tcp(TcpListener::from_std(socket)?),
            Socket::Unix(socket) => Accepting::Unix(UnixListener::from_std(socket)?, self.address),
        })
    }
}

/// A listener at work.
#[derive(Debug)]
pub(crate) enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener, RelayAddress),
}

impl Accepting {
    /// The next connection. Cancel-safe, as the runtime's own accept is.
    pub(crate) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(socket) => {
                let (stream, _) = socket.accept().await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Self::Unix(socket, _) => Box::new(socket.accept().await?.0),
        })
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        if let Self::Unix(_, RelayAddress::Unix(file)) = self {
            // Whoever removed it before us has done our work.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Makes a socket file, at which nobody listens yet. Linux gives the file the mode of the socket
/// itself, less the umask, so that is set before there is a file; elsewhere it may be refused, and
/// what protects the file until its mode is set is that nobody can connect before `listen`.
fn take_file(file: &Path) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let outcome = rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR);
    if cfg!(target_os = "linux") {
        outcome?;
    }
    socket.bind(&SockAddr::unix(file)?)?;
    Ok(socket)
}

/// Removes a socket file that nobody listens at; anything else that stands there is left, and told
/// by the bind.
fn remove_abandoned(file: &Path) -> io::Result<()> {
    let is_socket = std::fs::symlink_metadata(file).is_ok_and(|it| it.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    match std::os::unix::net::UnixStream::connect(file) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(file)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(file: &Path) -> u32 {
        std::fs::symlink_metadata(file).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn a_socket_file_is_closed_to_others_from_the_moment_it_exists() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("relay.sock");
        let socket = take_file(&file).expect("free");
        assert_eq!(mode(&file) & !OWNER_ONLY, 0, "{:o} as it was made", mode(&file));
        let refused = std::os::unix::net::UnixStream::connect(&file).expect_err("too early");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        drop(socket);
        Listener::bind(&RelayAddress::Unix(file.clone())).expect("taken over");
        assert_eq!(mode(&file), OWNER_ONLY);
    }

    #[test]
    fn a_socket_file_is_its_owners_and_one_that_was_left_behind_is_taken_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("relay.sock");
        let address = RelayAddress::Unix(file.clone());
        let first = Listener::bind(&address).expect("free");
        assert_eq!(mode(&file), OWNER_ONLY);
        assert!(Listener::bind(&address).is_err(), "somebody listens there");
        // Dropped before it accepts, as by a process that was killed, it leaves its file.
        drop(first);
        assert!(file.exists());
        Listener::bind(&address).expect("taken over");
        std::fs::remove_file(&file).expect("removed");
        std::fs::write(&file, "a file").expect("written");
        assert!(Listener::bind(&address).is_err(), "a file of somebody is left alone");
    }
}
