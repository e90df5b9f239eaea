//! Accounts by the names that this system has for them, and the right to log on as a service.

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::NTSTATUS;
use windows_sys::Win32::Security::Authentication::Identity::{
    LSA_HANDLE, LSA_OBJECT_ATTRIBUTES, LSA_UNICODE_STRING, LsaAddAccountRights, LsaClose,
    LsaNtStatusToWinError, LsaOpenPolicy, POLICY_CREATE_ACCOUNT, POLICY_LOOKUP_NAMES,
};
use windows_sys::Win32::Security::{
    CreateWellKnownSid, LookupAccountNameW, LookupAccountSidW, SECURITY_MAX_SID_SIZE, WELL_KNOWN_SID_TYPE,
    WinLocalServiceSid, WinNetworkServiceSid,
};

use super::super::handle::succeeded;
use super::super::wide::wide;
use crate::Account;

/// A binary security identifier, aligned for the calls.
type SidBuffer = [u32; (SECURITY_MAX_SID_SIZE as usize).div_ceil(4)];

/// The longest name of an account or a domain that the calls return, with its end marker.
const NAME_MAX: usize = 257;

/// The account as the manager wants it. The names of the built-in ones are those of the system's language, which only their
/// identifiers tell; LocalSystem is the manager's own word and the same everywhere.
pub(super) fn name_of(account: &Account, service: &str) -> io::Result<String> {
    match account {
        Account::LocalSystem => Ok("LocalSystem".to_owned()),
        Account::LocalService => well_known(WinLocalServiceSid),
        Account::NetworkService => well_known(WinNetworkServiceSid),
        Account::Virtual => Ok(format!(r"NT SERVICE\{service}")),
        Account::Managed(name) | Account::Named(name) => Ok(name.clone()),
    }
}

fn well_known(kind: WELL_KNOWN_SID_TYPE) -> io::Result<String> {
    let mut sid: SidBuffer = [0; _];
    let mut length = size_of_val(&sid) as u32;
    // SAFETY: `sid` can take `length` bytes, which is the most that an identifier has; no domain is needed for these.
    succeeded(unsafe { CreateWellKnownSid(kind, ptr::null_mut(), sid.as_mut_ptr().cast(), &mut length) })?;
    let (mut name, mut domain) = ([0_u16; NAME_MAX], [0_u16; NAME_MAX]);
    let (mut name_length, mut domain_length, mut kind) = (NAME_MAX as u32, NAME_MAX as u32, 0);
    // SAFETY: the identifier is complete; the two buffers can take what their lengths say.
    succeeded(unsafe {
        LookupAccountSidW(
            ptr::null(),
            sid.as_mut_ptr().cast(),
            name.as_mut_ptr(),
            &mut name_length,
            domain.as_mut_ptr(),
            &mut domain_length,
            &mut kind,
        )
    })?;
    Ok(format!(r"{}\{}", text(&domain), text(&name)))
}

fn text(units: &[u16]) -> String {
    let units: Vec<u16> = units.iter().copied().take_while(|unit| *unit != 0).collect();
    String::from_utf16_lossy(&units)
}

/// Gives an account the right to log on as a service, which ordinary accounts do not have.
pub(super) fn grant_logon_as_service(account: &str) -> io::Result<()> {
    let mut sid = sid_of(account)?;
    let policy = Policy::open()?;
    let right = wide("SeServiceLogonRight");
    let bytes = ((right.len() - 1) * size_of::<u16>()) as u16;
    let right = LSA_UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: right.as_ptr().cast_mut() };
    // SAFETY: the policy is open; the identifier is complete; the text is `bytes` long and only read.
    let status = unsafe { LsaAddAccountRights(policy.0, sid.as_mut_ptr().cast(), &right, 1) };
    check(status)
}

fn sid_of(account: &str) -> io::Result<SidBuffer> {
    // "." stands for this machine in most places, but not in this call, which finds a bare name here first.
    let account = wide(account.strip_prefix(r".\").unwrap_or(account));
    let mut sid: SidBuffer = [0; _];
    let mut domain = [0_u16; NAME_MAX];
    let (mut length, mut domain_length, mut kind) = (size_of_val(&sid) as u32, NAME_MAX as u32, 0);
    // SAFETY: the name has its end marker; the two buffers can take what their lengths say.
    succeeded(unsafe {
        LookupAccountNameW(
            ptr::null(),
            account.as_ptr(),
            sid.as_mut_ptr().cast(),
            &mut length,
            domain.as_mut_ptr(),
            &mut domain_length,
            &mut kind,
        )
    })?;
    Ok(sid)
}

/// The open security policy of this machine.
struct Policy(LSA_HANDLE);

impl Policy {
    fn open() -> io::Result<Policy> {
        let attributes = LSA_OBJECT_ATTRIBUTES::default();
        let access = (POLICY_CREATE_ACCOUNT | POLICY_LOOKUP_NAMES) as u32;
        let mut policy = LSA_HANDLE::default();
        // SAFETY: null stands for this machine; the attributes are not used; `policy` is ours to be written.
        check(unsafe { LsaOpenPolicy(ptr::null(), &attributes, access, &mut policy) })?;
        Ok(Policy(policy))
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        // SAFETY: the policy is ours alone and closed once.
        unsafe { LsaClose(self.0) };
    }
}

/// The security authority answers with a status of the kernel's.
fn check(status: NTSTATUS) -> io::Result<()> {
    if status >= 0 {
        return Ok(());
    }
    // SAFETY: takes a plain value only.
    let error = unsafe { LsaNtStatusToWinError(status) };
    Err(io::Error::from_raw_os_error(error.cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_accounts_are_named_by_the_system() {
        for account in [Account::LocalService, Account::NetworkService] {
            let name = name_of(&account, "acme").unwrap();
            let (domain, name) = name.split_once('\\').unwrap();
            assert!(!domain.is_empty() && !name.is_empty(), r"{domain}\{name}");
        }
        assert_eq!(name_of(&Account::LocalSystem, "acme").unwrap(), "LocalSystem");
        assert_eq!(name_of(&Account::Virtual, "acme").unwrap(), r"NT SERVICE\acme");
    }

    #[test]
    fn an_account_that_is_none_is_given_no_right() {
        assert!(grant_logon_as_service(r".\nobody-of-this-name").is_err());
    }
}
