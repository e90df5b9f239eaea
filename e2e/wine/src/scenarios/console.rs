//! `bilayer run` in a console: the developer's own session.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{gone, none, only};
use crate::bed::Bed;
use crate::layer0::{
    BILAYER, CONFIG, Console, SOON, agent_in, agent_when, command, command_output, config, ready, running,
    said, until_said,
};
use crate::wait::until;

const LOCK: u32 = 7;
const UNLOCK: u32 = 8;

/// Killed from outside Windows; a new process takes its place, and Ctrl-C ends everything.
pub(super) fn crash(bed: &Bed) -> Result<String> {
    let mut console = Console::start(bed, &config("rust-agent.exe", &[], ""))?;
    let before = ready(bed, 1)?;
    let process = only(bed, "rust-agent.exe")?;
    process.kill()?;
    let after = agent_when(bed, 1, "is a new process", |agent| {
        agent.runs() && agent.pid != before.pid && agent.entry["ready"] == true
    })?;
    gone(&process)?;
    // The host of its console is nothing that it started.
    ensure!(!said(bed).contains("left behind"), "it left nothing behind: {}", said(bed));
    ensure!(after.entry["generation"] == 2, "its second launch: {}", after.entry);
    let last = after.entry["last_exit"].clone();
    let code = console.interrupt()?;
    ensure!(code.success(), "Ctrl-C ends it with success, not {code}");
    none(bed, "rust-agent.exe")?;
    Ok(format!("{:?} killed, {:?} runs; last exit {last}", before.pid, after.pid))
}

/// Restarted, held, taken for a logoff: by number, status or name.
pub(super) fn exit_codes(bed: &Bed) -> Result<String> {
    let leave = r"C:\bilayer-bed\leave";
    let table = r#"exit_codes = { 65 = "hold", "0xC0000005" = "release" }"#;
    let _console = Console::start(bed, &config("windows-agent.exe", &["waits", leave], table))?;
    let mut seen = Vec::new();
    for (code, state, reason) in [
        ("7", "running", ""),
        ("0xC000026B", "waiting", "logging-off"),
        ("65", "held", ""),
        ("0xC0000005", "released", ""),
    ] {
        let before = match agent_in(bed, 1)? {
            Some(agent) if agent.runs() => agent,
            _ => {
                command(bed, &["agents", "start", "desk", "--all"]).ok();
                running(bed, 1)?
            }
        };
        bed.write(leave, code)?;
        let after = agent_when(bed, 1, &format!("left with {code}"), |agent| {
            agent.state == state && agent.pid != before.pid && agent.reason.contains(reason)
        })?;
        seen.push(format!("{code} → {state} ({}: {})", after.reason, after.entry["last_exit"]["text"]));
    }
    Ok(seen.join(", "))
}

/// Told by the window's notifications, not found by the next look.
pub(super) fn lock(bed: &Bed) -> Result<String> {
    let _console = Console::start(bed, &config("rust-agent.exe", &[], "heartbeat = \"15s\""))?;
    ready(bed, 1)?;
    let asked = Instant::now();
    bed.change(1, LOCK, |session| session.locked = Some(true))?;
    until_said(bed, "locked: true")?;
    bed.change(1, UNLOCK, |session| session.locked = Some(false))?;
    until_said(bed, "locked: false")?;
    let took = asked.elapsed();
    // The net that finds what was not told is cast every 30 s.
    ensure!(took < Duration::from_secs(15), "it took {took:?}");
    Ok(format!("both in {took:.1?}"))
}

/// The job dies with the process that holds it.
pub(super) fn killed(bed: &Bed) -> Result<String> {
    let mut console = Console::start(bed, &config("rust-agent.exe", &[], ""))?;
    ready(bed, 1)?;
    let agent = only(bed, "rust-agent.exe")?;
    console.process().kill()?;
    console.end()?;
    until("the agent is gone", SOON, || Ok(agent.is_dead().then_some(())))?;
    none(bed, "rust-agent.exe")?;
    Ok("its agent went with it".to_owned())
}

/// A process that is stopped answers nothing.
pub(super) fn hung(bed: &Bed) -> Result<String> {
    let _console = Console::start(bed, &config("rust-agent.exe", &[], "stop = { grace = \"1s\" }"))?;
    ready(bed, 1)?;
    let agent = only(bed, "rust-agent.exe")?;
    agent.freeze()?;
    stopped_at_its_grace(bed, || Ok(agent.is_dead()))
}

/// It is asked, and goes on. (The helper comes to it; that it has nothing to ask with is Wine's: there is no Ctrl-Break.)
pub(super) fn deaf(bed: &Bed) -> Result<String> {
    let _console = Console::start(bed, &config("windows-agent.exe", &["deaf"], "stop = { grace = \"1s\" }"))?;
    running(bed, 1)?;
    until_said(bed, "deaf to Ctrl-Break")?;
    let agent = only(bed, "windows-agent.exe")?;
    let seen = stopped_at_its_grace(bed, || Ok(agent.is_dead()))?;
    ensure!(said(bed).contains("asked to end"), "it was asked first");
    Ok(seen)
}

fn stopped_at_its_grace(bed: &Bed, mut is_dead: impl FnMut() -> Result<bool>) -> Result<String> {
    let asked = Instant::now();
    command(bed, &["agents", "stop", "desk", "--all"])?;
    until("it is killed", SOON, || Ok(is_dead()?.then_some(())))?;
    let took = asked.elapsed();
    ensure!(took >= Duration::from_millis(900), "killed after {took:?}, before its grace of 1 s");
    let held = agent_when(bed, 1, "is held", |agent| agent.state == "held")?;
    Ok(format!("killed after {took:.1?}, {}", held.reason))
}

/// A child does not survive its parent's end.
pub(super) fn child_left_behind(bed: &Bed) -> Result<String> {
    let _console =
        Console::start(bed, &config("windows-agent.exe", &["parent"], "restart = { on = \"never\" }"))?;
    agent_when(bed, 1, "left", |agent| agent.state == "released")?;
    ensure!(said(bed).contains("left a child behind"), "it had a child: {}", said(bed));
    until("the child is gone", SOON, || Ok(bed.processes("windows-agent.exe")?.is_empty().then_some(())))?;
    Ok("the agent left, its child went with it".to_owned())
}

/// Gone, no program, or for another machine: held, and the status says which.
pub(super) fn bad_programs(bed: &Bed) -> Result<String> {
    let name = |file: &str| format!(r"C:\Program Files\Acme\{file}");
    bed.write(&name("text.exe"), "echo I am no program\r\n")?;
    bed.write(&name("strange.exe"), for_another_machine(&fs::read(bed.path(BILAYER))?)?)?;
    let mut seen = Vec::new();
    for program in ["gone.exe", "text.exe", "strange.exe"] {
        let mut console = match Console::start(bed, &config(program, &[], "")) {
            Ok(console) => console,
            // What `config check` finds is refused before anything starts.
            Err(refused) => {
                let text = format!("{refused:#}");
                let said = said(bed);
                let line = said.lines().rfind(|line| line.starts_with("error:") && line.contains(program));
                seen.push(line.with_context(|| format!("it says which: {text}"))?.to_owned());
                continue;
            }
        };
        let held = agent_when(bed, 1, "is held", |agent| agent.state == "held")?;
        seen.push(format!("{program}: {}", held.entry["reason"]["text"]));
        console.interrupt()?;
    }
    Ok(seen.join(", "))
}

/// The same program with the machine type of another processor in its header (IMAGE_FILE_HEADER::Machine).
fn for_another_machine(program: &[u8]) -> Result<Vec<u8>> {
    const AARCH64: [u8; 2] = 0xAA64_u16.to_le_bytes();
    let at = program.get(0x3c..0x40).context("the header's place")?;
    let at = u32::from_le_bytes(at.try_into()?) as usize + 4;
    let mut strange = program.to_vec();
    strange.get_mut(at..at + 2).context("the header")?.copy_from_slice(&AARCH64);
    Ok(strange)
}

/// The program, its arguments, its folder.
pub(super) fn paths(bed: &Bed) -> Result<String> {
    let long = ["folder of forty-eight letters, as long as it gets"; 6].join(r"\");
    let mut seen = Vec::new();
    for folder in [r"C:\Program Files\Grüße мир 世界".to_owned(), format!(r"C:\{long}")] {
        let program = format!(r"{folder}\rust-agent.exe");
        bed.install("rust-agent.exe", &program)?;
        let text = format!("[service]\nname = \"acme\"\n[agent.desk]\ncommand = ['{program}']\n");
        let mut console = Console::start(bed, &text)?;
        let length = program.chars().count();
        if length > 260 {
            // Wine 8 starts none with such a path, however it is written; Windows does.
            until_said(bed, "cannot execute")?;
            seen.push(format!("{length} characters: held with the reason, as Wine cannot start it"));
        } else {
            ready(bed, 1).with_context(|| format!("with {program}"))?;
            seen.push(format!("{length} characters"));
        }
        console.interrupt()?;
    }
    let check = command_output(bed, &["config", "check", CONFIG])?;
    ensure!(check.status.success(), "the check agrees: {}", String::from_utf8_lossy(&check.stderr));
    Ok(seen.join(", "))
}
