//! Displays that come late, go and come back, and a program that really shows something on one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, Desktop, run};
use crate::layer0::{Layer0, SOON, agent, command, running};
use crate::wait::until;

/// Like a client of Wayland's: it ends where it finds no compositor under the name that it was started with.
const CLIENT: &str = r#"
[service]
name = "acme"
[agent.desk]
command = ["/bin/sh", "-c", 'test "$WAYLAND_DISPLAY" = "$(cat /run/compositor)" || exit 1; exec sleep 3600']
sessions = "all"
"#;

/// The compositor dies and comes back under another name; then it goes, and another comes late.
pub(super) fn restarted(bed: &Bed) -> Result<String> {
    let _service = Layer0::start(bed, CLIENT)?;
    bed.write("/run/compositor", "wayland-1")?;
    bed.login("alice", Desktop::Wayland)?;
    bed.publish_display("alice", 1001, "WAYLAND_DISPLAY=wayland-1")?;
    let (_, first) = running(bed, "desk", "alice")?;

    bed.write("/run/compositor", "wayland-2")?;
    bed.publish_display("alice", 1001, "WAYLAND_DISPLAY=wayland-2")?;
    bed.run(["kill", "-KILL", &first.to_string()])?;
    let second = until("the agent has the new display", SOON, || {
        let (_, pid) = running(bed, "desk", "alice")?;
        Ok((display_of(bed, pid)? == "wayland-2").then_some(pid))
    })?;
    let tries = agent(bed, "desk", "alice")?.context("it has a status")?.entry["generation"].clone();

    bed.unpublish_display("alice", 1001, "WAYLAND_DISPLAY")?;
    bed.run(["kill", "-KILL", &second.to_string()])?;
    bed.write("/run/compositor", "")?;
    until("it waits for a display", SOON, || {
        let agent = agent(bed, "desk", "alice")?.context("it has a status")?;
        Ok((agent.state == "waiting" && agent.reason == "no-display").then_some(()))
    })?;
    bed.write("/run/compositor", "wayland-3")?;
    bed.publish_display("alice", 1001, "WAYLAND_DISPLAY=wayland-3")?;
    let (_, third) = running(bed, "desk", "alice")?;
    ensure!(display_of(bed, third)? == "wayland-3", "it is on {}", display_of(bed, third)?);
    Ok(format!("wayland-2 at launch {tries}, then no-display, then wayland-3"))
}

fn display_of(bed: &Bed, pid: u32) -> Result<String> {
    Ok(bed.process(pid).environment()?.remove("WAYLAND_DISPLAY").unwrap_or_default())
}

/// Two desktops of one user: their one service manager knows the display of one of them, and each agent has its own.
pub(super) fn two_of_one_user(bed: &Bed) -> Result<String> {
    const EVERYWHERE: &str = "[service]\nname = \"acme\"\n[agent.desk]\ncommand = [\"/usr/local/bin/rust-agent\"]\nsessions = \"all\"\n";
    let _service = Layer0::start(bed, EVERYWHERE)?;
    let wait = ["/bin/sleep", "infinity"];
    let mut expected = BTreeMap::new();
    for (display, desktop) in [(":11", Desktop::X11), (":12", Desktop::X11)] {
        let option = format!("--setenv=DISPLAY={display}");
        let login = bed.login_to("alice", desktop, &[&option], &wait)?;
        expected.insert(login.id, display.to_owned());
    }
    bed.publish_display("alice", 1001, "DISPLAY=:12")?;
    until("each agent has the display of its own session", SOON, || {
        let mut found = BTreeMap::new();
        for agent in bed.processes("rust-agent")? {
            let mut environment = agent.environment()?;
            let session = environment.remove("XDG_SESSION_ID").unwrap_or_default();
            found.insert(session, environment.remove("DISPLAY").unwrap_or_default());
        }
        ensure!(found == expected, "sessions and displays are {found:?}, not {expected:?}");
        Ok(Some(()))
    })?;
    Ok(format!("{expected:?}"))
}

/// The session is a desktop of sorts: a display that only its user's programs may use, made known as desktops do it.
const X_SESSION: &str = r#"
export DISPLAY=:7 XAUTHORITY="$HOME/.Xauthority"
xauth -q add $DISPLAY . $(mcookie)
Xvfb $DISPLAY -screen 0 640x480x24 -nolisten tcp -auth "$XAUTHORITY" -displayfd 3 3>"$HOME/display" &
while ! [ -s "$HOME/display" ]; do sleep 0.02; done
dbus-update-activation-environment --systemd DISPLAY XAUTHORITY
wait
"#;

/// One colour for both hands: about once in an hour one hides the other.
const CLOCK: &str = r#"
[service]
name = "acme"
[agent.clock]
command = ["/usr/bin/xclock", "-geometry", "220x220+40+60", "-bg", "midnightblue", "-xrm", "*hourColor: gold", "-xrm", "*minuteColor: gold", "-xrm", "*majorColor: white"]
sessions = "all"
"#;

/// What the scenario needs beside the usual system.
pub(super) const PACKAGES: &[&str] = &["xvfb", "xauth", "x11-apps", "x11-utils", "netpbm"];

/// A clock on alice's desktop: her agent's window, there and drawn, back after a crash, gone after a stop.
pub(super) fn real_program(bed: &Bed) -> Result<String> {
    bed.write("/usr/local/bin/x-session", X_SESSION)?;
    let _service = Layer0::start(bed, CLOCK)?;
    bed.login_to("alice", Desktop::X11, &[], &["/bin/sh", "/usr/local/bin/x-session"])?;
    let window = window_of_agent(bed)?;
    let (_, first) = running(bed, "clock", "alice")?;
    let uids = bed.process(first).uids()?;
    ensure!(uids == [1001; 4], "the clock runs as {uids:?}");

    let picture = std::env::current_exe()?.with_file_name("agent-window.png");
    const MIDNIGHT_BLUE: [u8; 3] = [25, 25, 112];
    const GOLD: [u8; 3] = [255, 215, 0];
    until("the window is drawn, with its dial and its hands", SOON, || {
        let colours = photograph(bed, &window, &picture)?;
        Ok([MIDNIGHT_BLUE, GOLD].iter().all(|colour| colours.contains(colour)).then_some(()))
    })?;

    bed.run(["kill", "-KILL", &first.to_string()])?;
    let second = until("another process shows a clock", SOON, || {
        let pid = running(bed, "clock", "alice")?.1;
        window_of_agent(bed)?;
        Ok((pid != first).then_some(pid))
    })?;
    command(bed, ["agents", "stop", "clock", "--all"])?;
    until("the window is gone", SOON, || Ok((!windows(bed)?.contains("\"xclock\"")).then_some(())))?;
    Ok(format!("{first}, then {second}: {window}; picture in {}", picture.display()))
}

/// What X says of the clock's window: `0x200009 "xclock": ("xclock" "XClock")  220x220+0+0  +40+60`.
fn window_of_agent(bed: &Bed) -> Result<String> {
    until("a window of the agent", SOON, || {
        let found = windows(bed)?;
        let line = found.lines().find(|line| line.contains("\"xclock\"") && line.contains("220x220"));
        Ok(line.map(|line| line.trim().to_owned()))
    })
}

fn windows(bed: &Bed) -> Result<String> {
    as_alice(bed, "xwininfo -root -tree")
}

/// Takes a picture of a window and returns its colours.
fn photograph(bed: &Bed, window: &str, picture: &Path) -> Result<BTreeSet<[u8; 3]>> {
    let id = window.split_whitespace().next().context("a window has an id")?;
    as_alice(
        bed,
        &format!(
            "xwd -silent -id {id} | xwdtopnm -quiet > ~/clock.ppm && pnmtopng -quiet ~/clock.ppm > ~/clock.png"
        ),
    )?;
    fs::copy(bed.path("/home/alice/clock.png"), picture)?;
    let image = fs::read(bed.path("/home/alice/clock.ppm"))?;
    // ppm(5): a header, and three bytes for each of 220 × 220 points.
    let points = image.len().checked_sub(220 * 220 * 3).context("the picture is as large as the window")?;
    Ok(image[points..].chunks_exact(3).map(|point| [point[0], point[1], point[2]]).collect())
}

/// A command of the shell on alice's display, as she would give it.
fn as_alice(bed: &Bed, script: &str) -> Result<String> {
    let mut command = bed.inside(["runuser", "-u", "alice", "--", "env", "HOME=/home/alice", "DISPLAY=:7"]);
    run(command.args(["XAUTHORITY=/home/alice/.Xauthority", "sh", "-c", script]))
}
