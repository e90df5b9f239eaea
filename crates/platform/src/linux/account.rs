//! Users and groups by the name service: getpwnam(3), getgrouplist(3). Directory servers take part in these calls and may take
//! as long as they like, so they are made off the loop and with a deadline.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::ptr;
use std::time::Duration;

/// How long the name service may take before it is asked again another time.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// What one answer may take in bytes; a group with thousands of members is long.
const ANSWER_LENGTH_MAX: usize = 1024 * 1024;
/// How many groups one user may be in: NGROUPS_MAX, limits.h.
const GROUPS_MAX: i32 = 65_536;

/// A line of the user database, and the groups that the user is in.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: PathBuf,
    pub(crate) shell: PathBuf,
    /// All of the user's groups, the primary one among them.
    pub(crate) gids: Vec<u32>,
    /// Their names, as far as they have any.
    pub(crate) groups: Vec<String>,
}

impl Account {
    /// Looks a user up. `NotFound`: there is none with this uid.
    pub(crate) async fn look_up(uid: u32) -> io::Result<Account> {
        off_the_loop(move || user(uid)).await
    }

    /// Finds a user by name or, if nobody has it and it is a number, by uid, as chown(1) does. `NotFound`: there is none.
    pub(crate) async fn find(name_or_uid: &str) -> io::Result<Account> {
        let name = name_or_uid.to_owned();
        off_the_loop(move || match (uid_of(&name)?, name.parse()) {
            (Some(uid), _) | (None, Ok(uid)) => user(uid),
            (None, Err(_)) => Err(io::ErrorKind::NotFound.into()),
        })
        .await
    }
}

/// What a worker can run as, for people.
pub const WORKER_ACCOUNTS: &str = "a user of this machine, such as `acme-worker`";

/// Whether a worker can run as this account, as far as that can be told by its name: which accounts there are, the name service
/// says when one is needed.
///
/// # Errors
///
/// What is wrong with it, to follow "account `…`, which": no user can be called so, passwd(5).
pub fn check_worker_account(account: &str, _service: &str, _runs_as: &crate::Account) -> Result<(), String> {
    let impossible = |c: char| c.is_control() || c.is_whitespace() || matches!(c, ':' | ',' | '/');
    if account.is_empty() || account.starts_with('-') || account.contains(impossible) {
        return Err("can be no user's name".into());
    }
    Ok(())
}

/// The names of this process's own groups.
pub(crate) async fn own_groups() -> io::Result<Vec<String>> {
    let gids = rustix::process::getgroups()?;
    off_the_loop(move || Ok(gids.iter().filter_map(|gid| group_name(gid.as_raw())).collect())).await
}

/// Whether there is a user of this name or, if it is a number, this uid. `None`: the name service did not say. Blocks until it
/// answers.
pub fn knows_user(user_or_uid: &str) -> Option<bool> {
    let answer = match user_or_uid.parse() {
        Ok(uid) => user(uid).map(|_| true),
        Err(_) => uid_of(user_or_uid).map(|uid| uid.is_some()),
    };
    known(answer)
}

/// Whether there is a group of this name. `None`: the name service did not say. Blocks until it answers.
pub fn knows_group(group: &str) -> Option<bool> {
    known(group_exists(group))
}

fn known(answer: io::Result<bool>) -> Option<bool> {
    match answer {
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(false),
        Err(_) => None,
    }
}

async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::time::timeout(ANSWER_WITHIN, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(stopped)) => Err(io::Error::other(stopped)),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the name service did not answer within 5 s")),
    }
}

fn user(uid: u32) -> io::Result<Account> {
    let mut account = with_answer_buffer(|buffer, length| {
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
                    home: text(entry.pw_dir).into(),
                    shell: text(entry.pw_shell).into(),
                    gids: Vec::new(),
                    groups: Vec::new(),
                })
            }
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    })?;
    account.gids = group_list(&account.name, account.gid)?;
    account.groups = account.gids.iter().filter_map(|gid| group_name(*gid)).collect();
    Ok(account)
}

/// `None`: nobody has this name.
fn uid_of(name: &str) -> io::Result<Option<u32>> {
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

fn group_exists(name: &str) -> io::Result<bool> {
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
        if room > GROUPS_MAX {
            return Err(io::Error::other("the user is in more groups than the kernel allows"));
        }
    }
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
fn text(string: *const libc::c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: the entry's strings end with a NUL and lie in the buffer that is still alive.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_not() {
        for (name, known) in [("root", true), ("0", true), ("no-such-account", false), ("3999999999", false)]
        {
            assert_eq!(knows_user(name), Some(known), "{name}");
        }
        assert_eq!(knows_group("root"), Some(true));
        assert_eq!(knows_group("no-such-group"), Some(false));
    }

    #[tokio::test]
    async fn accounts_are_found_by_name_and_number() {
        for name in ["root", "0"] {
            assert_eq!(Account::find(name).await.unwrap().uid, 0);
        }
        for name in ["no-such-account", "3999999999"] {
            assert_eq!(Account::find(name).await.unwrap_err().kind(), io::ErrorKind::NotFound, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_a_name_is_told() {
        let runs_as = crate::Account::default();
        for good in ["acme-worker", "_acme", "ACME\\worker$", "1001"] {
            assert_eq!(check_worker_account(good, "acme", &runs_as), Ok(()), "{good}");
        }
        for bad in ["", "-u", "a b", "root:0", "../root", "a\n"] {
            assert!(check_worker_account(bad, "acme", &runs_as).is_err(), "{bad}");
        }
    }

    #[test]
    fn root_is_found_and_nobody_else_is_invented() {
        let root = user(0).unwrap();
        assert_eq!((root.name.as_str(), root.gid), ("root", 0));
        assert!(root.gids.contains(&0) && root.groups.iter().any(|name| name == "root"));
        assert_eq!(user(3_999_999_999).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
