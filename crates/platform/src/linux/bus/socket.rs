//! The socket to the bus, waited on for what can be read and for nothing else.
//!
//! A socket that is also registered for writing wakes us for each question twice: once when the bus has taken the question,
//! once when the answer is there. Questions are short and the socket's buffer is large, so they are written at once, and only
//! one that does not fit waits until it does.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendFlags,
    recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::export::async_trait::async_trait;

/// How many descriptors one message may bring; logind's bring one. It is also the kernel's limit, SCM_MAX_FD in unix(7).
const DESCRIPTORS_MAX: usize = 253;

/// A connected Unix stream socket.
#[derive(Debug)]
pub(super) struct BusSocket {
    stream: AsyncFd<UnixStream>,
}

/// The end for what the bus says.
#[derive(Debug)]
pub(super) struct Reader {
    stream: Arc<AsyncFd<UnixStream>>,
}

/// The end for what we say.
#[derive(Debug)]
pub(super) struct Writer {
    stream: Arc<AsyncFd<UnixStream>>,
}

impl BusSocket {
    /// Connects to the bus that listens at `path`. Needs a runtime.
    pub(super) async fn connect(path: &Path) -> io::Result<BusSocket> {
        BusSocket::new(tokio::net::UnixStream::connect(path).await?.into_std()?)
    }

    /// Takes a connected socket that does not block.
    fn new(stream: UnixStream) -> io::Result<BusSocket> {
        Ok(BusSocket { stream: registered(stream, Interest::READABLE)? })
    }
}

impl Socket for BusSocket {
    type ReadHalf = Reader;
    type WriteHalf = Writer;

    fn split(self) -> Split<Reader, Writer> {
        let stream = Arc::new(self.stream);
        Split::new(Reader { stream: Arc::clone(&stream) }, Writer { stream })
    }
}

#[async_trait]
impl ReadHalf for Reader {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        self.stream.async_io(Interest::READABLE, |stream| receive(stream, buffer)).await
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

#[async_trait]
impl WriteHalf for Writer {
    async fn sendmsg(&mut self, buffer: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
        if !descriptors.is_empty() {
            return Err(io::Error::new(ErrorKind::Unsupported, "descriptors are received here, never sent"));
        }
        loop {
            match send(self.stream.get_ref(), buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // Another descriptor of the same socket, for the one wait: epoll(7) tells them apart.
                    let other = self.stream.get_ref().try_clone()?;
                    let _ready = registered(other, Interest::WRITABLE)?.writable().await?;
                }
                sent => return sent,
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.stream.get_ref().shutdown(Shutdown::Both)
    }
}

fn registered(stream: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    // SAFETY: the stream owns its descriptor, and the registration owns the stream.
    Ok(unsafe { AsyncFd::register_with_interest(stream, interest) }?)
}

fn send(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    Ok(sendmsg(stream, &[IoSlice::new(bytes)], &mut SendAncillaryBuffer::default(), flags)?)
}

fn receive(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = recvmsg(stream, &mut [IoSliceMut::new(buffer)], &mut control, flags)?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::new(ErrorKind::InvalidData, "the bus sent more descriptors than we may open"));
    }
    Ok((received.bytes, descriptors))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::os::fd::{AsFd as _, AsRawFd as _};

    use rustix::io::{FdFlags, fcntl_getfd};
    use rustix::net::SendAncillaryMessage;

    use super::*;

    fn pair() -> (Reader, Writer, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let (reader, writer) = BusSocket::new(ours).unwrap().split().take();
        (reader, writer, theirs)
    }

    /// Of every epoll instance of this process that watches the descriptor: the events it waits for, proc(5).
    fn watched_for(descriptor: i32) -> Vec<u32> {
        let infos = fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
        let texts = infos.filter_map(|info| fs::read_to_string(info.path()).ok());
        let lines: Vec<String> =
            texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        let events = |line: &String| {
            let mut words = line.strip_prefix("tfd:")?.split_whitespace();
            let is_it = words.next()?.parse() == Ok(descriptor);
            is_it.then(|| u32::from_str_radix(words.nth(1)?, 16).ok())?
        };
        lines.iter().filter_map(events).collect()
    }

    #[tokio::test]
    async fn only_what_can_be_read_wakes_us() {
        let (reader, mut writer, _theirs) = pair();
        assert_eq!(writer.sendmsg(b"question", &[]).await.unwrap(), 8);
        let watched = watched_for(reader.stream.get_ref().as_raw_fd());
        let (readable, writable) = (libc::EPOLLIN as u32, libc::EPOLLOUT as u32);
        assert!(!watched.is_empty());
        assert!(
            watched.iter().all(|events| events & readable != 0 && events & writable == 0),
            "{watched:x?}"
        );
    }

    #[tokio::test]
    async fn what_does_not_fit_waits_until_it_does() {
        let (_reader, mut writer, mut theirs) = pair();
        let chunk = [7u8; 64 * 1024];
        let mut sent = 0;
        while let Ok(bytes) = send(writer.stream.get_ref(), &chunk) {
            sent += bytes;
        }
        let takes =
            tokio::task::spawn_blocking(move || theirs.read_exact(&mut vec![0; sent]).map(|()| theirs));
        assert!(writer.sendmsg(&chunk, &[]).await.unwrap() > 0);
        let _theirs = takes.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_descriptor_arrives_and_is_not_inherited() {
        let (mut reader, _writer, theirs) = pair();
        let given = fs::File::open("/dev/null").unwrap();
        let given = [given.as_fd()];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&given)));
        sendmsg(&theirs, &[IoSlice::new(b"lock")], &mut control, SendFlags::empty()).unwrap();
        let mut buffer = [0; 16];
        let (bytes, descriptors) = reader.recvmsg(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..bytes], descriptors.len()), (&b"lock"[..], 1));
        assert!(fcntl_getfd(&descriptors[0]).unwrap().contains(FdFlags::CLOEXEC));
    }

    #[tokio::test]
    async fn the_end_is_seen() {
        let (mut reader, mut writer, theirs) = pair();
        drop(theirs);
        assert_eq!(reader.recvmsg(&mut [0; 16]).await.unwrap().0, 0);
        assert_eq!(writer.sendmsg(b"question", &[]).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
