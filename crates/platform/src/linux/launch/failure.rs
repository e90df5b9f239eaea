//! What a failed launch means and what to do about it.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::child::{Report, Stage};
use crate::LaunchErrorKind::{Busy, Gone, Wrong};
use crate::{Command, LaunchError, LaunchErrorKind};

/// The machine lacked something before there was a child.
pub(super) fn busy(stage: &'static str, command: &Command, source: io::Error) -> LaunchError {
    LaunchError::system(stage, command.program.display().to_string(), Busy, source)
}

/// There was no child: fork(2) and clone3(2).
pub(super) fn clone(command: &Command, source: io::Error) -> LaunchError {
    let kind = match source.raw_os_error() {
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => Busy,
        // The control group went away in between, and with it the session's.
        Some(libc::ENODEV | libc::ENOENT) => Gone,
        _ => Wrong,
    };
    LaunchError::system("start a process for", command.program.display().to_string(), kind, source)
}

/// There was a child, and it said this.
pub(super) fn explain(report: Report, folder: &str, command: &Command) -> LaunchError {
    let program = command.program.display().to_string();
    let source = io::Error::from_raw_os_error(report.errno);
    let kind = kind_of(report.errno);
    let at =
        |stage| LaunchError::system(stage, program.clone(), kind, io::Error::from_raw_os_error(report.errno));
    match report.stage {
        Stage::Session => at("start a session of its own for"),
        Stage::Group => at("enter the control group of"),
        Stage::Limits => at("set the session's limits for"),
        Stage::Rights => at("take the service's own rights from"),
        Stage::Groups => at("change to the user's groups for"),
        Stage::User => at("change to the user's uid and gid for"),
        Stage::ParentDeath => at("tie to this process the life of"),
        Stage::Output => at("connect the output of"),
        Stage::Folder => LaunchError::system("change directory to", folder, kind, source)
            .with_advice(format!("it is where {program} should run; make it, or change `cwd`")),
        Stage::Execute => {
            let error = LaunchError::system("execute", program, kind, source);
            match advice(&command.program, report.errno) {
                Some(advice) => error.with_advice(advice),
                None => error,
            }
        }
        Stage::Late => LaunchError::system("execute", program, Busy, source)
            .with_advice("the new process did not come as far within 5 s and was killed"),
    }
}

fn kind_of(errno: i32) -> LaunchErrorKind {
    match errno {
        libc::EAGAIN
        | libc::ENOMEM
        | libc::EMFILE
        | libc::ENFILE
        | libc::ETXTBSY
        | libc::EDQUOT
        // Its environment is its user's, who may make it smaller again.
        | libc::E2BIG
        | libc::EIO
        | libc::ETIMEDOUT => Busy,
        _ => Wrong,
    }
}

/// What execve(2) does not say itself.
fn advice(program: &Path, errno: i32) -> Option<String> {
    let meta = fs::metadata(program);
    match errno {
        libc::ENOENT if meta.is_ok() => Some(match interpreter(program) {
            Some(interpreter) => format!("its first line asks for {interpreter}, which is not there"),
            None => "the loader or interpreter that it asks for is not there".into(),
        }),
        libc::ENOENT => Some("there is no such file".into()),
        libc::EACCES if meta.is_ok_and(|meta| meta.is_dir()) => Some("it is a folder".into()),
        libc::EACCES if is_mounted_noexec(program) => {
            Some("it lies on a file system that is mounted noexec".into())
        }
        libc::EACCES => {
            Some("it is not executable for its user; see its mode and the folders above it".into())
        }
        libc::ENOEXEC => Some(
            "it is no program that the kernel knows; a script needs a first line such as #!/bin/sh".into(),
        ),
        libc::ETXTBSY => Some("it is being written".into()),
        libc::EAGAIN => Some("its user has as many processes as they may have".into()),
        libc::E2BIG => Some("its arguments and environment are too long".into()),
        _ => None,
    }
}

fn is_mounted_noexec(program: &Path) -> bool {
    statvfs(program).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

fn interpreter(program: &Path) -> Option<String> {
    let mut start = [0; 256];
    // Its owner may have put a pipe in its place, which must not keep us.
    let mut file =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(program).ok()?;
    let count = file.read(&mut start).ok()?;
    let line = start[..count].strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let word = line.split(|byte| byte.is_ascii_whitespace()).find(|word| !word.is_empty())?;
    Some(String::from_utf8_lossy(word).into_owned())
}
