//! The socket on which systemd listens for what a service has to say: sd_notify(3).

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// How long a word may wait for its place in the queue of systemd, which has room for hundreds. A systemd that hangs must not
/// make this service hang too.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// A way to systemd.
pub(super) struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Notifier {
    /// To the socket that the environment names; `None` if it names none.
    pub(super) fn from_environment() -> io::Result<Option<Notifier>> {
        match std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) {
            Some(name) => Notifier::to(&name).map(Some),
            None => Ok(None),
        }
    }

    fn to(name: &OsString) -> io::Result<Notifier> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(WAIT_MAX))?;
        Ok(Notifier { socket, address })
    }

    /// Says this: lines of `NAME=value`.
    pub(super) fn send(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Err(error) = self.socket.send_to_addr(text.as_bytes(), &self.address) {
            tracing::warn!(%error, "cannot tell systemd: {}", text.trim_end().replace('\n', ", "));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn heard(listener: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let length = listener.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn both_kinds_of_sockets_are_reached() {
        let name = format!("bilayer-notify-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notifier::to(&OsString::from_vec(format!("@{name}").into_bytes())).unwrap().send("READY=1\n");
        assert_eq!(heard(&listener), "READY=1\n");

        let path = std::env::temp_dir().join(&name);
        let listener = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(&path.clone().into_os_string()).unwrap();
        notifier.send("STATUS=a\n");
        assert_eq!(heard(&listener), "STATUS=a\n");
        drop(listener);
        std::fs::remove_file(&path).unwrap();
        notifier.send("READY=1\n");
    }
}
