//! Sessions of a whole machine. Wine has none, so that a stand-in for its library plays them (`e2e/wine/wtsapi32`): a copy of this
//! program is started beside it, follows what the stand-in is told, and says what it sees.
#![cfg(all(windows, feature = "host"))]
#![allow(clippy::unwrap_used)] // The lint knows the test functions only.

mod windows_common;

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command as Program, Stdio};
use std::{env, fs};

use bilayer_platform::{Command, Error, Mode, SessionInfo, Sessions, launch, server_identity};
use windows_common::{on_a_loop, play, say, stay, within};

/// The name of the copy: Wine is told to take the stand-in for programs of this name.
const COPY: &str = "bilayer-machine.exe";
/// Where the stand-in looks for its script.
const SCRIPT: &str = r"C:\bilayer-bed\sessions.json";

#[test]
fn role() {
    play(|part, _| {
        match part {
            "follow" => on_a_loop(follow()),
            "stay" => stay(),
            _ => unreachable!("no such part: {part}"),
        }
        0
    });
}

/// Does what it is asked for, line by line, and says `.` after each.
async fn follow() {
    let mut sessions = Sessions::open(Mode::System, "acme").await.unwrap();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("list", _) => match sessions.enumerate().await {
                Ok(found) => found.iter().for_each(tell),
                Err(error) => say(format!("failed: {error}")),
            },
            ("hint", _) => say(format!("{:?}", within("a hint", sessions.hint()).await)),
            ("launch", id) => {
                let found = sessions.enumerate().await.unwrap();
                let session = found.iter().find(|session| session.id == id).unwrap();
                say(try_to_launch(session).await);
            }
            _ => unreachable!("{line}"),
        }
        say(".");
    }
}

fn tell(session: &SessionInfo) {
    let SessionInfo { id, logon, user, kind, state, locked, remote, .. } = session;
    let ready = session.station.ready().map_or_else(|error| format!("{:?}", error.kind), |()| "ready".into());
    let own = if user.id.is_empty() { "nobody" } else { "somebody" };
    say(format!(
        "{id} {} {own} {kind:?} {state:?} {locked} {remote} {ready} {} {logon}",
        user.name,
        session.groups.len()
    ));
}

async fn try_to_launch(session: &SessionInfo) -> String {
    let command = Command {
        args: ["role", "--exact"].map(str::to_owned).to_vec(),
        env: vec![("BILAYER_TEST_ROLE".into(), "stay".into())],
        trust_writable_program: true,
        ..Command::new(env::current_exe().unwrap(), "bilayer-test-agent")
    };
    match launch(&session.station, &command).await {
        Ok(launched) => {
            launched.process.kill_all().unwrap();
            "started".into()
        }
        Err(error) => format!("{:?}: {error}", error.kind),
    }
}

/// A session of the script, as the stand-in reads it.
struct Scripted {
    id: u32,
    state: &'static str,
    station: &'static str,
    user: &'static str,
    locked: &'static str,
    remote: bool,
    time: u64,
    token_error: &'static str,
}

fn at_console(id: u32, user: &'static str) -> Scripted {
    Scripted {
        id,
        state: "active",
        station: "Console",
        user,
        locked: "false",
        remote: false,
        time: 1000 + u64::from(id),
        token_error: "null",
    }
}

fn script(sessions: &[Scripted]) {
    let session = |told: &Scripted| {
        let Scripted { id, state, station, user, locked, remote, time, token_error } = told;
        format!(
            r#"{{"id": {id}, "state": "{state}", "station": "{station}", "user": "{user}", "domain": "ACME", "locked": {locked},
                "remote": {remote}, "logon_time": {time}, "token_error": {token_error}, "answer": null}}"#
        )
    };
    let sessions: Vec<String> = sessions.iter().map(session).collect();
    let text = format!(r#"{{"sessions": [{}], "events": []}}"#, sessions.join(","));
    let next = Path::new(SCRIPT).with_extension("next");
    fs::create_dir_all(next.parent().unwrap()).unwrap();
    fs::write(&next, text).unwrap();
    fs::rename(next, SCRIPT).unwrap();
}

/// A copy of this program that follows scripted sessions.
struct Follower {
    folder: PathBuf,
    child: Child,
    asks: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Follower {
    /// `None` where there is no stand-in.
    fn start() -> Option<Follower> {
        let own = env::current_exe().unwrap();
        let stand_in = own.parent().unwrap().parent().unwrap().join("wtsapi32_stand_in.dll");
        if !stand_in.exists() {
            eprintln!(
                "SKIPPED: sessions of a machine need the stand-in of terminal services: \
                 cargo build -p wtsapi32-stand-in --target x86_64-pc-windows-gnu"
            );
            return None;
        }
        let folder = env::temp_dir().join(format!("bilayer-{:?}", bilayer_platform::random_bytes::<8>()));
        fs::create_dir(&folder).unwrap();
        fs::copy(own, folder.join(COPY)).unwrap();
        fs::copy(stand_in, folder.join("wtsapi32.dll")).unwrap();
        let key = format!(r"HKCU\Software\Wine\AppDefaults\{COPY}\DllOverrides");
        let told = Program::new("reg").args(["add", &key, "/v", "wtsapi32", "/d", "native", "/f"]).output();
        assert!(told.unwrap().status.success());
        let mut child = Program::new(folder.join(COPY))
            .args(["role", "--exact", "--nocapture"])
            .env("BILAYER_TEST_ROLE", "follow")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Some(Follower { folder, asks: child.stdin.take().unwrap(), answers, child })
    }

    /// What it says to one request.
    fn ask(&mut self, request: &str) -> Vec<String> {
        writeln!(self.asks, "{request}").unwrap();
        let mut said = Vec::new();
        for line in self.answers.by_ref() {
            let line = line.unwrap();
            match line.split_once("> ") {
                Some((_, ".")) => return said,
                Some((_, text)) => said.push(text.trim_end().to_owned()),
                None => {}
            }
        }
        panic!("it ended after {said:?}");
    }

    /// The sessions, each without its logon, and the logons.
    fn list(&mut self) -> (Vec<String>, Vec<String>) {
        let said = self.ask("list");
        let split = said.iter().map(|line| line.rsplit_once(' ').unwrap());
        split.map(|(facts, logon)| (facts.to_owned(), logon.to_owned())).unzip()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One test, since there is one script.
#[test]
fn sessions_are_followed_as_they_come_and_go() {
    script(&[
        Scripted { station: "Services", state: "disconnected", ..at_console(0, "") },
        Scripted { state: "disconnected", station: "", locked: "true", ..at_console(2, "alice") },
        at_console(3, "bob"),
        Scripted { remote: true, station: "RDP-Tcp#1", locked: "null", ..at_console(4, "carol") },
        Scripted { state: "listen", station: "RDP-Tcp", ..at_console(65_536, "") },
        Scripted { state: "connected", ..at_console(5, "") },
    ]);
    let Some(mut follower) = Follower::start() else { return };
    let (facts, logons) = follower.list();
    let starts = |facts: &[String], expected: &[&str]| {
        assert_eq!(facts.len(), expected.len(), "{facts:?}");
        for (facts, expected) in facts.iter().zip(expected) {
            assert!(facts.starts_with(expected), "{facts} is not {expected}");
        }
    };
    starts(
        &facts,
        &[
            "2 alice somebody Console Inactive true false ready",
            "3 bob somebody Console Active false false ready",
            "4 carol somebody Remote Active false true ready",
        ],
    );
    assert_eq!(logons.iter().collect::<std::collections::HashSet<_>>().len(), 3, "{logons:?}");

    // The remote client leaves, and alice is back at the console: the same logons elsewhere.
    script(&[
        Scripted { locked: "false", ..at_console(2, "alice") },
        Scripted { state: "disconnected", station: "", locked: "null", ..at_console(3, "bob") },
        Scripted { state: "disconnected", station: "", locked: "null", ..at_console(4, "carol") },
    ]);
    let (facts, again) = follower.list();
    starts(
        &facts,
        &[
            "2 alice somebody Console Active false",
            "3 bob somebody Console Inactive false",
            "4 carol somebody Remote Inactive false true",
        ],
    );
    assert_eq!(again, logons);

    // Session 2 is somebody else's now, and a logon of the same user at another time is another logon.
    script(&[at_console(2, "dave"), Scripted { time: 7, ..at_console(3, "bob") }]);
    let (facts, other) = follower.list();
    starts(&facts, &["2 dave", "3 bob"]);
    assert!(other.iter().all(|logon| !logons.contains(logon)), "{other:?}");

    a_token_that_is_not_ready_is_waited_for(&mut follower);
    launches_say_what_the_token_lacks(&mut follower);

    // Terminal services that do not answer are no logoff.
    fs::remove_file(SCRIPT).unwrap();
    assert_eq!(follower.ask("list"), ["failed: cannot list the sessions of the machine"]);
    script(&[at_console(2, "dave")]);
    assert_eq!(follower.list().1, other[..1]);
}

fn a_token_that_is_not_ready_is_waited_for(follower: &mut Follower) {
    let early = || Scripted { token_error: "1008", ..at_console(6, "erin") };
    script(&[early()]);
    let (facts, logons) = follower.list();
    assert!(facts[0].starts_with("6 erin nobody Console Active false false NotReady"), "{facts:?}");
    assert_eq!(follower.ask("hint"), ["Sessions"], "nobody tells that it is ready, so it is looked at again");
    assert_eq!(follower.list().1, logons);
    script(&[at_console(6, "erin")]);
    assert_eq!(follower.ask("hint"), ["Sessions"]);
    let (facts, again) = follower.list();
    assert!(facts[0].starts_with("6 erin somebody Console Active false false ready"), "{facts:?}");
    assert_eq!(again, logons, "it is the same logon with a token");
}

fn launches_say_what_the_token_lacks(follower: &mut Follower) {
    script(&[at_console(7, "frank")]);
    assert_eq!(follower.ask("launch 7"), ["started"]);
    for (error, kind) in [("1008", "NotReady"), ("7022", "Gone"), ("1314", "Wrong"), ("1450", "Busy")] {
        script(&[Scripted { token_error: error, ..at_console(7, "frank") }]);
        let said = follower.ask("launch 7");
        assert!(said[0].starts_with(kind), "{error}: {said:?}");
    }
    script(&[Scripted { token_error: "1314", ..at_console(8, "grace") }]);
    let said = follower.ask("launch 8");
    assert!(said[0].contains("session 8 (grace)") && said[0].contains("LocalSystem"), "{said:?}");
}

/// Wine without the stand-in lists none, and Windows gives tokens to LocalSystem only: neither is an error of the list.
#[test]
fn a_machine_is_listed_without_any_privilege() {
    on_a_loop(async {
        let mut sessions = Sessions::open(Mode::System, "acme").await.unwrap();
        match within("the list", sessions.enumerate()).await {
            Ok(found) => {
                assert!(found.iter().all(|session| session.id != "0" && !session.user.name.is_empty()));
            }
            Err(error) => assert!(matches!(error, Error::Tracking { .. }), "{error}"),
        }
        assert!(server_identity().starts_with("S-1-"));
    });
}
