//! Processes that outlive this program, and the files that they print to.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // Only functions that are marked as tests are known to be ones.

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;

use bilayer_platform::{Command, Exit, Keep, LAUNCH_VARIABLE, Output, Outputs, ProcessRecord, Station};
use common::{Folder, all_of, line_of, on_a_loop, runs, sh, start, until, within};
use tokio::io::AsyncReadExt as _;

/// A command that is to outlive this program.
fn kept(script: &str, folder: &Folder) -> Command {
    let mut command = sh(script);
    let outputs = Outputs::open(&folder.0.join("output")).unwrap();
    command.keep = Some(Keep { outputs, label: "desk.1".into() });
    command.env.push((LAUNCH_VARIABLE.into(), format!("{}.1", command.name)));
    command
}

fn outputs(command: &Command) -> &Outputs {
    &command.keep.as_ref().unwrap().outputs
}

#[test]
fn a_process_is_adopted_by_its_record_and_ends_as_nobody_can_say() {
    on_a_loop(async {
        let folder = Folder::new();
        let command = kept("sleep 71 & echo $!; wait", &folder);
        let mut launched = start(&command).await;
        let child: u32 = line_of(&mut launched.stdout).await.parse().unwrap();
        let record = launched.process.record().unwrap().clone();
        let pid = launched.process.pid();
        // It is still our child, so its exit is known after all; everything else is as for somebody else's.
        let adopted = record.adopt().unwrap().unwrap();
        assert_eq!((adopted.pid(), adopted.record()), (pid, Some(&record)));
        adopted.kill_all().unwrap();
        assert!(matches!(within("the exit", adopted.exited()).await, Exit::Signal(9) | Exit::Unknown));
        until("the end of what it started", || !runs(child)).await;
        drop(launched);
        assert!(record.adopt().unwrap().is_none(), "there is no such process any more");
        assert_eq!(record.sweep().unwrap(), 0);
    });
}

#[test]
fn what_is_not_the_very_process_is_not_adopted() {
    on_a_loop(async {
        let folder = Folder::new();
        let command = kept("echo up; exec sleep 72", &folder);
        let mut launched = start(&command).await;
        line_of(&mut launched.stdout).await;
        let record = launched.process.record().unwrap().clone();
        let root = record.root.unwrap();
        let others = [
            ProcessRecord { root: None, ..record.clone() },
            ProcessRecord {
                root: Some(bilayer_platform::Root { start: root.start + 1, ..root }),
                ..record.clone()
            },
            ProcessRecord { boot: "another".into(), ..record.clone() },
            ProcessRecord { group: Some("/sys/fs/cgroup/bilayer-none".into()), ..record.clone() },
        ];
        for other in others {
            assert!(other.adopt().unwrap().is_none(), "{other:?}");
            assert!(runs(root.pid));
        }
        // Of another boot nothing is left, whatever has its number now.
        let other = ProcessRecord { boot: "another".into(), ..record.clone() };
        assert_eq!(other.sweep().unwrap(), 0);
        assert!(runs(root.pid));
        launched.process.kill_all().unwrap();
        within("the exit", launched.process.exited()).await;
    });
}

#[test]
fn a_launch_that_was_only_intended_is_found_by_its_mark_or_group() {
    on_a_loop(async {
        let folder = Folder::new();
        let command = kept("(setsid sleep 73 & echo $!); exec sleep 74", &folder);
        let station = Station::own();
        let intended = ProcessRecord::intended(&station, &command);
        let mut launched = start(&command).await;
        let child: u32 = line_of(&mut launched.stdout).await.parse().unwrap();
        let found = station.leftovers(&command.name[..command.name.len() - 4]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(intended.sweep().unwrap() >= 2);
        within("the exit", launched.process.exited()).await;
        until("the end of the other one", || !runs(child)).await;
    });
}

#[test]
fn what_is_printed_is_read_on_where_it_was_settled_and_its_room_is_given_back() {
    on_a_loop(async {
        let folder = Folder::new();
        let command =
            kept("read line < $1; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done", &folder);
        let gate = folder.0.join("gate");
        rustix::fs::mknodat(rustix::fs::CWD, &gate, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let command = Command {
            args: [command.args.clone(), vec!["sh".into(), gate.to_str().unwrap().into()]].concat(),
            ..command
        };
        let mut launched = start(&command).await;
        tokio::task::spawn_blocking(move || {
            OpenOptions::new().write(true).open(gate).unwrap().write_all(b"go\n").unwrap();
        })
        .await
        .unwrap();
        let mut seen = vec![0; 8];
        launched.stdout.read_exact(&mut seen).await.unwrap();
        // As if one line was logged and the next one only read.
        launched.stdout.settle(1);
        within("the exit", launched.process.exited()).await;
        drop(launched);

        let (mut stdout, _) = outputs(&command).resume("desk.1").unwrap().unwrap();
        stdout.end().announce();
        let rest = read_and_settle(&mut stdout).await;
        let all = format!("line 1\n{rest}");
        assert_eq!(all, (1..=20_000).map(|i| format!("line {i}\n")).collect::<String>());
        let file = fs::metadata(folder.0.join("output/desk.1.out")).unwrap();
        assert_eq!(file.len(), all.len() as u64);
        assert!(file.blocks() * 512 < 128 << 10, "{} blocks are held", file.blocks());
        drop(stdout);
        outputs(&command).remove("desk.1");
        assert!(outputs(&command).resume("desk.1").unwrap().is_none());
    });
}

#[test]
fn a_file_that_its_program_cuts_is_read_from_its_start() {
    on_a_loop(async {
        let folder = Folder::new();
        let command = kept("echo one; exec sleep 76", &folder);
        let mut launched = start(&command).await;
        assert_eq!(line_of(&mut launched.stdout).await, "one");
        launched.stdout.settle(0);
        let file = OpenOptions::new().append(true).open(folder.0.join("output/desk.1.out")).unwrap();
        file.set_len(0).unwrap();
        (&file).write_all(b"2\n").unwrap();
        assert_eq!(line_of(&mut launched.stdout).await, "2");
        (&file).write_all(b"three\n").unwrap();
        assert_eq!(line_of(&mut launched.stdout).await, "three");
        launched.stdout.end().announce();
        assert_eq!(all_of(&mut launched.stdout).await, "");
        launched.process.kill_all().unwrap();
    });
}

#[test]
fn a_flood_that_nobody_reads_is_left_out_but_for_its_end() {
    on_a_loop(async {
        let folder = Folder::new();
        let command = kept("echo up; exec sleep 75", &folder);
        let mut launched = start(&command).await;
        assert_eq!(line_of(&mut launched.stdout).await, "up");
        let file = OpenOptions::new().append(true).open(folder.0.join("output/desk.1.out")).unwrap();
        // Without blocks of its own, and read as what it is.
        file.set_len(1 << 40).unwrap();
        (&file).write_all(b"the end\n").unwrap();
        drop(launched.stdout);
        let (mut stdout, _) = outputs(&command).resume("desk.1").unwrap().unwrap();
        stdout.end().announce();
        let rest = read_and_settle(&mut stdout).await;
        assert!(rest.len() < 1 << 20 && rest.ends_with("the end\n"), "{} bytes", rest.len());
        launched.process.kill_all().unwrap();
    });
}

async fn read_and_settle(output: &mut Output) -> String {
    let mut all = Vec::new();
    within("the end of the file", async {
        loop {
            let mut part = [0; 8192];
            let count = output.read(&mut part).await.unwrap();
            if count == 0 {
                return;
            }
            all.extend_from_slice(&part[..count]);
            output.settle(0);
        }
    })
    .await;
    String::from_utf8(all).unwrap()
}
