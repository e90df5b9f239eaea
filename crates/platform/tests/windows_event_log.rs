//! The Event Log: names, and entries under them. Reading entries back is for real Windows; Wine keeps none.
#![cfg(all(windows, feature = "host"))]
#![allow(clippy::unwrap_used)] // Tests, though the lint does not see it outside of their functions.

use std::process::{Command, Stdio};

use bilayer_platform::{Error, EventLog, Severity, random_bytes};

const SOURCES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application";

/// A name of its own, gone at the end of the test.
struct Name(String);

impl Name {
    fn new() -> Name {
        Name(format!("test-{:08x}", u32::from_ne_bytes(random_bytes())))
    }

    fn key(&self) -> String {
        format!(r"{SOURCES}\{}", self.0)
    }

    /// What the registry has under a value's name; `None` if it has none.
    fn value(&self, name: &str) -> Option<String> {
        let output = Command::new("reg").args(["query", &self.key(), "/v", name]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.contains(name))?;
        line.split_whitespace().last().map(str::to_owned)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let mut remove = Command::new("reg");
        let _ =
            remove.args(["delete", &self.key(), "/f"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

#[test]
fn a_name_is_registered_with_a_message_file_that_is_not_ours_and_removed() {
    let name = Name::new();
    EventLog::register_source(&name.0).unwrap();
    EventLog::register_source(&name.0).expect("a second installation changes nothing");
    assert_eq!(name.value("EventMessageFile").unwrap(), r"%SystemRoot%\System32\EventCreate.exe");
    assert_eq!(name.value("TypesSupported").unwrap(), "0x7");
    EventLog::unregister_source(&name.0).unwrap();
    assert_eq!(name.value("EventMessageFile"), None);
    EventLog::unregister_source(&name.0).expect("nothing is left to be removed");
}

#[test]
fn a_name_of_another_program_is_left_alone() {
    let name = Name::new();
    let key = name.key();
    let words = ["add", &key, "/v", "EventMessageFile", "/d", r"C:\other.dll", "/f"];
    assert!(Command::new("reg").args(words).stdout(Stdio::null()).status().unwrap().success());
    let refused = EventLog::register_source(&name.0).unwrap_err();
    assert!(
        matches!(&refused, Error::EventSource { source, .. } if source.to_string().contains(r"C:\other.dll"))
    );
    EventLog::unregister_source(&name.0).unwrap();
    assert_eq!(name.value("EventMessageFile").unwrap(), r"C:\other.dll");
}

#[test]
fn entries_are_written() {
    let log = EventLog::open("bilayer-test").unwrap().unwrap();
    for severity in [Severity::Error, Severity::Warning, Severity::Information] {
        log.report(severity, 900, "a test of Bilayer; nothing is wrong", "").unwrap();
    }
    log.report(Severity::Information, 900, &"long ".repeat(100_000), "").expect("it is cut");
    for id in [0, 1001] {
        assert!(log.report(Severity::Error, id, "no such id", "").is_err(), "{id}");
    }
}
