//! Messages on a desktop. Whoever looks at the screen while this runs on real Windows sees two boxes for a second.
#![cfg(all(windows, feature = "host"))]
#![allow(clippy::unwrap_used)] // Tests, though the lint does not see it outside of their functions.

mod windows_common;

use std::time::Duration;

use bilayer_platform::{Answer, Buttons, Error, Gravity, MESSAGES_ANSWER, Message, Station, notify_user};
use windows_common::{on_a_loop, within};

#[test]
fn every_wait_ends_with_an_answer_or_the_reason() {
    const { assert!(MESSAGES_ANSWER) };
    on_a_loop(async {
        let message = |wait| Message {
            title: "Bilayer".into(),
            text: "A test; nothing is wrong.".into(),
            gravity: Gravity::Warning,
            buttons: Buttons::YesNo,
            timeout: Some(Duration::from_secs(1)),
            wait,
        };
        for wait in [true, false] {
            let answered = within("the answer", notify_user(&Station::own(), &message(wait))).await;
            match answered {
                Ok(answer) if wait => assert_eq!(answer, Some(Answer::TimedOut)),
                Ok(answer) => assert_eq!(answer, None, "an answer that was not waited for"),
                // Where there are no terminal services, or no desktop.
                Err(Error::Notify { user, .. }) => assert!(user.starts_with("session "), "{user}"),
                Err(other) => panic!("{other}"),
            }
        }
    });
}
