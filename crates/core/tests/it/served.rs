//! Which sessions are served, and what changes in them do.

use crate::util::*;
use bilayer_core::*;

/// Whether a spec has an instance in a session with these facts.
fn serves(change_spec: impl FnOnce(&mut Spec), change_session: impl FnOnce(&mut Session)) -> bool {
    let (mut spec, mut session) = (desk(), session(1));
    change_spec(&mut spec);
    change_session(&mut session);
    let mut world = World::new(spec);
    world.sessions.push(session);
    world.enumerate();
    world.core.instance(SEAT).is_some()
}

#[test]
fn the_set_is_decided_by_kind_and_state() {
    use SessionKind::{Console, Other, Remote};
    use SessionState::{Active, Closing, Inactive};
    let served = |serve, kind, state| {
        serves(|spec| spec.serve = serve, |session| (session.kind, session.state) = (kind, state))
    };
    for kind in [Console, Remote, Other] {
        for state in [Active, Inactive, Closing] {
            assert_eq!(served(Serve::Console, kind, state), (kind, state) == (Console, Active));
            assert_eq!(served(Serve::Active, kind, state), state == Active);
            assert_eq!(served(Serve::All, kind, state), state != Closing);
        }
    }
}

#[test]
fn the_first_condition_that_is_not_met_is_named() {
    let why = |change: fn(&mut Spec, &mut Session)| {
        let (mut spec, mut session) = (desk(), session(1));
        change(&mut spec, &mut session);
        spec.unserved(&session)
    };
    assert_eq!(why(|_, _| {}), None);
    assert_eq!(why(|_, session| session.state = SessionState::Closing), Some(Unserved::Closing));
    assert_eq!(why(|_, session| session.state = SessionState::Inactive), Some(Unserved::Background));
    assert_eq!(why(|_, session| session.kind = SessionKind::Other), Some(Unserved::NotConsole));
    assert_eq!(why(|_, session| *session = greeter()), Some(Unserved::Greeter));
    assert_eq!(why(|spec, _| spec.remote = Some(true)), Some(Unserved::Local));
    assert_eq!(
        why(|spec, session| (spec.remote, session.remote) = (Some(false), true)),
        Some(Unserved::Remote)
    );
    assert_eq!(why(|spec, _| spec.users = vec!["someone".into()]), Some(Unserved::User));
    assert_eq!(why(|spec, _| spec.groups = vec!["others".into()]), Some(Unserved::Group));
    assert_eq!(
        why(|spec, session| {
            let mut who = (*session.who).clone();
            who.session_type = Some("tty".into());
            (session.who, spec.types) = (who.into(), vec!["x11".into()]);
        }),
        Some(Unserved::Type)
    );
}

#[test]
fn filters_narrow_the_set() {
    let users =
        |users: &[&str]| serves(|spec| spec.users = users.iter().map(|&user| user.into()).collect(), |_| {});
    assert!(users(&["someone", "user1"]));
    assert!(users(&["1001"]), "by id too");
    assert!(users(&[r"ACME\user1"]) && !users(&[r"OTHER\user1"]), "and with the domain");
    assert!(!users(&[""]), "what is not known is nobody's name");
    assert!(!users(&["User1"]), "names are case-sensitive");

    let groups = |groups: &[&str]| {
        serves(|spec| spec.groups = groups.iter().map(|&group| group.into()).collect(), |_| {})
    };
    assert!(groups(&["others", "people"]));
    assert!(!groups(&["others"]));

    let remote = |wanted, is| serves(|spec| spec.remote = wanted, |session| session.remote = is);
    assert!(remote(None, true) && remote(Some(true), true) && remote(Some(false), false));
    assert!(!remote(Some(true), false) && !remote(Some(false), true));

    let types = |types: &[&str], is: Option<&str>| {
        serves(
            |spec| spec.types = types.iter().map(|&kind| kind.into()).collect(),
            |session| {
                let mut who = (*session.who).clone();
                who.session_type = is.map(Into::into);
                session.who = who.into();
            },
        )
    };
    assert!(types(&["x11", "wayland"], Some("wayland")));
    assert!(!types(&["x11", "wayland"], Some("tty")));
    assert!(types(&["x11", "wayland"], None), "a session without a type passes");
    assert!(types(&[], Some("tty")));
}

/// The logon screen, at the console and in front.
fn greeter() -> Session {
    let who = Who { user: "gdm".into(), groups: Vec::new(), greeter: true, ..(*session(1).who).clone() };
    Session { who: who.into(), ..session(1) }
}

#[test]
fn the_logon_screen_is_added_to_what_is_served() {
    let at_greeter = |change: fn(&mut Spec)| serves(change, |session| *session = greeter());
    assert!(!at_greeter(|_| {}));
    assert!(at_greeter(|spec| spec.greeter = true));
    assert!(serves(|spec| spec.greeter = true, |_| {}), "and those who logged on");
    // Whoever names users or groups means people.
    assert!(at_greeter(|spec| (spec.greeter, spec.users) = (true, vec!["alice".into()])));
    assert!(at_greeter(|spec| (spec.greeter, spec.groups) = (true, vec!["staff".into()])));
    assert!(!at_greeter(|spec| (spec.greeter, spec.types) = (true, vec!["tty".into()])));
    assert!(!at_greeter(|spec| (spec.greeter, spec.remote) = (true, Some(true))));
}

#[test]
fn the_logon_screen_hands_over_to_who_logs_on() {
    let mut world = World::new(Spec { greeter: true, ..desk() });
    world.sessions.push(greeter());
    assert_eq!(world.enumerate(), [Action::Launch(SEAT, 1)]);
    world.launched(SEAT);
    world.sessions[0].state = SessionState::Inactive;
    assert_eq!(world.logon(2), [Action::Terminate(SEAT, 1)]);
    assert_eq!(world.exited(SEAT, Exit::Signal(15)), [Action::Sweep(SEAT, 1), Action::Launch(OTHER, 1)]);
}

#[test]
fn a_session_that_leaves_the_set_loses_its_agent_or_keeps_it() {
    let mut world = World::running(desk());
    assert_eq!(world.switch(0), [Action::Terminate(SEAT, 1)]);
    assert!(matches!(world.state(SEAT), State::Stopping { why: StopReason::SessionLeft, .. }));

    let mut world = World::running(Spec { on_leave: OnLeave::Keep, ..desk() });
    assert_eq!(world.switch(0), []);
    assert_eq!(
        world.exited(SEAT, Exit::Code(1)).last(),
        Some(&Action::Launch(SEAT, 2)),
        "and it is kept alive"
    );
    world.launched(SEAT);
    assert_eq!(world.logoff(1), [Action::Terminate(SEAT, 2)]);
}

#[test]
fn keep_never_makes_an_agent() {
    let mut world = World::new(Spec { on_leave: OnLeave::Keep, ..desk() });
    world.sessions.push(Session { state: SessionState::Inactive, ..session(1) });
    world.enumerate();
    assert_eq!(world.core.instances().count(), 0);
}

#[test]
fn a_lock_stops_the_agent_where_the_spec_says_so() {
    let mut world = World::running(desk());
    assert_eq!(world.change(1, |session| session.locked = true), []);

    let mut world = World::running(Spec { while_locked: WhileLocked::Stop, ..desk() });
    assert_eq!(world.change(1, |session| session.locked = true), [Action::Terminate(SEAT, 1)]);
    assert!(matches!(world.state(SEAT), State::Stopping { why: StopReason::Locked, .. }));
    world.exited(SEAT, Exit::Code(0));
    assert_eq!(world.state(SEAT), State::Waiting { until: None, why: WaitReason::Locked });
    assert_eq!(world.change(1, |session| session.locked = false), [Action::Launch(SEAT, 2)]);
}

#[test]
fn an_unlock_during_the_stop_is_not_lost() {
    let mut world = World::running(Spec { while_locked: WhileLocked::Stop, ..desk() });
    world.change(1, |session| session.locked = true);
    world.change(1, |session| session.locked = false);
    assert_eq!(world.exited(SEAT, Exit::Code(0)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
}

#[test]
fn an_agent_that_needs_a_display_waits_for_it_and_is_not_stopped_without() {
    let mut world = World::new(Spec { needs_display: true, ..desk() });
    world.sessions.push(Session { display: false, ..session(1) });
    assert_eq!(world.enumerate(), []);
    assert_eq!(world.state(SEAT), State::Waiting { until: None, why: WaitReason::NoDisplay });
    assert_eq!(world.change(1, |session| session.display = true), [Action::Launch(SEAT, 1)]);
    world.launched(SEAT);
    assert_eq!(world.change(1, |session| session.display = false), []);
    world.exited(SEAT, Exit::Code(1));
    assert_eq!(world.waits(SEAT), Some(WaitReason::NoDisplay), "but it is not started again either");
}

#[test]
fn nothing_starts_before_the_environment_is_known_and_then_at_once() {
    let mut world = World::new(desk());
    world.sessions.push(Session { environment: false, ..session(1) });
    assert_eq!(world.enumerate(), []);
    assert_eq!(world.state(SEAT), State::Waiting { until: None, why: WaitReason::NoEnvironment });
    assert_eq!(world.operator(Command::Start), [], "a person does not know it either");
    assert_eq!(world.change(1, |session| session.environment = true), [Action::Launch(SEAT, 1)]);
    world.launched(SEAT);
    assert_eq!(world.change(1, |session| session.environment = false), [], "what runs has its own");
}

#[test]
fn an_agent_that_needs_a_display_is_said_to_wait_for_that() {
    let mut world = World::new(Spec { needs_display: true, ..desk() });
    world.sessions.push(Session { environment: false, display: false, ..session(1) });
    world.enumerate();
    assert_eq!(world.waits(SEAT), Some(WaitReason::NoDisplay));
    assert_eq!(world.change(1, |session| session.display = true), []);
    assert_eq!(world.waits(SEAT), Some(WaitReason::NoEnvironment));
    assert_eq!(world.change(1, |session| session.environment = true), [Action::Launch(SEAT, 1)]);
}

#[test]
fn agents_are_told_about_their_session_while_connected() {
    let mut world = World::connected(Spec { serve: Serve::All, ..desk() });
    let told = [Action::TellSession(SEAT, 1)];
    assert_eq!(world.enumerate(), []);
    assert_eq!(world.change(1, |session| session.locked = true), told);
    assert_eq!(world.change(1, |session| session.remote = true), told);
    assert_eq!(world.change(1, |session| session.kind = SessionKind::Remote), told);
    assert_eq!(world.change(1, |session| session.state = SessionState::Inactive), told);
    assert_eq!(world.change(1, |session| session.display = false), []);
    assert_eq!(world.logon(2), [Action::Launch(OTHER, 1)], "not about another's");
    world.handle(Event::Disconnected(SEAT, 1));
    assert_eq!(world.change(1, |session| session.locked = false), []);
}

#[test]
fn an_enumeration_in_any_order_and_with_doubles_is_the_same() {
    let mut world = World::new(Spec { serve: Serve::All, ..desk() });
    world.sessions = vec![session(2), session(1), session(2)];
    assert_eq!(world.enumerate(), [Action::Launch(SEAT, 1), Action::Launch(OTHER, 1)]);
    world.sessions.rotate_left(1);
    assert_eq!(world.enumerate(), []);
}
