//! What happened in a world, told line by line.

use std::collections::VecDeque;
use std::fmt::Write as _;

use bilayer_core::{Action, Event, InstanceKey, Supervisor};

/// More lines than this are forgotten, the oldest first.
const LINES_MAX: usize = 200_000;

/// The lines of a world, the latest last.
#[derive(Debug, Default)]
pub struct Trace {
    lines: VecDeque<Line>,
}

#[derive(Debug)]
struct Line {
    key: Option<InstanceKey>,
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tick,
    Event,
    Action,
}

impl Trace {
    pub(crate) fn event(&mut self, number: u64, now: u64, event: &Event) {
        let key = match event {
            Event::Operator(key, _) => Some(*key),
            other => other.process().map(|(key, _)| key),
        };
        let mut text = format!("{number:>7} {:>14.6} s  ", now as f64 / 1e9);
        let _ = match event {
            Event::Sessions(sessions) => {
                let _ = write!(text, "Sessions");
                sessions.iter().try_for_each(|session| {
                    let flag = |set, name| if set { name } else { "" };
                    write!(
                        text,
                        " [{} {} {:?} {:?}{}{}{}{}]",
                        session.logon.0,
                        session.who.user,
                        session.kind,
                        session.state,
                        flag(session.locked, " locked"),
                        flag(session.remote, " remote"),
                        flag(!session.display, " no-display"),
                        flag(!session.environment, " no-environment"),
                    )
                })
            }
            Event::Configured { specs, on_service_stop } => {
                let _ = write!(text, "Configured, on stop {on_service_stop:?}");
                specs.iter().try_for_each(|(id, spec)| write!(text, "\n{:27}{} {spec:?}", "", id.0))
            }
            other => write!(text, "{other:?}"),
        };
        let kind = if *event == Event::Tick { Kind::Tick } else { Kind::Event };
        self.push(key, text, kind);
    }

    pub(crate) fn action(&mut self, action: &Action, core: &Supervisor) {
        let key = match *action {
            Action::Launch(key, _)
            | Action::AskToStop { instance: key, .. }
            | Action::Terminate(key, _)
            | Action::Kill(key, _)
            | Action::Sweep(key, _)
            | Action::LeaveSurvivors(key, _)
            | Action::Abandon(key, _)
            | Action::TellSession(key, _)
            | Action::Changed(key) => Some(key),
            Action::Progress { .. } | Action::Finished => None,
        };
        let mut text = format!("{:27}-> {action:?}", "");
        if let Action::Changed(key) = action {
            let _ = match core.instance(*key) {
                Some(instance) => write!(text, " {:?}", instance.state),
                None => write!(text, " removed"),
            };
        }
        self.push(key, text, Kind::Action);
    }

    fn push(&mut self, key: Option<InstanceKey>, text: String, kind: Kind) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(Line { key, text, kind });
    }

    /// Every line.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.text.as_str())
    }

    /// The last lines that have to do with an instance: its own, and those that are about no instance, since they are about
    /// all of them. Ticks only where they led to something. The latest last.
    pub fn about(&self, key: Option<InstanceKey>, count: usize) -> Vec<&str> {
        let mut found = Vec::new();
        let mut led_to_something = true;
        for line in self.lines.iter().rev() {
            let ours = key.is_none() || line.key == key;
            let shown = match line.kind {
                Kind::Action => ours,
                Kind::Tick => led_to_something,
                Kind::Event => ours || line.key.is_none() || led_to_something,
            };
            led_to_something = line.kind == Kind::Action && (led_to_something || shown);
            if shown {
                found.push(line.text.as_str());
            }
            if found.len() == count {
                break;
            }
        }
        found.reverse();
        found
    }
}
