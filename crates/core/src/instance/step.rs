//! What happens to an instance.

use super::stop::After;
use super::{Context, Fate, Slot, State};
use crate::mode::Mode;
use crate::serve::{Claim, Want};
use crate::{Command, Exit, Failure, Goodbye, HoldReason, StopReason, WaitReason};

/// What can happen to one instance. Events about its process have been checked to be of its present generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The desired state, the spec, the session or the mode of the service may have changed.
    Review(Want),
    /// A deadline of this instance may have come.
    Due,
    Operator(Command),
    Launched,
    LaunchFailed(Failure),
    Exited(Exit),
    Connected,
    Disconnected,
    Ready,
    Heartbeat,
    Goodbye(Goodbye),
}

impl Slot {
    /// The state machine. Every cell is here; the arms of one state stand together, in the order of [`Input`].
    pub(crate) fn step(&mut self, cx: &mut Context<'_>, input: Input) -> Fate {
        use Command::{Restart, Start, Stop};
        match (self.view.state, input) {
            (State::Waiting { .. }, Input::Review(want)) => self.review_waiting(cx, want),
            (State::Waiting { .. }, Input::Due) => self.advance(cx),
            (State::Waiting { .. }, Input::Operator(Start | Restart)) => self.start_over(cx),
            (State::Waiting { .. }, Input::Operator(Stop)) => self.hold(cx, HoldReason::Operator),
            // There is no process: what is said about one is late, or is not for us.
            (
                State::Waiting { .. },
                Input::Launched
                | Input::LaunchFailed(_)
                | Input::Exited(_)
                | Input::Connected
                | Input::Disconnected
                | Input::Ready
                | Input::Heartbeat
                | Input::Goodbye(_),
            ) => Fate::Stays,

            (State::Starting, Input::Review(want)) => self.review_starting(want),
            (State::Starting, Input::Due) => Fate::Stays,
            (State::Starting, Input::Operator(Start | Restart)) => self.resume_after_stop(),
            (State::Starting, Input::Operator(Stop)) => self.hold_after_stop(),
            (State::Starting, Input::Launched) => self.launched(cx),
            (State::Starting, Input::LaunchFailed(failure)) => self.launch_failed(cx, failure),
            // The process ended, or its agent spoke, faster than the launch was answered.
            (State::Starting, Input::Exited(exit)) => self.exited(cx, exit),
            (State::Starting, Input::Connected) => self.connected(cx),
            (State::Starting, Input::Disconnected) => self.disconnected(),
            (State::Starting, Input::Ready) => self.said_ready(),
            (State::Starting, Input::Heartbeat) => self.heartbeat(cx),
            (State::Starting, Input::Goodbye(goodbye)) => self.goodbye(goodbye),

            (State::Running { .. }, Input::Review(want)) => self.review_running(cx, want),
            (State::Running { ready, .. }, Input::Due) => self.check_life(cx, ready),
            (State::Running { .. }, Input::Operator(Start)) => self.forgiven(),
            (State::Running { .. }, Input::Operator(Restart)) => self.restart(cx),
            (State::Running { .. }, Input::Operator(Stop)) => {
                self.stop(cx, StopReason::Operator, After::Hold)
            }
            (State::Running { .. }, Input::Launched | Input::LaunchFailed(_)) => Fate::Stays,
            (State::Running { .. }, Input::Exited(exit)) => self.exited(cx, exit),
            (State::Running { .. }, Input::Connected) => self.connected(cx),
            (State::Running { .. }, Input::Disconnected) => self.disconnected(),
            (State::Running { since, .. }, Input::Ready) => {
                self.view.state = State::Running { since, ready: Some(true) };
                Fate::Stays
            }
            (State::Running { .. }, Input::Heartbeat) => self.heartbeat(cx),
            (State::Running { .. }, Input::Goodbye(goodbye)) => self.goodbye(goodbye),

            (State::Stopping { .. }, Input::Review(want)) => self.review_stopping(cx, want),
            (State::Stopping { .. }, Input::Due) => self.climb(cx),
            (State::Stopping { .. }, Input::Operator(Start | Restart)) => self.resume_after_stop(),
            (State::Stopping { .. }, Input::Operator(Stop)) => self.hold_after_stop(),
            (State::Stopping { .. }, Input::Launched | Input::LaunchFailed(_)) => Fate::Stays,
            (State::Stopping { .. }, Input::Exited(exit)) => self.stopped(cx, exit),
            (State::Stopping { .. }, Input::Connected) => self.connected_late(cx),
            (State::Stopping { .. }, Input::Disconnected) => self.disconnected(),
            // It was asked to stop: what it says about itself changes nothing any more.
            (State::Stopping { .. }, Input::Ready | Input::Heartbeat | Input::Goodbye(_)) => Fate::Stays,

            (State::Held(why), Input::Review(want)) => self.review_held(cx, why, want),
            (State::Held(_), Input::Due) => Fate::Stays,
            (State::Held(_), Input::Operator(Start | Restart)) => self.start_over(cx),
            (State::Held(_), Input::Operator(Stop)) => self.hold(cx, HoldReason::Operator),
            (
                State::Held(_),
                Input::Launched
                | Input::LaunchFailed(_)
                | Input::Exited(_)
                | Input::Connected
                | Input::Disconnected
                | Input::Ready
                | Input::Heartbeat
                | Input::Goodbye(_),
            ) => Fate::Stays,

            (State::Released, Input::Review(want)) => self.review_released(cx, want),
            (State::Released, Input::Due) => Fate::Stays,
            (State::Released, Input::Operator(Start | Restart)) => self.start_over(cx),
            (State::Released, Input::Operator(Stop)) => self.hold(cx, HoldReason::Operator),
            (
                State::Released,
                Input::Launched
                | Input::LaunchFailed(_)
                | Input::Exited(_)
                | Input::Connected
                | Input::Disconnected
                | Input::Ready
                | Input::Heartbeat
                | Input::Goodbye(_),
            ) => Fate::Stays,
        }
    }

    /// A changed program deserves a fresh try at once, unless what it waits for has nothing to do with the program.
    fn review_waiting(&mut self, cx: &mut Context<'_>, want: Want) -> Fate {
        self.want = want;
        let waits_for_program = matches!(
            self.hold_off,
            Some((_, WaitReason::BackOff | WaitReason::CrashLoop | WaitReason::Busy | WaitReason::NoAccount))
        );
        if waits_for_program && want != Want::Unknown && self.is_outdated(cx.spec) {
            self.forget();
        }
        self.advance(cx)
    }

    /// Nothing can be stopped yet. What is wanted is looked at again when the launch is answered; only an operator's stop
    /// must be remembered, and it ends with the session's stay in the served set.
    fn review_starting(&mut self, want: Want) -> Fate {
        if let Want::Gone(_) = want {
            self.after = After::Settle;
        }
        self.want = want;
        Fate::Stays
    }

    fn review_running(&mut self, cx: &mut Context<'_>, want: Want) -> Fate {
        self.want = want;
        match self.must_stop(cx.mode, cx.spec) {
            Some(why) => self.stop(cx, why, After::Settle),
            None => Fate::Stays,
        }
    }

    /// What follows the stop is looked up when the process has ended, so a user who switches back meanwhile finds it
    /// started again, and never twice.
    fn review_stopping(&mut self, cx: &mut Context<'_>, want: Want) -> Fate {
        if let Want::Gone(_) = want {
            self.after = After::Settle;
        }
        self.want = want;
        match cx.mode {
            Mode::Serving => Fate::Stays,
            Mode::Shutdown { by } => self.shorten(cx, StopReason::Shutdown, *by),
            Mode::Final { why, by, .. } => self.shorten(cx, *why, *by),
        }
    }

    fn review_held(&mut self, cx: &mut Context<'_>, why: HoldReason, want: Want) -> Fate {
        let may_work_now = match why {
            HoldReason::LaunchFailed | HoldReason::Limit => {
                want.claim().is_some() && self.is_outdated(cx.spec)
            }
            HoldReason::Operator | HoldReason::ExitCode | HoldReason::Goodbye => false,
        };
        if may_work_now {
            self.want = want;
            return self.start_over(cx);
        }
        self.review_released(cx, want)
    }

    /// A new stay in the served set is a fresh start. Lock and unlock do not count.
    fn review_released(&mut self, cx: &mut Context<'_>, want: Want) -> Fate {
        let came_back = self.want.claim() == Some(Claim::Kept) && want.claim() == Some(Claim::Served);
        self.want = want;
        match want {
            Want::Gone(_) => Fate::Removed,
            Want::Unknown | Want::Run(_) | Want::Locked(_) if came_back => self.start_over(cx),
            Want::Unknown | Want::Run(_) | Want::Locked(_) => Fate::Stays,
        }
    }

    fn start_over(&mut self, cx: &mut Context<'_>) -> Fate {
        self.forget();
        self.advance(cx)
    }

    fn restart(&mut self, cx: &mut Context<'_>) -> Fate {
        self.forget();
        self.stop(cx, StopReason::Operator, After::Settle)
    }

    fn forgiven(&mut self) -> Fate {
        self.forget();
        Fate::Stays
    }

    /// An operator wants it to run once the stop or launch under way is over.
    fn resume_after_stop(&mut self) -> Fate {
        self.after = After::Settle;
        self.forgiven()
    }

    /// An operator wants it down once the stop or launch under way is over.
    fn hold_after_stop(&mut self) -> Fate {
        self.after = match self.want {
            // It ends with its session; a hold would be forgotten at the next logon anyway.
            Want::Gone(_) => After::Settle,
            Want::Unknown | Want::Run(_) | Want::Locked(_) => After::Hold,
        };
        Fate::Stays
    }

    fn launched(&mut self, cx: &mut Context<'_>) -> Fate {
        if self.ran {
            self.view.restarts = self.view.restarts.saturating_add(1);
        }
        self.ran = true;
        self.view.last_failure = None;
        self.failures.launched();
        self.started = cx.clock;
        let ready = if self.said_ready { Some(true) } else { cx.spec.ready_within.map(|_| false) };
        self.enter(cx, State::Running { since: cx.now, ready });
        match (self.after, self.must_stop(cx.mode, cx.spec)) {
            (After::Hold, _) if !cx.mode.is_ending() => self.stop(cx, StopReason::Operator, After::Hold),
            (after, Some(why)) => self.stop(cx, why, after),
            (After::Settle | After::Fail | After::Hold, None) => Fate::Stays,
        }
    }

    /// Looks for what is overdue in a running agent.
    fn check_life(&mut self, cx: &mut Context<'_>, ready: Option<bool>) -> Fate {
        let late = |within| cx.clock >= self.started + within;
        if cx.spec.heartbeat.is_some() && self.silent_at().is_some_and(|at| cx.clock >= at) {
            return self.stop(cx, StopReason::Hang, After::Fail);
        }
        if ready == Some(false) && cx.spec.ready_within.is_some_and(late) {
            return self.stop(cx, StopReason::NotReady, After::Fail);
        }
        if self.failures.looping() && self.is_healthy(cx) {
            self.failures.healthy();
            self.view.crash_loop = false;
        }
        Fate::Stays
    }

    fn connected(&mut self, cx: &Context<'_>) -> Fate {
        self.view.connected = true;
        self.heard = Some(cx.clock);
        self.silence = cx.spec.heartbeat;
        Fate::Stays
    }

    /// It can be asked politely after all.
    fn connected_late(&mut self, cx: &mut Context<'_>) -> Fate {
        self.view.connected = true;
        self.ask_late(cx);
        Fate::Stays
    }

    /// Not a failure by itself, and no excuse for silence.
    fn disconnected(&mut self) -> Fate {
        self.view.connected = false;
        Fate::Stays
    }

    fn said_ready(&mut self) -> Fate {
        self.said_ready = true;
        Fate::Stays
    }

    fn heartbeat(&mut self, cx: &Context<'_>) -> Fate {
        if self.heard.is_some() {
            self.heard = Some(cx.clock);
        }
        Fate::Stays
    }

    fn goodbye(&mut self, goodbye: Goodbye) -> Fate {
        self.goodbye = Some(goodbye);
        Fate::Stays
    }
}
