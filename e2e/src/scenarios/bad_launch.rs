//! Users, environments, programs and sockets that are not as they should be: an agent that can run does, one that cannot says
//! why, and is back once it can.

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, Desktop, run};
use crate::configuration::EVERYONE;
use crate::layer0::{Layer0, PROGRAM, SOON, agent, command, ready, running};
use crate::wait::until;

/// No shell, no home, a home that is not theirs, a home without room: their agents run all the same.
pub(super) fn users(bed: &Bed) -> Result<String> {
    shell(
        bed,
        "usermod --shell /usr/sbin/nologin alice; rm -rf /home/alice; chown root:root /home/bob; chmod 700 /home/bob",
    )?;
    shell(
        bed,
        "mount -t tmpfs -o size=64k,uid=1003,gid=1003 full /home/carol; ! cat /dev/zero >/home/carol/all 2>/dev/null",
    )?;
    let service = Layer0::start(bed, EVERYONE)?;
    let mut seen = Vec::new();
    for (user, folder) in [("alice", "/"), ("bob", "/"), ("carol", "/home/carol")] {
        let wait = ["/bin/sleep", "infinity"];
        bed.login_to(user, Desktop::Wayland, &["--property=WorkingDirectory=/"], &wait)?;
        let (_, pid) = ready(bed, "desk", user)?;
        let found = bed.run(["readlink", &format!("/proc/{pid}/cwd")])?;
        ensure!(found.trim() == folder, "the agent of {user} runs in {found}, not in {folder}");
        seen.push(format!("{user}'s in {folder}"));
    }
    ensure!(!service.said().contains(" WARN "), "nothing is amiss: {}", service.said());
    Ok(seen.join(", "))
}

/// Without `/run/user/N` there is no service manager to ask; the agent runs, and the log says what it does without.
pub(super) fn no_runtime_folder(bed: &Bed) -> Result<String> {
    bed.login("alice", Desktop::Wayland)?;
    shell(bed, "umount --lazy /run/user/1001 && rmdir /run/user/1001")?;
    let service = Layer0::start(bed, EVERYONE)?;
    let (_, pid) = ready(bed, "desk", "alice")?;
    let home = bed.process(pid).environment()?.remove("HOME");
    ensure!(home.as_deref() == Some("/home/alice"), "HOME is {home:?}");
    let said = service.said();
    let lines: Vec<&str> =
        said.lines().filter(|line| line.contains("does not say its environment")).collect();
    ensure!(lines.len() == 1, "it is said once: {said}");
    Ok(lines[0].to_owned())
}

/// What a user can put into the environment of their service manager: values of two lines reach the agent whole, one that no
/// program can be started with does not reach it, and more than there is room for changes nothing.
pub(super) fn environments(bed: &Bed) -> Result<String> {
    bed.login("alice", Desktop::Wayland)?;
    let long = |name: &str| format!("{name}={}", "x".repeat(100_000));
    bed.set_environment("alice", 1001, &["TWO_LINES=one\ntwo=three", &long("LONG")])?;
    let service = Layer0::start(bed, EVERYONE)?;
    let (_, first) = ready(bed, "desk", "alice")?;
    let mut environment = bed.process(first).environment()?;
    let two = environment.remove("TWO_LINES");
    ensure!(two.as_deref() == Some("one\ntwo=three"), "a value of two lines is {two:?}");
    ensure!(environment.remove("LONG").is_some_and(|long| long.len() == 100_000), "a long value is whole");

    bed.set_environment("alice", 1001, &[&long("TOO_MUCH"), &long("STILL_MORE")])?;
    // Two deaths: the environment is read again because of the first.
    for _ in 0..2 {
        let (_, pid) = ready(bed, "desk", "alice")?;
        bed.run(["kill", "-KILL", &pid.to_string()])?;
        until("another process", SOON, || Ok((running(bed, "desk", "alice")?.1 != pid).then_some(())))?;
    }
    let why = until("the log says that it is too much", SOON, || {
        let said = service.said();
        Ok(said.lines().find(|line| line.contains("256 KiB")).map(str::to_owned))
    })?;
    let (_, last) = ready(bed, "desk", "alice")?;
    let environment = bed.process(last).environment()?;
    ensure!(environment.contains_key("TWO_LINES"), "what was known before still stands");
    ensure!(!environment.contains_key("TOO_MUCH"), "half of it was taken");
    Ok(why)
}

/// What becomes of the file that an agent is started from, what the status says then, and what mends it.
const PROGRAMS: [(&str, &str, &str, &str); 6] = [
    (
        "unmounted",
        "umount --lazy /opt/unmounted",
        "there is no such file",
        "mount --bind /srv/unmounted /opt/unmounted",
    ),
    (
        "noexec",
        "mount -o remount,bind,noexec /opt/noexec",
        "mounted noexec",
        "mount -o remount,bind,exec /opt/noexec",
    ),
    ("setuid", "chmod u+s /opt/setuid/agent", "setuid program", "chmod u-s /opt/setuid/agent"),
    (
        "writable",
        "chgrp bob /opt/writable; chmod g+w /opt/writable",
        "writable by its group",
        "chmod g-w /opt/writable",
    ),
    (
        "headless",
        "echo exec sleep 3600 >/opt/headless/agent",
        "#!/bin/sh",
        "printf '#!/bin/sh\\nexec sleep 3600\\n' >/opt/headless/agent",
    ),
    (
        "orphaned",
        "mv /opt/orphaned/sh /opt/orphaned/away",
        "/opt/orphaned/sh, which is not there",
        "mv /opt/orphaned/away /opt/orphaned/sh",
    ),
];

/// Each is held with the reason in the status, and started again by a reload once the reason is gone.
pub(super) fn programs(bed: &Bed) -> Result<String> {
    let mut config = "[service]\nname = \"acme\"\n".to_owned();
    for (name, ..) in PROGRAMS {
        shell(
            bed,
            &format!(
                "mkdir -p /srv/{name} /opt/{name} && install -m 755 /bin/sleep /srv/{name}/agent && mount --bind /srv/{name} /opt/{name}"
            ),
        )?;
        config.push_str(&format!(
            "[agent.{name}]\ncommand = [\"/opt/{name}/agent\", \"3600\"]\nsessions = \"all\"\nneeds_display = false\n"
        ));
    }
    shell(bed, "printf '#!/bin/sh\\nexec sleep 3600\\n' >/opt/headless/agent")?;
    shell(
        bed,
        "cp /bin/sh /opt/orphaned/sh; printf '#!/opt/orphaned/sh\\nexec sleep 3600\\n' >/opt/orphaned/agent",
    )?;
    let _service = Layer0::start(bed, &config)?;
    bed.login("alice", Desktop::Wayland)?;
    for (name, breaks, words, _) in PROGRAMS {
        let (_, pid) = running(bed, name, "alice")?;
        shell(bed, breaks)?;
        bed.run(["kill", "-KILL", &pid.to_string()])?;
        until(&format!("the agent that is {name} is held"), SOON, || {
            let agent = agent(bed, name, "alice")?.context("it has a status")?;
            let text = agent.entry["reason"]["text"].as_str().unwrap_or_default();
            ensure!(agent.state == "held" && text.contains(words), "it is {}: {text}", agent.state);
            Ok(Some(()))
        })?;
    }
    for (_, _, _, mends) in PROGRAMS {
        shell(bed, mends)?;
    }
    command(bed, ["reload"])?;
    for (name, ..) in PROGRAMS {
        running(bed, name, "alice")?;
    }
    Ok(format!("{} agents were held, each with its reason, and a reload brought them back", PROGRAMS.len()))
}

/// Something else is where a socket should be: it is not touched, and the agent waits until it is gone.
pub(super) fn sockets(bed: &Bed) -> Result<String> {
    let mut service = Layer0::start(bed, EVERYONE)?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, pid) = ready(bed, "desk", "alice")?;
    let endpoint =
        bed.process(pid).environment()?.remove("BILAYER_ENDPOINT").context("it has an endpoint")?;
    let things = [
        ("a folder", format!("mkdir {endpoint}"), format!("rmdir {endpoint}")),
        ("a symbolic link", format!("ln -s /etc/passwd {endpoint}"), format!("rm {endpoint}")),
        ("a file", format!("echo mine >{endpoint}; chown bob {endpoint}"), format!("rm {endpoint}")),
    ];
    for (what, puts, removes) in &things {
        service.stop(bed)?;
        shell(bed, puts)?;
        service = Layer0::start(bed, EVERYONE)?;
        until(&format!("the agent waits because of {what}"), SOON, || {
            let agent = agent(bed, "desk", "alice")?.context("it has a status")?;
            let text = agent.entry["reason"]["text"].as_str().unwrap_or_default();
            ensure!(agent.state == "waiting" && text.contains(what), "it is {}: {text}", agent.state);
            Ok(Some(()))
        })?;
        // Whether it is still there, the command finds out.
        shell(bed, removes)?;
        ready(bed, "desk", "alice")?;
    }
    service.stop(bed)?;
    shell(bed, "rm -f /run/acme/control.sock; mkdir /run/acme/control.sock")?;
    let refused = bed.inside([PROGRAM, "--config", "/etc/acme/acme.toml", "run"]).output()?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        !refused.status.success() && said.contains("should be a socket and is a folder"),
        "it said {said}"
    );
    Ok(said.lines().last().unwrap_or_default().to_owned())
}

/// A command of the shell, as root.
fn shell(bed: &Bed, script: &str) -> Result<String> {
    run(&mut bed.inside(["sh", "-euc", script]))
}
