//! All that a child needs, laid out before it is born: afterwards it must not allocate.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, c_char};
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt as _;
use std::ptr;

use rustix::fs::{Gid, Uid};

use super::child::{Become, Orders};
use super::heritage::Heritage;
use crate::system::descriptors;
use crate::{Command, LaunchError, LaunchErrorKind, Station};

/// A launch on paper.
pub(super) struct Plan {
    program: CString,
    folder: Option<CString>,
    fallback_folder: Option<CString>,
    becomes: Option<(Vec<Gid>, Uid, Gid, Heritage)>,
    ends_with_us: bool,
    arguments: Vector,
    environment: Vector,
}

impl Plan {
    pub(super) fn draw(station: &Station, command: &Command) -> Result<Plan, LaunchError> {
        let facts = station.facts();
        let text = |bytes: &[u8], what| terminated(bytes, what, command);
        let mut variables: BTreeMap<&OsStr, &OsStr> =
            facts.environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())).collect();
        variables.extend(command.env.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value))));
        let home = variables.get(OsStr::new("HOME")).filter(|home| !home.is_empty());
        let folder =
            command.cwd.as_deref().map(|folder| text(folder.as_os_str().as_bytes(), "folder")).transpose()?;
        let fallback_folder = match (&folder, home) {
            (None, Some(home)) => Some(text(home.as_bytes(), "HOME")?),
            _ => None,
        };

        let mut arguments = vec![text(command.program.as_os_str().as_bytes(), "program")?];
        for argument in &command.args {
            arguments.push(text(argument.as_bytes(), "argument")?);
        }
        let mut environment = Vec::with_capacity(variables.len());
        for (name, value) in variables {
            environment.push(text(&[name.as_bytes(), b"=", value.as_bytes()].concat(), "environment")?);
        }
        let becomes = facts.become_user.as_ref().map(|user| {
            let groups = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
            (groups, Uid::from_raw(facts.uid), Gid::from_raw(facts.gid), Heritage::of(&user.login, facts.uid))
        });
        Ok(Plan {
            program: arguments[0].clone(),
            folder,
            fallback_folder,
            becomes,
            ends_with_us: command.keep.is_none(),
            arguments: Vector::new(arguments),
            environment: Vector::new(environment),
        })
    }

    /// Whether the child changes its user.
    pub(super) fn becomes_other(&self) -> bool {
        self.becomes.is_some()
    }

    pub(super) fn folder(&self) -> String {
        self.folder.as_deref().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The same for the child, with its ends of the pipes (standard output, standard error, report), and the entrance to its
    /// control group if it is not born in it.
    pub(super) fn orders(&self, [stdout, stderr, report]: [RawFd; 3], entrance: Option<RawFd>) -> Orders<'_> {
        Orders {
            program: &self.program,
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
            stdout,
            stderr,
            report,
            parent: self.ends_with_us.then(rustix::process::getpid),
        }
    }
}

/// Strings as execve(2) wants them: pointers with a null pointer behind the last.
struct Vector {
    /// Never looked at again, but the pointers lead into it.
    _strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Vector {
    fn new(strings: Vec<CString>) -> Vector {
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect();
        Vector { _strings: strings, pointers }
    }

    fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

fn terminated(bytes: &[u8], what: &str, command: &Command) -> Result<CString, LaunchError> {
    CString::new(bytes).map_err(|_| {
        let subject = command.program.display().to_string();
        let source = io::Error::from_raw_os_error(libc::EINVAL);
        LaunchError::system("execute", subject, LaunchErrorKind::Wrong, source)
            .with_advice(format!("its {what} contains a NUL byte"))
    })
}
