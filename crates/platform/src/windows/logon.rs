//! Logging on the account of a worker, as the service manager does for a service: `LogonUserW`.
//!
//! A logon right and a password are what it takes. The system's own accounts have the right and no password, and the password
//! of a group-managed account is known to the machine, which stands for it by a constant. Any other would have to be kept
//! somewhere by us, and is refused. What lasts longer than a moment here is a domain that is asked: off the loop.

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_LOGON_FAILURE, ERROR_LOGON_TYPE_NOT_GRANTED, ERROR_NO_SUCH_DOMAIN,
    ERROR_NO_SUCH_USER, ERROR_NONE_MAPPED, ERROR_PRIVILEGE_NOT_HELD, WIN32_ERROR,
};
use windows_sys::Win32::NetworkManagement::NetManagement::SERVICE_ACCOUNT_PASSWORD;
use windows_sys::Win32::Security::{LOGON32_LOGON_SERVICE, LOGON32_PROVIDER_DEFAULT, LogonUserW};
use windows_sys::core::PCWSTR;

use super::handle::{owned, succeeded};
use super::sid::Sid;
use super::station::Home;
use super::token::{Token, own_sid};
use super::wide::wide;
use super::{account, profile, service_sid, shell};
use crate::{Account, LaunchError, LaunchErrorKind};

/// The domain of the system's own accounts, in every language of Windows.
const AUTHORITY: &str = "NT AUTHORITY";

/// What a worker can run as, for people.
pub const WORKER_ACCOUNTS: &str = r"`LocalService`, `NetworkService`, a group-managed `DOMAIN\NAME$`, or `LocalSystem` where nothing less will do";

/// Whether a worker can run as this account, as far as that can be told by its name. `service` is the service's name, and
/// `runs_as` its own account.
///
/// # Errors
///
/// What is wrong with it, to follow "account `…`, which".
pub fn check_worker_account(account: &str, service: &str, runs_as: &Account) -> Result<(), String> {
    let account = Account::parse(account, service)?;
    if account == *runs_as {
        return Ok(());
    }
    if *runs_as != Account::LocalSystem {
        return Err(format!(
            "a service that runs as {runs_as} cannot become: its workers run as {runs_as}, too"
        ));
    }
    match account {
        Account::LocalSystem | Account::LocalService | Account::NetworkService | Account::Managed(_) => {
            Ok(())
        }
        Account::Virtual => {
            Err("only the service manager gives out: run the whole service as it, or the worker as another"
                .into())
        }
        Account::Named(_) => Err("has a password, for which there is no safe place here".into()),
    }
}

/// Logs on the account of a worker of this service: the token, and whose it is. `None`: it is what this program is.
///
/// # Errors
///
/// `NotReady`: there is no such account, or not yet. `Busy`: it could not be found out. `Wrong`: it may not be logged on.
pub(super) fn of_worker(name: &str, service: &str) -> Result<Option<(Token, Sid)>, LaunchError> {
    let wrong = |why: String| LaunchError::refused("log on the account", name, LaunchErrorKind::Wrong, why);
    let account = Account::parse(name, service).map_err(|why| wrong(format!("it {why}")))?;
    if is_own(&account, service) {
        return Ok(None);
    }
    let logged_on = match &account {
        Account::LocalService => log_on("LocalService", AUTHORITY, None),
        Account::NetworkService => log_on("NetworkService", AUTHORITY, None),
        Account::Managed(managed) => match managed.split_once('\\') {
            Some((domain, name)) => log_on(name, domain, Some(SERVICE_ACCOUNT_PASSWORD)),
            None => return Err(wrong("it has no domain".into())),
        },
        Account::LocalSystem | Account::Virtual | Account::Named(_) => {
            return Err(wrong(format!("use {WORKER_ACCOUNTS}")));
        }
    };
    let token = logged_on.map_err(|error| refused(name, error))?;
    let user = token.user().map_err(|error| refused(name, error))?;
    // Whatever answered, no worker gets this by another name.
    if user.is_local_system() {
        return Err(wrong("its token is that of the system itself".into()));
    }
    Ok(Some((token, user)))
}

/// What Windows keeps for an account. One whose profile was never made has no folder of its own.
pub(super) fn home_of(token: &Token) -> io::Result<Home> {
    let environment = profile::environment_of(token)?;
    let profile = profile::folder_of(token).or_else(|_| shell::system_folder())?;
    Ok(Home { environment, profile })
}

/// An account that could not be logged on, classified and with what to do about it.
pub(super) fn refused(name: &str, source: io::Error) -> LaunchError {
    let (kind, advice) = meaning(source.raw_os_error().unwrap_or(0).cast_unsigned());
    let error = LaunchError::system("log on the account", name, kind, source);
    match advice {
        Some(advice) => error.with_advice(advice),
        None => error,
    }
}

/// What `LogonUserW` means by an error. What is not known may pass.
fn meaning(code: WIN32_ERROR) -> (LaunchErrorKind, Option<&'static str>) {
    match code {
        ERROR_NO_SUCH_USER | ERROR_NONE_MAPPED | ERROR_NO_SUCH_DOMAIN => {
            (LaunchErrorKind::NotReady, Some("there is none of this name; make it, or change `account`"))
        }
        ERROR_LOGON_FAILURE => (
            LaunchErrorKind::NotReady,
            Some("a group-managed account must be installed on this machine: Install-ADServiceAccount"),
        ),
        ERROR_LOGON_TYPE_NOT_GRANTED => (
            LaunchErrorKind::Wrong,
            Some("it has not the right to log on as a service; grant it in the local security policy"),
        ),
        ERROR_PRIVILEGE_NOT_HELD | ERROR_ACCESS_DENIED => (
            LaunchErrorKind::Wrong,
            Some("only LocalSystem may log on other accounts; let the service run with this account"),
        ),
        _ => (LaunchErrorKind::Busy, None),
    }
}

fn is_own(account: &Account, service: &str) -> bool {
    let own = own_sid();
    match account {
        Account::LocalSystem => own.is_local_system(),
        Account::LocalService => own.as_str() == Sid::LOCAL_SERVICE,
        Account::NetworkService => own.as_str() == Sid::NETWORK_SERVICE,
        Account::Virtual => own.as_str() == service_sid::of(service),
        Account::Managed(name) | Account::Named(name) => {
            let Some((domain, name)) = name.split_once('\\') else { return false };
            account::of(own)
                .is_ok_and(|own| own.is_named(if domain == "." { &own.domain } else { domain }, name))
        }
    }
}

/// A new logon of an account, as a service. `password` has an end marker; `None`: it has none.
fn log_on(name: &str, domain: &str, password: Option<PCWSTR>) -> io::Result<Token> {
    let (name, domain) = (wide(name), wide(domain));
    let mut token = ptr::null_mut();
    // SAFETY: all strings have their end markers or are null, where that is allowed; `token` is ours to be written.
    succeeded(unsafe {
        LogonUserW(
            name.as_ptr(),
            domain.as_ptr(),
            password.unwrap_or(ptr::null()),
            LOGON32_LOGON_SERVICE,
            LOGON32_PROVIDER_DEFAULT,
            &mut token,
        )
    })?;
    owned(token).map(Token::from_handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_for_workers() {
        let check = |account: &str, runs_as: &Account| check_worker_account(account, "acme", runs_as);
        for good in ["LocalSystem", "localservice", r"NT AUTHORITY\NetworkService", r"ACME\sync$"] {
            assert_eq!(check(good, &Account::LocalSystem), Ok(()), "{good}");
        }
        for bad in [r"ACME\alice", r"NT SERVICE\acme", r"NT SERVICE\other", "sync"] {
            assert!(check(bad, &Account::LocalSystem).is_err(), "{bad}");
        }
        // Itself is all that a lesser service can be.
        assert_eq!(check(r"NT SERVICE\acme", &Account::Virtual), Ok(()));
        assert_eq!(check(r"ACME\alice", &Account::Named(r"ACME\alice".into())), Ok(()));
        assert!(check("LocalService", &Account::NetworkService).is_err());
    }

    #[test]
    fn answers_about_logons_are_classified() {
        for (code, kind) in [
            (1317, LaunchErrorKind::NotReady),
            (1326, LaunchErrorKind::NotReady),
            (1385, LaunchErrorKind::Wrong),
            (1314, LaunchErrorKind::Wrong),
            (1311, LaunchErrorKind::Busy),
        ] {
            assert_eq!(meaning(code).0, kind, "{code}");
        }
    }

    #[test]
    fn what_this_program_is_needs_no_logon() {
        let own = account::of(own_sid()).unwrap();
        let named = Account::Named(format!(r"{}\{}", own.domain, own.name.to_uppercase()));
        assert!(is_own(&named, "acme") && !is_own(&Account::Managed(r"ACME\sync$".into()), "acme"));
    }
}
