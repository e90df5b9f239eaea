//! From the death of a process to the first instruction of the next.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, Result};

use super::bed::Bed;
use super::layer0::{Console, Service, agent};
use super::notes::{Notes, now};
use super::process::Process;
use crate::table::{Row, percentile};

/// Between two crashes: the new process has settled, and so has the one that started it.
const PAUSE: Duration = Duration::from_millis(50);
/// Shawl takes so much longer that a few say it.
const SHAWL_CRASHES_MAX: usize = 15;

/// Kills the child of each in turns.
pub(crate) fn measure(bed: &Bed, crashes: usize, shawl: Option<&Path>) -> Result<Vec<Row>> {
    let child = bed.windows("child.exe");
    let mut floor = Subject::new(bed, "C loop", "notes-floor")?;
    let _floor = Running(bed.wine([&*bed.windows("floor.exe"), &child, floor.notes.name()]).spawn()?);
    floor.began().context("the floor")?;
    let mut console = Subject::new(bed, "bilayer run", "notes-console")?;
    let _console = Console::start(bed, "console", &agent("child", &[&child, console.notes.name()], ""))?;
    console.began().context("bilayer run")?;
    let mut service = Subject::new(bed, "service", "notes-service")?;
    let _service = Service::start(bed, "service", &agent("child", &[&child, service.notes.name()], ""))?;
    service.began().context("the service")?;
    let mut peer = None;
    if let Some(shawl) = shawl {
        peer = Some(start_shawl(bed, shawl, &child)?);
    }
    for round in 0..crashes {
        floor.crash()?;
        console.crash()?;
        service.crash()?;
        if let Some(peer) = peer.as_mut().filter(|_| round < SHAWL_CRASHES_MAX) {
            peer.crash()?;
        }
    }
    let mut rows = Vec::new();
    rows.extend(console.rows(&mut floor));
    rows.extend(service.rows(&mut floor));
    rows.extend(peer.iter_mut().flat_map(|peer| peer.note(&mut floor)));
    Ok(rows)
}

/// Shawl, as a service that starts its program again at once.
fn start_shawl(bed: &Bed, shawl: &Path, child: &str) -> Result<Subject> {
    let mut subject = Subject::new(bed, "Shawl", "notes-shawl")?;
    bed.copy(shawl, "shawl.exe")?;
    let program = bed.windows("shawl.exe");
    let add = ["add", "--name", "bench-shawl", "--restart", "--restart-delay", "0", "--no-log", "--"];
    bed.run([&*program].into_iter().chain(add).chain([child, subject.notes.name()]))?;
    bed.start_service(["sc", "start", "bench-shawl"])?;
    subject.began().context("Shawl")?;
    Ok(subject)
}

/// Something that starts a child again when it dies.
#[derive(Debug)]
struct Subject {
    name: &'static str,
    notes: Notes,
    milliseconds: Vec<f64>,
}

impl Subject {
    fn new(bed: &Bed, name: &'static str, notes: &str) -> Result<Self> {
        Ok(Self { name, notes: Notes::new(bed, notes)?, milliseconds: Vec::new() })
    }

    /// Waits for its first child.
    fn began(&mut self) -> Result<()> {
        self.notes.next().map(drop)
    }

    /// Kills its child and waits for the successor.
    fn crash(&mut self) -> Result<()> {
        std::thread::park_timeout(PAUSE);
        let child = Process::one("child.exe", self.notes.name())?;
        let killed = now();
        child.kill()?;
        let began = self.notes.next().context(self.name)?;
        self.milliseconds.push((began - killed) * 1000.0);
        Ok(())
    }

    fn rows(&mut self, floor: &mut Subject) -> Vec<Row> {
        let what = |which: &str| format!("{}: crash → first instruction, {which}", self.name);
        let (median, tail) = (what("median"), what("90th percentile"));
        let [medians, tails] = [50, 90].map(|percent| {
            (percentile(&mut self.milliseconds, percent), percentile(&mut floor.milliseconds, percent))
        });
        vec![
            Row::ratio(&median, medians.0, (floor.name, medians.1), "ms", 1.25),
            Row::note(
                &tail,
                format!("{:.1} ms = {:.2} ×", tails.0, tails.0 / tails.1),
                format!("{} {:.1} ms", floor.name, tails.1),
            ),
        ]
    }

    fn note(&mut self, floor: &mut Subject) -> Vec<Row> {
        let (own, least) = (percentile(&mut self.milliseconds, 50), percentile(&mut floor.milliseconds, 50));
        vec![Row::note(
            &format!("{}: crash → first instruction, median", self.name),
            format!("{own:.1} ms = {:.2} ×", own / least),
            format!("{} {least:.1} ms", floor.name),
        )]
    }
}

/// A process of this measurement, ended with it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
