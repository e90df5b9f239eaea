//! What was measured, as tables.

use std::fmt::{self, Display, Formatter};

use anyhow::Result;

use super::peer::Setting;
use super::{footprint, layer0, peers};
use crate::table::{Row, markdown};

/// Of a restart, beside the floor.
const RESTART_MAX: f64 = 1.25;

/// Of layer 0, in the time that it is watched.
const SWITCHES_MAX: f64 = 6.0;

/// Of layer 0 with so many agents, in MiB.
const MEMORY_MAX: [(usize, f64); 2] = [(1, 3.0), (100, 4.5)];

/// A column of the crash table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    /// A child that had lived for a while.
    Once(Setting),
    /// A child that dies as soon as it lives, with the fastest setting, as alice.
    DiesAtOnce,
}

const DEFAULT: Crash = Crash::Once(Setting::Default);
const FASTEST: Crash = Crash::Once(Setting::Fastest);
const ROOT: Crash = Crash::Once(Setting::Root);

/// A supervisor with some number of idle children.
struct Footprint {
    name: &'static str,
    children: usize,
    memory_kib: f64,
    processes: usize,
    switches: Option<f64>,
}

/// Everything that was measured.
#[derive(Default)]
pub(super) struct Report {
    crashes: Vec<(&'static str, Crash, f64)>,
    tails: Vec<(&'static str, Setting, f64)>,
    footprints: Vec<Footprint>,
    rows: Vec<Row>,
    seconds: u64,
}

impl Report {
    /// With supervisors that are watched so long.
    pub(super) fn new(seconds: u64) -> Self {
        Self { seconds, ..Self::default() }
    }

    /// The median of the times after which a child was back, in microseconds.
    pub(super) fn crash(&mut self, name: &'static str, crash: Crash, median_us: f64) {
        self.crashes.push((name, crash, median_us));
    }

    /// The time within which nine of ten were back.
    pub(super) fn tail(&mut self, name: &'static str, setting: Setting, percentile_us: f64) {
        self.tails.push((name, setting, percentile_us));
    }

    /// Memory of all processes of a supervisor.
    pub(super) fn memory(&mut self, name: &'static str, children: usize, kib: u64, processes: usize) {
        let memory_kib = kib as f64;
        self.footprints.push(Footprint { name, children, memory_kib, processes, switches: None });
    }

    /// Their voluntary context switches while they were watched.
    pub(super) fn switches(&mut self, name: &'static str, children: usize, switches: u64) {
        if let Some(footprint) = self.footprint_mut(name, children) {
            footprint.switches = Some(switches as f64);
        }
    }

    /// Lines of the table with targets; an error is one, too.
    pub(super) fn rows(&mut self, measured: Result<Vec<Row>>) {
        match measured {
            Ok(rows) => self.rows.extend(rows),
            Err(error) => self.rows.push(Row::failed("session", &error)),
        }
    }

    fn footprint(&self, name: &str, children: usize) -> Option<&Footprint> {
        self.footprints.iter().find(|footprint| footprint.name == name && footprint.children == children)
    }

    fn footprint_mut(&mut self, name: &str, children: usize) -> Option<&mut Footprint> {
        self.footprints.iter_mut().find(|footprint| footprint.name == name && footprint.children == children)
    }

    fn crash_of(&self, name: &str, crash: Crash) -> Option<f64> {
        self.crashes
            .iter()
            .find(|(of, column, _)| *of == name && *column == crash)
            .map(|(.., median)| *median)
    }

    fn crash_table(&self) -> Table {
        let columns = [DEFAULT, FASTEST, Crash::DiesAtOnce, ROOT];
        let head = [
            "crash → first instruction, ms",
            "default",
            "fastest",
            "fastest, dies at once",
            "fastest, as root",
        ];
        let row = |name| columns.map(|column| self.crash_of(name, column).map(|us| us / 1000.0));
        let names = std::iter::once(peers::FLOOR.name).chain(peers::PEERS.map(|peer| peer.name));
        let rows = names.map(|name| (name, row(name).to_vec())).collect();
        Table { head: head.map(str::to_owned).to_vec(), rows, decimals: vec![2; columns.len()] }
    }

    fn footprint_table(&self) -> Table {
        let row = |name| {
            let of = |children| self.footprint(name, children);
            let switches = |children| of(children).and_then(|footprint| footprint.switches);
            let mib = |children| of(children).map(|footprint| footprint.memory_kib / 1024.0);
            vec![
                switches(1),
                switches(100),
                mib(1),
                mib(100),
                of(1).zip(of(100)).map(|(one, many)| (many.memory_kib - one.memory_kib) / 99.0),
                of(100).map(|footprint| footprint.processes as f64),
            ]
        };
        let head = [
            "idle".to_owned(),
            format!("switches in {} s, 1 child", self.seconds),
            "100 children".to_owned(),
            "PSS in MiB, 1 child".to_owned(),
            "100 children".to_owned(),
            "KiB for one more".to_owned(),
            "processes for 100".to_owned(),
        ];
        let rows = peers::PEERS.map(|peer| (peer.name, row(peer.name))).to_vec();
        Table { head: head.to_vec(), rows, decimals: vec![0, 0, 1, 1, 1, 0] }
    }

    /// Layer 0 beside what it is meant to be.
    fn targets(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let (us, floor) = (layer0::PEER.name, peers::FLOOR.name);
        for (setting, named) in [(Setting::Fastest, "as alice"), (Setting::Root, "as root")] {
            let crash = Crash::Once(setting);
            if let Some((ours, theirs)) = self.crash_of(us, crash).zip(self.crash_of(floor, crash)) {
                let what = format!("crash → first instruction {named}, median");
                rows.push(Row::ratio(&what, ours, (floor, theirs), "µs", RESTART_MAX));
            }
            if let Some((ours, theirs)) = self.tail_of(us, setting).zip(self.tail_of(floor, setting)) {
                rows.push(Row::note(
                    &format!("crash → first instruction {named}, 90th percentile"),
                    format!("{ours:.1} µs = {:.2} ×", ours / theirs),
                    format!("{floor} {theirs:.1} µs"),
                ));
            }
        }
        for footprint in self.footprints.iter().filter(|footprint| footprint.name == us) {
            let named = if footprint.children == 1 {
                "1 agent".into()
            } else {
                format!("{} agents", footprint.children)
            };
            if let Some(switches) = footprint.switches {
                rows.push(Row::at_most(format!("voluntary switches, {named}"), switches, SWITCHES_MAX, ""));
            }
            let memory = footprint.memory_kib / 1024.0;
            let what = format!("memory of layer 0 (PSS), {named}");
            rows.push(match MEMORY_MAX.iter().find(|(children, _)| *children == footprint.children) {
                Some((_, most)) => Row::at_most(what, memory, *most, "MiB"),
                None => Row::note(&what, format!("{memory:.1} MiB"), String::new()),
            });
        }
        if let Some((few, many)) = self.footprint(us, 100).zip(self.footprint(us, footprint::MULTITUDE)) {
            let more = (many.memory_kib - few.memory_kib) / (many.children - few.children) as f64;
            rows.push(Row::at_most(
                "memory of layer 0 (PSS), for each agent after the 100th".into(),
                more,
                16.0,
                "KiB",
            ));
        }
        rows
    }

    fn tail_of(&self, name: &str, setting: Setting) -> Option<f64> {
        self.tails.iter().find(|(of, with, _)| *of == name && *with == setting).map(|(.., tail)| *tail)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.crashes.is_empty() {
            writeln!(f, "{}", self.crash_table())?;
        }
        if !self.footprints.is_empty() {
            writeln!(f, "{}", self.footprint_table())?;
        }
        let mut rows = self.targets();
        rows.extend_from_slice(&self.rows);
        write!(f, "{}", markdown(&rows))
    }
}

/// Names, and numbers with so many decimals; what was not measured is empty.
struct Table {
    head: Vec<String>,
    rows: Vec<(&'static str, Vec<Option<f64>>)>,
    decimals: Vec<usize>,
}

impl Table {
    /// The least number of a column. The floor takes no part.
    fn best(&self, column: usize) -> Option<f64> {
        let peers = self.rows.iter().filter(|(name, _)| *name != peers::FLOOR.name);
        peers.filter_map(|(_, cells)| *cells.get(column)?).min_by(f64::total_cmp)
    }

    fn cell(&self, column: usize, number: f64, takes_part: bool) -> String {
        let shown = format!("{number:.*}", self.decimals[column]);
        if takes_part && self.best(column) == Some(number) { format!("**{shown}**") } else { shown }
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.head.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(self.head.len()))?;
        for (name, cells) in self.rows.iter().filter(|(_, cells)| cells.iter().any(Option::is_some)) {
            write!(f, "| {name} |")?;
            for (column, cell) in cells.iter().enumerate() {
                let takes_part = *name != peers::FLOOR.name;
                write!(
                    f,
                    " {} |",
                    cell.map_or(String::new(), |number| self.cell(column, number, takes_part))
                )?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
