//! Accounts by their security identifiers: `LookupAccountSidW`.
//!
//! What this machine does not know itself a domain controller is asked for, and one that is out of reach takes a minute or more to
//! be given up: these calls are made off the loop.

use std::collections::HashMap;
use std::io;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use windows_sys::Win32::Foundation::ERROR_INSUFFICIENT_BUFFER;
use windows_sys::Win32::Security::LookupAccountSidW;

use super::handle::succeeded;
use super::sid::Sid;
use super::stream::is;

/// In units, with the end marker: DNLEN and UNLEN are 15 and 256, and fully qualified domains are longer.
const NAME_LENGTH_MAX: u32 = 1024;
/// The groups of a large domain that one machine sees, and more.
const KNOWN_MAX: usize = 4096;

/// A user or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) domain: String,
    pub(super) name: String,
}

impl Account {
    /// Names are compared without case.
    pub(super) fn is_named(&self, domain: &str, name: &str) -> bool {
        let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
        same(&self.domain, domain) && same(&self.name, name)
    }
}

/// The account that a security identifier belongs to. Blocks until the system answers.
pub(super) fn of(sid: &Sid) -> io::Result<Account> {
    let binary = sid.to_binary()?;
    let (mut name, mut domain) = (vec![0_u16; 64], vec![0_u16; 64]);
    loop {
        let (mut name_length, mut domain_length) = (name.len() as u32, domain.len() as u32);
        let mut kind = 0;
        // SAFETY: the identifier is complete and alive; both buffers can take as many units as is said; all places are ours.
        let asked = succeeded(unsafe {
            LookupAccountSidW(
                ptr::null(),
                binary.as_ptr(),
                name.as_mut_ptr(),
                &mut name_length,
                domain.as_mut_ptr(),
                &mut domain_length,
                &mut kind,
            )
        });
        match asked {
            Ok(()) => return Ok(Account { domain: text(&domain), name: text(&name) }),
            Err(error)
                if is(&error, ERROR_INSUFFICIENT_BUFFER)
                    && name_length.max(domain_length) <= NAME_LENGTH_MAX
                    && name_length.max(domain_length) as usize > name.len().min(domain.len()) =>
            {
                name.resize((name_length as usize).max(name.len()), 0);
                domain.resize((domain_length as usize).max(domain.len()), 0);
            }
            Err(error) => return Err(error),
        }
    }
}

fn text(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(&units[..end])
}

/// Names that were looked up once. A group keeps its name, so they are good for as long as this program runs.
#[derive(Default)]
pub(super) struct Names(Mutex<HashMap<Sid, Account>>);

impl Names {
    /// All by which a filter may mean these groups: identifier, name, and name with domain; for well-known ones also the English name,
    /// which they have on a Windows of any language. What cannot be looked up is left at the first. Blocks as [`of`] does.
    pub(super) fn of_groups(&self, groups: &[Sid]) -> Vec<String> {
        let mut names = Vec::with_capacity(groups.len() * 3);
        for group in groups {
            names.push(group.to_string());
            names.extend(group.well_known().map(str::to_owned));
            if let Some(Account { domain, name }) = self.account(group) {
                if !domain.is_empty() {
                    names.push(format!(r"{domain}\{name}"));
                }
                names.push(name);
            }
        }
        names.sort();
        names.dedup();
        names
    }

    fn account(&self, sid: &Sid) -> Option<Account> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(sid).cloned();
        known.or_else(|| {
            // Without the lock: nobody waits for another's domain controller.
            let found = of(sid).ok()?;
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(sid.clone(), found.clone());
            Some(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::token::{Token, own_sid};

    #[test]
    fn the_own_account_has_a_name() {
        let account = of(own_sid()).unwrap();
        assert!(!account.name.is_empty() && account.is_named(&account.domain, &account.name.to_uppercase()));
        assert!(!account.is_named("elsewhere", &account.name));
    }

    #[test]
    fn groups_are_known_by_identifier_and_name() {
        let groups = Token::own().unwrap().groups().unwrap();
        assert!(!groups.is_empty());
        let names = Names::default();
        let found = names.of_groups(&groups);
        assert!(groups.iter().all(|group| found.iter().any(|name| name == group.as_str())));
        assert_eq!(names.of_groups(&groups), found);
    }
}
