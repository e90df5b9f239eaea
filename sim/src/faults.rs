//! What can go wrong, and how often.

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $field:ident $variant:ident $usual:literal;)+) => {
        /// How often each thing goes wrong, in per mille of its occasions. Zero switches it off.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Faults {
            $($(#[doc = $doc])+ pub $field: u16,)+
        }

        /// The faults by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Fault {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Fault {
            /// Every fault.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As it is written on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($field),)+
                }
            }
        }

        impl Faults {
            /// Everything goes wrong now and then.
            pub const USUAL: Self = Self { $($field: $usual,)+ };

            /// The rate of one fault.
            #[inline]
            pub fn rate(&self, fault: Fault) -> u16 {
                match fault {
                    $(Fault::$variant => self.$field,)+
                }
            }

            /// The rate of one fault, to change it.
            pub fn rate_mut(&mut self, fault: Fault) -> &mut u16 {
                match fault {
                    $(Fault::$variant => &mut self.$field,)+
                }
            }
        }
    };
}

faults! {
    // Occasion: a launch.
    /// The process dies with a failure after a while.
    crash Crash 350;
    /// The program is broken for a while: whatever is launched exits at once.
    crash_loop CrashLoop 40;
    /// The process leaves with code 0, unasked.
    clean_exit CleanExit 100;
    /// The process leaves with a code that its spec or the OS gives a meaning.
    odd_exit OddExit 120;
    /// The heartbeats stop while the process lives.
    hang Hang 60;
    /// The agent never connects.
    silent Silent 60;
    /// The agent connects and never says that it is ready.
    never_ready NeverReady 50;
    /// The launch takes long.
    slow_launch SlowLaunch 60;
    /// The launch fails.
    launch_fails LaunchFails 80;
    /// The agent says goodbye before it leaves.
    goodbye Goodbye 80;
    /// The agent says goodbye and stays.
    goodbye_and_stay GoodbyeAndStay 20;
    /// The connection breaks, and is perhaps made again.
    disconnect Disconnect 80;

    // Occasion: a request to stop, a kill, an end.
    /// The agent ignores `agent/stop`.
    ignore_stop IgnoreStop 150;
    /// The process ignores the polite request of the OS.
    ignore_terminate IgnoreTerminate 150;
    /// The kill takes long (a process in the kernel's hands).
    slow_kill SlowKill 40;
    /// The end of a process is noticed late.
    exit_late ExitLate 60;
    /// An event about a process that is gone comes again, or late.
    stale Stale 200;

    // Occasion: a change of the sessions.
    /// The enumeration is old news when it arrives.
    enumeration_late EnumerationLate 100;
    /// The hint is lost; the next hint or the periodic reconcile finds the change.
    hint_lost HintLost 60;
    /// The enumeration was taken in mid-switch and shows two sessions in front.
    two_in_front TwoInFront 20;

    // Occasion: a logon.
    /// The token or user manager is not there yet.
    token_not_ready TokenNotReady 200;
    /// The environment is known later.
    environment_late EnvironmentLate 250;
    /// The display is known later.
    display_late DisplayLate 250;
    /// The groups are known later.
    groups_late GroupsLate 100;
    /// The session gets the id of one that ended a moment ago.
    session_id_reuse SessionIdReuse 300;

    // Occasion: a logoff.
    /// The agents end with the OS's logoff codes before the logoff is announced.
    exit_before_logoff ExitBeforeLogoff 250;
    /// The agents end with code 0 before the logoff is announced.
    clean_exit_before_logoff CleanExitBeforeLogoff 250;
    /// The session is gone without having been seen closing.
    sudden_logoff SuddenLogoff 250;
    /// The session stays in closing for long.
    lingering_logoff LingeringLogoff 150;
    /// The OS leaves the session's processes alive.
    survive_logoff SurviveLogoff 300;
    /// The agents end as for a logoff, and none follows.
    logoff_called_off LogoffCalledOff 60;

    // Occasion: something happens in the life of the machine.
    /// A person starts, stops or restarts an agent.
    operator Operator 100;
    /// The configuration is read again, with or without changes.
    reload Reload 30;
    /// The machine sleeps.
    suspend Suspend 40;
    /// The wake-up is not announced.
    resume_lost ResumeLost 200;
    /// The OS announces its shutdown.
    shutdown Shutdown 15;
    /// An announced shutdown does not take place.
    shutdown_called_off ShutdownCalledOff 600;
    /// The service is stopped and started again.
    service_stop ServiceStop 6;
    /// The service dies and is started again.
    service_dies ServiceDies 6;

    // Occasion: a deadline.
    /// The tick comes late.
    tick_late TickLate 60;
    /// A tick comes that nobody asked for.
    tick_early TickEarly 40;
}

/// How many faults there are.
pub(crate) const COUNT: usize = Fault::ALL.len();

impl Faults {
    /// A random half of the faults, each at a third to three times its usual rate. Worlds that differ in what goes wrong
    /// find more than worlds in which everything does.
    pub fn swarm(rng: &mut crate::rng::Rng) -> Self {
        let mut faults = Self::default();
        for &fault in Fault::ALL {
            if rng.per_mille(500) {
                let usual = u64::from(Self::USUAL.rate(fault));
                *faults.rate_mut(fault) = (usual / 3 + rng.below(usual * 8 / 3 + 1)).clamp(1, 900) as u16;
            }
        }
        faults
    }
}
