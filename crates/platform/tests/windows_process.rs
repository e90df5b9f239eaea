//! Launching on Windows: how processes start and how they end.
#![cfg(all(windows, feature = "host"))]
#![allow(clippy::zombie_processes)] // What a root leaves behind is the subject.

mod windows_common;

use std::io::Write as _;

use bilayer_platform::{Exit, Keep, LaunchErrorKind, Outputs, ProcessRecord, Root, Station, launch};
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
            // An earlier life of layer 0: starts one that outlives it, and dies without a word.
            "earlier" => {
                let (outputs, label) = argument.split_once(' ').unwrap();
                on_a_loop(async {
                    let mut command = acting("kept");
                    let outputs = Outputs::open(outputs.as_ref()).unwrap();
                    command.keep = Some(Keep { outputs, label: label.to_owned() });
                    let launched = start(&command).await;
                    let record = launched.process.record().unwrap();
                    let root = record.root.unwrap();
                    say(format!("{} {} {}", root.pid, root.start, record.group.as_deref().unwrap()));
                    let _ = std::io::stdout().flush();
                    std::process::exit(0);
                });
            }
            "kept" => {
                say("before");
                child_role("stay").spawn().unwrap();
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
fn what_an_agent_opens_for_its_user_is_not_ended_with_it() {
    on_a_loop(async {
        let mut command = acting("tree stay");
        command.leave_survivors = true;
        let mut launched = start(&command).await;
        let opened = [said(&mut launched.stdout).await, said(&mut launched.stdout).await];
        launched.process.kill_all().unwrap();
        assert_eq!(within("the exit", launched.process.exited()).await, Exit::Code(1));
        assert_eq!(launched.process.sweep().unwrap(), 0, "its job holds the agent alone");
        drop(launched.process);
        for program in opened {
            let kill = std::process::Command::new("taskkill").args(["/f", "/pid", &program]).status();
            assert!(kill.unwrap().success(), "what was opened lives until it is closed");
        }
    });
}

#[test]
fn long_paths_and_odd_names_are_started() {
    let mut folder = temporary("ünï → names");
    let top = folder.clone();
    // Past the 260 characters that the plain form of a path has room for.
    while folder.as_os_str().len() < 300 {
        folder.push("a folder with a name of some length");
    }
    std::fs::create_dir_all(&folder).unwrap();
    on_a_loop(async {
        let mut programs = vec![top.join("an agent.exe"), folder.join("ägent →.exe")];
        if std::path::Path::new(r"C:\windows\system32\winecfg.exe").exists() {
            println!("skipped: Wine 8 starts no program whose path is longer than 260 characters");
            programs.pop();
        }
        for program in programs {
            std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
            let mut command = acting("exit 5");
            command.program = program;
            let launched = start(&command).await;
            assert_eq!(within("the exit", launched.process.exited()).await, Exit::Code(5));
        }
    });
    std::fs::remove_dir_all(&top).unwrap();
}

#[test]
fn a_kept_process_is_found_again_with_what_it_said_and_what_it_started() {
    let folder = temporary("kept");
    on_a_loop(async {
        let label = format!("test.{:016x}", u64::from_ne_bytes(bilayer_platform::random_bytes()));
        let mut earlier = start(&acting(&format!("earlier {} {label}", folder.display()))).await;
        let words = said(&mut earlier.stdout).await;
        within("the end of the earlier life", earlier.process.exited()).await;
        let [pid, start, group] = words.split(' ').collect::<Vec<_>>()[..] else { panic!("{words}") };
        let root = Root { pid: pid.parse().unwrap(), start: start.parse().unwrap() };
        let record = ProcessRecord {
            root: Some(root),
            boot: String::new(),
            group: Some(group.to_owned()),
            mark: String::new(),
        };

        // Another process of this id, and one that is in no such job, are not it.
        let younger = ProcessRecord { root: Some(Root { start: root.start + 1, ..root }), ..record.clone() };
        assert!(younger.adopt().unwrap().is_none());
        let elsewhere = ProcessRecord { group: Some(format!("{group}x")), ..record.clone() };
        assert!(elsewhere.adopt().unwrap().is_none());

        let kept = record.adopt().unwrap().expect("it lives");
        let outputs = Outputs::open(&folder).unwrap();
        assert_eq!(outputs.labels(), std::slice::from_ref(&label));
        let (mut stdout, _stderr) = outputs.resume(&label).unwrap().expect("its files");
        assert_eq!(said(&mut stdout).await, "before");
        let its_child = said(&mut stdout).await;
        assert_ne!(its_child, kept.pid().to_string());
        kept.kill_all().unwrap();
        assert_eq!(within("the end of the kept", kept.exited()).await, Exit::Code(1));
        stdout.end().announce();
        let mut rest = Vec::new();
        within("the end of its output", stdout.read_to_end(&mut rest)).await.unwrap();
        assert!(record.adopt().unwrap().is_none(), "it has ended");
        drop(kept);
        assert_eq!(record.sweep().unwrap(), 0);
    });
    std::fs::remove_dir_all(&folder).unwrap();
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
    let folder = temporary("programs");
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

/// A new folder.
fn temporary(what: &str) -> std::path::PathBuf {
    let random = u64::from_ne_bytes(bilayer_platform::random_bytes());
    let folder = std::env::temp_dir().join(format!("bilayer-{what}-{random:016x}"));
    std::fs::create_dir(&folder).expect("a new folder");
    folder
}
