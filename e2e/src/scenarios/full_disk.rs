//! Disks without room, at everything that the service writes: its agents run, it says so once, and there is nothing to be done
//! when there is room again.

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, Desktop, run};
use crate::configuration::{EVERYONE, kept};
use crate::layer0::{Layer0, SOON, agent, ready};
use crate::wait::until;

/// State and log have no room from the start. With room again, the next launch outlives the service as it should.
pub(super) fn state(bed: &Bed) -> Result<String> {
    fill(bed, "/var/lib/acme")?;
    fill(bed, "/var/log/acme")?;
    let _service = Layer0::installed(bed, &kept(EVERYONE))?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, first) = ready(bed, "desk", "alice")?;
    let (_, second) = again(bed, first)?;

    make_room(bed, "/var/lib/acme")?;
    make_room(bed, "/var/log/acme")?;
    let (_, third) = again(bed, second)?;
    kill_service(bed)?;
    let (_, adopted) = ready(bed, "desk", "alice")?;
    ensure!(adopted == third, "{third} was to live on, and {adopted} runs");
    let said = shell(bed, "cat /var/log/acme/acme.log")?;
    ensure!(said.contains("were lost"), "the log says that lines are missing: {said}");
    Ok(format!("{first} and {second} ran without room, {third} outlived the service"))
}

/// The room goes while agents run: what is written of them then is lost, and said once for each.
pub(super) fn later(bed: &Bed) -> Result<String> {
    let service = Layer0::installed(bed, &kept(EVERYONE))?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, first) = ready(bed, "desk", "alice")?;
    shell(
        bed,
        "cp -a /var/lib/acme /var/lib/before && mount -t tmpfs -o size=64k,mode=700 full /var/lib/acme",
    )?;
    shell(
        bed,
        "cp -a /var/lib/before/. /var/lib/acme/ && ! cat /dev/zero >/var/lib/acme/filler 2>/dev/null",
    )?;
    bed.login("bob", Desktop::X11)?;
    let (_, second) = ready(bed, "desk", "bob")?;
    let count = |said: &str| said.matches("cannot write down an agent").count();
    until("it is said", SOON, || Ok((count(&service.said()) > 0).then_some(())))?;
    make_room(bed, "/var/lib/acme")?;
    // Whatever happens next writes down what could not be.
    bed.login("carol", Desktop::Wayland)?;
    ready(bed, "desk", "carol")?;
    until("it is written down", SOON, || {
        let records = shell(bed, "cat /var/lib/acme/agents/*.json")?;
        Ok(records.contains(&format!("\"pid\":{second}")).then_some(()))
    })?;
    ensure!(count(&service.said()) == 1, "it was said once: {}", service.said());
    kill_service(bed)?;
    for (user, pid) in [("alice", first), ("bob", second)] {
        let (_, adopted) = ready(bed, "desk", user)?;
        ensure!(adopted == pid, "{pid} of {user} was to live on, and {adopted} runs");
    }
    Ok(format!("{second} was started without room, and outlived the service once there was some"))
}

/// Where sockets are made there is no room for another: the agent waits, and runs when there is.
pub(super) fn sockets(bed: &Bed) -> Result<String> {
    shell(bed, "mkdir -p /run/acme && mount -t tmpfs -o nr_inodes=20,mode=755 full /run/acme")?;
    let _service = Layer0::start(bed, &kept(EVERYONE))?;
    shell(bed, "i=0; while touch /run/acme/filler$i 2>/dev/null; do i=$((i+1)); done")?;
    bed.login("alice", Desktop::Wayland)?;
    let why = until("the agent waits for room", SOON, || {
        let agent = agent(bed, "desk", "alice")?.context("it has a status")?;
        let text = agent.entry["reason"]["text"].as_str().unwrap_or_default();
        ensure!(agent.state == "waiting" && text.contains("No space left"), "it is {}: {text}", agent.state);
        Ok(Some(text.to_owned()))
    })?;
    shell(bed, "rm /run/acme/filler*")?;
    ready(bed, "desk", "alice")?;
    Ok(why)
}

/// Puts a file system without room in the place of a folder.
fn fill(bed: &Bed, folder: &str) -> Result<()> {
    shell(
        bed,
        &format!(
            "mkdir -p {folder} && mount -t tmpfs -o size=64k,nr_inodes=12,mode=700 full {folder}
         ! cat /dev/zero >{folder}/filler 2>/dev/null
         i=0; while mkdir {folder}/filler$i 2>/dev/null; do i=$((i+1)); done"
        ),
    )
    .map(drop)
}

fn make_room(bed: &Bed, folder: &str) -> Result<()> {
    shell(bed, &format!("rm -r {folder}/filler*")).map(drop)
}

/// Kills alice's agent and waits for the next one.
fn again(bed: &Bed, pid: u32) -> Result<(crate::layer0::Agent, u32)> {
    bed.run(["kill", "-KILL", &pid.to_string()])?;
    until("another process is ready", SOON, || {
        let (agent, next) = ready(bed, "desk", "alice")?;
        Ok((next != pid).then_some((agent, next)))
    })
}

fn kill_service(bed: &Bed) -> Result<()> {
    bed.run(["systemctl", "kill", "--kill-whom=main", "--signal=KILL", "acme"]).map(drop)
}

/// A command of the shell, as root.
fn shell(bed: &Bed, script: &str) -> Result<String> {
    run(&mut bed.inside(["sh", "-euc", script]))
}
