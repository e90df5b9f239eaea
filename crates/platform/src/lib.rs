//! The operating-system half of Bilayer, and the only crate with `unsafe` and `cfg(target_os)`.
//!
//! # Theory of operation
//!
//! One contract, two halves. What both systems share is data and lives in the files beside this one; what differs lives in
//! `linux/` and `windows/`, which export *the same names with the same signatures*: those of the list below, which both
//! systems compile. Callers never write `cfg`. Where one system cannot do what the other can, that is a value or an error
//! that says so.
//!
//! A [`Sessions`] source says who is logged on: `hint()` resolves when something may have changed, `enumerate()` says what
//! is true now. Each session in an enumeration carries a [`Station`]: all that is needed to start a process in it, as its
//! user. [`launch`] starts a [`Command`] at a station and returns a [`Process`]: owned, verified handles, never a bare pid.
//! A [`Listener`] accepts [`Stream`]s with the [`Peer`] at their other end. [`run_as_service`] connects to the service manager
//! that started this program and hands out the [`ServiceHost`]; a [`Services`] installs services and asks for them from
//! outside.
//!
//! **Architecture invariants:** no foreign type leaves this crate; nothing here decides *whether* an agent should run; every
//! `unsafe` block is one call with its reason.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

// Plain work of the Windows half, tested wherever the tests run.
#[cfg(all(test, not(windows)))]
#[path = "windows/acl.rs"]
mod acl;
#[cfg(all(test, not(windows), feature = "host"))]
#[path = "windows/host/control.rs"]
mod control;
#[cfg(all(test, not(windows)))]
#[path = "windows/environment.rs"]
mod environment;
#[cfg(all(test, not(windows), feature = "host"))]
#[path = "windows/host/inbox.rs"]
mod inbox;
#[cfg(all(test, not(windows)))]
#[path = "windows/pe.rs"]
mod pe;
#[cfg(all(test, not(windows)))]
#[path = "windows/quoting.rs"]
mod quoting;
#[cfg(all(test, not(windows)))]
#[path = "windows/sddl.rs"]
mod sddl;
#[cfg(all(test, not(windows)))]
#[path = "windows/service_sid.rs"]
mod service_sid;

#[cfg(all(test, not(windows), feature = "host"))]
#[path = "windows/sessions/facts.rs"]
mod facts;

#[cfg(feature = "host")]
mod command;
mod dirs;
mod endpoint;
mod error;
mod exit;
#[cfg(feature = "host")]
mod follow;
#[cfg(feature = "host")]
mod host;
#[cfg(feature = "host")]
mod keep;
#[cfg(feature = "host")]
mod manager;
#[cfg(feature = "host")]
mod message;
#[cfg(feature = "host")]
mod output;
#[cfg(feature = "host")]
mod session;
#[cfg(feature = "host")]
mod severity;
mod signal;

#[cfg(feature = "host")]
pub use command::{Command, Elevation, LaunchError, LaunchErrorKind, TokenSource};
pub use dirs::Dirs;
pub use endpoint::EndpointPer;
pub use error::{Cause, ConnectError, Error};
pub use exit::{Exit, exit_key};
#[cfg(feature = "host")]
pub use follow::Outputs;
#[cfg(feature = "host")]
pub use host::{HostError, Notice, SessionChange};
#[cfg(feature = "host")]
pub use keep::{Keep, LAUNCH_VARIABLE, ProcessRecord, Root};
#[cfg(feature = "host")]
pub use manager::{
    Account, Installation, Installed, InstalledService, ManagerError, ManagerWords, Password, RunEnd,
    RunState, RunStatus, StartType, Uninstalled,
};
#[cfg(feature = "host")]
pub use message::{Answer, Buttons, Gravity, Message};
#[cfg(feature = "host")]
pub use output::{Output, OutputEnd};
#[cfg(feature = "host")]
pub use session::{Hint, Kind, Mode, SessionInfo, State, User};
#[cfg(feature = "host")]
pub use severity::Severity;
pub use signal::Signal;
#[cfg(feature = "host")]
pub use system::shutdown_delay;
#[cfg(feature = "host")]
pub use system::{
    Alarm, CONSOLE_WINDOWS, ENDPOINT_PER, Launched, Listener, Peer, Process, Sessions, Signals, Station,
    Vacated, check_program, empty_file, forget_startup, harden, has_session_tracking, helper_main,
    is_privileged, launch, notify_user, now, open_to_append, raise_descriptor_limit, read_private, relaunch,
    server_identity, share_one_heap, writable_by_others, write_private,
};
#[cfg(feature = "host")]
pub use system::{EventLog, MESSAGES_ANSWER, writable_without_elevation};
#[cfg(feature = "host")]
pub use system::{
    HAS_DELAYED_START, MANAGER_WORDS, ServiceHost, Services, check_dependency, installed_services,
    left_by_hand, run_as_service, service_file,
};
#[cfg(feature = "host")]
pub use system::{HAS_GREETERS, HAS_TOKENS, SESSION_TYPES, account_key, knows_group, knows_user};
pub use system::{Stream, connect, connect_control, random_bytes};
#[cfg(feature = "host")]
pub use system::{WORKER_ACCOUNTS, check_worker_account};
