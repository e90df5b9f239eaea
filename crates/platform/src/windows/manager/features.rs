//! Settings of a service that not every system has.
//!
//! <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-changeserviceconfig2w>

use std::ffi::c_void;
use std::time::Duration;
use std::{io, ptr};

use windows_sys::Win32::Foundation::TRUE;
use windows_sys::Win32::System::Services::{
    ChangeServiceConfig2W, QueryServiceConfig2W, SC_ACTION, SC_ACTION_RESTART, SERVICE_CONFIG,
    SERVICE_CONFIG_DELAYED_AUTO_START_INFO, SERVICE_CONFIG_DESCRIPTION, SERVICE_CONFIG_FAILURE_ACTIONS,
    SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, SERVICE_CONFIG_PRESHUTDOWN_INFO,
    SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, SERVICE_CONFIG_SERVICE_SID_INFO,
    SERVICE_DELAYED_AUTO_START_INFO, SERVICE_DESCRIPTIONW, SERVICE_FAILURE_ACTIONS_FLAG,
    SERVICE_FAILURE_ACTIONSW, SERVICE_PRESHUTDOWN_INFO, SERVICE_REQUIRED_PRIVILEGES_INFOW, SERVICE_SID_INFO,
    SERVICE_SID_TYPE_UNRESTRICTED,
};

use super::super::handle::succeeded;
use super::super::wide::wide;
use super::handle::Service;
use crate::{Account, Installation, StartType};

/// What the manager does when the service fails: it is started again after each of these times, the last one for good.
const RESTART_AFTER: [Duration; 3] =
    [Duration::from_secs(3), Duration::from_secs(30), Duration::from_secs(600)];

/// A service that ran this long begins with the first of them again.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);

/// What a service that acts for users needs, and nothing else of what LocalSystem could do.
const PRIVILEGES_OF_SYSTEM: [&str; 5] = [
    // The token of a session's user: WTSQueryUserToken.
    "SeTcbPrivilege",
    // A process with somebody else's token: CreateProcessAsUser.
    "SeAssignPrimaryTokenPrivilege",
    // The same call counts the new process's memory against that user.
    "SeIncreaseQuotaPrivilege",
    // Who is at the other end of a pipe.
    "SeImpersonatePrivilege",
    // Paths through folders that it could not list; programs expect to have it.
    "SeChangeNotifyPrivilege",
];

/// What a service needs that acts for itself only. Accounts other than LocalSystem do not have the rest, and the manager does
/// not start a service that asks for a privilege which its account has not.
const PRIVILEGES_OF_OTHERS: [&str; 2] = ["SeImpersonatePrivilege", "SeChangeNotifyPrivilege"];

/// Applies what belongs to the installation, and says what this system refused, a line each: the service works without.
pub(super) fn apply(service: &Service, what: &Installation) -> Vec<String> {
    let mut steps = vec![
        ("the description", description(service, &what.description)),
        ("the restart after a failure", failure_actions(service)),
        ("the restart after a failure that is no crash", failure_actions_flag(service)),
        ("the service's own identity (service SID)", service_sid(service)),
        ("the reduction of its privileges", privileges(service, &what.account)),
        ("the time-out at shutdown", preshutdown(service, what.preshutdown_timeout)),
    ];
    match what.start {
        StartType::Delayed => steps.push(("the delayed start", delayed(service, true))),
        // Only what was set before has to be taken back; a system without delayed starts has nothing to refuse.
        StartType::Auto if is_delayed(service) => {
            steps.push(("the end of the delay at start", delayed(service, false)));
        }
        StartType::Auto | StartType::Manual => {}
    }
    let refused = |(feature, outcome): (&str, io::Result<()>)| Some(format!("{feature}: {}", outcome.err()?));
    steps.into_iter().filter_map(refused).collect()
}

/// What the manager waits for after a shutdown was announced.
pub(super) fn preshutdown_timeout(service: &Service) -> io::Result<Duration> {
    let info: SERVICE_PRESHUTDOWN_INFO = ask(service, SERVICE_CONFIG_PRESHUTDOWN_INFO)?;
    Ok(Duration::from_millis(info.dwPreshutdownTimeout.into()))
}

/// Whether an automatic start is delayed.
pub(super) fn is_delayed(service: &Service) -> bool {
    let info: io::Result<SERVICE_DELAYED_AUTO_START_INFO> =
        ask(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO);
    info.is_ok_and(|info| info.fDelayedAutostart != 0)
}

fn description(service: &Service, text: &str) -> io::Result<()> {
    let mut text = wide(text);
    set(service, SERVICE_CONFIG_DESCRIPTION, &SERVICE_DESCRIPTIONW { lpDescription: text.as_mut_ptr() })
}

fn failure_actions(service: &Service) -> io::Result<()> {
    let mut actions =
        RESTART_AFTER.map(|delay| SC_ACTION { Type: SC_ACTION_RESTART, Delay: delay.as_millis() as u32 });
    let info = SERVICE_FAILURE_ACTIONSW {
        dwResetPeriod: FORGET_AFTER.as_secs() as u32,
        lpRebootMsg: ptr::null_mut(),
        lpCommand: ptr::null_mut(),
        cActions: actions.len() as u32,
        lpsaActions: actions.as_mut_ptr(),
    };
    set(service, SERVICE_CONFIG_FAILURE_ACTIONS, &info)
}

fn failure_actions_flag(service: &Service) -> io::Result<()> {
    let info = SERVICE_FAILURE_ACTIONS_FLAG { fFailureActionsOnNonCrashFailures: TRUE };
    set(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &info)
}

fn service_sid(service: &Service) -> io::Result<()> {
    let info = SERVICE_SID_INFO { dwServiceSidType: SERVICE_SID_TYPE_UNRESTRICTED };
    set(service, SERVICE_CONFIG_SERVICE_SID_INFO, &info)
}

fn privileges(service: &Service, account: &Account) -> io::Result<()> {
    let names: &[&str] = match account {
        Account::LocalSystem => &PRIVILEGES_OF_SYSTEM,
        _ => &PRIVILEGES_OF_OTHERS,
    };
    let mut list: Vec<u16> = names.iter().flat_map(wide).collect();
    list.push(0);
    let info = SERVICE_REQUIRED_PRIVILEGES_INFOW { pmszRequiredPrivileges: list.as_mut_ptr() };
    set(service, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &info)
}

fn preshutdown(service: &Service, timeout: Duration) -> io::Result<()> {
    let timeout = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    set(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &SERVICE_PRESHUTDOWN_INFO { dwPreshutdownTimeout: timeout })
}

fn delayed(service: &Service, delayed: bool) -> io::Result<()> {
    let info = SERVICE_DELAYED_AUTO_START_INFO { fDelayedAutostart: delayed.into() };
    set(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &info)
}

/// Writes one of the structures above. Each caller pairs the level with the structure that belongs to it, whose pointers are
/// alive until this returns.
fn set<T>(service: &Service, level: SERVICE_CONFIG, info: &T) -> io::Result<()> {
    // SAFETY: the service is open; `info` is the complete structure of this level, and the call only reads it.
    succeeded(unsafe { ChangeServiceConfig2W(service.raw(), level, ptr::from_ref(info).cast::<c_void>()) })
}

/// Reads a structure that is made of plain values and has no pointers.
fn ask<T: Copy + Default>(service: &Service, level: SERVICE_CONFIG) -> io::Result<T> {
    let (mut info, mut needed) = (T::default(), 0);
    let length = size_of::<T>() as u32;
    // SAFETY: the service is open; `info` can take `length` bytes, and any bit pattern is a value of these types.
    succeeded(unsafe {
        QueryServiceConfig2W(service.raw(), level, ptr::from_mut(&mut info).cast(), length, &mut needed)
    })?;
    Ok(info)
}
