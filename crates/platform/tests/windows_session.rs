//! Sessions on Windows, in a console.
#![cfg(all(windows, feature = "host"))]

mod windows_common;

use bilayer_platform::{Mode, Sessions, State, now, server_identity};
use windows_common::{on_a_loop, within};

#[test]
fn the_developers_own_session_is_the_one_session() {
    on_a_loop(async {
        let mut sessions = within("the source", Sessions::open(Mode::Console, "acme")).await.unwrap();
        let found = sessions.enumerate().await.unwrap();
        let [session] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(session.user.id, server_identity());
        assert!(!session.user.name.is_empty() && !session.locked && session.display);
        assert_eq!(session.state, State::Active);
        assert_eq!(sessions.enumerate().await.unwrap()[0].logon, session.logon);
    });
}

#[test]
fn sources_can_be_opened_again() {
    on_a_loop(async {
        for _ in 0..3 {
            drop(within("the source", Sessions::open(Mode::Console, "acme")).await.unwrap());
        }
    });
}

#[test]
fn the_clock_goes_on() {
    let start = now();
    while now() == start {
        std::thread::yield_now();
    }
    assert!(now() > start);
}
