//! From the death of a child to the first instruction of its successor, under every supervisor.
//!
//! In rounds: in each, every supervisor has one child killed, so that whatever else the machine does meets all of them. With
//! its fastest setting a supervisor has one child, which is killed again and again. With its default it has a child for each
//! round, which is killed once: what is measured is the first crash of a child, and not what a default makes of the tenth.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::logins::Login;
use super::peer::{Pace, Peer, Running, Setting};
use super::peers;
use super::report::{Crash, Report};
use crate::notes::{Birth, now};
use crate::table::percentile;

/// Every child lives so long before it is killed: past the second within which some supervisors count an end as a failed start.
const LIFE: Duration = Duration::from_millis(1200);

/// After a supervisor has been made to wait, and between two crashes of those that are killed again in the same round.
const PAUSE: Duration = Duration::from_millis(25);

/// How often those are killed in a round that need no rest.
const NIMBLE_TURNS: usize = 8;

/// How often a child is killed as soon as it lives.
const EARLY_DEATHS: usize = 5;

/// How long a new process is waited for.
const BIRTH_MAX: Duration = Duration::from_secs(10);

/// One supervisor with one setting.
struct Lane {
    peer: Peer,
    setting: Setting,
    running: Running,
    /// Who is killed next, first.
    alive: VecDeque<Birth>,
    /// Microseconds.
    samples: Vec<f64>,
}

/// A child that was killed, and when.
type Killed = (Birth, u64);

/// Measures the floor and all peers that are installed.
pub(super) fn measure(folder: &Path, rounds: usize, report: &mut Report) -> Result<()> {
    let _root = Login::new("root")?;
    let mut lanes = Vec::new();
    for peer in std::iter::once(peers::FLOOR).chain(peers::present()) {
        lanes.push(Lane::start(folder, peer, Setting::Fastest, 1)?);
        lanes.push(Lane::start(folder, peer, Setting::Root, 1)?);
        if peer.name != peers::FLOOR.name {
            lanes.push(Lane::start(folder, peer, Setting::Default, rounds)?);
        }
    }
    println!("killing a child of each of {} supervisors in {rounds} rounds", lanes.len());
    for _ in 0..rounds {
        round(&mut lanes)?;
    }
    for lane in lanes.iter_mut().filter(|lane| lane.setting == Setting::Fastest) {
        let early = lane.die_early()?;
        report.crash(lane.peer.name, Crash::DiesAtOnce, early);
    }
    for mut lane in lanes {
        report.crash(lane.peer.name, Crash::Once(lane.setting), percentile(&mut lane.samples, 50));
        if lane.is_tireless() {
            report.tail(lane.peer.name, lane.setting, percentile(&mut lane.samples, 90));
        }
    }
    Ok(())
}

/// Those that wait a second do so while the others are measured.
fn round(lanes: &mut [Lane]) -> Result<()> {
    let youngest =
        lanes.iter().filter_map(|lane| lane.alive.front()).map(|child| child.at).max().unwrap_or(0);
    let lived = Duration::from_nanos(now().saturating_sub(youngest));
    std::thread::park_timeout(LIFE.saturating_sub(lived));
    let (mut slow, mut others): (Vec<_>, Vec<_>) =
        lanes.iter_mut().partition(|lane| lane.peer.pace == Pace::Slow);
    let killed = slow.iter_mut().map(|lane| lane.kill()).collect::<Result<Vec<_>>>()?;
    std::thread::park_timeout(2 * PAUSE);
    for turn in 0..NIMBLE_TURNS {
        for lane in others.iter_mut().filter(|lane| turn == 0 || lane.is_tireless()) {
            std::thread::park_timeout(PAUSE);
            let killed = lane.kill()?;
            lane.see_successor(killed)?;
        }
    }
    for (lane, killed) in slow.iter_mut().zip(killed) {
        lane.see_successor(killed)?;
    }
    Ok(())
}

impl Lane {
    fn start(folder: &Path, peer: Peer, setting: Setting, children: usize) -> Result<Self> {
        let running = Running::start(folder, &peer, setting, children)?;
        let alive = running.births.iter().copied().collect();
        Ok(Self { peer, setting, running, alive, samples: Vec::new() })
    }

    /// Whether it may be killed many times in a round and still do its best.
    fn is_tireless(&self) -> bool {
        self.setting != Setting::Default && self.peer.pace == Pace::Nimble
    }

    fn kill(&mut self) -> Result<Killed> {
        let child = self.alive.pop_front().expect("a supervisor has a child for every round");
        Ok((child, child.kill()?))
    }

    fn see_successor(&mut self, (child, killed): Killed) -> Result<()> {
        let successor = self.running.notes.next(BIRTH_MAX)?;
        self.samples.push(successor.after(killed, child)?);
        self.alive.push_back(successor);
        Ok(())
    }

    /// The median of the times after which a child is back that never lives long.
    fn die_early(&mut self) -> Result<f64> {
        let before = std::mem::take(&mut self.samples);
        for _ in 0..EARLY_DEATHS {
            let killed = self.kill()?;
            self.see_successor(killed)?;
        }
        let mut early = std::mem::replace(&mut self.samples, before);
        Ok(percentile(&mut early, 50))
    }
}
