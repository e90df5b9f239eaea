//! Services as the service manager of the system keeps them.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

/// A service to be installed, or to be brought up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// What the manager calls it: `[a-z][a-z0-9-]{0,31}`.
    pub name: String,
    /// What people see.
    pub display_name: String,
    /// A sentence on what it is for; may be empty.
    pub description: String,
    /// The program, absolute.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The configuration file, absolute. It is noted down, so that an installed service is found without naming its file.
    pub config: PathBuf,
    /// Who it runs as.
    pub account: Account,
    /// When it is started.
    pub start: StartType,
    /// Services that must run before it.
    pub dependencies: Vec<String>,
    /// How long the system waits for it after a shutdown was announced.
    pub preshutdown_timeout: Duration,
    /// What it started lives on when it is stopped.
    pub keeps: bool,
}

/// When the manager starts a service by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartType {
    /// When the system boots.
    #[default]
    Auto,
    /// Minutes after that, when the boot is over for everybody else.
    Delayed,
    /// Never; somebody starts it.
    Manual,
}

/// Who a service runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Account {
    /// The system itself: the only account that may start programs as other users.
    #[default]
    LocalSystem,
    /// The little account of the system, nobody on the network.
    LocalService,
    /// The little account of the system, the machine itself on the network.
    NetworkService,
    /// The account that every service has to itself, `NT SERVICE\NAME`.
    Virtual,
    /// A group-managed account, `DOMAIN\NAME$`: the domain knows its password.
    Managed(String),
    /// An ordinary account with a password, `DOMAIN\NAME`, `.\NAME` or `NAME@DOMAIN`.
    Named(String),
}

impl Account {
    /// Reads an account as Windows people write it; case does not matter in the names that the system gives.
    ///
    /// # Errors
    ///
    /// What is wrong with it, to follow "account `…`".
    pub fn parse(text: &str, service: &str) -> Result<Account, String> {
        const BUILT_IN: [(&str, Account); 4] = [
            ("LocalSystem", Account::LocalSystem),
            ("SYSTEM", Account::LocalSystem),
            ("LocalService", Account::LocalService),
            ("NetworkService", Account::NetworkService),
        ];
        let short = strip(text, "NT AUTHORITY\\").or_else(|| strip(text, ".\\")).unwrap_or(text);
        if let Some((_, account)) = BUILT_IN.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(short)) {
            return Ok(account);
        }
        if let Some(name) = strip(text, "NT SERVICE\\") {
            return match name.eq_ignore_ascii_case(service) {
                true => Ok(Account::Virtual),
                false => {
                    Err(format!("belongs to the service {name:?}; this one has `NT SERVICE\\{service}`"))
                }
            };
        }
        match (text.split_once('\\'), text.split_once('@')) {
            (Some((domain, name)), None) if !domain.is_empty() && !name.is_empty() => {
                let managed = name.ends_with('$');
                Ok(if managed { Account::Managed(text.to_owned()) } else { Account::Named(text.to_owned()) })
            }
            (None, Some((name, domain))) if !domain.is_empty() && !name.is_empty() => {
                Ok(Account::Named(text.to_owned()))
            }
            _ => Err("is none that the system has by itself, and of another one the domain is needed: \
                      `DOMAIN\\NAME`, or `.\\NAME` for one of this machine"
                .to_owned()),
        }
    }

    /// Whether a password comes with it.
    pub fn needs_password(&self) -> bool {
        matches!(self, Self::Named(_))
    }
}

fn strip<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LocalSystem => "LocalSystem",
            Self::LocalService => "LocalService",
            Self::NetworkService => "NetworkService",
            Self::Virtual => "its virtual account",
            Self::Managed(name) | Self::Named(name) => name,
        })
    }
}

/// The password of an account. It cannot be printed, and is wiped from memory after use.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes over the text.
    pub fn new(text: String) -> Password {
        Password(Zeroizing::new(text))
    }

    /// The text, for the call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What an installation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// The service is new; otherwise it was there and was brought up to date.
    pub created: bool,
    /// What is different now, a line each: "image path: was …, is …".
    pub changes: Vec<String>,
    /// What this system does not have or did not accept, a line each. The service works without.
    pub warnings: Vec<String>,
    /// What else a person should know, a sentence each.
    pub notes: Vec<String>,
}

/// What a removal of a service leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uninstalled {
    /// Nothing of it.
    Removed,
    /// The service of the same name that a package of the system brought, and that was hidden until now. It is started at boot if
    /// what hid it was.
    Packaged,
}

/// A service that Bilayer installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledService {
    /// Its name.
    pub name: String,
    /// The configuration that it was installed with.
    pub config: PathBuf,
    /// It came with a package of the system, and goes with it.
    pub is_packaged: bool,
}

/// What a service does, as its manager sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunStatus {
    /// Its state.
    pub state: RunState,
    /// Its process, while it has one.
    pub pid: Option<u32>,
    /// What became of its last life; `None` while it runs, and before its first one.
    pub ended: Option<RunEnd>,
    /// Goes up while a state passes, for as long as there is progress.
    pub checkpoint: u32,
    /// How long the state that passes may last until the next report.
    pub wait_hint: Duration,
}

/// The state of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It does not run.
    Stopped,
    /// It is on its way up.
    Starting,
    /// It runs.
    Running,
    /// It is on its way down.
    Stopping,
    /// Paused, or on the way there or back. Services of Bilayer are never in it.
    Paused,
    /// It ended by itself, and the manager is about to start it again.
    Retrying,
}

/// How a life of a service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Cleanly.
    Clean,
    /// With its own exit code.
    Code(u32),
    /// With, or for, an error of the system, by its number.
    System(u32),
    /// Killed by a signal.
    Signal(u8),
    /// Ended by the manager, since its loop did not say for too long that it goes round.
    Hung,
    /// Ended by the manager, since its start or its stop took too long.
    TimedOut,
}

/// What people are told of the service manager of their system. `{name}` stands for the name of a service.
#[derive(Clone, Copy, Debug)]
pub struct ManagerWords {
    /// Who [`Account::LocalSystem`] is.
    pub system_account: &'static str,
    /// How to be somebody who may install and control services; follows "not permitted".
    pub with_rights: &'static str,
    /// The command that shows a service, whoever made it.
    pub show: &'static str,
    /// What allows a service that somebody disabled to be started again.
    pub allow: &'static str,
    /// Where everything is that a service said to the system.
    pub log: &'static str,
    /// A folder for programs that only administrators can write.
    pub programs: &'static str,
}

/// What the service manager refused, or could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// This machine has another service manager, or none.
    #[error("this machine was not started by systemd, which would keep the service")]
    NoManager,
    /// The service manager is there and cannot be asked.
    #[error("cannot reach the service manager over the system bus")]
    Unreachable {
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The service came with a package of the system, and goes with it.
    #[error("the service {name} came with a package of the system")]
    Packaged {
        /// Its name.
        name: String,
    },
    /// A package brought a service of this name, for another configuration.
    #[error("the service {name} came with a package of the system, for the configuration {}", config.display())]
    PackagedOther {
        /// Its name.
        name: String,
        /// The configuration of the package's.
        config: PathBuf,
    },
    /// This user may not do that.
    #[error("not permitted to {action} the service {name}")]
    NotPermitted {
        /// What was tried: "install", "start".
        action: &'static str,
        /// Of which service.
        name: String,
    },
    /// There is no such service.
    #[error("there is no service {name}")]
    NotInstalled {
        /// Its name.
        name: String,
    },
    /// There is a service of this name, and Bilayer did not make it. It was not touched.
    #[error("the service {name} was not installed by Bilayer and was not touched")]
    NotOurs {
        /// Its name.
        name: String,
    },
    /// It was deleted, and goes once nobody looks at it any more.
    #[error("the service {name} is marked for deletion")]
    MarkedForDeletion {
        /// Its name.
        name: String,
    },
    /// Somebody has the whole list of services to themselves for a moment: the system while it starts, or an installer.
    #[error("cannot {action} the service {name} while the list of services is locked")]
    Locked {
        /// What was tried.
        action: &'static str,
        /// Of which service.
        name: String,
    },
    /// It runs already.
    #[error("the service {name} runs already")]
    AlreadyRunning {
        /// Its name.
        name: String,
    },
    /// It does not run.
    #[error("the service {name} does not run")]
    NotRunning {
        /// Its name.
        name: String,
    },
    /// Somebody disabled it.
    #[error("the service {name} is disabled")]
    Disabled {
        /// Its name.
        name: String,
    },
    /// It takes no orders in its state: it is starting or stopping.
    #[error("the service {name} cannot take that now: it is starting or stopping")]
    NotNow {
        /// Its name.
        name: String,
    },
    /// It was started and did not report to the manager in time.
    #[error("the service {name} did not answer in time")]
    NoAnswer {
        /// Its name.
        name: String,
    },
    /// Another service runs under its display name.
    #[error("the display name of the service {name} is that of another service")]
    DisplayNameTaken {
        /// Its name.
        name: String,
    },
    /// The account does not exist, its password is wrong, or it may not log on as a service.
    #[error("the service {name} cannot run as {account}")]
    Account {
        /// Its name.
        name: String,
        /// The account.
        account: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// Anything else.
    #[error("cannot {action} the service {name}")]
    Failed {
        /// What was tried.
        action: &'static str,
        /// Of which service.
        name: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_as_people_write_them() {
        let parse = |text| Account::parse(text, "acme-desk").unwrap();
        assert_eq!(parse("localsystem"), Account::LocalSystem);
        assert_eq!(parse(r".\LocalSystem"), Account::LocalSystem);
        assert_eq!(parse(r"NT AUTHORITY\SYSTEM"), Account::LocalSystem);
        assert_eq!(parse(r"NT AUTHORITY\LocalService"), Account::LocalService);
        assert_eq!(parse("NetworkService"), Account::NetworkService);
        assert_eq!(parse(r"nt service\acme-desk"), Account::Virtual);
        assert_eq!(parse(r"ACME\desk$"), Account::Managed(r"ACME\desk$".to_owned()));
        assert_eq!(parse(r".\desk"), Account::Named(r".\desk".to_owned()));
        assert_eq!(parse("desk@acme.example"), Account::Named("desk@acme.example".to_owned()));
    }

    #[test]
    fn accounts_that_are_none() {
        for text in ["", "desk", r"\desk", r"ACME\", "@acme", r"a\b@c", r"NT SERVICE\other"] {
            assert!(Account::parse(text, "acme-desk").is_err(), "{text}");
        }
    }
}
