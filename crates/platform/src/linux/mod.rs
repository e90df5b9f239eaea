//! The Linux half: logind, pidfds, control groups and Unix sockets.
//!
//! One file per concept of the operating system. Kernel 5.10 and systemd 245 are the oldest that count; what is newer
//! (`cgroup.kill`, `SO_PEERPIDFD`) is used where it is there.

pub(crate) mod dirs;
mod random;
mod stream;

#[cfg(feature = "host")]
mod account;
#[cfg(feature = "host")]
mod alarm;
#[cfg(feature = "host")]
mod append;
#[cfg(feature = "host")]
mod bus;
#[cfg(feature = "host")]
mod cgroup;
#[cfg(feature = "host")]
mod clock;
#[cfg(feature = "host")]
mod confinement;
#[cfg(feature = "host")]
mod descriptors;
#[cfg(feature = "host")]
mod endpoint;
#[cfg(feature = "host")]
mod environment;
#[cfg(feature = "host")]
mod event_log;
#[cfg(feature = "host")]
mod heap;
#[cfg(feature = "host")]
mod helper;
#[cfg(feature = "host")]
mod host;
#[cfg(feature = "host")]
pub(crate) mod keep;
#[cfg(feature = "host")]
mod launch;
#[cfg(feature = "host")]
mod leader;
#[cfg(feature = "host")]
mod login;
#[cfg(feature = "host")]
mod logind;
#[cfg(feature = "host")]
mod manager;
#[cfg(feature = "host")]
mod notify;
#[cfg(feature = "host")]
mod peer;
#[cfg(feature = "host")]
mod pidfd;
#[cfg(feature = "host")]
pub(crate) mod pipe_reader;
#[cfg(feature = "host")]
pub(crate) mod printed;
#[cfg(feature = "host")]
mod private;
#[cfg(feature = "host")]
mod proc;
#[cfg(feature = "host")]
mod process;
#[cfg(feature = "host")]
mod scheduling;
#[cfg(feature = "host")]
mod scope_display;
#[cfg(feature = "host")]
mod sessions;
#[cfg(feature = "host")]
mod signals;
#[cfg(feature = "host")]
mod startup;
#[cfg(feature = "host")]
mod station;
#[cfg(feature = "host")]
mod survivors;
#[cfg(feature = "host")]
mod syscall;
#[cfg(feature = "host")]
mod trust;
#[cfg(feature = "host")]
mod vacated;

pub use random::random_bytes;
pub use stream::{Stream, connect, connect_control};

#[cfg(feature = "host")]
pub use {
    account::{WORKER_ACCOUNTS, check_worker_account, knows_group, knows_user},
    alarm::Alarm,
    append::{empty_file, open_to_append},
    clock::now,
    descriptors::raise_descriptor_limit,
    endpoint::{ENDPOINT_PER, Listener},
    event_log::EventLog,
    heap::share_one_heap,
    helper::helper_main,
    host::{ServiceHost, run_as_service},
    launch::{Launched, launch, relaunch},
    logind::shutdown_delay,
    manager::{MANAGER_WORDS, Services, check_dependency, installed_services, left_by_hand, service_file},
    notify::{MESSAGES_ANSWER, notify_user},
    peer::{Peer, server_identity},
    private::{read_private, write_private},
    process::Process,
    sessions::Sessions,
    signals::Signals,
    startup::forget_startup,
    station::Station,
    trust::{check_program, writable_by_others, writable_without_elevation},
    vacated::Vacated,
};

/// Whether this process may act for other users: its effective user is root.
#[cfg(feature = "host")]
pub fn is_privileged() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether the machine was booted with systemd, so that logind tracks its sessions: sd_booted(3).
#[cfg(feature = "host")]
pub fn has_session_tracking() -> bool {
    std::fs::symlink_metadata("/run/systemd/system").is_ok_and(|folder| folder.is_dir())
}

/// The form in which names and ids of users and groups are compared: here a difference in case is one.
#[cfg(feature = "host")]
pub fn account_key(name: &str) -> String {
    name.to_owned()
}

/// Whether programs have their rights from tokens, of which a user can have several. On Linux a user has the rights of the uid
/// and the groups, and that is all.
#[cfg(feature = "host")]
pub const HAS_TOKENS: bool = false;

/// Whether the logon screen is a session with a user of its own: class `greeter`, sd_session_get_class(3).
#[cfg(feature = "host")]
pub const HAS_GREETERS: bool = true;

/// Whether a service can be started some time after the boot. systemd has timers for that, which are no services.
#[cfg(feature = "host")]
pub const HAS_DELAYED_START: bool = false;

/// The types that a session can have, and whether such a session has a screen: sd_session_get_type(3), and `web` of
/// systemd 239.
#[cfg(feature = "host")]
pub const SESSION_TYPES: &[(&str, bool)] = &[
    ("x11", true),
    ("wayland", true),
    ("mir", true),
    ("tty", false),
    ("web", false),
    ("unspecified", false),
];

/// Whether a console program can be given a window of its own. Here a terminal is a program like any other.
#[cfg(feature = "host")]
pub const CONSOLE_WINDOWS: bool = false;

/// Closes what an ordinary program leaves open to those who would plant code in it. The loader of Linux looks into the system's own
/// folders by itself.
#[cfg(feature = "host")]
pub fn harden() {}
