//! The system bus: connecting to it in the way that wakes us least. What is said over it is the business of those who ask:
//! logind in `logind/`, the service manager in `manager/`.

mod socket;

use zbus::address::Address;
use zbus::address::transport::{Transport, UnixSocket};
use zbus::connection::Builder;
use zbus::{Connection, DBusError as _};

use self::socket::BusSocket;

/// The name and the sentence of an error that somebody on the bus answered with; `None` for one of our own end. The library
/// has one kind of error for names of the D-Bus specification and another one for all others.
pub(super) fn answered_error(error: &zbus::Error) -> Option<(String, String)> {
    match error {
        zbus::Error::MethodError(name, text, _) => Some((name.to_string(), text.clone().unwrap_or_default())),
        zbus::Error::FDO(error) => {
            Some((error.name().to_string(), error.description().unwrap_or_default().to_owned()))
        }
        _ => None,
    }
}

/// Connects where the system says that its bus is.
pub(super) async fn system_bus() -> Result<Connection, zbus::Error> {
    let address = Address::system()?;
    let path = match address.transport() {
        Transport::Unix(socket) => match socket.path() {
            UnixSocket::File(path) => Some(path.clone()),
            _ => None,
        },
        _ => None,
    };
    match path {
        Some(path) => Builder::socket(BusSocket::connect(&path).await?).build().await,
        // Nobody's default; it costs more wake-ups.
        None => Builder::address(address).build().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_its_name_whatever_the_library_makes_of_it() {
        let error = zbus::Error::FDO(Box::new(zbus::fdo::Error::AccessDenied("no".to_owned())));
        let named = ("org.freedesktop.DBus.Error.AccessDenied".to_owned(), "no".to_owned());
        assert_eq!(answered_error(&error), Some(named));
        assert_eq!(answered_error(&zbus::Error::InvalidReply), None);
    }
}
