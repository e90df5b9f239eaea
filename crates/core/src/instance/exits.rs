//! What the end of a process, or of a launch, means.

use core::time::Duration;

use super::stop::After;
use super::{Context, Fate, Slot};
use crate::backoff::Next;
use crate::{
    Action, Exit, Failure, FailureKind, Goodbye, HoldReason, Meaning, RestartOn, Serve, Spec, Survivors,
    WaitReason,
};

/// How long a clean exit waits for a logoff: desktop programs leave with 0 seconds before it is announced.
const CLEAN_EXIT_WAIT: Duration = Duration::from_secs(2);

/// How long an agent that left for a logoff waits for it.
const LOGOFF_WAIT: Duration = Duration::from_secs(30);

/// How long a session that is said to be gone but still enumerated is believed to be gone.
const GONE_WAIT: Duration = Duration::from_secs(30);

/// What follows an exit that was not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Failure,
    Again,
    Clean,
    Hold(HoldReason),
    Release,
    LoggingOff,
}

impl Slot {
    /// The process of a stop ended.
    pub(super) fn stopped(&mut self, cx: &mut Context<'_>, exit: Exit) -> Fate {
        self.note_exit(cx, exit);
        if self.is_outdated(cx.spec) {
            self.forget();
        }
        match self.after {
            After::Settle => self.advance(cx),
            After::Fail if self.is_outdated(cx.spec) => self.advance(cx),
            After::Fail if cx.spec.restart.on == RestartOn::Never => self.release(cx),
            After::Fail => self.fail(cx, Duration::ZERO),
            After::Hold => self.hold(cx, HoldReason::Operator),
        }
    }

    /// A process that nobody had stopped ended.
    pub(super) fn exited(&mut self, cx: &mut Context<'_>, exit: Exit) -> Fate {
        self.note_exit(cx, exit);
        if self.after == After::Hold {
            return self.hold(cx, HoldReason::Operator);
        }
        if self.must_stop(cx.mode, cx.spec).is_some() {
            return self.advance(cx);
        }
        if self.is_healthy(cx) {
            self.failures.healthy();
            self.view.crash_loop = false;
        }
        match verdict(cx.spec, self.goodbye, exit) {
            Verdict::Failure => self.fail(cx, Duration::ZERO),
            Verdict::Again => {
                let next = self.failures.asked_again(cx.now, &cx.spec.restart, cx.jitter);
                self.follow(cx, next, Duration::ZERO)
            }
            Verdict::Clean if self.failures.left_cleanly() => self.fail(cx, CLEAN_EXIT_WAIT),
            Verdict::Clean => self.wait(cx, CLEAN_EXIT_WAIT, WaitReason::CleanExit),
            Verdict::Hold(why) => self.hold(cx, why),
            Verdict::Release => self.release(cx),
            Verdict::LoggingOff => self.wait(cx, LOGOFF_WAIT, WaitReason::LoggingOff),
        }
    }

    /// There is no process, and why.
    pub(super) fn launch_failed(&mut self, cx: &mut Context<'_>, failure: Failure) -> Fate {
        self.view.last_failure = Some(failure);
        self.view.connected = false;
        if self.after == After::Hold {
            return self.hold(cx, HoldReason::Operator);
        }
        if self.must_stop(cx.mode, cx.spec).is_some() {
            return self.advance(cx);
        }
        match failure.kind {
            // A directory server may come later than the service, and an account may be made anew.
            FailureKind::NotReady | FailureKind::Gone if cx.key.logon.is_machine() => {
                self.retry_launch(cx, WaitReason::NoAccount)
            }
            FailureKind::NotReady => self.retry_launch(cx, WaitReason::NotReady),
            FailureKind::Busy => self.retry_launch(cx, WaitReason::Busy),
            FailureKind::Gone => self.wait(cx, GONE_WAIT, WaitReason::SessionGone),
            FailureKind::Wrong => self.hold(cx, HoldReason::LaunchFailed),
        }
    }

    fn note_exit(&mut self, cx: &mut Context<'_>, exit: Exit) {
        self.view.last_exit = Some(exit);
        self.view.connected = false;
        self.view.adopted = false;
        cx.actions.push_back(match cx.spec.survivors {
            Survivors::Kill => Action::Sweep(cx.key, self.view.generation),
            Survivors::Leave => Action::LeaveSurvivors(cx.key, self.view.generation),
        });
    }

    /// Counts a failure and does what follows, no sooner than after `at_least`.
    fn fail(&mut self, cx: &mut Context<'_>, at_least: Duration) -> Fate {
        let next = self.failures.failed(cx.now, &cx.spec.restart, cx.jitter);
        self.follow(cx, next, at_least)
    }

    fn follow(&mut self, cx: &mut Context<'_>, next: Next, at_least: Duration) -> Fate {
        self.view.crash_loop = self.failures.looping();
        match next {
            Next::After(delay) if at_least >= delay && at_least > Duration::ZERO => {
                self.wait(cx, at_least, WaitReason::CleanExit)
            }
            Next::After(delay) => self.wait(cx, delay, WaitReason::BackOff),
            Next::Slow(delay) => self.wait(cx, delay.max(at_least), WaitReason::CrashLoop),
            Next::Hold => self.hold(cx, HoldReason::Limit),
        }
    }

    fn retry_launch(&mut self, cx: &mut Context<'_>, why: WaitReason) -> Fate {
        let delay = self.failures.launch_failed(&cx.spec.restart, cx.jitter);
        self.wait(cx, delay, why)
    }

    fn wait(&mut self, cx: &mut Context<'_>, delay: Duration, why: WaitReason) -> Fate {
        self.hold_off = (delay > Duration::ZERO).then_some((cx.clock + delay, why));
        self.advance(cx)
    }
}

/// Reads an exit: the agent's goodbye first, then the spec's own table, then what the operating systems mean by it.
fn verdict(spec: &Spec, goodbye: Option<Goodbye>, exit: Exit) -> Verdict {
    let verdict = match (goodbye, spec.exit_codes.get(&exit)) {
        (Some(Goodbye::Restart), _) => Verdict::Again,
        (Some(Goodbye::Hold), _) => Verdict::Hold(HoldReason::Goodbye),
        (Some(Goodbye::Release), _) => Verdict::Release,
        (Some(Goodbye::LoggingOff), _) => Verdict::LoggingOff,
        (None, Some(Meaning::Restart)) => Verdict::Failure,
        (None, Some(Meaning::RestartNow)) => Verdict::Again,
        (None, Some(Meaning::Hold)) => Verdict::Hold(HoldReason::ExitCode),
        (None, Some(Meaning::Release)) => Verdict::Release,
        (None, Some(Meaning::LoggingOff)) => Verdict::LoggingOff,
        (None, None) => built_in(spec.restart.on, exit),
    };
    let verdict = match (spec.serve, verdict) {
        // Nobody logs off from the machine, so there is nothing to wait for.
        (Serve::Machine, Verdict::Clean | Verdict::LoggingOff) => Verdict::Failure,
        (Serve::Machine | Serve::Console | Serve::Active | Serve::All, verdict) => verdict,
    };
    match (spec.restart.on, verdict) {
        (RestartOn::Always | RestartOn::Failure, verdict) => verdict,
        (RestartOn::Never, Verdict::Hold(why)) => Verdict::Hold(why),
        (
            RestartOn::Never,
            Verdict::Failure | Verdict::Again | Verdict::Clean | Verdict::Release | Verdict::LoggingOff,
        ) => Verdict::Release,
    }
}

/// What an exit means that nobody gave a meaning.
///
/// Windows ends the processes of a session that is going away with `DBG_TERMINATE_PROCESS` (0x40010004), and those that
/// start in it with `STATUS_DLL_INIT_FAILED_LOGOFF` (0xC000026B) or `STATUS_DLL_INIT_FAILED` (0xC0000142); see \[MS-ERREF\]
/// 2.3.1. No Unix exit code is that large.
fn built_in(on: RestartOn, exit: Exit) -> Verdict {
    match exit {
        Exit::Code(0) => match on {
            RestartOn::Always | RestartOn::Never => Verdict::Clean,
            RestartOn::Failure => Verdict::Release,
        },
        Exit::Code(0x4001_0004 | 0xC000_026B | 0xC000_0142) => Verdict::LoggingOff,
        Exit::Code(_) | Exit::Signal(_) | Exit::Unknown => Verdict::Failure,
    }
}
