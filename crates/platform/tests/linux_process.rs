//! Launching on the real operating system: how processes start and how they end.
#![cfg(target_os = "linux")]

mod common;

use std::os::unix::fs::MetadataExt as _;

use bilayer_platform::{Exit, Launched, OutputEnd, Station, launch, relaunch};
use common::{all_of, line_of, on_a_loop, runs, sh, start, until, within};
use tokio::io::AsyncReadExt as _;

#[test]
fn exit_codes_and_signals_are_seen_as_they_are() {
    on_a_loop(async {
        for (script, expected) in [
            ("exit 0", Exit::Code(0)),
            ("exit 3", Exit::Code(3)),
            ("exit 255", Exit::Code(255)),
            ("kill -TERM $$", Exit::Signal(15)),
            ("kill -KILL $$", Exit::Signal(9)),
            ("ulimit -c 0; kill -SEGV $$", Exit::Signal(11)),
        ] {
            let launched = start(&sh(script)).await;
            assert_eq!(within(script, launched.process.exited()).await, expected, "{script}");
            assert_eq!(within(script, launched.process.exited()).await, expected, "{script}, asked again");
        }
    });
}

#[test]
fn several_may_wait_for_one_exit() {
    on_a_loop(async {
        let mut launched = start(&sh("echo up; read line < /dev/zero; exec sleep 60")).await;
        line_of(&mut launched.stdout).await;
        let process = &launched.process;
        let wait = async { tokio::join!(process.exited(), process.exited(), async { process.kill_all() }) };
        let (first, second, killed) = within("the exit", wait).await;
        killed.unwrap();
        assert_eq!((first, second), (Exit::Signal(9), Exit::Signal(9)));
    });
}

#[test]
fn a_program_that_ignores_the_request_is_killed() {
    on_a_loop(async {
        let mut launched = start(&sh("trap 'echo asked' TERM; echo up; while :; do sleep 0.01; done")).await;
        assert_eq!(line_of(&mut launched.stdout).await, "up");
        launched.process.terminate().unwrap();
        assert_eq!(line_of(&mut launched.stdout).await, "asked");
        launched.process.kill_all().unwrap();
        assert_eq!(within("the kill", launched.process.exited()).await, Exit::Signal(9));
        launched.process.terminate().expect("asking a process that has ended is no error");
    });
}

#[test]
fn what_a_root_leaves_behind_is_swept() {
    on_a_loop(async {
        let scripts = [
            // A child, a child with a session of its own, and a daemon: forked twice, its own session, nobody's child.
            "sleep 61 & echo $!; exec >&-",
            "setsid sleep 62 & echo $!; exec >&-",
            "(setsid sh -c 'sleep 63 >&- & echo $!; exec >&-' &)",
        ];
        for script in scripts {
            let mut command = sh(script);
            command.env = vec![("TEST_TOKEN".into(), format!("{:?}", bilayer_platform::random_bytes::<8>()))];
            let mut launched = start(&command).await;
            let left: u32 = line_of(&mut launched.stdout).await.parse().unwrap();
            assert_eq!(within("the exit", launched.process.exited()).await, Exit::Code(0));
            until("the survivor's settling", || runs(left)).await;
            assert!(launched.process.sweep().unwrap() >= 1, "{script}");
            until("the survivor's end", || !runs(left)).await;
            // Others than it were killed with it, and end when they do.
            until("the end of all survivors", || launched.process.sweep().unwrap() == 0).await;
        }
    });
}

#[test]
fn the_survivors_of_one_are_not_those_of_another() {
    on_a_loop(async {
        let daemon = async |token: &str| {
            let mut command = sh("(setsid sh -c 'sleep 64 >&- & echo $!; exec >&-' &)");
            command.env = vec![("TEST_TOKEN".into(), token.into())];
            command.name = format!("bilayer-test-{token}");
            start(&command).await
        };
        let (mut one, mut other) = (daemon("one").await, daemon("other").await);
        let first: u32 = line_of(&mut one.stdout).await.parse().unwrap();
        let second: u32 = line_of(&mut other.stdout).await.parse().unwrap();
        within("the exits", async { tokio::join!(one.process.exited(), other.process.exited()) }).await;
        // The shell between may still be on its way out, and then it is counted, too.
        assert!(one.process.sweep().unwrap() >= 1);
        until("the first one's end", || !runs(first)).await;
        assert!(runs(second));
        assert!(other.process.sweep().unwrap() >= 1);
    });
}

#[test]
fn survivors_may_be_left_alone() {
    on_a_loop(async {
        let mut command = sh("sleep 65 & echo $!; exec >&-");
        command.leave_survivors = true;
        let mut launched = start(&command).await;
        let left: u32 = line_of(&mut launched.stdout).await.parse().unwrap();
        within("the exit", launched.process.exited()).await;
        launched.process.leave().unwrap();
        assert!(runs(left));
        let pid = rustix::process::Pid::from_raw(left as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    });
}

#[test]
fn output_is_read_to_its_end() {
    on_a_loop(async {
        let mut launched = start(&sh("echo out; echo err >&2; read line; echo \"stdin: $?\"")).await;
        assert_eq!(all_of(&mut launched.stdout).await, "out\nstdin: 1\n");
        assert_eq!(all_of(&mut launched.stderr).await, "err\n");
        within("the exit", launched.process.exited()).await;
    });
}

#[test]
fn an_instance_lives_in_a_control_group_of_its_own() {
    // Only where this program was given a control group to make others in.
    let Some(own) = delegated_group() else { return };
    on_a_loop(async {
        let mut command = sh("grep ^0:: /proc/self/cgroup; (setsid sleep 66 >&- & echo $!); exec >&-");
        command.leave_survivors = true;
        let group = own.join(&command.name);
        for end in ["swept", "released"] {
            let mut launched = start(&command).await;
            let said = line_of(&mut launched.stdout).await;
            assert!(said.ends_with(&format!("/{}", command.name)), "{said}");
            let left: u32 = line_of(&mut launched.stdout).await.parse().unwrap();
            within("the exit", launched.process.exited()).await;
            if end == "swept" {
                assert_eq!(launched.process.sweep().unwrap(), 1);
                until("the survivor's end", || !runs(left)).await;
                assert_eq!(launched.process.sweep().unwrap(), 0);
            } else {
                launched.process.leave().unwrap();
                assert!(runs(left));
                let moved = std::fs::read_to_string(own.join("cgroup.procs")).unwrap();
                assert!(moved.lines().any(|pid| pid == left.to_string()), "it is in the group above");
                let pid = rustix::process::Pid::from_raw(left as i32).unwrap();
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            }
            assert!(!group.exists(), "an empty group is removed");
        }
    });
}

#[test]
fn an_instance_is_born_where_the_last_one_ended_if_that_left_nothing() {
    let Some(own) = delegated_group() else { return };
    on_a_loop(async {
        let command = sh("grep ^0:: /proc/self/cgroup");
        let folder = own.join(&command.name);
        let inode = || std::fs::metadata(&folder).map(|folder| folder.ino()).ok();
        let ended = async |mut launched: Launched| {
            let said = line_of(&mut launched.stdout).await;
            assert!(said.ends_with(&format!("/{}", command.name)), "{said}");
            within("the exit", launched.process.exited()).await;
            launched.process
        };
        let first = ended(start(&command).await).await;
        let place = inode();
        let vacated = first.vacate().expect("it left nothing");
        let second = ended(relaunch(&Station::own(), &command, vacated).await.unwrap()).await;
        assert!(place.is_some() && inode() == place, "it is the same group");
        drop(first);
        assert_eq!(inode(), place, "whoever was there before has no say in it");

        let vacated = second.vacate().expect("it left nothing, either");
        let elsewhere = relaunch(&Station::own(), &sh("exit 0"), vacated).await.unwrap();
        assert_eq!(inode(), None, "a place that is not taken is cleared away");
        within("the exit", elsewhere.process.exited()).await;
        drop(elsewhere.process.vacate());
    });
}

#[test]
fn a_place_where_something_lives_or_was_killed_is_not_vacant() {
    if delegated_group().is_none() {
        return;
    }
    on_a_loop(async {
        let mut left = start(&sh("(setsid sleep 67 >&- & echo $!); exec >&-")).await;
        line_of(&mut left.stdout).await;
        within("the exit", left.process.exited()).await;
        assert!(left.process.vacate().is_none(), "the survivor lives there");
        assert_eq!(left.process.sweep().unwrap(), 1);

        let killed = start(&sh("exec sleep 68")).await;
        killed.process.kill_all().unwrap();
        within("the exit", killed.process.exited()).await;
        assert!(killed.process.vacate().is_none(), "who is born there dies");
        assert_eq!(killed.process.sweep().unwrap(), 0);
    });
}

#[test]
fn output_does_not_end_before_its_program() {
    on_a_loop(async {
        let station = Station::own();
        let silent = sh("echo out; exec >&- 2>&-; exec sleep 69");
        let Launched { process, mut stdout, ends, .. } = launch(&station, &silent).await.unwrap();
        let mut seen = [0; 8];
        let count = within("a word", stdout.read(&mut seen)).await.unwrap();
        assert_eq!(&seen[..count], b"out\n");
        let mut rest = std::pin::pin!(stdout.read(&mut seen));
        let kill = async {
            process.kill_all().unwrap();
            process.exited().await
        };
        tokio::select! {
            biased;
            read = &mut rest => panic!("it closed its output, and lives: {read:?}"),
            exit = within("the exit", kill) => assert_eq!(exit, Exit::Signal(9)),
        }
        ends.into_iter().for_each(OutputEnd::announce);
        assert_eq!(within("the end of the output", rest).await.unwrap(), 0);
    });
}

/// The folder of this program's own control group, if this user may make others in it: cgroups(7).
fn delegated_group() -> Option<std::path::PathBuf> {
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = text.lines().find_map(|line| line.strip_prefix("0::/")).filter(|group| !group.is_empty())?;
    let folder = std::path::Path::new("/sys/fs/cgroup").join(group);
    let procs = std::fs::OpenOptions::new().write(true).open(folder.join("cgroup.procs"));
    procs.is_ok().then_some(folder)
}
