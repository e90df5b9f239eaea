//! From the death of a process to the first instruction of the next.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

use crate::layer0::Layer0;
use crate::table::{Row, percentile};

/// Between two crashes: the new process has settled, and so has the one that started it.
const PAUSE: Duration = Duration::from_millis(25);

/// Kills the floor's child and Bilayer's agent in turns.
pub(crate) fn measure(folder: &Path, crashes: usize) -> Result<Vec<Row>> {
    let child =
        compile(folder, "child", &["-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector"])?;
    let floor = compile(folder, "floor", &[])?;
    let (floor_notes, floor_fifo) = notes(folder, "floor.fifo")?;
    let floor = Killed(Command::new(floor).arg(&child).arg(&floor_fifo).stdin(Stdio::null()).spawn()?);
    let (notes, fifo) = notes(folder, "agent.fifo")?;
    let agent = format!(
        "[agent.child]\ncommand = ['{child}', '{fifo}']\nneeds_display = false\ntrust_writable_program = true\n\
         exit_codes = {{ SIGKILL = \"restart-now\" }}\n\
         restart = {{ limit = {{ count = 1000, within = \"1s\" }} }}\n"
    );
    let _layer0 = Layer0::start(folder, "bench-restart", &agent)?;
    let (mut floor_pid, mut pid) = (next(&floor_notes)?.0, next(&notes)?.0);
    let (mut floor_samples, mut samples) = (Vec::new(), Vec::new());
    for _ in 0..crashes {
        floor_samples.push(crash(&mut floor_pid, &floor_notes)?);
        samples.push(crash(&mut pid, &notes)?);
    }
    // First the loop: it would start another child.
    drop(floor);
    let _ = kill(floor_pid);
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
fn crash(pid: &mut u64, notes: &Receiver<(u64, u64)>) -> Result<f64> {
    std::thread::park_timeout(PAUSE);
    let killed = now();
    kill(*pid)?;
    let (successor, began) = next(notes)?;
    ensure!(successor != *pid && began > killed, "process {pid} was killed and came back");
    *pid = successor;
    Ok((began - killed) as f64 / 1000.0)
}

fn kill(pid: u64) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("a child noted a wrong pid")?;
    kill_process(pid, Signal::KILL).context("cannot kill the child")
}

fn next(notes: &Receiver<(u64, u64)>) -> Result<(u64, u64)> {
    notes.recv_timeout(Duration::from_secs(10)).context("no new process within 10 s")
}

/// The clock that the child reads, in nanoseconds.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// A pipe with a name, and what children note in it: pid and time.
fn notes(folder: &Path, name: &str) -> Result<(Receiver<(u64, u64)>, String)> {
    let fifo = folder.join(name);
    ensure!(Command::new("mkfifo").arg(&fifo).status()?.success(), "cannot make {}", fifo.display());
    // Opened for both, it neither waits for a writer nor ends when there is none (fifo(7)).
    let file = OpenOptions::new().read(true).write(true).open(&fifo)?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        while let Ok(note) = read_note(&file) {
            if sender.send(note).is_err() {
                return;
            }
        }
    });
    Ok((receiver, fifo.to_str().context("a temporary folder's path is text")?.to_owned()))
}

fn read_note(mut file: &File) -> std::io::Result<(u64, u64)> {
    let mut note = [[0; 8]; 2];
    file.read_exact(note.as_flattened_mut())?;
    Ok((u64::from_ne_bytes(note[0]), u64::from_ne_bytes(note[1])))
}

fn compile(folder: &Path, name: &str, flags: &[&str]) -> Result<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{name}.c"));
    let program = folder.join(name);
    let status = Command::new("gcc").arg("-O2").args(flags).arg("-o").arg(&program).arg(&source).status();
    ensure!(status.context("cannot start gcc")?.success(), "gcc could not compile {}", source.display());
    Ok(program.to_str().context("a temporary folder's path is text")?.to_owned())
}

/// A process of this measurement, ended with it.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
