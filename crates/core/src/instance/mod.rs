//! One instance: a spec in a session.
//!
//! - `view`: what can be read of it.
//! - `step`: what happens to it; the one match on (state, input).
//! - `exits`: what the end of its process, or of a launch, means.
//! - `stop`: the ladder from a polite request to a kill.

mod exits;
mod step;
mod stop;
mod view;

use alloc::collections::VecDeque;
use core::time::Duration;

pub(crate) use step::Input;
pub use view::{Instance, State};

use crate::backoff::{Failures, Jitter};
use crate::mode::Mode;
use crate::serve::{Claim, Want};
use crate::{Action, Goodbye, HoldReason, InstanceKey, Serve, Session, Spec, StopReason, Time, WaitReason};
use stop::{After, Ladder};

/// An instance with everything that decides what happens to it next.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) view: Instance,
    /// The desired state, as of the latest enumeration and configuration.
    pub(crate) want: Want,
    /// What the session has for a program, as of the latest enumeration.
    pub(crate) surroundings: Surroundings,
    /// Under which time it stands in the index of deadlines. May be too early after a heartbeat, never too late.
    pub(crate) armed: Option<Time>,
    /// Whether it is counted among the agents that the next session's agent waits for.
    pub(crate) blocks: bool,
    /// The fingerprint of the spec that it was last launched from.
    fingerprint: u64,
    /// Whether it had a process before.
    ran: bool,
    /// What follows a stop.
    after: After,
    ladder: Ladder,
    failures: Failures,
    /// It is not started before this time, for this reason.
    hold_off: Option<(Time, WaitReason)>,
    goodbye: Option<Goodbye>,
    /// `agent/ready` came, perhaps before the launch was answered.
    said_ready: bool,
    /// When its process started. Moved by the length of a suspension, as is `heard`.
    started: Time,
    /// When its agent was last heard of; `None` before its first handshake.
    heard: Option<Time>,
    /// The longest silence that was agreed on at its handshake.
    silence: Option<Duration>,
}

/// What there is around an instance for its program to find, of all that a launch may have to wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// The environment to start it with is known.
    environment: bool,
    /// It finds a display.
    display: bool,
}

impl Surroundings {
    /// A worker's: it waits for nothing of the kind.
    pub(crate) const OF_MACHINE: Self = Self { environment: true, display: true };

    pub(crate) fn of(session: &Session) -> Self {
        Self { environment: session.environment, display: session.display }
    }
}

/// What a step may see and do outside its instance.
pub(crate) struct Context<'a> {
    pub(crate) key: InstanceKey,
    /// The time now.
    pub(crate) now: Time,
    /// The time by which timers go: `now`, or the start of the suspension while one lasts.
    pub(crate) clock: Time,
    pub(crate) spec: &'a Spec,
    pub(crate) mode: &'a Mode,
    /// Whether an agent in another session must end before this one may start.
    pub(crate) blocked: bool,
    pub(crate) actions: &'a mut VecDeque<Action>,
    pub(crate) jitter: &'a mut Jitter,
}

/// Whether there is still an instance after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Stays,
    Removed,
}

impl Slot {
    /// An instance that was never started in this logon. `generation` is the last one of an earlier instance of the same
    /// key, or 0: generations go on, so that a late event of the earlier one is never taken for one of this.
    pub(crate) fn new(now: Time, generation: u32, want: Want, surroundings: Surroundings) -> Self {
        let state = State::Waiting { until: None, why: WaitReason::Settling };
        Self {
            view: Instance {
                state,
                entered: now,
                generation,
                restarts: 0,
                last_exit: None,
                last_failure: None,
                crash_loop: false,
                connected: false,
                adopted: false,
            },
            want,
            surroundings,
            armed: None,
            blocks: false,
            fingerprint: 0,
            ran: false,
            after: After::Settle,
            ladder: Ladder::default(),
            failures: Failures::default(),
            hold_off: None,
            goodbye: None,
            said_ready: false,
            started: now,
            heard: None,
            silence: None,
        }
    }

    /// An instance whose process was started by an earlier life of the service.
    pub(crate) fn adopted(now: Time, clock: Time, generation: u32, fingerprint: u64) -> Self {
        let mut slot = Self::new(now, generation, Want::Unknown, Surroundings::default());
        slot.view.state = State::Running { since: now, ready: None };
        slot.view.adopted = true;
        slot.fingerprint = fingerprint;
        slot.ran = true;
        slot.started = clock;
        slot
    }

    /// When something is due if nothing else happens before.
    pub(crate) fn deadline(&self, spec: &Spec) -> Option<Time> {
        match self.view.state {
            State::Waiting { why, .. } => {
                self.hold_off.filter(|&(_, reason)| reason == why).map(|(until, _)| until)
            }
            State::Running { ready, .. } => {
                let ready = if ready == Some(false) { spec.ready_within } else { None };
                let silent = if spec.heartbeat.is_some() { self.silent_at() } else { None };
                let healthy = self.failures.looping().then_some(self.started + spec.restart.healthy_after);
                [ready.map(|within| self.started + within), silent, healthy].into_iter().flatten().min()
            }
            State::Stopping { stage, deadline, .. } => Some(self.ladder.next(stage, deadline)),
            State::Starting | State::Held(_) | State::Released => None,
        }
    }

    /// More is known of its session by now: what a launch had to wait for may be there.
    pub(crate) fn session_completed(&mut self) {
        self.hold_off = self.hold_off.filter(|(_, why)| *why != WaitReason::NotReady);
    }

    /// Moves every point in time that a deadline hangs on: timers stood still that long.
    pub(crate) fn shift(&mut self, by: Duration) {
        let moved = |time: &mut Time| *time = *time + by;
        moved(&mut self.started);
        self.heard.as_mut().map(moved);
        if let Some((until, _)) = &mut self.hold_off {
            moved(until);
        }
        self.ladder.shift(by);
        match &mut self.view.state {
            State::Waiting { until, .. } => {
                until.as_mut().map(moved);
            }
            State::Stopping { deadline, .. } => moved(deadline),
            State::Starting | State::Running { .. } | State::Held(_) | State::Released => {}
        }
    }

    /// Whether agents of other sessions wait for this one to end. A kept one is there to stay: nobody waits for it.
    pub(crate) fn is_blocking(&self, spec: &Spec) -> bool {
        self.view.state.has_process()
            && spec.serve == Serve::Console
            && self.want.claim() != Some(Claim::Kept)
    }

    /// Starts it, or says what stands in the way.
    fn advance(&mut self, cx: &mut Context<'_>) -> Fate {
        if let Want::Gone(_) = self.want {
            return Fate::Removed;
        }
        match self.obstacle(cx) {
            Some((until, why)) => self.enter(cx, State::Waiting { until, why }),
            None => self.launch(cx),
        }
        Fate::Stays
    }

    /// What keeps a wanted instance from being started, the most lasting first, and when that is over by time alone.
    fn obstacle(&self, cx: &Context<'_>) -> Option<(Option<Time>, WaitReason)> {
        match cx.mode {
            Mode::Serving => {}
            Mode::Shutdown { .. } => return Some((None, WaitReason::Shutdown)),
            Mode::Final { .. } => return Some((None, WaitReason::ServiceStop)),
        }
        let claim = match self.want {
            Want::Unknown | Want::Gone(_) => return Some((None, WaitReason::Settling)),
            Want::Locked(_) => return Some((None, WaitReason::Locked)),
            Want::Run(claim) => claim,
        };
        match self.hold_off {
            // The retry is a second look, not a plan: the session is believed to be gone.
            Some((until, WaitReason::SessionGone)) if until > cx.clock => {
                return Some((None, WaitReason::SessionGone));
            }
            Some((until, why)) if until > cx.clock => return Some((Some(until), why)),
            Some(_) | None => {}
        }
        if cx.spec.needs_display && !self.surroundings.display {
            return Some((None, WaitReason::NoDisplay));
        }
        if !self.surroundings.environment {
            return Some((None, WaitReason::NoEnvironment));
        }
        (cx.blocked && claim == Claim::Served && cx.spec.serve == Serve::Console)
            .then_some((None, WaitReason::Handover))
    }

    fn launch(&mut self, cx: &mut Context<'_>) {
        self.view.generation = self.view.generation.wrapping_add(1);
        self.view.adopted = false;
        self.fingerprint = cx.spec.fingerprint;
        self.after = After::Settle;
        self.hold_off = None;
        self.goodbye = None;
        self.said_ready = false;
        self.heard = None;
        self.silence = None;
        self.enter(cx, State::Starting);
        cx.actions.push_back(Action::Launch(cx.key, self.view.generation));
    }

    fn hold(&mut self, cx: &Context<'_>, why: HoldReason) -> Fate {
        self.leave(cx, State::Held(why))
    }

    fn release(&mut self, cx: &Context<'_>) -> Fate {
        self.leave(cx, State::Released)
    }

    /// Enters a state without a process, where there is still an instance to be in it.
    fn leave(&mut self, cx: &Context<'_>, state: State) -> Fate {
        if let Want::Gone(_) = self.want {
            return Fate::Removed;
        }
        self.hold_off = None;
        self.enter(cx, state);
        Fate::Stays
    }

    fn enter(&mut self, cx: &Context<'_>, state: State) {
        if self.view.state != state {
            self.view.state = state;
            self.view.entered = cx.now;
        }
    }

    /// Whether a launch under way is still of use: its process would not have to end at once.
    pub(crate) fn wants_launch(&self, mode: &Mode, spec: &Spec) -> bool {
        self.view.state == State::Starting
            && self.after != After::Hold
            && self.must_stop(mode, spec).is_none()
    }

    /// Why a process of this instance must end now, if it must.
    fn must_stop(&self, mode: &Mode, spec: &Spec) -> Option<StopReason> {
        match mode {
            Mode::Serving => {}
            Mode::Shutdown { .. } => return Some(StopReason::Shutdown),
            Mode::Final { why, .. } => return Some(*why),
        }
        match self.want {
            Want::Unknown => None,
            Want::Gone(why) => Some(why),
            Want::Locked(_) => Some(StopReason::Locked),
            Want::Run(_) => self.is_outdated(spec).then_some(StopReason::Reload),
        }
    }

    /// Whether it was launched from a spec that has changed since.
    fn is_outdated(&self, spec: &Spec) -> bool {
        self.fingerprint != spec.fingerprint
    }

    /// Forgets all failures.
    fn forget(&mut self) {
        self.failures.forget();
        self.view.crash_loop = false;
        self.hold_off = None;
    }

    fn is_healthy(&self, cx: &Context<'_>) -> bool {
        cx.clock >= self.started + cx.spec.restart.healthy_after
    }

    /// When its silence has lasted too long.
    fn silent_at(&self) -> Option<Time> {
        Some(self.heard? + self.silence?)
    }
}
