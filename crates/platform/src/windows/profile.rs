//! What Windows keeps for a user: the variables of the environment and the folder of the profile.
//!
//! These calls may look the user up, and a domain controller may take its time to answer: they are made off the loop.

use std::ffi::{OsString, c_void};
use std::os::windows::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::{io, ptr, slice};

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, HANDLE};
use windows_sys::Win32::System::Environment::{CreateEnvironmentBlock, DestroyEnvironmentBlock};
use windows_sys::Win32::UI::Shell::GetUserProfileDirectoryW;

use super::environment::{self, Variables};
use super::handle::succeeded;
use super::stream::is;
use super::token::Token;

/// In units. Windows 7 and later set no limit, but what is longer is no environment.
const ENVIRONMENT_LENGTH_MAX: usize = 1024 * 1024;
/// In units, with the end marker: the longest path that there is.
const PATH_LENGTH_MAX: u32 = 32_768;

/// The variables that the programs of a token's user start with.
pub(super) fn environment_of(token: &Token) -> io::Result<Variables> {
    read_block(token.raw())
}

/// The variables of the system alone.
pub(super) fn system_environment() -> io::Result<Variables> {
    read_block(ptr::null_mut())
}

/// The folder of the profile of a token's user.
pub(super) fn folder_of(token: &Token) -> io::Result<PathBuf> {
    let mut path = vec![0_u16; 260];
    loop {
        let mut length = path.len() as u32;
        // SAFETY: the token is alive; `path` can take `length` units; how many there are, or must be, is written to `length`.
        let asked =
            succeeded(unsafe { GetUserProfileDirectoryW(token.raw(), path.as_mut_ptr(), &mut length) });
        match asked {
            Ok(()) => {
                let end = path.iter().position(|unit| *unit == 0).unwrap_or(path.len());
                return Ok(OsString::from_wide(&path[..end]).into());
            }
            Err(error) if is(&error, ERROR_INSUFFICIENT_BUFFER) && length <= PATH_LENGTH_MAX => {
                path.resize((length as usize).max(path.len() * 2), 0);
            }
            Err(error) => return Err(error),
        }
    }
}

/// A block of `CreateEnvironmentBlock`.
struct Block(*mut c_void);

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: from `CreateEnvironmentBlock`, ours alone and freed once.
        unsafe { DestroyEnvironmentBlock(self.0) };
    }
}

fn read_block(token: HANDLE) -> io::Result<Variables> {
    let mut block = ptr::null_mut();
    // SAFETY: the token is alive, or null, which asks for the system's own variables; `block` is ours to be written. Nothing of
    // this process's own environment is taken over.
    succeeded(unsafe { CreateEnvironmentBlock(&mut block, token, 0) })?;
    let block = Block(block);
    let start = block.0.cast::<u16>().cast_const();
    let mut length = 0;
    let mut before = 0;
    loop {
        if length == ENVIRONMENT_LENGTH_MAX {
            return Err(io::Error::other("the environment is longer than 1,048,576 characters"));
        }
        // SAFETY: the end, two zeros, was not found before this unit, so that it is one of the block.
        let at = unsafe { start.add(length) };
        // SAFETY: as above.
        let unit = unsafe { at.read() };
        if unit == 0 && before == 0 {
            break;
        }
        (before, length) = (unit, length + 1);
    }
    // SAFETY: that many units were read just now, and nobody writes them while `block` lives.
    Ok(environment::variables(unsafe { slice::from_raw_parts(start, length) }))
}
