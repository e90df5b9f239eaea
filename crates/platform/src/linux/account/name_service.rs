//! The name service in this process: getpwnam(3), getgrouplist(3). Blocks for as long as its modules like.

use std::ffi::{CStr, CString, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStringExt as _;
use std::ptr;

use rustix::process::{geteuid, getgroups};

use super::Account;
use super::answer::GROUPS_MAX;

/// What one answer may take in bytes; a group with thousands of members is long.
const ANSWER_LENGTH_MAX: usize = 1024 * 1024;

/// A user by name or, if nobody has it and it is a number, by uid.
pub(super) fn user_called(name: &str) -> io::Result<Account> {
    match (uid_of(name)?, name.parse()) {
        (Some(uid), _) | (None, Ok(uid)) => user(uid),
        (None, Err(_)) => {
            Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no user called {name:?}")))
        }
    }
}

/// The user of this process, with the groups of this process.
pub(super) fn own() -> io::Result<Account> {
    let gids: Vec<u32> = getgroups()?.into_iter().map(|gid| gid.as_raw()).collect();
    let account = entry_of(geteuid().as_raw())?;
    Ok(Account { groups: group_names(&gids), gids, ..account })
}

/// A user by uid, with the groups that the database says.
pub(super) fn user(uid: u32) -> io::Result<Account> {
    let account = entry_of(uid)?;
    let gids = group_list(&account.name, account.gid)?;
    Ok(Account { groups: group_names(&gids), gids, ..account })
}

/// A user's line of the database, without groups.
fn entry_of(uid: u32) -> io::Result<Account> {
    with_answer_buffer(|buffer, length| {
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: getpwuid_r(3) writes the entry, and its strings to the buffer of this length.
        let errno = unsafe { libc::getpwuid_r(uid, entry.as_mut_ptr(), buffer, length, &raw mut found) };
        match errno {
            0 if found.is_null() => {
                Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no user with uid {uid}")))
            }
            0 => {
                // SAFETY: a found entry was written.
                let entry = unsafe { entry.assume_init_ref() };
                Ok(Account {
                    name: text(entry.pw_name),
                    uid,
                    gid: entry.pw_gid,
                    home: bytes(entry.pw_dir).into(),
                    shell: bytes(entry.pw_shell).into(),
                    gids: Vec::new(),
                    groups: Vec::new(),
                })
            }
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    })
}

/// `None`: nobody has this name.
pub(super) fn uid_of(name: &str) -> io::Result<Option<u32>> {
    let name = CString::new(name)?;
    with_answer_buffer(|buffer, length| {
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found = ptr::null_mut();
        let place = entry.as_mut_ptr();
        // SAFETY: getpwnam_r(3) writes the entry, and its strings to the buffer of this length; the name ends with a NUL.
        let errno = unsafe { libc::getpwnam_r(name.as_ptr(), place, buffer, length, &raw mut found) };
        match errno {
            0 if found.is_null() => Ok(None),
            // SAFETY: a found entry was written.
            0 => Ok(Some(unsafe { entry.assume_init_ref() }.pw_uid)),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    })
}

pub(super) fn group_exists(name: &str) -> io::Result<bool> {
    let name = CString::new(name)?;
    with_answer_buffer(|buffer, length| {
        let mut entry = MaybeUninit::<libc::group>::uninit();
        let mut found = ptr::null_mut();
        let entry = entry.as_mut_ptr();
        // SAFETY: getgrnam_r(3) writes the entry, and its strings to the buffer of this length; the name ends with a NUL.
        let errno = unsafe { libc::getgrnam_r(name.as_ptr(), entry, buffer, length, &raw mut found) };
        if errno == 0 { Ok(!found.is_null()) } else { Err(io::Error::from_raw_os_error(errno)) }
    })
}

fn group_list(name: &str, primary: u32) -> io::Result<Vec<u32>> {
    let name = CString::new(name)?;
    let mut room = 64_i32;
    loop {
        let mut gids = vec![0; room.unsigned_abs() as usize];
        let mut count = room;
        // SAFETY: getgrouplist(3) writes at most `count` ids and says how many there are.
        let answer = unsafe { libc::getgrouplist(name.as_ptr(), primary, gids.as_mut_ptr(), &raw mut count) };
        if answer >= 0 {
            gids.truncate(count.unsigned_abs() as usize);
            return Ok(gids);
        }
        room = count.max(room * 2);
        if room.unsigned_abs() as usize > GROUPS_MAX {
            return Err(io::Error::other("the user is in more groups than the kernel allows"));
        }
    }
}

fn group_names(gids: &[u32]) -> Vec<String> {
    gids.iter().filter_map(|gid| group_name(*gid)).collect()
}

fn group_name(gid: u32) -> Option<String> {
    let found = with_answer_buffer(|buffer, length| {
        let mut entry = MaybeUninit::<libc::group>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: getgrgid_r(3) writes the entry, and its strings to the buffer of this length.
        let errno = unsafe { libc::getgrgid_r(gid, entry.as_mut_ptr(), buffer, length, &raw mut found) };
        match errno {
            0 if found.is_null() => Ok(None),
            // SAFETY: a found entry was written.
            0 => Ok(Some(text(unsafe { entry.assume_init_ref() }.gr_name))),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    });
    found.ok().flatten()
}

/// Calls with a buffer that grows until the answer fits.
fn with_answer_buffer<T>(mut call: impl FnMut(*mut libc::c_char, usize) -> io::Result<T>) -> io::Result<T> {
    let mut length = 1024;
    loop {
        let mut buffer = vec![0; length];
        match call(buffer.as_mut_ptr(), length) {
            Err(error) if error.raw_os_error() == Some(libc::ERANGE) && length < ANSWER_LENGTH_MAX => {
                length *= 4;
            }
            answer => return answer,
        }
    }
}

/// A string of an entry, copied.
fn bytes(string: *const libc::c_char) -> OsString {
    if string.is_null() {
        return OsString::new();
    }
    // SAFETY: the entry's strings end with a NUL and lie in the buffer that is still alive.
    OsString::from_vec(unsafe { CStr::from_ptr(string) }.to_bytes().to_vec())
}

fn text(string: *const libc::c_char) -> String {
    bytes(string).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_and_nobody_else_is_invented() {
        let root = user(0).unwrap();
        assert_eq!((root.name.as_str(), root.gid), ("root", 0));
        assert!(root.gids.contains(&0) && root.groups.iter().any(|name| name == "root"));
        assert_eq!(user(3_999_999_999).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn this_process_is_known_by_its_own_groups() {
        let own = own().unwrap();
        assert_eq!(own.uid, geteuid().as_raw());
        assert_eq!(own.gids, getgroups().unwrap().iter().map(|gid| gid.as_raw()).collect::<Vec<_>>());
    }
}
