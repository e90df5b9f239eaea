//! Launching on the real operating system: what a program finds when it starts, and why it does not start.
#![cfg(target_os = "linux")]

mod common;

use std::future::{Future as _, poll_fn};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::task::Poll;

use bilayer_platform::{Exit, LaunchErrorKind, Station, is_privileged, launch};
use common::{Folder, all_of, line_of, on_a_loop, program, runs, sh, start, start_at, until, within};

#[test]
fn nothing_is_inherited_but_the_three_streams() {
    on_a_loop(async {
        let leak = std::fs::File::open("/dev/null").unwrap();
        rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
        let mut launched = start(&sh("exec ls -l /proc/self/fd")).await;
        let text = all_of(&mut launched.stdout).await;
        // All but the one that `ls` reads the folder with: `… 0 -> /dev/null`.
        let links = text
            .lines()
            .filter_map(|line| line.split_once(" -> "))
            .filter(|(_, to)| !to.starts_with("/proc/"));
        let found: Vec<&str> = links.filter_map(|(line, _)| line.rsplit(' ').next()).collect();
        assert_eq!(found, ["0", "1", "2"]);
    });
}

#[test]
fn a_program_starts_however_many_files_are_open_here() {
    on_a_loop(async {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let few = 256;
        setrlimit(Resource::Nofile, Rlimit { current: Some(few), ..getrlimit(Resource::Nofile) }).unwrap();
        bilayer_platform::raise_descriptor_limit();
        let _open: Vec<_> = (0..few).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let mut launched = start(&sh("ulimit -n")).await;
        assert_eq!(line_of(&mut launched.stdout).await, few.to_string());
    });
}

#[test]
fn the_environment_is_the_stations_and_the_commands() {
    on_a_loop(async {
        let mut command = program("/usr/bin/env", &["-0"]);
        let added = [("ADDED", "replaced itself"), ("ADDED", "two\nlines"), ("PATH", "/replaced")];
        command.env = added.map(|(name, value)| (name.into(), value.into())).into();
        let mut launched = start(&command).await;
        let text = all_of(&mut launched.stdout).await;
        let mut found: Vec<&str> = text.split_terminator('\0').collect();
        found.sort_unstable();
        let mut expected: Vec<String> = std::env::vars()
            .filter(|(name, _)| name != "PATH" && name != "ADDED")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        expected.extend(["ADDED=two\nlines".into(), "PATH=/replaced".into()]);
        expected.sort_unstable();
        assert_eq!(found, expected);
    });
}

#[test]
fn signals_and_session_are_as_after_a_login() {
    on_a_loop(async {
        // This program ignores SIGPIPE, as every Rust program does, and handles SIGHUP from here on.
        let _signals = bilayer_platform::Signals::new().unwrap();
        let mut launched = start(&sh("cat /proc/self/status; cut -d' ' -f5,6 /proc/$$/stat")).await;
        let text = all_of(&mut launched.stdout).await;
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        assert_eq!(field("SigBlk:"), "0000000000000000");
        assert_eq!(field("SigIgn:"), "0000000000000000");
        let pid = launched.process.pid();
        assert_eq!(text.lines().last().unwrap(), format!("{pid} {pid}"), "its own group and session");
    });
}

#[test]
fn it_runs_where_it_should() {
    on_a_loop(async {
        let folder = Folder::new();
        let mut command = sh("pwd -P");
        command.cwd = Some(folder.0.clone());
        assert_eq!(
            line_of(&mut start(&command).await.stdout).await,
            folder.0.canonicalize().unwrap().to_str().unwrap()
        );
        command.cwd = None;
        command.env = vec![("HOME".into(), folder.0.display().to_string())];
        assert_eq!(
            line_of(&mut start(&command).await.stdout).await,
            folder.0.canonicalize().unwrap().to_str().unwrap()
        );
        command.env = vec![("HOME".into(), "/there/is/none".into())];
        assert_eq!(line_of(&mut start(&command).await.stdout).await, "/");
    });
}

#[test]
fn a_program_lives_where_another_was_killed() {
    on_a_loop(async {
        let command = sh("echo lives; exec sleep 1000");
        for _ in 0..3 {
            let mut launched = start(&command).await;
            assert_eq!(line_of(&mut launched.stdout).await, "lives");
            launched.process.kill_all().unwrap();
        }
    });
}

#[test]
fn failures_are_told_apart() {
    on_a_loop(async {
        let folder = Folder::new();
        let plain = folder.file("plain", b"#!/bin/sh\n", 0o644);
        let nonsense = folder.file("nonsense", b"this is no program\n", 0o755);
        let orphan = folder.file("orphan", b"#!/no/such/interpreter -x\n", 0o755);
        let missing = folder.0.join("missing");
        let busy = folder.file("busy", &std::fs::read("/bin/true").unwrap(), 0o755);
        let _writer = std::fs::OpenOptions::new().write(true).open(&busy).unwrap();
        let cases: [(&Path, LaunchErrorKind, i32, &str); 6] = [
            (&missing, LaunchErrorKind::Wrong, libc_errno::ENOENT, "there is no such file"),
            (&plain, LaunchErrorKind::Wrong, libc_errno::EACCES, "not executable"),
            (&folder.0, LaunchErrorKind::Wrong, libc_errno::EACCES, "it is a folder"),
            (&nonsense, LaunchErrorKind::Wrong, libc_errno::ENOEXEC, "#!/bin/sh"),
            (&orphan, LaunchErrorKind::Wrong, libc_errno::ENOENT, "/no/such/interpreter"),
            (&busy, LaunchErrorKind::Busy, libc_errno::ETXTBSY, "being written"),
        ];
        for (path, kind, errno, words) in cases {
            let error = loop {
                let error =
                    launch(&Station::own(), &program(path.to_str().unwrap(), &[])).await.err().unwrap();
                // A child of a test beside this one holds the writer's descriptor until it executes.
                if error.os_error != libc_errno::ETXTBSY || errno == libc_errno::ETXTBSY {
                    break error;
                }
            };
            assert_eq!((error.stage, error.kind, error.os_error), ("execute", kind, errno), "{error}");
            assert!(error.to_string().contains(words), "{error}");
            assert!(std::error::Error::source(&error).is_some());
        }
        let mut elsewhere = sh("true");
        elsewhere.cwd = Some(missing);
        let error = launch(&Station::own(), &elsewhere).await.err().unwrap();
        assert_eq!((error.stage, error.kind), ("change directory to", LaunchErrorKind::Wrong), "{error}");
        let error = launch(&Station::own(), &program("/bin/echo", &["a\0b"])).await.err().unwrap();
        assert_eq!(error.kind, LaunchErrorKind::Wrong, "{error}");
    });
}

/// errno(3), the numbers of x86 and ARM.
mod libc_errno {
    pub(crate) const ENOENT: i32 = 2;
    pub(crate) const ENOEXEC: i32 = 8;
    pub(crate) const EACCES: i32 = 13;
    pub(crate) const ETXTBSY: i32 = 26;
}

#[test]
fn failed_launches_leave_nothing() {
    on_a_loop(async {
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = descriptors();
        for _ in 0..100 {
            launch(&Station::own(), &program("/no/such/program", &[])).await.err().unwrap();
        }
        // What is left of them is waited for aside. Other tests of this program run beside this one and hold a few of their own.
        until("their descriptors are closed", || descriptors() < before + 60).await;
    });
}

#[test]
fn programs_die_with_the_service() {
    on_a_loop(async {
        // The parent-death signal is tied to the thread: this one stands for the service.
        let (sender, receiver) = std::sync::mpsc::channel();
        let service = std::thread::spawn(move || {
            on_a_loop(async move {
                let mut launched = start(&sh("trap '' TERM; echo up; sleep 60")).await;
                line_of(&mut launched.stdout).await;
                sender.send(launched.process.pid()).unwrap();
                std::mem::forget(launched);
            });
        });
        let pid = receiver.recv().unwrap();
        service.join().unwrap();
        until("the end of the orphan", || !runs(pid)).await;
    });
}

#[test]
fn root_becomes_the_user_in_everything() {
    if !is_privileged() {
        return;
    }
    on_a_loop(async {
        let nobody = Station::of_user(65534).await.unwrap();
        let mut launched =
            start_at(&nobody, &sh("cat /proc/self/status; umask; env; cat /proc/self/oom_score_adj"))
                .await
                .unwrap();
        let text = all_of(&mut launched.stdout).await;
        let field = |name: &str| -> Vec<String> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().map(str::to_owned).collect()
        };
        assert_eq!(field("Uid:"), ["65534"; 4]);
        assert_eq!(field("Gid:"), ["65534"; 4]);
        assert_eq!(field("Groups:"), ["65534"]);
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(field(set), ["0000000000000000"], "{set}");
        }
        assert!(text.contains("USER=nobody\n") && text.contains("LOGNAME=nobody\n"));
        assert!(text.contains("\n0022\n"), "{text}");
        assert!(!text.contains("CARGO"), "the service's own environment is not handed on");
        assert!(text.ends_with("\n0\n"));
        assert_eq!(within("the exit", launched.process.exited()).await, Exit::Code(0));
    });
}

/// Whether there are keyrings, and this process may have one: keyctl(2). It is the thread's own that has one more afterwards.
fn has_keyrings() -> bool {
    // SAFETY: the null pointer asks for a new keyring without a name; no memory is read.
    let join = || unsafe { libc::syscall(libc::SYS_keyctl, 1, 0) >= 0 };
    Path::new("/proc/keys").exists() && std::thread::spawn(join).join().is_ok_and(|joined| joined)
}

#[test]
fn root_leaves_its_keyring_for_one_that_leads_to_the_users() {
    if !is_privileged() || !has_keyrings() {
        return;
    }
    on_a_loop(async {
        let nobody = Station::of_user(65534).await.unwrap();
        let mut launched = start_at(&nobody, &sh("cat /proc/keys")).await.unwrap();
        let keys = all_of(&mut launched.stdout).await;
        let owned: Vec<&str> = keys.lines().filter(|key| key.contains(" 65534 ")).collect();
        assert!(owned.iter().any(|key| key.ends_with("_ses: 1")), "{keys}");
        assert!(owned.iter().any(|key| key.contains("_uid.65534:")), "{keys}");
    });
}

#[test]
fn root_distrusts_what_others_can_write() {
    if !is_privileged() {
        return;
    }
    on_a_loop(async {
        let nobody = Station::of_user(65534).await.unwrap();
        let folder = Folder::new();
        std::fs::set_permissions(&folder.0, std::fs::Permissions::from_mode(0o755)).unwrap();
        let tool = folder.file("tool", b"#!/bin/sh\nexit 7\n", 0o755);
        let mut command = program(tool.to_str().unwrap(), &[]);
        command.trust_writable_program = false;
        let error = launch(&nobody, &command).await.err().unwrap();
        assert_eq!(error.kind, LaunchErrorKind::Wrong);
        assert!(error.to_string().contains("is writable by everybody"), "{error}");
        command.trust_writable_program = true;
        let launched = loop {
            match launch(&nobody, &command).await {
                // A child of a test beside this one holds the writer's descriptor until it executes.
                Err(error) if error.os_error == libc_errno::ETXTBSY => {}
                launched => break launched.unwrap(),
            }
        };
        assert_eq!(within("the exit", launched.process.exited()).await, Exit::Code(7));
    });
}

/// A file system that answers nothing, as any user can mount one: fuse(4).
struct DeadFileSystem {
    folder: Folder,
    path: std::ffi::CString,
    _device: std::fs::File,
}

impl DeadFileSystem {
    /// `None` where this machine does not let the test mount one.
    fn mount() -> Option<DeadFileSystem> {
        use std::os::fd::AsRawFd as _;

        let device = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").ok()?;
        let folder = Folder::new();
        let path = std::ffi::CString::new(folder.0.to_str()?).ok()?;
        let options = format!("fd={},rootmode=40000,user_id=65534,group_id=65534", device.as_raw_fd());
        let options = std::ffi::CString::new(options).ok()?;
        // SAFETY: mount(2) reads four strings, which end with a NUL.
        let answer = unsafe {
            libc::mount(c"test".as_ptr(), path.as_ptr(), c"fuse".as_ptr(), 0, options.as_ptr().cast())
        };
        (answer == 0).then_some(DeadFileSystem { folder, path, _device: device })
    }
}

impl Drop for DeadFileSystem {
    fn drop(&mut self) {
        // SAFETY: umount2(2) reads one string, which ends with a NUL.
        unsafe { libc::umount2(self.path.as_ptr(), libc::MNT_DETACH) };
    }
}

#[test]
fn a_user_who_keeps_a_child_from_its_program_does_not_keep_the_loop() {
    on_a_loop(async {
        let Some(dead) = is_privileged().then(DeadFileSystem::mount).flatten() else { return };
        let nobody = Station::of_user(65534).await.unwrap();
        let mut command = sh("true");
        command.env = vec![("HOME".into(), dead.folder.0.display().to_string())];
        let mut launching = Box::pin(launch(&nobody, &command));
        let waits = poll_fn(|context| Poll::Ready(launching.as_mut().poll(context).is_pending())).await;
        assert!(waits, "the loop was kept until the child had its program or was given up");
        // It is given up in the end, whether it can be killed or not.
        let error = within("the end of the launch", launching).await.err().unwrap();
        assert_eq!(error.kind, LaunchErrorKind::Busy, "{error}");
    });
}
