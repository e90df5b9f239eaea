//! What a new process is made from: a program, a command line, an environment, a folder.

use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::credentials::Credentials;
use super::environment::{self, Units, units};
use super::wide::wide;
use super::{program, quoting, refusal};
use crate::{Command, LaunchError};

/// `CreateProcessW`: the command line has at most 32,767 characters, its end marker included.
const COMMAND_LINE_LENGTH_MAX: usize = 32_767;

/// What is the same for every try to create a process. All strings have their end markers.
pub(super) struct Image {
    pub(super) program: Units,
    pub(super) command_line: Units,
    pub(super) environment: Units,
    pub(super) cwd: Option<Units>,
}

impl Image {
    /// Looks at the program and puts together what it is given. `credentials` are those of another user, if it runs as one.
    pub(super) fn new(command: &Command, credentials: Option<&Credentials>) -> Result<Image, LaunchError> {
        let refused = |advice: &str| refusal::wrong(&command.program, advice);
        program::check_program(&command.program, command.trust_writable_program)?;
        let path = command
            .program
            .to_str()
            .ok_or_else(|| refused("its path is not Unicode; give it another name"))?;
        let cwd = command.cwd.clone().or_else(|| home(credentials));
        let texts = command.args.iter().map(String::as_str).chain([path]);
        if texts.chain(cwd.as_deref().and_then(Path::to_str)).any(|text| text.contains('\0')) {
            return Err(refused(
                "its path, an argument or its working directory holds a zero character; remove it",
            ));
        }
        let command_line = wide(quoting::command_line(path, command.args.iter().map(String::as_str)));
        if command_line.len() > COMMAND_LINE_LENGTH_MAX {
            return Err(refused(
                "its arguments are longer than the 32,766 characters that Windows passes on; shorten them",
            ));
        }
        if let Some((name, _)) = command.env.iter().find(|(name, value)| !environment::is_sound(name, value))
        {
            return Err(refused(&format!(
                "the variable {name:?} of its environment cannot be passed on: correct its name or value"
            )));
        }
        Ok(Image {
            program: wide(program::for_launch(&command.program)),
            command_line,
            environment: environment_of(command, credentials),
            cwd: cwd.map(wide),
        })
    }
}

fn home(credentials: Option<&Credentials>) -> Option<PathBuf> {
    match credentials {
        Some(credentials) => Some(credentials.profile.clone()),
        None => std::env::var_os("USERPROFILE").map(PathBuf::from),
    }
}

/// The user's environment, which in a console is our own, with the command's over it.
fn environment_of(command: &Command, credentials: Option<&Credentials>) -> Units {
    let added = command.env.iter().map(|(name, value)| (units(name), units(value)));
    match credentials {
        Some(credentials) => environment::block(credentials.environment.iter().cloned().chain(added)),
        None => {
            let raw = |text: &OsStr| text.encode_wide().collect::<Units>();
            let own = std::env::vars_os().map(|(name, value)| (raw(&name), raw(&value)));
            environment::block(own.chain(added))
        }
    }
}
