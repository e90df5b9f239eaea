//! Users who log in, switch, lock and leave: through PAM and logind, as a display manager would do it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Bed, run};
use crate::wait::until;

const MANAGER: &str = "/org/freedesktop/login1";
const SOON: Duration = Duration::from_secs(30);

/// What a user logs in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Desktop {
    /// A Wayland desktop on the seat.
    Wayland,
    /// An X11 desktop on the seat.
    X11,
    /// An X11 desktop without a seat, as servers of remote desktops make them (VNC, xrdp).
    Seatless,
    /// A text login without a seat, as sshd makes them.
    Remote,
    /// The logon screen of a display manager, on the seat.
    Greeter,
    /// A desktop at [`SECOND_SEAT`], which has no virtual terminals.
    SecondSeat,
}

/// A seat that the machine gets with [`Bed::add_seat`].
const SECOND_SEAT: &str = "seat1";

impl Desktop {
    /// Type, class and seat of the session, as PAM is told.
    fn session(self) -> (&'static str, &'static str, Option<&'static str>) {
        match self {
            Self::Wayland => ("wayland", "user", Some("seat0")),
            Self::X11 => ("x11", "user", Some("seat0")),
            Self::Seatless => ("x11", "user", None),
            Self::Remote => ("tty", "user", None),
            Self::Greeter => ("wayland", "greeter", Some("seat0")),
            Self::SecondSeat => ("x11", "user", Some(SECOND_SEAT)),
        }
    }
}

/// A session that logind knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    /// logind's id.
    pub(crate) id: String,
    /// Who logged in.
    pub(crate) user: &'static str,
    /// The session's object on the bus.
    object: String,
}

impl Bed {
    /// Logs a user in. On a seat with virtual terminals every desktop gets one of its own, the first that is free from 7 up.
    pub(crate) fn login(&self, user: &'static str, desktop: Desktop) -> Result<Login> {
        self.login_to(user, desktop, &[], &["/bin/sleep", "infinity"])
    }

    /// The same with further options of systemd-run and a program that is the session: what PAM starts.
    pub(crate) fn login_to(
        &self,
        user: &'static str,
        desktop: Desktop,
        options: &[&str],
        program: &[&str],
    ) -> Result<Login> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let before = self.sessions()?;
        let mut command = self.inside(["systemd-run", "--quiet", "--collect", "--property=PAMName=login"]);
        command
            .arg(format!("--unit=login-{user}-{}", COUNT.fetch_add(1, Ordering::Relaxed)))
            .arg(format!("--property=User={user}"))
            .arg("--property=WorkingDirectory=-~");
        let (kind, class, seat) = desktop.session();
        command.arg(format!("--setenv=XDG_SESSION_TYPE={kind}"));
        command.arg(format!("--setenv=XDG_SESSION_CLASS={class}"));
        if let Some(seat) = seat {
            command.arg(format!("--setenv=XDG_SEAT={seat}")).arg("--setenv=XDG_SESSION_DESKTOP=bed");
        }
        if seat == Some("seat0") && self.seat.has_terminals() {
            let terminal = self.free_terminal(&before)?;
            command
                .arg(format!("--property=TTYPath=/dev/tty{terminal}"))
                .args(
                    ["StandardInput=tty-force", "TTYReset=yes", "TTYVHangup=yes", "UtmpMode=user"]
                        .map(|p| format!("--property={p}")),
                )
                .arg(format!("--property=UtmpIdentifier=tty{terminal}"))
                .args(["--property=StandardOutput=journal", "--property=StandardError=journal"])
                .arg(format!("--setenv=XDG_VTNR={terminal}"));
        }
        run(command.args(options).args(program))?;
        let login = until(&format!("a new session of {user}"), SOON, || {
            let new = self.sessions()?.into_iter().filter(|one| one.1 == user && !before.contains(one));
            for (id, _, object) in new {
                // From systemd 256 on, a user's service manager has a session, too.
                if self.property(&object, "Session", "Class")? == class {
                    return Ok(Some(Login { id, user, object }));
                }
            }
            Ok(None)
        })?;
        // It is listed before its scope exists.
        until(&format!("the session of {user} is open"), SOON, || {
            let state = self.session_property(&login, "State")?;
            Ok((state == "active" || state == "online").then_some(()))
        })?;
        Ok(login)
    }

    fn free_terminal(&self, sessions: &[(String, String, String)]) -> Result<u64> {
        let number = |(_, _, object): &(String, String, String)| {
            // A session may end in between; its terminal is free then.
            self.property(object, "Session", "VTNr").ok().and_then(|number| number.as_u64())
        };
        let used: Vec<u64> = sessions.iter().filter_map(number).collect();
        (7..).find(|number| !used.contains(number)).context("a terminal is free")
    }

    /// Plugs in what makes a second seat: for logind a device that udev has put there, sd-login(3). There is no udev in a container, so
    /// its database is written by hand, about a device that every machine has.
    pub(crate) fn add_seat(&self) -> Result<()> {
        let tags = "TAGS=:seat:master-of-seat:\nG:seat\nG:master-of-seat\nQ:seat\nQ:master-of-seat";
        self.write("/run/udev/data/c1:3", &format!("I:1\nE:ID_SEAT={SECOND_SEAT}\nE:{tags}\nV:1\n"))?;
        for tag in ["seat", "master-of-seat"] {
            self.write(&format!("/run/udev/tags/{tag}/c1:3"), "")?;
        }
        self.write("/run/udev/control", "")?;
        self.run(["systemctl", "restart", "systemd-logind"])?;
        let seat = format!("{MANAGER}/seat/{SECOND_SEAT}");
        until("the second seat is there", SOON, || self.property(&seat, "Seat", "Id").map(Some)).map(drop)
    }

    /// Brings a session to the front of its seat.
    pub(crate) fn switch_to(&self, login: &Login) -> Result<()> {
        self.call(MANAGER, "Manager", "ActivateSession", &["s", &login.id])?;
        self.wait_for(login, "Active", &Value::Bool(true))
    }

    /// Locks the screen: the request, and then the fact that a screen locker would set.
    pub(crate) fn lock(&self, login: &Login) -> Result<()> {
        self.call(&login.object, "Session", "Lock", &[])?;
        self.call(&login.object, "Session", "SetLockedHint", &["b", "true"])?;
        self.wait_for(login, "LockedHint", &Value::Bool(true))
    }

    /// Unlocks the screen.
    pub(crate) fn unlock(&self, login: &Login) -> Result<()> {
        self.call(&login.object, "Session", "Unlock", &[])?;
        self.call(&login.object, "Session", "SetLockedHint", &["b", "false"])?;
        self.wait_for(login, "LockedHint", &Value::Bool(false))
    }

    /// Ends a session as its desktop would: the process that opened it goes.
    pub(crate) fn log_off(&self, login: &Login) -> Result<()> {
        let leader = self.session_property(login, "Leader")?;
        self.run(["kill", "-TERM", &leader.to_string()])?;
        Ok(())
    }

    /// Ends a session by order of logind.
    pub(crate) fn terminate(&self, login: &Login) -> Result<()> {
        self.call(MANAGER, "Manager", "TerminateSession", &["s", &login.id])?;
        Ok(())
    }

    /// Returns once logind has forgotten a session.
    pub(crate) fn wait_until_gone(&self, login: &Login) -> Result<()> {
        until(&format!("the session of {} is gone", login.user), SOON, || {
            Ok((!self.sessions()?.iter().any(|(id, ..)| *id == login.id)).then_some(()))
        })
    }

    /// A property of a session, as logind tells it.
    pub(crate) fn session_property(&self, login: &Login, property: &str) -> Result<Value> {
        self.property(&login.object, "Session", property)
    }

    /// Gives a user's desktop a display, the way desktops do: in the environment of the user's service manager.
    pub(crate) fn publish_display(&self, user: &str, uid: u32, display: &str) -> Result<()> {
        self.set_environment(user, uid, &[display])
    }

    /// Sets variables in the environment of a user's service manager, all at once.
    pub(crate) fn set_environment(&self, user: &str, uid: u32, variables: &[&str]) -> Result<()> {
        self.user_manager(user, uid, &[&["set-environment"], variables].concat())
    }

    /// Takes it away again.
    pub(crate) fn unpublish_display(&self, user: &str, uid: u32, name: &str) -> Result<()> {
        self.user_manager(user, uid, &["unset-environment", name])
    }

    /// A command for a user's service manager, as that user.
    fn user_manager(&self, user: &str, uid: u32, words: &[&str]) -> Result<()> {
        let runtime = format!("XDG_RUNTIME_DIR=/run/user/{uid}");
        let bus = format!("DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{uid}/bus");
        let become_user = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"];
        let mut command = self.inside(become_user);
        run(command.args(["env", &runtime, &bus, "systemctl", "--user"]).args(words))?;
        Ok(())
    }

    fn wait_for(&self, login: &Login, property: &str, value: &Value) -> Result<()> {
        until(&format!("{property} of the session of {} is {value}", login.user), SOON, || {
            Ok((self.session_property(login, property)? == *value).then_some(()))
        })
    }

    /// Id, user and object of every session.
    fn sessions(&self) -> Result<Vec<(String, String, String)>> {
        let answer = self.call(MANAGER, "Manager", "ListSessions", &[])?;
        let text = |row: &Value, column: usize| row[column].as_str().map(str::to_owned);
        let session = |row: &Value| Some((text(row, 0)?, text(row, 2)?, text(row, 4)?));
        Ok(answer[0].as_array().into_iter().flatten().filter_map(session).collect())
    }
}
