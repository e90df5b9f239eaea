//! Users who log in, through PAM and logind as a display manager would do it, and switch.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::unit::{Unit, said};

/// A graphical session on the seat; dropping it logs the user off.
#[derive(Debug)]
pub(super) struct Login {
    /// logind's id.
    pub(super) id: String,
    /// The session's object on the bus.
    pub(super) object: String,
    pub(super) user: &'static str,
    #[expect(dead_code, reason = "its end is the session's")]
    leader: Unit,
}

impl Login {
    /// Logs a user in.
    pub(super) fn new(user: &'static str) -> Result<Self> {
        let unit = format!("login-{user}");
        let mut login = Command::new("systemd-run");
        login.args(["--quiet", "--collect", "--property=PAMName=login", "--property=WorkingDirectory=~"]);
        login.arg(format!("--unit={unit}")).arg(format!("--property=User={user}"));
        let variables =
            ["CLASS=user", "TYPE=wayland", "DESKTOP=bench"].map(|is| format!("--setenv=XDG_SESSION_{is}"));
        login.args(variables).args(["--setenv=XDG_SEAT=seat0", "--", "/bin/sleep", "infinity"]);
        said(&mut login)?;
        let leader = Unit::started(format!("{unit}.service"));
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some((id, object)) = session_of(user)? {
                publish_display(user)?;
                return Ok(Self { id, object, user, leader });
            }
            ensure!(Instant::now() < deadline, "{user} has no session after 20 s");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

/// Gives a user's desktop a display, the way desktops do: in the environment of the user's service manager. While there is
/// none, layer 0 looks for one again and again.
fn publish_display(user: &str) -> Result<()> {
    let uid = said(Command::new("id").args(["-u", user]))?;
    let runtime = format!("/run/user/{}", uid.trim());
    let mut systemctl = Command::new("setpriv");
    systemctl.args(["--reuid", user, "--regid", user, "--init-groups", "systemctl", "--user"]);
    systemctl.args(["set-environment", "WAYLAND_DISPLAY=wayland-0"]);
    systemctl
        .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={runtime}/bus"))
        .env("XDG_RUNTIME_DIR", runtime);
    said(&mut systemctl).with_context(|| format!("cannot give {user} a display"))?;
    Ok(())
}

/// Id and object of a user's session, once it is open.
fn session_of(user: &str) -> Result<Option<(String, String)>> {
    let bus = |args: &[&str]| {
        said(Command::new("busctl").args(["--json=short", "call", "org.freedesktop.login1"]).args(args))
    };
    let manager = "/org/freedesktop/login1";
    let sessions = bus(&[manager, "org.freedesktop.login1.Manager", "ListSessions"])?;
    let sessions: serde_json::Value = serde_json::from_str(&sessions)?;
    let rows = sessions["data"][0].as_array().context("ListSessions answers with a list")?;
    for row in rows.iter().filter(|row| row[2] == user) {
        let (id, object) = (row[0].as_str().unwrap_or_default(), row[4].as_str().unwrap_or_default());
        let state = said(Command::new("loginctl").args([
            "show-session",
            "--property=State",
            "--property=Class",
            "--value",
            id,
        ]));
        // It is listed before its scope exists, and the user's own service manager is a session on newer systems.
        let state = state.unwrap_or_default();
        if state.lines().any(|word| word == "user")
            && state.lines().any(|word| ["active", "online"].contains(&word))
        {
            return Ok(Some((id.to_owned(), object.to_owned())));
        }
    }
    Ok(None)
}
