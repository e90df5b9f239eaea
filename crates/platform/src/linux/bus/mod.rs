//! The system bus: connecting to it in the way that wakes us least. What is said over it is the business of those who ask:
//! logind in `logind/`, the service manager in `manager/`.

mod socket;

use zbus::Connection;
use zbus::address::Address;
use zbus::address::transport::{Transport, UnixSocket};
use zbus::connection::Builder;

use self::socket::BusSocket;

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
