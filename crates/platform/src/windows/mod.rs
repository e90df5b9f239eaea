//! The Windows half: terminal-services sessions, job objects and named pipes.
//!
//! One file per concept of the operating system. Windows 10 1809 and Server 2019 are the oldest that count. In a console all of it
//! runs in the developer's own session, with the developer's own token; a service follows every session of the machine and acts in
//! each with the token of its user.

mod acl;
pub(crate) mod dirs;
mod folder;
mod handle;
mod object;
mod pipe;
mod random;
mod sddl;
mod security;
mod service_process;
mod service_sid;
mod sid;
mod stream;
mod token;
mod trust;
mod wide;

#[cfg(feature = "host")]
mod account;
#[cfg(feature = "host")]
mod alarm;
#[cfg(feature = "host")]
mod append;
#[cfg(feature = "host")]
mod attributes;
#[cfg(feature = "host")]
mod clock;
#[cfg(feature = "host")]
mod create;
#[cfg(feature = "host")]
mod credentials;
#[cfg(feature = "host")]
mod endpoint;
#[cfg(feature = "host")]
mod environment;
#[cfg(feature = "host")]
mod errand;
#[cfg(feature = "host")]
mod event_log;
#[cfg(feature = "host")]
mod harden;
#[cfg(feature = "host")]
mod helper;
#[cfg(feature = "host")]
mod host;
#[cfg(feature = "host")]
mod image;
#[cfg(feature = "host")]
mod job;
#[cfg(feature = "host")]
pub(crate) mod keep;
#[cfg(feature = "host")]
mod kin;
#[cfg(feature = "host")]
mod logon;
#[cfg(feature = "host")]
mod manager;
#[cfg(feature = "host")]
mod notify;
#[cfg(feature = "host")]
mod pe;
#[cfg(feature = "host")]
mod peer;
#[cfg(feature = "host")]
pub(crate) mod pipe_reader;
#[cfg(feature = "host")]
mod polite;
#[cfg(feature = "host")]
pub(crate) mod printed;
#[cfg(feature = "host")]
mod private;
#[cfg(feature = "host")]
mod process;
#[cfg(feature = "host")]
mod profile;
#[cfg(feature = "host")]
mod program;
#[cfg(feature = "host")]
mod quoting;
#[cfg(all(test, feature = "host"))]
mod quoting_by_the_system;
#[cfg(feature = "host")]
mod refusal;
#[cfg(feature = "host")]
mod root;
#[cfg(feature = "host")]
mod sessions;
#[cfg(feature = "host")]
mod shell;
#[cfg(feature = "host")]
mod signals;
#[cfg(feature = "host")]
mod spawn;
#[cfg(feature = "host")]
mod station;
#[cfg(feature = "host")]
mod wait;
#[cfg(feature = "host")]
mod window;

pub use random::random_bytes;
pub use stream::{Stream, connect, connect_control};

#[cfg(feature = "host")]
pub use {
    alarm::Alarm,
    append::{empty_file, open_to_append},
    clock::now,
    endpoint::{ENDPOINT_PER, Listener},
    event_log::EventLog,
    harden::harden,
    helper::helper_main,
    host::{ServiceHost, run_as_service},
    logon::{WORKER_ACCOUNTS, check_worker_account},
    manager::{MANAGER_WORDS, Services, check_dependency, installed_services, left_by_hand, service_file},
    notify::{MESSAGES_ANSWER, notify_user},
    peer::{Peer, server_identity},
    private::{read_private, write_private},
    process::Process,
    program::check_program,
    sessions::Sessions,
    signals::Signals,
    spawn::{Launched, Vacated, launch, relaunch},
    station::Station,
    trust::{writable_by_others, writable_without_elevation},
};

/// Whether this process may act for other users: it runs as LocalSystem, the only account that is given other users' tokens.
/// A console of administrators ("elevated") is not: it can do much, but not this.
#[cfg(feature = "host")]
pub fn is_privileged() -> bool {
    token::own_sid().is_local_system()
}

/// Raises this process's limit of open files. On Windows there is none that would be in the way.
#[cfg(feature = "host")]
pub fn raise_descriptor_limit() {}

/// Lets go of code that was needed once. Nothing to do: Windows trims what a process does not use by itself.
#[cfg(feature = "host")]
pub fn forget_startup() {}

/// Has all threads allocate from one heap. They do.
#[cfg(feature = "host")]
pub fn share_one_heap() {}

/// Whether the machine tracks its sessions. Windows always does.
#[cfg(feature = "host")]
pub fn has_session_tracking() -> bool {
    true
}

/// The types that a session can have: on Windows there are none.
#[cfg(feature = "host")]
pub const SESSION_TYPES: &[(&str, bool)] = &[];

/// The form in which names and ids of users and groups are compared: here without case.
#[cfg(feature = "host")]
pub fn account_key(name: &str) -> String {
    name.to_lowercase()
}

/// Whether a service can be started some time after the boot.
#[cfg(feature = "host")]
pub const HAS_DELAYED_START: bool = true;

/// Whether programs have their rights from tokens, of which a user can have several: then `elevation` and `token` mean something.
#[cfg(feature = "host")]
pub const HAS_TOKENS: bool = true;

/// How long a shutdown waits for whoever holds it up, where that is one setting of the machine. Here it is each service's own.
#[cfg(feature = "host")]
pub fn shutdown_delay() -> Option<std::time::Duration> {
    None
}

/// Whether the logon screen is a session with a user of its own. Windows draws it on a desktop of the system's own.
#[cfg(feature = "host")]
pub const HAS_GREETERS: bool = false;

/// Whether there is a user of this name or SID. Not asked here: the answer may be a domain controller's, which takes minutes to
/// fail when none is in reach.
#[cfg(feature = "host")]
pub fn knows_user(_user: &str) -> Option<bool> {
    None
}

/// Whether there is a group of this name. Not asked, as [`knows_user`].
#[cfg(feature = "host")]
pub fn knows_group(_group: &str) -> Option<bool> {
    None
}

/// Whether a console program can be given a window of its own.
#[cfg(feature = "host")]
pub const CONSOLE_WINDOWS: bool = true;
