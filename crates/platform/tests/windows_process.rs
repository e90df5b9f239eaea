//! Launching on Windows: how processes start and how they end.
#![cfg(all(windows, feature = "host"))]
#![allow(clippy::zombie_processes)] // What a root leaves behind is the subject.

mod windows_common;

use bilayer_platform::{Exit, LaunchErrorKind, Station, launch};
use tokio::io::AsyncReadExt as _;
use windows_common::{acting, child_role, on_a_loop, play, said, say, start, stay, within};

#[test]
fn role() {
    play(|part, argument| {
        match part {
            "exit" => return argument.parse().unwrap(),
            "stay" => {
                say(std::process::id());
                stay();
            }
            "echo" => {
                std::env::args().skip(4).for_each(say);
                say(std::env::var("WITH_VALUE").unwrap_or_default());
                say(std::env::current_dir().unwrap().display());
                eprintln!("on the other output");
            }
            "read" => {
                let mut text = String::new();
                std::io::stdin().read_line(&mut text).unwrap();
                say(text.len());
            }
            // A tree: this, a child and its child. The outer ones stay if they are told to.
            "tree" => {
                child_role("tree-child").spawn().unwrap();
                if argument == "stay" {
                    stay();
                }
            }
            "tree-child" => {
                child_role("stay").spawn().unwrap();
                say(std::process::id());
                stay();
            }
            _ => unreachable!("no such part: {part}"),
        }
        0
    });
}

#[test]
fn exit_codes_are_seen_as_they_are() {
    on_a_loop(async {
        for code in [0, 3, 259, 0xC000_0005] {
            let launched = start(&acting(&format!("exit {code}"))).await;
            assert_eq!(within("the exit", launched.process.exited()).await, Exit::Code(code));
            assert_eq!(within("the exit, asked again", launched.process.exited()).await, Exit::Code(code));
            launched.process.terminate().expect("asking a process that has ended is no error");
        }
    });
}

#[test]
fn arguments_environment_and_folder_arrive() {
    on_a_loop(async {
        let odd = ["", "a b", r#"a"b"#, r#"a\"b"#, r"a b\", r"\\a\", "ünï→", "a\tb"];
        let mut command = acting("echo");
        command.args.extend(odd.map(str::to_owned));
        command.env.push(("with_value".into(), "a=b; ü".into()));
        command.cwd = Some(r"C:\windows".into());
        let mut launched = start(&command).await;
        for arg in odd {
            assert_eq!(said(&mut launched.stdout).await, arg.trim_end());
        }
        assert_eq!(said(&mut launched.stdout).await, "a=b; ü");
        assert!(said(&mut launched.stdout).await.eq_ignore_ascii_case(r"C:\windows"));
        let mut errors = String::new();
        within("the end of the output", launched.stderr.read_to_string(&mut errors)).await.unwrap();
        assert!(errors.contains("on the other output"), "{errors}");
        assert_eq!(within("the exit", launched.process.exited()).await, Exit::Code(0));
    });
}

#[test]
fn standard_input_is_empty() {
    on_a_loop(async {
        let mut launched = start(&acting("read")).await;
        assert_eq!(said(&mut launched.stdout).await, "0");
    });
}

#[test]
fn a_kill_ends_the_whole_tree() {
    on_a_loop(async {
        let mut launched = start(&acting("tree stay")).await;
        said(&mut launched.stdout).await;
        said(&mut launched.stdout).await;
        launched.process.kill_all().unwrap();
        within("the exit", launched.process.exited()).await;
        // It ends only when the last that holds the other end is gone.
        let mut rest = Vec::new();
        within("the end of the tree", launched.stdout.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(launched.process.sweep().unwrap(), 0);
        launched.process.kill_all().expect("killing what has ended is no error");
    });
}

#[test]
fn what_a_root_leaves_behind_is_swept() {
    on_a_loop(async {
        let mut launched = start(&acting("tree")).await;
        said(&mut launched.stdout).await;
        said(&mut launched.stdout).await;
        assert_eq!(within("the exit", launched.process.exited()).await, Exit::Code(0));
        // Wine counts the host of their console as well.
        assert!(launched.process.sweep().unwrap() >= 2);
        let mut rest = Vec::new();
        within("the end of the survivors", launched.stdout.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(launched.process.sweep().unwrap(), 0);
    });
}

#[test]
fn a_forgotten_process_ends_and_one_that_was_left_does_not() {
    on_a_loop(async {
        let mut forgotten = start(&acting("stay")).await;
        said(&mut forgotten.stdout).await;
        drop(forgotten.process);
        let mut rest = Vec::new();
        within("the end of the forgotten", forgotten.stdout.read_to_end(&mut rest)).await.unwrap();

        let mut left = start(&acting("tree")).await;
        let survivors = [said(&mut left.stdout).await, said(&mut left.stdout).await];
        within("the exit", left.process.exited()).await;
        left.process.leave().unwrap();
        drop(left.process);
        for survivor in survivors {
            let kill = std::process::Command::new("taskkill").args(["/f", "/pid", &survivor]).status();
            assert!(kill.unwrap().success(), "the survivor lives until it is killed by its id");
        }
    });
}

#[test]
fn many_are_waited_for_at_once() {
    on_a_loop(async {
        // More than the 64 handles that one wait call takes.
        let mut all = Vec::new();
        for _ in 0..70 {
            all.push(start(&acting("exit 7")).await);
        }
        for launched in &all {
            assert_eq!(within("the exit", launched.process.exited()).await, Exit::Code(7));
        }
    });
}

#[test]
fn launches_that_cannot_work_say_why() {
    let folder = std::env::temp_dir().join(format!("bilayer-{:?}", bilayer_platform::random_bytes::<8>()));
    std::fs::create_dir(&folder).unwrap();
    on_a_loop(async {
        let text = folder.join("text.exe");
        std::fs::write(&text, "no program").unwrap();
        let batch = folder.join("a.CMD");
        std::fs::write(&batch, "exit").unwrap();
        for (program, word) in [
            (folder.join("nothing.exe"), "no such file"),
            (text, "not a program"),
            (batch, "batch file"),
            (folder.clone(), "not a file"),
            ("relative.exe".into(), "absolute"),
        ] {
            let mut command = acting("exit 0");
            command.program = program;
            let Err(error) = launch(&Station::own(), &command).await else {
                panic!("{word}: it was started")
            };
            assert_eq!(error.kind, LaunchErrorKind::Wrong, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
        let mut command = acting("exit 0");
        command.args.push("a\0b".into());
        let Err(error) = launch(&Station::own(), &command).await else { panic!("a zero was passed on") };
        assert_eq!(error.kind, LaunchErrorKind::Wrong);
    });
    std::fs::remove_dir_all(&folder).unwrap();
}
