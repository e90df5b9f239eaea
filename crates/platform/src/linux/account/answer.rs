//! What a child says of an account, as bytes: fields that each end with a NUL, which is in no string of the name service.
//!
//! `found`, name, uid, gid, home, shell, how many groups, their ids, and the names that they have; or `none` and a sentence; or
//! `failed`, the system's number of the error where it has one, and a sentence.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use super::Account;

/// How many groups one user may be in: NGROUPS_MAX, limits.h.
pub(super) const GROUPS_MAX: usize = 65_536;
/// How long an answer may be in bytes: as many groups with names of 48 bytes.
pub(super) const LENGTH_MAX: usize = 4 * 1024 * 1024;

const FOUND: &[u8] = b"found";
const NONE: &[u8] = b"none";
const FAILED: &[u8] = b"failed";

/// An answer, for [`decode`].
pub(super) fn encode(answer: &io::Result<Account>) -> Vec<u8> {
    let mut bytes = Vec::new();
    match answer {
        Ok(account) => encode_account(account, &mut bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            put(NONE, &mut bytes);
            put_text(error, &mut bytes);
        }
        Err(error) => {
            put(FAILED, &mut bytes);
            put_text(error.raw_os_error().map_or(String::new(), |errno| errno.to_string()), &mut bytes);
            put_text(error, &mut bytes);
        }
    }
    bytes
}

fn encode_account(account: &Account, bytes: &mut Vec<u8>) {
    put(FOUND, bytes);
    put(account.name.as_bytes(), bytes);
    put_text(account.uid, bytes);
    put_text(account.gid, bytes);
    put(account.home.as_os_str().as_bytes(), bytes);
    put(account.shell.as_os_str().as_bytes(), bytes);
    put_text(account.gids.len(), bytes);
    account.gids.iter().for_each(|gid| put_text(gid, bytes));
    account.groups.iter().for_each(|name| put(name.as_bytes(), bytes));
}

fn put(field: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend(field);
    bytes.push(0);
}

fn put_text(field: impl Display, bytes: &mut Vec<u8>) {
    put(field.to_string().as_bytes(), bytes);
}

/// The answer in these bytes.
///
/// # Errors
///
/// The answer's own, `NotFound` as such; `InvalidData` if this is none, or a part of one.
pub(super) fn decode(bytes: &[u8]) -> io::Result<Account> {
    let fields = bytes.strip_suffix(&[0]).ok_or_else(garbled)?;
    let mut fields = fields.split(|byte| *byte == 0);
    match fields.next().ok_or_else(garbled)? {
        FOUND => decode_account(&mut fields),
        NONE => Err(io::Error::new(io::ErrorKind::NotFound, text(&mut fields)?)),
        FAILED => {
            let errno = text(&mut fields)?;
            let sentence = text(&mut fields)?;
            Err(errno.parse().map_or_else(|_| io::Error::other(sentence), io::Error::from_raw_os_error))
        }
        _ => Err(garbled()),
    }
}

fn decode_account<'a>(fields: &mut impl Iterator<Item = &'a [u8]>) -> io::Result<Account> {
    let name = text(fields)?;
    let (uid, gid) = (number(fields)?, number(fields)?);
    let (home, shell) = (path(fields)?, path(fields)?);
    let count: usize = number(fields)?;
    if count > GROUPS_MAX {
        return Err(garbled());
    }
    let gids: Vec<u32> = (0..count).map(|_| number(fields)).collect::<io::Result<_>>()?;
    let groups: Vec<String> = fields.map(|field| String::from_utf8_lossy(field).into_owned()).collect();
    if groups.len() > count {
        return Err(garbled());
    }
    Ok(Account { name, uid, gid, home, shell, gids, groups })
}

fn field<'a>(fields: &mut impl Iterator<Item = &'a [u8]>) -> io::Result<&'a [u8]> {
    fields.next().ok_or_else(garbled)
}

fn text<'a>(fields: &mut impl Iterator<Item = &'a [u8]>) -> io::Result<String> {
    Ok(String::from_utf8_lossy(field(fields)?).into_owned())
}

fn path<'a>(fields: &mut impl Iterator<Item = &'a [u8]>) -> io::Result<PathBuf> {
    Ok(OsStr::from_bytes(field(fields)?).into())
}

fn number<'a, N: FromStr>(fields: &mut impl Iterator<Item = &'a [u8]>) -> io::Result<N> {
    text(fields)?.parse().map_err(|_| garbled())
}

fn garbled() -> io::Error {
    let advice = "a module of it may have written to standard output (nsswitch.conf)";
    io::Error::new(io::ErrorKind::InvalidData, format!("the name service's answer cannot be read; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd() -> Account {
        Account {
            name: "änne".into(),
            uid: u32::MAX - 1,
            gid: 0,
            home: OsStr::from_bytes(b"/home/\xff a:\n").into(),
            shell: PathBuf::new(),
            gids: vec![0, 7, u32::MAX],
            groups: vec!["Domain Users".into(), String::new()],
        }
    }

    #[test]
    fn an_account_arrives_as_it_is() {
        let bare = Account { gids: Vec::new(), groups: Vec::new(), ..odd() };
        for account in [odd(), bare] {
            assert_eq!(decode(&encode(&Ok(account.clone()))).unwrap(), account);
        }
    }

    #[test]
    fn an_error_stays_what_it_is() {
        let none = io::Error::new(io::ErrorKind::NotFound, "there is no user with uid 5");
        for error in [none, io::Error::other("too many"), io::Error::from_raw_os_error(libc::EIO)] {
            let (kind, number, said) = (error.kind(), error.raw_os_error(), error.to_string());
            let heard = decode(&encode(&Err(error))).unwrap_err();
            assert_eq!((heard.kind(), heard.raw_os_error(), heard.to_string()), (kind, number, said));
        }
    }

    #[test]
    fn no_part_of_an_answer_is_one() {
        let whole = encode(&Ok(Account { groups: Vec::new(), ..odd() }));
        for end in 0..whole.len() {
            let error = decode(&whole[..end]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{end} bytes of {}", whole.len());
        }
    }

    #[test]
    fn what_is_no_answer_is_told() {
        let groups = |count: &str| ["found", "a", "1", "1", "/", "/", count, ""].join("\0").into_bytes();
        assert!(decode(&groups("0")).is_ok());
        let more_names = [groups("0"), b"a\0".to_vec()].concat();
        let text = [b"warning: no server\n".to_vec(), groups("0")].concat();
        for bytes in [groups("65537"), groups("-1"), groups("1"), more_names, text, vec![0; 100]] {
            assert_eq!(decode(&bytes).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
