//! What the demo knows: the picture of this moment, the story so far, and what was measured.
//!
//! Pure: facts go in with the time they were seen at, pictures and sentences come out.

use std::time::{Duration, Instant};

use bilayer_ipc::control::AgentState;

use super::day::{Deed, Step};
use crate::words::span;

/// What the engine reported, about one instance.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) who: Who,
    pub(super) what: What,
}

/// An instance: which agent, in whose session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub(super) session: String,
    pub(super) agent: String,
    pub(super) user: String,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// A process exists.
    Launched,
    /// It said that it is ready.
    Ready,
    /// It was asked to stop, over its connection.
    AskedToStop { why: String },
    /// It was asked the operating system's own way.
    Terminated,
    /// It was killed.
    Killed,
    /// It ended, in words: "exit code 101".
    Exited { how: String },
    /// Its state or reason changed.
    Changed { state: AgentState, reason: String, pid: Option<u32> },
    /// The instance is no more.
    Removed,
}

/// A session of the imaginary machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) session: &'static str,
    pub(super) user: &'static str,
    pub(super) front: bool,
    pub(super) locked: bool,
}

/// An agent in the picture.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) who: Who,
    pub(super) state: AgentState,
    pub(super) ready: bool,
    pub(super) pid: Option<u32>,
    pub(super) restarts: u32,
    /// Why it is in its state.
    pub(super) reason: String,
    /// How its last process ended.
    pub(super) last_exit: Option<String>,
    launches: u32,
    exited: Option<Instant>,
}

/// A line of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// What happens on the machine, at a time of day.
    Step { clock: &'static str, says: &'static str },
    /// What the engine made of it.
    Effect(String),
}

/// What a measurement is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    LogonToReady,
    CrashToProcess,
    SwitchToReady,
    HangNoticed,
    EndToProcess,
    ShutdownToStopped,
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) clock: &'static str,
    pub(super) seats: Vec<Seat>,
    pub(super) rows: Vec<Row>,
    pub(super) story: Vec<Line>,
    pub(super) measures: Vec<(Measure, Duration)>,
    /// Processes started, in all.
    pub(super) launched: u32,
    /// Processes ended, in all.
    pub(super) exited: u32,
    now: Option<Now>,
}

/// What is happening.
struct Now {
    deed: Deed,
    since: Instant,
    /// How many measures and exits there were before it.
    measures: usize,
    exited: u32,
}

impl Model {
    /// A step of the day begins.
    pub(super) fn begin(&mut self, step: &Step, at: Instant) {
        self.clock = step.clock;
        self.now =
            Some(Now { deed: step.deed, since: at, measures: self.measures.len(), exited: self.exited });
        self.story.push(Line::Step { clock: step.clock, says: step.says });
    }

    /// The deed itself is done now; what came before it was preparation.
    pub(super) fn mark(&mut self, at: Instant) {
        if let Some(now) = &mut self.now {
            now.since = at;
        }
    }

    /// Every process has ended and the service with them.
    pub(super) fn finished(&mut self, at: Instant) {
        if let Some(Now { deed: Deed::ShutDown, since, .. }) = self.now {
            let took = at - since;
            self.measures.push((Measure::ShutdownToStopped, took));
            self.effect(format!("every agent has stopped and the service with them, after {}", span(took)));
        }
        self.rows.clear();
    }

    /// Whether the engine has done what the step asks of it.
    pub(super) fn has_played_out(&self) -> bool {
        let Some(now) = &self.now else { return true };
        let measured = |wanted: &[Measure]| {
            self.measures[now.measures..].iter().any(|(measure, _)| wanted.contains(measure))
        };
        let answered = match now.deed {
            Deed::LogOn(_) => measured(&[Measure::LogonToReady]),
            Deed::Front(_) => measured(&[Measure::SwitchToReady]),
            Deed::Crash(_) => measured(&[Measure::CrashToProcess]),
            Deed::Hang(_) => measured(&[Measure::EndToProcess]),
            Deed::LogOff(_) => self.exited > now.exited,
            Deed::Open | Deed::Lock(_) | Deed::Unlock(_) | Deed::Message(_) | Deed::ShutDown => true,
        };
        answered && self.is_at_rest()
    }

    /// Whether every instance is where it stays until something else happens.
    fn is_at_rest(&self) -> bool {
        self.rows.iter().all(|row| match row.state {
            AgentState::Running => row.ready,
            AgentState::Held | AgentState::Released => true,
            // An agent that left for a logoff waits for the logoff; nothing happens to it before that.
            AgentState::Waiting => row.exited.is_some(),
            AgentState::Starting | AgentState::Stopping => false,
        })
    }

    pub(super) fn effect(&mut self, text: String) {
        self.story.push(Line::Effect(text));
    }

    /// The engine reported something.
    pub(super) fn apply(&mut self, fact: Fact, at: Instant) {
        let Fact { who, what } = fact;
        let whose = format!("{}'s {}", who.user, who.agent);
        match what {
            What::Launched => {
                self.launched += 1;
                let row = self.row(who);
                row.ready = false;
                row.launches += 1;
                row.restarts = row.launches - 1;
                if let Some(exited) = row.exited.take() {
                    self.started_again(&whose, at - exited);
                }
            }
            What::Ready => {
                let row = self.row(who.clone());
                row.ready = true;
                let pid = row.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
                self.ready(&who, &whose, &pid, at);
            }
            What::AskedToStop { why } => {
                self.effect(format!("{whose} is asked to stop: {why}"));
                if let Some(Now { deed: Deed::Hang(_), since, .. }) = self.now {
                    self.measures.push((Measure::HangNoticed, at - since));
                }
            }
            What::Terminated => self.effect(format!("{whose} does not answer and is told to terminate")),
            What::Killed => self.effect(format!("{whose} is killed, with all that it started")),
            What::Exited { how } => {
                self.exited += 1;
                let row = self.row(who);
                row.pid = None;
                row.ready = false;
                row.exited = Some(at);
                row.last_exit = Some(how.clone());
                self.effect(format!("{whose} has ended: {how}"));
            }
            What::Changed { state, reason, pid } => {
                let row = self.row(who);
                row.state = state;
                row.reason = reason;
                row.pid = pid;
            }
            What::Removed => self.rows.retain(|row| row.who != who),
        }
    }

    fn started_again(&mut self, whose: &str, after: Duration) {
        let measure = match self.now.as_ref().map(|now| now.deed) {
            Some(Deed::Crash(_)) => Measure::CrashToProcess,
            Some(Deed::Hang(_)) => Measure::EndToProcess,
            _ => return,
        };
        self.measures.push((measure, after));
        self.effect(format!("{whose} runs again, {} later", span(after)));
    }

    fn ready(&mut self, who: &Who, whose: &str, pid: &str, at: Instant) {
        let Some(Now { deed, since, .. }) = self.now else { return };
        let took = at - since;
        let switched = self.seats.len() > 1 && who.agent == super::FOLLOWS_CONSOLE;
        match deed {
            Deed::LogOn(_) if switched => {
                self.measures.push((Measure::SwitchToReady, took));
                self.effect(format!("{whose} has taken over{pid}, {} after the switch", span(took)));
            }
            Deed::LogOn(_) => {
                self.measures.push((Measure::LogonToReady, took));
                self.effect(format!("{whose} is ready{pid}, {} after the logon", span(took)));
            }
            Deed::Front(_) => {
                self.measures.push((Measure::SwitchToReady, took));
                self.effect(format!("{whose} is ready{pid}, {} after the switch", span(took)));
            }
            _ => self.effect(format!("{whose} is ready{pid}")),
        }
    }

    /// The row of this instance, made where there is none.
    fn row(&mut self, who: Who) -> &mut Row {
        let at = match self.rows.binary_search_by(|row| row.who.cmp(&who)) {
            Ok(at) => at,
            Err(at) => {
                let row = Row {
                    who,
                    state: AgentState::Starting,
                    ready: false,
                    pid: None,
                    restarts: 0,
                    reason: String::new(),
                    last_exit: None,
                    launches: 0,
                    exited: None,
                };
                self.rows.insert(at, row);
                at
            }
        };
        &mut self.rows[at]
    }
}
