//! Who is logged on.

mod console;
mod followed;
mod machine;

use self::console::Console;
use self::machine::Machine;
use crate::{Error, Hint, Mode, SessionInfo};

/// A source of sessions.
pub struct Sessions {
    source: Source,
}

enum Source {
    Console(Console),
    Machine(Box<Machine>),
}

impl Sessions {
    /// Opens the source; its subscriptions stand when this returns. Needs a runtime. `service` is who the system says holds up a
    /// shutdown.
    ///
    /// A machine whose system bus does not answer yet is no error: enumerations are, until it does, and then there is a hint.
    pub async fn open(mode: Mode, service: &str) -> Result<Sessions, Error> {
        let source = match mode {
            Mode::Console => Source::Console(Console::new()),
            Mode::System => Source::Machine(Box::new(Machine::open(service).await)),
        };
        Ok(Sessions { source })
    }

    /// Resolves when something may have changed. Cancel safe. Pends for ever in a source without hints.
    pub async fn hint(&mut self) -> Hint {
        match &mut self.source {
            Source::Console(_) => std::future::pending().await,
            Source::Machine(machine) => machine.hint().await,
        }
    }

    /// What is true now. An error never means that there are no sessions.
    pub async fn enumerate(&mut self) -> Result<Vec<SessionInfo>, Error> {
        match &mut self.source {
            Source::Console(console) => Ok(vec![console.session().await]),
            Source::Machine(machine) => machine.enumerate().await,
        }
    }

    /// Whether enumerations from now on have the logon screens in them; at first they have not. Only Linux knows them as
    /// sessions, and only where all of the machine's are followed.
    pub fn list_greeters(&mut self, listed: bool) {
        match &mut self.source {
            Source::Console(_) => {}
            Source::Machine(machine) => machine.list_greeters(listed),
        }
    }

    /// Everything is done that had to be done before the announced shutdown: the machine need not wait for this program any
    /// longer. A shutdown that is called off makes it wait again for the next.
    pub fn release_shutdown(&mut self) {
        match &self.source {
            Source::Console(_) => {}
            Source::Machine(machine) => machine.release_shutdown(),
        }
    }
}
