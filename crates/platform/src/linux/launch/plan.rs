//! All that a child needs, laid out before it is born: afterwards it must not allocate.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{Gid, Uid};

use super::child::{Become, Orders};
use super::dispositions::Altered;
use super::heritage::Heritage;
use super::strings::Strings;
use crate::system::descriptors;
use crate::system::station::Facts;
use crate::{Command, LaunchError, LaunchErrorKind, Station};

/// A launch on paper.
pub(super) struct Plan<'a> {
    folder: Option<CString>,
    fallback_folder: Option<CString>,
    becomes: Option<(Vec<Gid>, Uid, Gid, Heritage<'a>)>,
    ends_with_us: bool,
    /// The program is the first.
    arguments: Strings,
    environment: Strings,
}

impl<'a> Plan<'a> {
    pub(super) fn draw(station: &'a Station, command: &Command) -> Result<Plan<'a>, LaunchError> {
        let facts = station.facts();
        let folder = command.cwd.as_deref().map(|folder| terminated(folder.as_os_str(), "folder", command));
        let variables = variables(facts, command);
        let home = variables.iter().find(|[name, _, value]| *name == b"HOME" && !value.is_empty());
        let fallback_folder = match (&folder, home) {
            (None, Some([_, _, home])) => Some(terminated(OsStr::from_bytes(home), "HOME", command)?),
            _ => None,
        };
        let mut arguments = vec![[command.program.as_os_str().as_bytes()]];
        arguments.extend(command.args.iter().map(|argument| [argument.as_bytes()]));
        let becomes = facts.become_user.as_ref().map(|user| {
            let groups = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
            (groups, Uid::from_raw(facts.uid), Gid::from_raw(facts.gid), Heritage::of(&user.login, facts.uid))
        });
        Ok(Plan {
            folder: folder.transpose()?,
            fallback_folder,
            becomes,
            ends_with_us: command.keep.is_none(),
            arguments: Strings::join(&arguments).ok_or_else(|| has_nul("program or an argument", command))?,
            environment: Strings::join(&variables).ok_or_else(|| has_nul("environment", command))?,
        })
    }

    pub(super) fn folder(&self) -> String {
        self.folder.as_deref().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The same for the child, with what it reads, its ends of the pipes (standard output, standard error, report), and the
    /// entrance to its control group if it is not born in it.
    pub(super) fn orders(
        &self,
        [stdin, stdout, stderr, report]: [RawFd; 4],
        entrance: Option<RawFd>,
    ) -> Orders<'_> {
        Orders {
            program: self.arguments.first(),
            arguments: self.arguments.as_ptr(),
            environment: self.environment.as_ptr(),
            entrance,
            folder: self.folder.as_deref(),
            fallback_folder: self.fallback_folder.as_deref(),
            descriptors: descriptors::limit_for_children(),
            becomes: self.becomes.as_ref().map(|(groups, uid, gid, heritage)| Become {
                groups,
                uid: *uid,
                gid: *gid,
                heritage,
            }),
            signals: Altered::ignored(),
            stdin,
            stdout,
            stderr,
            report,
            parent: self.ends_with_us.then(rustix::process::getpid),
        }
    }
}

/// The command's variables, of two of one name the later, and those of the station that it does not replace: each as name, `=`
/// and value.
fn variables<'a>(station: &'a Facts, command: &'a Command) -> Vec<[&'a [u8]; 3]> {
    let own = &command.env;
    let wins = |index: usize, name: &str| own[index + 1..].iter().all(|(later, _)| later != name);
    let own_last = own.iter().enumerate().filter(|(index, (name, _))| wins(*index, name));
    let is_replaced = |name: &OsStr| own.iter().any(|(other, _)| name == other.as_str());
    let others = station.environment.iter().filter(|(name, _)| !is_replaced(name));
    let mut all = Vec::with_capacity(own.len() + station.environment.len());
    all.extend(own_last.map(|(_, (name, value))| [name.as_bytes(), b"=", value.as_bytes()]));
    all.extend(others.map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()]));
    all
}

fn terminated(text: &OsStr, what: &str, command: &Command) -> Result<CString, LaunchError> {
    CString::new(text.as_bytes()).map_err(|_| has_nul(what, command))
}

fn has_nul(what: &str, command: &Command) -> LaunchError {
    let subject = command.program.display().to_string();
    let source = io::Error::from_raw_os_error(libc::EINVAL);
    LaunchError::system("execute", subject, LaunchErrorKind::Wrong, source)
        .with_advice(format!("its {what} contains a NUL byte"))
}
