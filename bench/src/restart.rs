//! From the death of a process to the first instruction of the next.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Result;

use crate::compiled::{BARE, compile};
use crate::layer0::Layer0;
use crate::notes::{Birth, Notes};
use crate::table::{Row, percentile};

/// Between two crashes: the new process has settled, and so has the one that started it.
const PAUSE: Duration = Duration::from_millis(25);

/// How long a new process is waited for.
const BIRTH_MAX: Duration = Duration::from_secs(10);

/// Kills the floor's child and Bilayer's agent in turns.
pub(crate) fn measure(folder: &Path, crashes: usize) -> Result<Vec<Row>> {
    let child = compile(folder, "child", BARE)?;
    let floor = compile(folder, "floor", &[])?;
    let floor_notes = Notes::new(&folder.join("floor.fifo"))?;
    let floor = Killed(Command::new(floor).arg(&child).arg(floor_notes.fifo()).stdin(Stdio::null()).spawn()?);
    let notes = Notes::new(&folder.join("agent.fifo"))?;
    let agent = format!(
        "[agent.child]\ncommand = ['{}', '{}']\nneeds_display = false\ntrust_writable_program = true\n\
         exit_codes = {{ SIGKILL = \"restart-now\" }}\n\
         restart = {{ limit = {{ count = 1000, within = \"1s\" }} }}\n",
        child.display(),
        notes.fifo().display(),
    );
    let _layer0 = Layer0::start(folder, "bench-restart", &agent)?;
    let (mut floor_child, mut child) = (floor_notes.next(BIRTH_MAX)?, notes.next(BIRTH_MAX)?);
    let (mut floor_samples, mut samples) = (Vec::new(), Vec::new());
    for _ in 0..crashes {
        floor_samples.push(crash(&mut floor_child, &floor_notes)?);
        samples.push(crash(&mut child, &notes)?);
    }
    // First the loop: it would start another child.
    drop(floor);
    let _ = floor_child.kill();
    let medians = (percentile(&mut samples, 50), percentile(&mut floor_samples, 50));
    let tails = (percentile(&mut samples, 90), percentile(&mut floor_samples, 90));
    Ok(vec![
        Row::ratio("crash → first instruction, median", medians.0, ("C loop", medians.1), "µs", 1.25),
        Row::note(
            "crash → first instruction, 90th percentile",
            format!("{:.1} µs = {:.2} ×", tails.0, tails.0 / tails.1),
            format!("C loop {:.1} µs", tails.1),
        ),
    ])
}

/// Kills a process and returns after how many microseconds its successor began.
fn crash(child: &mut Birth, notes: &Notes) -> Result<f64> {
    std::thread::park_timeout(PAUSE);
    let before = *child;
    let killed = before.kill()?;
    *child = notes.next(BIRTH_MAX)?;
    child.after(killed, before)
}

/// A process of this measurement, ended with it.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
