//! Many agents side by side: what they cost, and how fast all of them are gone.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::bed::Bed;
use super::layer0::{Console, agent};
use super::notes::Notes;
use super::process::Process;
use crate::table::Row;

/// How long the end of the last may take.
const STOP_MAX: Duration = Duration::from_secs(30);
/// For how long layer 0 is left alone before its memory is looked at: what the start needed is given back by then.
const SETTLED: Duration = Duration::from_secs(3);

/// Starts `bilayer run` with so many connected agents, looks at its memory and stops it.
pub(crate) fn measure(bed: &Bed, agents: usize) -> Result<Vec<Row>> {
    let crowd = format!("crowd-{agents}");
    let program = bed.windows("agent.exe");
    // A file for each: Wine appends in two steps, between which another may do the same.
    let mut notes: Vec<_> = (0..agents)
        .map(|number| Notes::new(bed, &format!("notes-{crowd}-{number}")))
        .collect::<Result<_>>()?;
    let section = |(number, notes): (usize, &Notes)| {
        agent(&format!("a{number}"), &[&program, &crowd, notes.name()], "")
    };
    let sections: String = notes.iter().enumerate().map(section).collect();
    println!("starting {agents} agents");
    let console = Console::start(bed, &crowd, &sections)?;
    for (number, notes) in notes.iter_mut().enumerate() {
        notes.next().with_context(|| format!("agent {number} of {agents}"))?;
    }
    std::thread::sleep(SETTLED);
    let memory = console.process()?.memory()?;
    let floor = floor_memory(bed)?;
    let stopped = stop(&console, &crowd)?;
    let named = if agents == 1 { "1 agent".to_owned() } else { format!("{agents} agents") };
    Ok(vec![
        Row::note(
            &format!("memory of layer 0, its own alone, {named}"),
            format!("{:.1} MiB (resident {:.1})", memory.own, memory.resident),
            format!("C loop {:.1} MiB (resident {:.1})", floor.own, floor.resident),
        ),
        Row::note(
            &format!("stop of layer 0 → end of the last of {named}"),
            format!("{:.0} ms", stopped.as_secs_f64() * 1000.0),
            String::new(),
        ),
    ])
}

/// A bare C program in the same prefix: Wine itself is most of what a small program holds.
fn floor_memory(bed: &Bed) -> Result<super::process::Memory> {
    let mut notes = Notes::new(bed, "notes-bare")?;
    let mut bare = bed.wine([&*bed.windows("floor.exe"), &bed.windows("child.exe"), notes.name()]).spawn()?;
    notes.next()?;
    let memory = Process::of(&bare)?.memory();
    let _ = bare.kill();
    let _ = bare.wait();
    Process::one("child.exe", notes.name())?.kill()?;
    memory
}

/// Presses Ctrl-C and waits for the end of every agent.
fn stop(console: &Console, crowd: &str) -> Result<Duration> {
    let ends: Vec<_> =
        Process::all("agent.exe", crowd)?.into_iter().map(Process::end).collect::<Result<_>>()?;
    let asked = Instant::now();
    console.process()?.interrupt()?;
    ends.iter().try_for_each(|end| end.wait(STOP_MAX))?;
    Ok(asked.elapsed())
}
