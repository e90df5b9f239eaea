//! Who is logged on.

mod bearer;
mod console;
mod facts;
mod followed;
mod machine;
mod query;

use self::console::Console;
use self::machine::Machine;
use crate::{Error, Hint, Mode, SessionInfo};

/// A source of sessions.
pub struct Sessions {
    source: Source,
}

enum Source {
    Console(Box<Console>),
    Machine(Box<Machine>),
}

impl Sessions {
    /// Opens the source; its subscriptions stand when this returns. Needs a runtime.
    ///
    /// What happens to the sessions of the whole machine reaches a service through its control handler. Here such a source hints
    /// only at what it found out by itself: a token that was not ready and now is, an environment that was read.
    pub async fn open(mode: Mode, _service: &str) -> Result<Sessions, Error> {
        let source = match mode {
            Mode::Console => Source::Console(Box::new(Console::open()?)),
            Mode::System => Source::Machine(Box::new(Machine::open())),
        };
        Ok(Sessions { source })
    }

    /// Resolves when something may have changed. Cancel safe.
    pub async fn hint(&mut self) -> Hint {
        match &mut self.source {
            Source::Console(console) => console.hint().await,
            Source::Machine(machine) => machine.hint().await,
        }
    }

    /// What is true now. An error never means that there are no sessions.
    pub async fn enumerate(&mut self) -> Result<Vec<SessionInfo>, Error> {
        match &mut self.source {
            Source::Console(console) => Ok(vec![console.session()]),
            Source::Machine(machine) => machine.enumerate().await,
        }
    }

    /// Does nothing: the logon screen of Windows is no session that a program could be started in as its user.
    pub fn list_greeters(&mut self, _listed: bool) {}

    /// Everything has stopped: the shutdown or logoff that was announced need not wait for us any longer. A service says so to the
    /// service manager instead.
    pub fn release_shutdown(&mut self) {
        match &mut self.source {
            Source::Console(console) => console.release(),
            Source::Machine(_) => {}
        }
    }
}
