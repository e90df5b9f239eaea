//! Life under the service manager.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{none, only};
use crate::bed::{Bed, appended, read};
use crate::layer0::{
    BILAYER, CONFIG, SCM, SOON, Service, agent_when, command, command_output, config, ready, state, status,
};
use crate::wait::{throughout, until};

const KEY: &str = r"HKLM\System\CurrentControlSet\Services\acme";

/// From the installation to the removal, asked at each step of the service manager and not of Bilayer.
pub(super) fn whole_life(bed: &Bed) -> Result<String> {
    let _service = Service::start(bed, &config("rust-agent.exe", &[], ""))?;
    ensure!(state(bed)?.as_deref() == Some("RUNNING"), "the manager says {:?}", state(bed)?);
    let image = bed.run(["reg", "query", KEY, "/v", "ImagePath"])?;
    ensure!(image.contains(&format!("\"{BILAYER}\" service")), "the image path is quoted: {image}");
    let facts = status(bed)?;
    ensure!(facts["service"]["mode"] == "system", "it serves the whole system: {facts}");
    ensure!(facts["sessions"][0]["user"]["name"] == "alice", "it sees alice: {facts}");
    let before = ready(bed, 1)?;
    only(bed, "rust-agent.exe")?.kill()?;
    let after =
        agent_when(bed, 1, "is back", |agent| agent.pid != before.pid && agent.entry["ready"] == true)?;
    let again = command(bed, &["install"])?;
    ensure!(again.contains("already"), "a second installation changes nothing: {again}");
    command(bed, &["restart"])?;
    ready(bed, 1)?;
    command(bed, &["stop"])?;
    ensure!(state(bed)?.as_deref() == Some("STOPPED"), "the manager says {:?}", state(bed)?);
    none(bed, "rust-agent.exe").context("its agent stops with it")?;
    none(bed, "bilayer.exe").context("it has no process left")?;
    command(bed, &["uninstall"])?;
    ensure!(state(bed)?.is_none(), "the manager still knows it: {:?}", state(bed)?);
    Ok(format!(
        "agent {:?} killed, {:?} took its place; {}",
        before.pid,
        after.pid,
        image.trim().replace('\n', " ")
    ))
}

/// The job closes with the process that holds it, and a start cleans up nothing because nothing is left.
pub(super) fn killed(bed: &Bed) -> Result<String> {
    let service = Service::start(bed, &config("rust-agent.exe", &[], ""))?;
    ready(bed, 1)?;
    let agent = only(bed, "rust-agent.exe")?;
    service.process()?.kill()?;
    until("the agent is gone", SOON, || Ok(agent.is_dead().then_some(())))?;
    let code = command_output(bed, &["status"])?.status.code();
    ensure!(code == Some(3), "exit code 3, not running: {code:?}");
    command(bed, &["start"])?;
    ready(bed, 1)?;
    Ok("its agent went with it; it was started again".to_owned())
}

/// Killed, and stopped in order: the agent is the same process before and after.
pub(super) fn kept(bed: &Bed) -> Result<String> {
    let text = config("rust-agent.exe", &[], "").replace("[agent", "on_service_stop = \"keep\"\n[agent");
    let service = Service::start(bed, &text)?;
    let before = ready(bed, 1)?;
    let agent = only(bed, "rust-agent.exe")?;
    let is_the_same = |how: &str| -> Result<()> {
        let after = agent_when(bed, 1, "is connected again", |agent| {
            agent.runs() && agent.entry["connected"] == true
        })?;
        ensure!(after.pid == before.pid, "{how}: {:?} was adopted, not {:?}", before.pid, after.pid);
        ensure!(only(bed, "rust-agent.exe")? == agent, "{how}: there is no second one");
        Ok(())
    };
    service.process()?.kill()?;
    throughout("the agent lives", Duration::from_millis(500), || Ok(!agent.is_dead()))?;
    command(bed, &["start"])?;
    is_the_same("after a kill")?;
    command(bed, &["stop"])?;
    throughout("the agent lives", Duration::from_millis(500), || Ok(!agent.is_dead()))?;
    command(bed, &["start"])?;
    is_the_same("after a stop")?;
    agent.kill()?;
    let next = agent_when(bed, 1, "is a new process", |agent| agent.runs() && agent.pid != before.pid)?;
    Ok(format!("{:?} outlived a kill and a stop; killed itself, {:?} took its place", before.pid, next.pid))
}

/// Each with its exit code, and without a change to what is there.
pub(super) fn refusals(bed: &Bed) -> Result<String> {
    bed.write(CONFIG, config("rust-agent.exe", &[], ""))?;
    let mut seen = Vec::new();
    for words in ["start", "stop", "uninstall", "restart"] {
        let said = refused(bed, words)?;
        ensure!(said.contains("no service acme"), "`{words}` of what is not there: {said}");
        seen.push(said);
    }
    // Wine makes a descriptor of the file's mode.
    let mode = |mode: &str| read(Command::new("chmod").arg(mode).arg(bed.path(CONFIG)));
    mode("666")?;
    let said = refused(bed, "install")?;
    ensure!(
        said.contains("write") || said.contains("writable"),
        "a configuration that everybody can write: {said}"
    );
    seen.push(said);
    mode("600")?;
    bed.run(["sc", "create", "acme", "binPath=", r"C:\windows\system32\notepad.exe"])?;
    for words in ["install", "uninstall", "start", "stop", "restart"] {
        let said = refused(bed, words)?;
        ensure!(said.contains("Bilayer"), "`{words}` of what is not ours: {said}");
        seen.push(said);
    }
    let image = bed.run(["reg", "query", KEY, "/v", "ImagePath"])?;
    ensure!(image.contains("notepad"), "it is as it was: {image}");
    bed.run(["sc", "delete", "acme"])?;
    Ok(seen.join(" | "))
}

/// A command that must fail; what it said.
fn refused(bed: &Bed, words: &str) -> Result<String> {
    let Output { status, stderr, .. } = command_output(bed, &[words])?;
    let said = String::from_utf8_lossy(&stderr).trim().to_owned();
    ensure!(!status.success(), "`{words}` should have failed");
    ensure!(!said.is_empty(), "`{words}` fails with {status} and says nothing");
    Ok(said)
}

/// Error 1058 in words.
pub(super) fn disabled(bed: &Bed) -> Result<String> {
    bed.write(CONFIG, config("rust-agent.exe", &[], ""))?;
    command(bed, &["install"])?;
    bed.run([SCM, "acme", "disable"])?;
    let said = refused(bed, "start")?;
    ensure!(said.contains("disabled"), "it says so: {said}");
    ensure!(state(bed)?.as_deref() == Some("STOPPED"), "it did not start");
    Ok(said)
}

/// Error 1072 is waited out.
pub(super) fn marked_for_deletion(bed: &Bed) -> Result<String> {
    bed.write(CONFIG, config("rust-agent.exe", &[], ""))?;
    command(bed, &["install"])?;
    let held = bed.prefix().join("held.out");
    let mut holder = bed.wine([SCM, "acme", "hold"]).stdout(appended(&held)?).spawn()?;
    until("it is held open", SOON, || Ok(fs::read_to_string(&held)?.contains("held").then_some(())))?;
    command(bed, &["uninstall"])?;
    let waiting = bed.prefix().join("install.out");
    let mut install = bed.wine([BILAYER, "--config", CONFIG, "install"]);
    let mut install = install.stdout(appended(&waiting)?).stderr(appended(&waiting)?).spawn()?;
    let what =
        throughout("the installation waits", Duration::from_secs(1), || Ok(install.try_wait()?.is_none()));
    holder.kill()?;
    holder.wait()?;
    let ended = until("the installation ends", SOON, || Ok(install.try_wait()?))?;
    let said = fs::read_to_string(&waiting)?;
    what.with_context(|| said.clone())?;
    ensure!(ended.success(), "it ended with {ended}: {said}");
    ensure!(state(bed)?.as_deref() == Some("STOPPED"), "it is installed: {:?}", state(bed)?);
    Ok("the installation waited until it was gone".to_owned())
}

/// Error 1053: a program that never reports.
pub(super) fn timeout(bed: &Bed) -> Result<String> {
    bed.write(CONFIG, config("rust-agent.exe", &[], ""))?;
    let copy = r"C:\Program Files\Acme\service\bilayer.exe";
    bed.install("bilayer.exe", copy)?;
    bed.run([copy, "--config", CONFIG, "install"])?;
    bed.install("windows-agent.exe", copy)?;
    let said = refused(bed, "start")?;
    ensure!(said.contains("time") || said.contains("1053"), "it says so: {said}");
    Ok(said)
}

/// Only LocalSystem is given other users' tokens.
pub(super) fn account(bed: &Bed) -> Result<String> {
    let text = config("rust-agent.exe", &[], "");
    bed.write(CONFIG, text.replace("[agent", "account = \"LocalService\"\n[agent"))?;
    let output = command_output(bed, &["install"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(2), "exit code 2, not {}: {said}", output.status);
    ensure!(said.contains("LocalSystem"), "it says which account can: {said}");
    ensure!(state(bed)?.is_none(), "nothing was installed");
    Ok(said.lines().next().unwrap_or_default().to_owned())
}
