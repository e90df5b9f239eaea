//! Where the sessions come from.

use bilayer_platform::{Hint, Mode, SessionInfo, Sessions, Station};
use tokio::sync::mpsc;

/// Where a [`Service`](crate::Service) learns who is logged on.
#[derive(Debug)]
pub enum SessionSource {
    /// From the operating system: every session of the machine. Needs privilege.
    System,
    /// The session that this program runs in, and no other: console mode, for development.
    Console,
    /// From a script. For tests and for `bilayer demo`: every agent runs at this program's own station, as its own user.
    Scripted(Script),
}

/// Scripted sessions: hints and enumerations from a channel.
#[derive(Debug)]
pub struct Script {
    steps: mpsc::UnboundedReceiver<Step>,
    sessions: Vec<SessionInfo>,
}

/// The end of a [`Script`] that says what happens.
#[derive(Clone, Debug)]
pub struct Director {
    steps: mpsc::UnboundedSender<Step>,
}

#[derive(Debug)]
enum Step {
    Sessions(Vec<SessionInfo>),
    Hint(Hint),
}

impl Script {
    /// A script without sessions, and its director.
    pub fn new() -> (Director, Self) {
        let (sender, steps) = mpsc::unbounded_channel();
        (Director { steps: sender }, Self { steps, sessions: Vec::new() })
    }
}

impl Director {
    /// From now on these are the sessions.
    pub fn sessions(&self, sessions: Vec<SessionInfo>) {
        // A service that has ended needs no director.
        let _ = self.steps.send(Step::Sessions(sessions));
    }

    /// Something else happens: a suspend, a shutdown.
    pub fn hint(&self, hint: Hint) {
        let _ = self.steps.send(Step::Hint(hint));
    }
}

/// An opened source.
pub(crate) struct Source {
    sessions: Opened,
    /// Hints of the service manager, which follows the sessions of the machine on its own account.
    told: Option<mpsc::Receiver<Hint>>,
}

enum Opened {
    Real(Box<Sessions>),
    Scripted(Script),
}

impl Source {
    pub(crate) async fn open(source: SessionSource, service: &str) -> Result<Self, bilayer_platform::Error> {
        let sessions = match source {
            SessionSource::System => Opened::Real(Box::new(Sessions::open(Mode::System, service).await?)),
            SessionSource::Console => Opened::Real(Box::new(Sessions::open(Mode::Console, service).await?)),
            SessionSource::Scripted(script) => Opened::Scripted(script),
        };
        Ok(Self { sessions, told: None })
    }

    /// From now on these hints count as well.
    pub(crate) fn also_hear(&mut self, told: mpsc::Receiver<Hint>) {
        self.told = Some(told);
    }

    pub(crate) async fn enumerate(&mut self) -> Result<Vec<SessionInfo>, bilayer_platform::Error> {
        match &mut self.sessions {
            Opened::Real(sessions) => sessions.enumerate().await,
            Opened::Scripted(script) => Ok(script.sessions.clone()),
        }
    }

    /// Whether the logon screens are sessions like others from now on. A script says what its sessions are.
    pub(crate) fn list_greeters(&mut self, listed: bool) {
        match &mut self.sessions {
            Opened::Real(sessions) => sessions.list_greeters(listed),
            Opened::Scripted(_) => {}
        }
    }

    /// The system need not wait for this service any more before it shuts down.
    pub(crate) fn release_shutdown(&mut self) {
        match &mut self.sessions {
            Opened::Real(sessions) => sessions.release_shutdown(),
            Opened::Scripted(_) => {}
        }
    }

    /// Resolves when something may have changed. Cancel safe.
    pub(crate) async fn hint(&mut self) -> Hint {
        let told = async {
            match &mut self.told {
                Some(told) => told.recv().await,
                None => None,
            }
        };
        tokio::select! {
            Some(hint) = told => hint,
            hint = self.sessions.hint() => hint,
        }
    }
}

impl Opened {
    async fn hint(&mut self) -> Hint {
        match self {
            Self::Real(sessions) => sessions.hint().await,
            Self::Scripted(script) => match script.steps.recv().await {
                Some(Step::Hint(hint)) => hint,
                Some(Step::Sessions(mut sessions)) => {
                    // Whoever a script says is logged on, nothing is started as them.
                    sessions.iter_mut().for_each(|session| session.station = Station::own());
                    script.sessions = sessions;
                    Hint::Sessions
                }
                None => std::future::pending().await,
            },
        }
    }
}
