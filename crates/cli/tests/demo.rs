//! The demo, as somebody sees it who pipes it into a file.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up fails")]

mod common;

use std::fs;

use common::{Home, code, err, out};

#[test]
fn the_whole_day_is_played_and_nothing_is_left_of_it() {
    let home = Home::new("demo");
    let temporary = home.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let output = home.command(&["demo", "--speed", "4"]).env("TMPDIR", &temporary).output().unwrap();
    let said = out(&output);
    assert_eq!((code(&output), err(&output).as_str()), (0, ""), "{said}");
    for expected in [
        "09:00  alice logs on",
        "alice's desk is ready",
        "alice's desk has ended: exit code 101",
        "alice's desk runs again",
        "bob's desk has taken over",
        "bob's desk is asked to stop: it sent no heartbeat in time",
        "shown to alice by the agent",
        "bob's desk has ended: exit code 64",
        "every agent has stopped",
        "crash to new process",
        "none was left behind",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
    assert!(!said.contains("going on"), "a step was not answered:\n{said}");
    // An agent that leaves for a logoff is not started again before it.
    let after = said.split_once("exit code 64").unwrap().1.split_once("17:01").unwrap().0;
    assert!(!after.contains("bob's desk is ready") && !after.contains("runs again"), "{after}");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "the temporary folder is gone");
}

#[test]
fn a_signal_ends_it_without_a_summary() {
    ends_at("TERM");
    // The terminal is gone; to a service that would mean to reload.
    ends_at("HUP");
}

fn ends_at(name: &str) {
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;

    let home = Home::new("demo-signal");
    let mut child = home.command(&["demo", "--speed", "4"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut story = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("is ready") {
        line.clear();
        assert_ne!(story.read_line(&mut line).unwrap(), 0, "it ended early");
    }
    common::service::signal(name, child.id().into());
    let mut rest = String::new();
    story.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(rest.ends_with("The demo was left; everything it had started is stopped.\n"), "{rest}");
}
