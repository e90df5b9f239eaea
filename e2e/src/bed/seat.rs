//! Whether the container's seat has virtual terminals.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

/// How many virtual terminals a container is given, when it is given any.
const TERMINALS: u32 = 10;

/// The seat that users of the container sit at.
#[derive(Debug)]
pub(crate) enum Seat {
    /// With the kernel's virtual terminals. They belong to the whole machine, so the lock is held while a container has them.
    Terminals(File),
    /// Without; logind switches between its sessions by itself. Safe beside other containers and beside a person.
    Plain,
}

impl Seat {
    /// Virtual terminals where nobody else uses them: no person at the machine's own seat and no other test.
    pub(crate) fn free() -> Result<Self> {
        let own = fs::read_to_string("/run/systemd/seats/seat0").unwrap_or_default();
        let is_used =
            own.lines().any(|line| line.strip_prefix("ACTIVE=").is_some_and(|session| !session.is_empty()));
        if is_used || !Path::new("/dev/tty0").exists() {
            return Ok(Self::Plain);
        }
        let lock = File::create("/run/bilayer-e2e.lock")
            .context("cannot make the lock for the virtual terminals")?;
        Ok(if lock.try_lock().is_ok() { Self::Terminals(lock) } else { Self::Plain })
    }

    /// Another handle of the same seat, for the next boot.
    pub(crate) fn share(&self) -> Result<Self> {
        Ok(match self {
            Self::Terminals(lock) => Self::Terminals(lock.try_clone()?),
            Self::Plain => Self::Plain,
        })
    }

    /// Whether a session on it has a terminal of its own.
    pub(super) fn has_terminals(&self) -> bool {
        matches!(self, Self::Terminals(_))
    }

    /// The options of systemd-nspawn that give the container this seat.
    pub(super) fn binds(&self, folder: &Path) -> Result<Vec<String>> {
        match self {
            Self::Terminals(_) => {
                Ok((0..TERMINALS).map(|number| format!("--bind=/dev/tty{number}")).collect())
            }
            Self::Plain => {
                // logind believes in terminals when it finds the kernel's description of them.
                let drop_in = folder.join("no-terminals.conf");
                super::write(&drop_in, "[Service]\nTemporaryFileSystem=/sys/class/tty\n")?;
                let target = "/etc/systemd/system/systemd-logind.service.d/no-terminals.conf";
                Ok(vec![format!("--bind-ro={}:{target}", drop_in.display())])
            }
        }
    }
}
