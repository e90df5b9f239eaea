//! What lets a process outlive this program, and what finds it again.
//!
//! A process that was launched with [`Keep`] does not end with this program, and what it prints goes to files instead of pipes,
//! since a pipe ends with its reader. [`Process::record`](crate::Process::record) says who it is; the next life of this program
//! [adopts](ProcessRecord::adopt) it from that, if it is still the same process in the same group, and else
//! [sweeps](ProcessRecord::sweep) what is left.

use std::io;

use serde::{Deserialize, Serialize};

use crate::{Command, Outputs, Process, Station, system};

/// The process is to outlive this program.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Where the files are that it prints to.
    pub outputs: Outputs,
    /// Names its files there, unlike any other launch's: letters, digits, `-` and `.`.
    pub label: String,
}

/// Names the variable in [`Command::env`] that marks a launch: [`Command::name`], a dot, and what no other launch has. It is no
/// secret. It finds what was started where no control group or job holds it together.
pub const LAUNCH_VARIABLE: &str = "BILAYER_LAUNCH";

/// Who a process is, in words that mean the same to the next life of this program. Plain data, to be written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// The process itself; `None`: it was about to be started.
    pub root: Option<Root>,
    /// The boot of the machine that it belongs to; empty where [`Root::start`] means the same after a boot.
    pub boot: String,
    /// The control group or job that it was born in; `None`: there was none to be had.
    pub group: Option<String>,
    /// The value of its [`LAUNCH_VARIABLE`].
    pub mark: String,
}

/// A process that means one process only, together with its boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Its id.
    pub pid: u32,
    /// When it was started, in the system's own unit.
    pub start: u64,
}

impl ProcessRecord {
    /// What will be known of a kept process before it is there: where [`launch`](crate::launch) will have it born. Written down
    /// first, it finds a process whose launcher died before it could write down more.
    pub fn intended(station: &Station, command: &Command) -> ProcessRecord {
        let (boot, group) = (system::keep::boot(), system::keep::group(station, command));
        ProcessRecord { root: None, boot, group, mark: command.mark().to_owned() }
    }

    /// Takes the process over if it lives: the same pid, the same start, in the group that it was born in. `None`: there is no
    /// such process; what may be left of it is for [`sweep`](Self::sweep). Its exit may be
    /// [unknowable](crate::Exit::Unknown). Needs a runtime.
    ///
    /// # Errors
    /// It could not be found out, and the process may live.
    pub fn adopt(&self) -> io::Result<Option<Process>> {
        system::keep::adopt(self)
    }

    /// Kills whatever is left of it: the root process, wherever it went, and what it started. Says how many there were.
    ///
    /// # Errors
    /// Something may be left.
    pub fn sweep(&self) -> io::Result<usize> {
        system::keep::sweep(self)
    }

    /// The root process is gone: lets go of what it left, without ending it.
    ///
    /// # Errors
    /// What is left still lives in its group.
    pub fn release(&self) -> io::Result<()> {
        system::keep::release(self)
    }
}
