//! The service's end of an endpoint: named pipes that one user can open.

use std::io;
use std::ptr;

use tokio::net::windows::named_pipe::{NamedPipeServer, PipeMode, ServerOptions};
use tokio::sync::Mutex;
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_NO_DATA};
use windows_sys::Win32::Security::{TOKEN_DUPLICATE, TOKEN_QUERY};

use super::security::Descriptor;
use super::stream::is;
use super::token::{Token, own_sid};
use super::{dirs, pipe, sddl, service_sid};
use crate::{Dirs, EndpointPer, Error, Peer, Station, Stream};

/// On Windows every launch has a pipe of its own: a client must ask for the right to write, which on a pipe includes the right to
/// make further instances of it, so a pipe is shared by nobody.
pub const ENDPOINT_PER: EndpointPer = EndpointPer::Launch;

/// A pipe that is listened at. It is gone soon after this is dropped: when the runtime has seen that the wait for a client was
/// cancelled.
pub struct Listener {
    address: String,
    descriptor: Descriptor,
    /// The instance that the next client gets. There is always one, so that the name never becomes free.
    next: Mutex<NamedPipeServer>,
}

impl Listener {
    /// Listens for the agent of one launch: only the station's user can connect. The name is random; the tag, which names the
    /// launch, is not part of it.
    pub fn for_agents(_dirs: &Dirs, station: &Station, _tag: &str) -> Result<Listener, Error> {
        let address = pipe::random_name("agent");
        Listener::bind(address, descriptor_for(station))
    }

    /// Listens again where an earlier life of this service listened for an agent that outlived it: its address, which that agent
    /// knows, and no other.
    pub fn for_agents_at(_dirs: &Dirs, station: &Station, address: &str) -> Result<Listener, Error> {
        if !address.starts_with(pipe::PREFIX) {
            let problem = "is no pipe of this machine; nothing is listened at there".into();
            return Err(Error::Unsafe { path: address.into(), problem });
        }
        Listener::bind(address.to_owned(), descriptor_for(station))
    }

    /// Listens for people who look after the service: administrators; in a console, this user.
    pub fn for_control(dirs: &Dirs) -> Result<Listener, Error> {
        let (own, addresses) = (own_sid().as_str(), dirs::control_pipes(dirs));
        if let Some(taken) = addresses.iter().find(|address| pipe::exists(address)) {
            return Err(Error::Taken { address: taken.clone() });
        }
        let (list, place) = match dirs::service_of(dirs) {
            None => (sddl::console_pipe(own), 0),
            Some(_) if is_administrator() => (sddl::service_pipe(own), 0),
            // Its own identifier as the owner: nobody else is given that.
            Some(service) => (sddl::service_pipe(&service_sid::of(&service)), 1),
        };
        let address = addresses.into_iter().nth(place).unwrap_or_default();
        Listener::bind(address, Descriptor::parse(&list))
    }

    /// The path of the pipe.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The next connection and who is at its other end. Cancel safe. Clients that cannot be identified are turned away.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        let mut next = self.next.lock().await;
        loop {
            match next.connect().await {
                // It came and went before we looked.
                Err(error) if is(&error, ERROR_NO_DATA) => {
                    next.disconnect()?;
                    continue;
                }
                connected => connected?,
            }
            // The next instance first: were this the only one, its end would free the name for others.
            let server = match self.instance() {
                Ok(fresh) => std::mem::replace(&mut *next, fresh),
                Err(error) => {
                    next.disconnect()?;
                    return Err(error);
                }
            };
            match Peer::of(&server) {
                Ok(peer) => return Ok((Stream::new(server), peer)),
                Err(error) => {
                    tracing::warn!(address = self.address, %error, "a client could not be identified");
                }
            }
        }
    }

    fn bind(address: String, descriptor: io::Result<Descriptor>) -> Result<Listener, Error> {
        let bound = descriptor.and_then(|descriptor| {
            let first = create(options().first_pipe_instance(true), &address, &descriptor)?;
            Ok((first, descriptor))
        });
        match bound {
            Ok((first, descriptor)) => Ok(Listener { address, descriptor, next: Mutex::new(first) }),
            // What the flag for the first instance answers when it is not the first.
            Err(error) if is(&error, ERROR_ACCESS_DENIED) => Err(Error::Taken { address }),
            Err(source) => Err(Error::Listen { address, source }),
        }
    }

    fn instance(&self) -> io::Result<NamedPipeServer> {
        create(&options(), &self.address, &self.descriptor)
    }
}

fn descriptor_for(station: &Station) -> io::Result<Descriptor> {
    let user = station.sid().ok_or_else(|| io::Error::other("the user of the session is not known yet"))?;
    Descriptor::parse(&sddl::agent_pipe(own_sid().as_str(), user.as_str()))
}

/// Whether this process may make pipes where only administrators may.
fn is_administrator() -> bool {
    let own = Token::own_with(TOKEN_QUERY | TOKEN_DUPLICATE);
    own.and_then(|token| token.is_administrator()).unwrap_or(false)
}

fn options() -> ServerOptions {
    let mut options = ServerOptions::new();
    options.pipe_mode(PipeMode::Byte).reject_remote_clients(true);
    options
}

/// Makes an instance of a pipe. Each gets the descriptor: it is the instance that is opened, not the name.
pub(super) fn create(
    options: &ServerOptions,
    address: &str,
    descriptor: &Descriptor,
) -> io::Result<NamedPipeServer> {
    let mut attributes = descriptor.attributes();
    // SAFETY: the attributes are complete, and point to a descriptor that outlives the call.
    unsafe { options.create_with_security_attributes_raw(address, ptr::from_mut(&mut attributes).cast()) }
}
