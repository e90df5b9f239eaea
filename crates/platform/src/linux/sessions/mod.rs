//! Who is logged on.

mod console;

use self::console::Console;
use crate::{Error, Hint, Mode, SessionInfo};

/// A source of sessions.
pub struct Sessions {
    source: Source,
}

enum Source {
    Console(Console),
}

impl Sessions {
    /// Opens the source; its subscriptions stand when this returns.
    pub async fn open(_mode: Mode) -> Result<Sessions, Error> {
        Ok(Sessions { source: Source::Console(Console::new()) })
    }

    /// Resolves when something may have changed. Cancel safe. Pends for ever in a source without hints.
    pub async fn hint(&mut self) -> Hint {
        match &mut self.source {
            Source::Console(_) => std::future::pending().await,
        }
    }

    /// What is true now. An error never means that there are no sessions.
    pub async fn enumerate(&mut self) -> Result<Vec<SessionInfo>, Error> {
        match &mut self.source {
            Source::Console(console) => Ok(vec![console.session().await]),
        }
    }
}
