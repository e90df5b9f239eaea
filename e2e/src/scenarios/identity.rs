//! Who an agent is, and which sessions get one.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, Desktop, Login};
use crate::configuration::EVERYONE;
use crate::layer0::{Layer0, SOON, agent, ready, running, status};
use crate::process::Process;
use crate::wait::{throughout, until};

fn with_a_variable() -> String {
    format!("{EVERYONE}env = {{ ACME_MODE = \"desk\" }}\n")
}

/// Two users' agents are theirs in all that the kernel and logind can tell.
pub(super) fn of_two_users(bed: &Bed) -> Result<String> {
    let alice = bed.login("alice", Desktop::Wayland)?;
    let _service = Layer0::installed(bed, &with_a_variable())?;
    let bob = bed.login("bob", Desktop::X11)?;
    let mut seen = Vec::new();
    for (login, uid, kind) in [(&alice, 1001, "wayland"), (&bob, 1002, "x11")] {
        let (_, pid) = ready(bed, "desk", login.user)?;
        let process = bed.process(pid);
        check_user(bed, &process, login, uid)?;
        check_place(bed, &process, login, uid)?;
        check_environment(&process, login, uid, kind)?;
        seen.push(format!("{} pid {pid} uid {uid} in {}", login.user, process.cgroup()?));
    }
    ensure!(bed.processes("rust-agent")?.len() == 2, "one agent for each user");
    Ok(seen.join("; "))
}

fn check_user(bed: &Bed, process: &Process, login: &Login, uid: u32) -> Result<()> {
    ensure!(process.uids()? == [uid; 4], "uids of {} are {:?}", login.user, process.uids()?);
    ensure!(process.gids()? == [uid; 4], "gids of {} are {:?}", login.user, process.gids()?);
    let groups = bed.run(["id", "-G", login.user])?;
    let mut groups: Vec<u32> = groups.split_whitespace().filter_map(|group| group.parse().ok()).collect();
    let mut actual = process.groups()?;
    groups.sort_unstable();
    actual.sort_unstable();
    ensure!(groups.len() == 3 && actual == groups, "groups of {} are {actual:?}, not {groups:?}", login.user);
    for (key, value) in [("CapEff", "0000000000000000"), ("CapPrm", "0000000000000000"), ("NoNewPrivs", "0")]
    {
        ensure!(
            process.status(key).as_deref() == Some(value),
            "{key} of {} is {:?}",
            login.user,
            process.status(key)
        );
    }
    Ok(())
}

/// In a cgroup of its own below the session's scope, in a process session of its own, with nothing open but three.
fn check_place(bed: &Bed, process: &Process, login: &Login, uid: u32) -> Result<()> {
    let cgroup = format!("/user.slice/user-{uid}.slice/session-{}.scope/bilayer-acme.desk", login.id);
    ensure!(process.cgroup()?.starts_with(&cgroup), "the cgroup is {}, not {cgroup}", process.cgroup()?);
    let shown = bed.run(["loginctl", "session-status", "--no-pager", &login.id])?;
    ensure!(shown.contains("rust-agent"), "loginctl session-status does not show it: {shown}");
    let session = process.status("NSsid").unwrap_or_default();
    ensure!(
        session.split_whitespace().last() == Some(&process.pid.to_string()),
        "it leads its process session: {session}"
    );
    // The agent opens descriptors of its own; what it inherited is closed but for the first three.
    let inherited: Vec<_> = process
        .descriptors()?
        .into_iter()
        .filter(|(_, to)| to.contains("pidfd") || to.contains("/etc/acme"))
        .collect();
    ensure!(inherited.is_empty(), "descriptors of layer 0 are open: {inherited:?}");
    Ok(())
}

fn check_environment(process: &Process, login: &Login, uid: u32, kind: &str) -> Result<()> {
    let environment = process.environment()?;
    let home = format!("/home/{}", login.user);
    let runtime = format!("/run/user/{uid}");
    let expected = [
        ("USER", login.user),
        ("LOGNAME", login.user),
        ("HOME", &home),
        ("SHELL", "/bin/bash"),
        ("XDG_RUNTIME_DIR", &runtime),
        ("XDG_SESSION_ID", &login.id),
        ("XDG_SESSION_TYPE", kind),
        ("ACME_MODE", "desk"),
        ("BILAYER_SERVER", "0"),
    ];
    for (key, value) in expected {
        ensure!(
            environment.get(key).map(String::as_str) == Some(value),
            "{key} of {} is {:?}, not {value}",
            login.user,
            environment.get(key)
        );
    }
    for key in ["BILAYER_ENDPOINT", "BILAYER_TOKEN"] {
        ensure!(environment.contains_key(key), "{} has no {key}", login.user);
    }
    for key in ["INVOCATION_ID", "JOURNAL_STREAM", "NOTIFY_SOCKET"] {
        ensure!(!environment.contains_key(key), "{} inherits {key} from the service", login.user);
    }
    Ok(())
}

/// A login over the network without a desktop gets no agent.
pub(super) fn text_logins(bed: &Bed) -> Result<String> {
    let _service = Layer0::installed(bed, EVERYONE)?;
    let carol = bed.login("carol", Desktop::Remote)?;
    bed.login("alice", Desktop::Wayland)?;
    // Alice's agent shows that the service has seen the sessions, carol's among them.
    running(bed, "desk", "alice")?;
    throughout("carol has no agent", Duration::from_millis(500), || {
        Ok(bed.processes("rust-agent")?.len() == 1)
    })?;
    Ok(format!("session {} of carol has none, alice has hers", carol.id))
}

/// The agent is held back, with the reason shown, until the desktop publishes its display.
pub(super) fn display(bed: &Bed) -> Result<String> {
    let config = EVERYONE.replace("needs_display = false", "needs_display = true");
    let _service = Layer0::installed(bed, &config)?;
    let alice = bed.login("alice", Desktop::Wayland)?;
    let waiting = until("the agent waits", SOON, || agent(bed, "desk", "alice"))?;
    ensure!(waiting.state == "waiting" && waiting.pid.is_none(), "it is {}: {}", waiting.state, status(bed)?);
    throughout("no agent without a display", Duration::from_millis(500), || {
        Ok(bed.processes("rust-agent")?.is_empty())
    })?;
    bed.publish_display("alice", 1001, "WAYLAND_DISPLAY=wayland-1")?;
    // Publishing is not signalled to anyone; a session event is a reason to look again.
    bed.lock(&alice)?;
    let (_, pid) = running(bed, "desk", "alice")?;
    let display = bed.process(pid).environment()?.get("WAYLAND_DISPLAY").cloned();
    ensure!(display.as_deref() == Some("wayland-1"), "WAYLAND_DISPLAY is {display:?}");
    Ok(format!("waited ({}), then started with WAYLAND_DISPLAY=wayland-1", waiting.reason))
}

/// Says when it began, in microseconds since 1970, as logind says when a session did.
const PUNCTUAL: &str = r#"
[service]
name = "acme"
[agent.desk]
command = ["/bin/sh", "-c", "date +%s%6N >/var/lib/acme-began; exec sleep infinity"]
sessions = "all"
users = ["alice"]
needs_display = false
"#;

/// An agent that waits for no display starts when the environment of its session is known: at the first try, which is made then.
pub(super) fn at_once(bed: &Bed) -> Result<String> {
    const BEGAN: &str = "/var/lib/acme-began";
    bed.write(BEGAN, "")?;
    bed.run(["chmod", "666", BEGAN])?;
    let _service = Layer0::installed(bed, PUNCTUAL)?;
    let mut delays_ms = Vec::new();
    for _ in 0..5 {
        bed.write(BEGAN, "")?;
        let alice = bed.login("alice", Desktop::Wayland)?;
        let began: u64 = until("the agent begins", SOON, || {
            let text = std::fs::read_to_string(bed.path(BEGAN))?;
            Ok(text.strip_suffix('\n').map(str::parse).transpose()?)
        })?;
        let (desk, _) = running(bed, "desk", "alice")?;
        ensure!(desk.entry["generation"] == 1, "one try was enough: {}", desk.entry);
        let logon =
            bed.session_property(&alice, "Timestamp")?.as_u64().context("a session has a beginning")?;
        delays_ms.push((began - logon) / 1_000);
        bed.log_off(&alice)?;
        bed.wait_until_gone(&alice)?;
    }
    Ok(format!("{delays_ms:?} ms after each logon"))
}
