//! What a seed stands for: how big its world is, which specs it has, what goes wrong in it and how long it lasts.

use std::sync::Arc;
use std::time::Duration;

use bilayer_core::{
    Exit, ExitTable, Limit, Meaning, OnLeave, OnServiceStop, PastLimit, Restart, RestartOn, Serve, Session,
    SessionKind, SessionState, Spec, Survivors, WhileLocked, Who,
};

use crate::faults::Faults;
use crate::rng::Rng;

/// Most specs that a world has.
pub(crate) const SPECS_MAX: usize = 3;

/// Every so manieth seed is a crowd: 1,000 users who log on at once.
const CROWD_EVERY: u64 = 128;

/// A world before it begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The number that all of it comes from.
    pub seed: u64,
    /// How many people there are.
    pub users: usize,
    /// How many ids the OS has for sessions; it uses them again and again.
    pub ids: usize,
    /// How many specs the configuration has.
    pub specs: usize,
    /// What goes wrong.
    pub faults: Faults,
    /// After how many events everything is left alone, to see that it settles.
    pub events: u64,
    /// Whether all users log on at the start.
    pub crowd: bool,
}

/// What makes a world smaller than its seed says, to find out what a failure needs.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Faults that stay off.
    pub without: Vec<crate::faults::Fault>,
    /// At most so many users.
    pub users: Option<usize>,
    /// At most so many specs.
    pub specs: Option<usize>,
}

impl Plan {
    /// The world of a seed, made smaller.
    pub fn new(seed: u64, limits: &Limits) -> Self {
        let mut rng = Rng::new(seed);
        let crowd = seed % CROWD_EVERY == CROWD_EVERY - 1 && limits.users.is_none();
        let users = if crowd { 1000 } else { 1 + rng.index(6) };
        let specs = if crowd { 1 } else { 1 + rng.index(SPECS_MAX) };
        let mut faults = Faults::swarm(&mut rng);
        let events = if crowd { 60_000 } else { 2_000 + rng.below(30_000) };
        for &fault in &limits.without {
            *faults.rate_mut(fault) = 0;
        }
        let users = users.min(limits.users.unwrap_or(users)).max(1);
        let specs = specs.min(limits.specs.unwrap_or(specs)).max(1);
        Self { seed, users, ids: if crowd { users } else { users + 1 }, specs, faults, events, crowd }
    }
}

/// Any spec. The number is its place in the configuration, the fingerprint the caller's.
pub(crate) fn spec(rng: &mut Rng, number: usize, fingerprint: u64) -> Spec {
    const NAMES: [&str; SPECS_MAX] = ["desk", "tray", "sync"];
    let ms = Duration::from_millis;
    let only = |rng: &mut Rng, rate, names: &[&str]| {
        if rng.per_mille(rate) { names.iter().map(|&name| name.to_owned()).collect() } else { Vec::new() }
    };
    Spec {
        fingerprint,
        serve: rng.pick(&[
            Serve::Console,
            Serve::Console,
            Serve::Active,
            Serve::Active,
            Serve::All,
            Serve::All,
            Serve::Machine,
        ]),
        users: only(rng, 80, &["user0", "1001", "user2"]),
        groups: only(rng, 80, &["staff", "wheel"]),
        remote: rng.pick(&[None, None, None, None, None, None, None, None, Some(true), Some(false)]),
        types: only(rng, 80, &["x11", "wayland"]),
        on_leave: rng.pick(&[OnLeave::Stop, OnLeave::Stop, OnLeave::Keep]),
        while_locked: rng.pick(&[WhileLocked::Keep, WhileLocked::Keep, WhileLocked::Stop]),
        needs_display: rng.per_mille(300),
        grace: ms(rng.pick(&[0, 100, 1_000, 5_000, 5_000, 20_000])),
        restart: Restart {
            on: rng.pick(&[
                RestartOn::Always,
                RestartOn::Always,
                RestartOn::Always,
                RestartOn::Failure,
                RestartOn::Never,
            ]),
            delay_max: ms(rng.pick(&[1_000, 10_000, 60_000])),
            healthy_after: ms(rng.pick(&[1_000, 10_000, 60_000])),
            limit: Limit {
                count: rng.pick(&[1, 3, 10, 10]),
                within: ms(rng.pick(&[5_000, 30_000, 120_000])),
                then: rng.pick(&[PastLimit::Slow, PastLimit::Slow, PastLimit::Hold]),
            },
        },
        heartbeat: rng.pick(&[None, None, Some(ms(500)), Some(ms(500)), Some(ms(2_000)), Some(ms(15_000))]),
        ready_within: rng.pick(&[None, None, Some(ms(1_000)), Some(ms(10_000))]),
        exit_codes: exit_codes(rng),
        survivors: rng.pick(&[Survivors::Kill, Survivors::Leave]),
        greeter: rng.per_mille(500),
        ..Spec::new(NAMES[number])
    }
}

/// The exits that a process with an odd exit draws from: built-in meanings, and those a spec may have given one.
pub(crate) const ODD_EXITS: [Exit; 10] = [
    Exit::Code(64),
    Exit::Code(65),
    Exit::Code(66),
    Exit::Code(67),
    Exit::Code(0x4001_0004),
    Exit::Code(0xC000_026B),
    Exit::Code(0xC000_0142),
    Exit::Code(0xC000_0005),
    Exit::Signal(15),
    Exit::Unknown,
];

fn exit_codes(rng: &mut Rng) -> ExitTable {
    let usual = [
        (Exit::Code(64), Meaning::LoggingOff),
        (Exit::Code(65), Meaning::Hold),
        (Exit::Code(66), Meaning::Release),
        (Exit::Code(67), Meaning::RestartNow),
        (Exit::Code(0), Meaning::Restart),
        (Exit::Code(0xC000_026B), Meaning::Restart),
        (Exit::Signal(15), Meaning::Release),
    ];
    if rng.per_mille(500) {
        return ExitTable::new();
    }
    usual.into_iter().filter(|_| rng.per_mille(400)).collect()
}

/// The facts about every session that can be: user × id × whether the groups are known, made once.
pub(crate) struct People {
    who: Vec<Arc<Who>>,
    ids: usize,
    crowd: bool,
}

impl People {
    pub(crate) fn new(plan: &Plan) -> Self {
        /// One of so many is no person but a logon screen.
        const GREETER_EVERY: usize = 5;
        const TYPES: [Option<&str>; 4] = [Some("x11"), None, Some("wayland"), Some("tty")];
        let ids = if plan.crowd { 1 } else { plan.ids };
        let mut who = Vec::with_capacity(plan.users * ids * 2);
        for user in 0..plan.users {
            for id in 0..ids {
                for groups in [&[][..], &["staff"][..]] {
                    who.push(Arc::new(Who {
                        session: (if plan.crowd { user } else { id } + 1).to_string(),
                        user: format!("user{user}"),
                        account: String::new(),
                        user_id: (1000 + user).to_string(),
                        groups: groups.iter().map(|&group| group.to_owned()).collect(),
                        session_type: TYPES[user % TYPES.len()].map(str::to_owned),
                        greeter: user % GREETER_EVERY == GREETER_EVERY - 1,
                    }));
                }
            }
        }
        Self { who, ids, crowd: plan.crowd }
    }

    pub(crate) fn who(&self, user: usize, id: usize, groups_known: bool) -> &Arc<Who> {
        let id = if self.crowd { 0 } else { id };
        &self.who[(user * self.ids + id) * 2 + usize::from(groups_known)]
    }
}

/// Whether a spec's filters let a session pass. Written apart from the core, to be compared with it.
pub(crate) fn allowed(spec: &Spec, session: &Session) -> bool {
    let who = &session.who;
    let user =
        spec.users.is_empty() || spec.users.iter().any(|name| *name == who.user || *name == who.user_id);
    let group = spec.groups.is_empty() || spec.groups.iter().any(|name| who.groups.contains(name));
    let place = spec.remote.is_none_or(|remote| remote == session.remote);
    let kind = match &who.session_type {
        Some(known) => spec.types.is_empty() || spec.types.contains(known),
        None => true,
    };
    let person = if who.greeter { spec.greeter } else { user && group };
    person && place && kind
}

/// Whether a session is of the kind that a spec serves, its filters apart.
pub(crate) fn in_front(serve: Serve, session: &Session) -> bool {
    match serve {
        Serve::Console => session.kind == SessionKind::Console && session.state == SessionState::Active,
        Serve::Active => session.state == SessionState::Active,
        Serve::All => session.state != SessionState::Closing,
        Serve::Machine => false,
    }
}

/// What becomes of the agents when this world's service stops.
pub(crate) fn on_service_stop(rng: &mut Rng) -> OnServiceStop {
    if rng.per_mille(400) { OnServiceStop::Keep } else { OnServiceStop::Stop }
}
