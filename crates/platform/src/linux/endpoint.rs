//! The service's end of an endpoint: Unix stream sockets in folders that only the service can write.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, Uid, chownat, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, listen, socket_with};
use rustix::process::geteuid;
use tokio::net::UnixListener;

use super::dirs::{agent_sockets, answers, control_socket};
use crate::{Dirs, EndpointPer, Error, Peer, Station, Stream};

/// On Linux the agents of a session share one socket: it belongs to the session's user, and who connects is told by the kernel.
pub const ENDPOINT_PER: EndpointPer = EndpointPer::Session;

/// unix(7): `sun_path` has 108 bytes, and we keep its end marker.
const PATH_LENGTH_MAX: usize = 107;

/// How many connections may wait to be accepted. The loop takes them at once.
const BACKLOG: i32 = 128;

/// A listening socket. Dropping it removes it from the file system.
pub struct Listener {
    socket: UnixListener,
    address: String,
}

impl Listener {
    /// Listens for the agents of a station: only its user can connect. `tag` names the session, unlike any other's.
    pub fn for_agents(dirs: &Dirs, station: &Station, tag: &str) -> Result<Listener, Error> {
        let listener = Listener::bind(&agent_sockets(dirs).join(format!("{tag}.sock")))?;
        if station.uid() != geteuid().as_raw() {
            let uid = Uid::from_raw(station.uid());
            chownat(CWD, &listener.address, Some(uid), None, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| listener.failed(errno.into()))?;
        }
        Ok(listener)
    }

    /// Listens again where an earlier life of this service listened for an agent that outlived it: its address, which that agent
    /// knows, and no other.
    pub fn for_agents_at(dirs: &Dirs, station: &Station, address: &str) -> Result<Listener, Error> {
        let path = Path::new(address);
        match (path.parent(), path.file_stem().and_then(|stem| stem.to_str())) {
            (Some(folder), Some(tag)) if folder == agent_sockets(dirs) => {
                Listener::for_agents(dirs, station, tag)
            }
            _ => {
                let problem = "is not among the sockets of this service; nothing is listened at there".into();
                Err(Error::Unsafe { path: path.to_owned(), problem })
            }
        }
    }

    /// Listens for people who look after the service: root, and in a console this user.
    pub fn for_control(dirs: &Dirs) -> Result<Listener, Error> {
        Listener::bind(&control_socket(dirs))
    }

    /// The path of the socket.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The next connection and who is at its other end. Cancel safe.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        let (socket, _) = self.socket.accept().await?;
        let peer = Peer::of(&socket)?;
        Ok((Stream::new(socket), peer))
    }

    /// Binds a socket that is closed to everybody but this user from its first moment: on Linux the mode of the descriptor is
    /// what the socket in the file system is made with, less the umask.
    fn bind(path: &Path) -> Result<Listener, Error> {
        let address = printable(path)?;
        make_way(path, &address)?;
        let bound = || -> io::Result<UnixListener> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
            rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
            listen(&socket, BACKLOG)?;
            UnixListener::from_std(socket.into())
        };
        let socket = bound().map_err(|source| Error::Listen { address: address.clone(), source })?;
        Ok(Listener { socket, address })
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Listen { address: self.address.clone(), source }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Best effort: a socket without a listener is replaced by the next run.
        let _ = fs::remove_file(&self.address);
    }
}

fn printable(path: &Path) -> Result<String, Error> {
    let unsafe_because = |problem| Error::Unsafe { path: PathBuf::from(path), problem };
    let text =
        path.to_str().ok_or_else(|| unsafe_because("is not UTF-8 and cannot be handed to agents".into()))?;
    if text.len() > PATH_LENGTH_MAX {
        let length = text.len();
        return Err(unsafe_because(format!(
            "has {length} bytes, and the path of a socket can have {PATH_LENGTH_MAX} at most; use a shorter service name or \
             runtime folder"
        )));
    }
    Ok(text.to_owned())
}

/// Removes a socket that nobody listens at any more, and nothing else.
fn make_way(path: &Path, address: &str) -> Result<(), Error> {
    let failed = |source| Error::Listen { address: address.to_owned(), source };
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let what = match meta.file_type() {
        kind if kind.is_socket() => {
            // The agents' sockets belong to their users; only root can have made them, in a folder of root's.
            let own = geteuid();
            if meta.uid() == own.as_raw() || own.is_root() {
                if answers(path) {
                    return Err(Error::Taken { address: address.to_owned() });
                }
                return fs::remove_file(path).map_err(failed);
            }
            "a socket of another user"
        }
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a folder",
        _ => "a file",
    };
    let problem = format!("should be a socket and is {what}; remove it and start again");
    Err(Error::Unsafe { path: path.to_owned(), problem })
}
