//! The package for Windows Installer, as `cargo xtask e2e-windows` built it from the program under test, in two versions.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{gone, only};
use crate::bed::{Bed, PROGRAMS, output};
use crate::layer0::{Agent, SOON, agents_of};
use crate::process::Process;
use crate::wait::until;

const PROGRAM: &str = r"C:\Program Files\Bilayer\bilayer.exe";
const CONFIG: &str = r"C:\ProgramData\bilayer\bilayer.toml";
const KEY: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\bilayer";
const OLDER: &str = "package-older.msi";
const NEWER: &str = "package-newer.msi";
const EDIT: &str = "# edited by a person";

/// Installed, edited, upgraded, removed: what runs goes on, and the edit stays.
pub(super) fn life(bed: &Bed) -> Result<String> {
    ensure!(installer(bed, "/i", OLDER, &[])?, "msiexec /i failed");
    let path = image_path(bed)?;
    ensure!(path.starts_with(&format!("\"{PROGRAM}\" service -c ")), "the image path is {path}");
    ensure!(state(bed)? == "RUNNING", "the service is {}", state(bed)?);
    let first = status(bed)?;
    ensure!(first["agents"].as_array().is_some_and(Vec::is_empty), "agents: {}", first["agents"]);

    let agent = format!(
        "{EDIT}\n[agent.desk]\ncommand = ['{PROGRAMS}\\windows-agent.exe', 'waits', 'C:\\bilayer-bed\\never']\n"
    );
    append(bed, &agent)?;
    bed.run([PROGRAM, "reload"])?;
    let (killed, process) = agent_when(bed, "runs", |_| true)?;
    process.kill()?;
    let (back, before) = agent_when(bed, "is back", |agent| agent.pid != killed.pid)?;
    ensure!(back.entry["restarts"] == 1, "it was restarted once: {}", back.entry);
    ensure!(installer(bed, "/i", NEWER, &[])?, "the upgrade failed");
    gone(&before).context("the agent lives on while its service's program is replaced")?;
    ensure!(state(bed)? == "RUNNING", "what ran before the upgrade is {}", state(bed)?);
    let (_, after) = agent_when(bed, "runs again", |_| true)?;
    ensure!(config(bed)?.ends_with(&agent), "the edit is lost:\n{}", config(bed)?);
    let versions = versions(bed)?;
    ensure!(versions.len() == 1, "the list of programs has {versions:?}");

    ensure!(installer(bed, "/x", NEWER, &[])?, "msiexec /x failed");
    gone(&after).context("the agent lives on without its service")?;
    ensure!(!has_service(bed)?, "the service is left");
    ensure!(!bed.path(PROGRAM).exists(), "the program is left");
    ensure!(config(bed)?.ends_with(&agent), "the removal took the edit");
    Ok(format!(
        "{path}; version {}; agent {:?} killed, {:?} took its place; {before:?} before, {after:?} after the upgrade",
        versions[0], killed.pid, back.pid
    ))
}

/// What did not run before an upgrade does not run after it, and a package starts nothing if it is told so.
pub(super) fn stopped(bed: &Bed) -> Result<String> {
    ensure!(installer(bed, "/i", OLDER, &["START=0"])?, "msiexec /i failed");
    ensure!(state(bed)? == "STOPPED", "START=0 and the service is {}", state(bed)?);
    bed.run([PROGRAM, "start"])?;
    ensure!(state(bed)? == "RUNNING", "it was started by a person, and is {}", state(bed)?);
    bed.run([PROGRAM, "stop"])?;
    ensure!(state(bed)? == "STOPPED", "it was stopped by a person, and is {}", state(bed)?);
    ensure!(installer(bed, "/i", NEWER, &[])?, "the upgrade failed");
    ensure!(state(bed)? == "STOPPED", "it was stopped by a person, and is {}", state(bed)?);
    Ok("stopped before and after".into())
}

/// A configuration that was laid there first is the one that counts, with the name that it gives to the service; and a service
/// that has another name by now is removed all the same.
pub(super) fn own_configuration(bed: &Bed) -> Result<String> {
    bed.write(CONFIG, "[service]\nname = \"acme\"\n")?;
    ensure!(installer(bed, "/i", OLDER, &[])?, "msiexec /i failed");
    let of_acme = |bed: &Bed| bed.run(["sc", "query", "acme"]);
    ensure!(of_acme(bed)?.contains("RUNNING"), "the service is not named as its configuration says");
    ensure!(!has_service(bed)?, "there is a second service");
    bed.write(CONFIG, "[service]\nname = \"renamed\"\n[nonsense")?;
    ensure!(installer(bed, "/x", OLDER, &[])?, "msiexec /x failed");
    ensure!(of_acme(bed).is_err(), "the service is left");
    Ok("acme came and went".into())
}

/// With a configuration that cannot be used nothing is installed, and nothing is left of the attempt.
pub(super) fn undone(bed: &Bed) -> Result<String> {
    bed.write(CONFIG, "[service]\nname = \"bilayer\"\nnmae = 1\n")?;
    ensure!(!installer(bed, "/i", OLDER, &[])?, "it installed a service that cannot run");
    ensure!(!has_service(bed)?, "the service is left");
    ensure!(versions(bed)?.is_empty(), "the list of programs has {:?}", versions(bed)?);
    bed.write(CONFIG, "[service]\nname = \"bilayer\"\n")?;
    ensure!(installer(bed, "/i", OLDER, &[])?, "the second attempt failed");
    ensure!(state(bed)? == "RUNNING", "the service is {}", state(bed)?);
    Ok("refused, and installed once the mistake was gone".into())
}

/// Runs Windows Installer without a window; returns whether it succeeded.
fn installer(bed: &Bed, action: &str, package: &str, properties: &[&str]) -> Result<bool> {
    let file = format!(r"C:\bilayer-bed\{package}");
    bed.install(package, &file)?;
    let words = ["msiexec", action, file.as_str(), "/qn"];
    let done = output(&mut bed.wine(words.iter().chain(properties)))?;
    Ok(done.status.success())
}

fn image_path(bed: &Bed) -> Result<String> {
    let text = bed.run(["reg", "query", KEY, "/v", "ImagePath"])?;
    let line =
        text.lines().find(|line| line.contains("ImagePath")).context("the service has an image path")?;
    Ok(line.split_once("_SZ").map(|(_, path)| path.trim().to_owned()).unwrap_or_default())
}

/// RUNNING or STOPPED, in the words of `sc`.
fn state(bed: &Bed) -> Result<String> {
    let text = bed.run(["sc", "query", "bilayer"])?;
    let line = text.lines().find(|line| line.contains("STATE")).context("sc says a state")?;
    Ok(line.split_whitespace().last().unwrap_or_default().to_owned())
}

fn has_service(bed: &Bed) -> Result<bool> {
    Ok(output(&mut bed.wine(["reg", "query", KEY]))?.status.success())
}

/// The versions of Bilayer in the list of programs.
fn versions(bed: &Bed) -> Result<Vec<String>> {
    let key = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall";
    let said = output(&mut bed.wine(["reg", "query", key, "/s"]))?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    // One block for each program, with a key in its first line.
    let blocks = text.split("HKEY_LOCAL_MACHINE").filter(|block| {
        block.lines().any(|line| line.contains("DisplayName ") && line.trim_end().ends_with("Bilayer"))
    });
    let version = |block: &str| {
        let line = block.lines().find(|line| line.contains("DisplayVersion"))?;
        line.split_whitespace().last().map(str::to_owned)
    };
    Ok(blocks.filter_map(version).collect())
}

fn status(bed: &Bed) -> Result<Value> {
    let text = bed.run([PROGRAM, "status", "--json"])?;
    serde_json::from_str(&text).with_context(|| format!("status printed {text}"))
}

/// The only agent there is, and its process, once it runs and is as wanted.
///
/// Asked of the service, not of the list of processes: of a process that is killed while it is still being created Wine may never
/// say that it has ended.
fn agent_when(bed: &Bed, what: &str, wanted: impl Fn(&Agent) -> bool) -> Result<(Agent, Process)> {
    let agent = until(&format!("the agent {what}"), SOON, || {
        let agents = agents_of(&status(bed)?)?;
        Ok(agents.into_iter().find(|agent| agent.runs() && wanted(agent)))
    })?;
    Ok((agent, only(bed, "windows-agent.exe")?))
}

fn config(bed: &Bed) -> Result<String> {
    let file = bed.path(CONFIG);
    std::fs::read_to_string(&file).with_context(|| shown(&file))
}

fn append(bed: &Bed, text: &str) -> Result<()> {
    let whole = config(bed)? + text;
    bed.write(CONFIG, whole)
}

fn shown(file: &Path) -> String {
    format!("cannot read {}", file.display())
}
