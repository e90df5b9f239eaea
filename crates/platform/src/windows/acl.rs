//! Access control lists, decoded, and whether they let somebody else write.
//!
//! A denial is not counted: groups overlap, and what one entry denies another may grant to the same person. So a file can be
//! refused that nobody else could write after all; none is trusted that somebody could.

use std::fmt;

use super::service_sid;

/// Who owns an object, and who may do what to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// The owner's identifier, `S-1-…`. An owner may always change the list.
    pub(crate) owner: String,
    /// What is granted. `None`: there is no list, and everybody may do everything.
    pub(crate) grants: Option<Vec<Grant>>,
}

/// An entry that grants something on the object itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// To whom, `S-1-…`.
    pub(crate) to: String,
    /// Access rights, as in `ACCESS_MASK`.
    pub(crate) rights: u32,
}

/// What a path component is to the file that the question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The file itself, or a link on the way to it.
    File,
    /// The folder that it is in. Who may put another file there can put a library beside a program, and it is loaded.
    Holder,
    /// A folder further above. Who may add to it harms nobody: on every system all users may make folders in `C:\`.
    Above,
}

/// ntifs.h, winnt.h: rights on files, and what the same bits mean on folders.
const WRITE_DATA_ADD_FILE: u32 = 0x0002;
const APPEND_DATA_ADD_FOLDER: u32 = 0x0004;
const WRITE_ATTRIBUTES_OF_FILE: u32 = 0x0010 | 0x0100;
const DELETE_CHILD: u32 = 0x0040;
const DELETE: u32 = 0x0001_0000;
const WRITE_DAC: u32 = 0x0004_0000;
const WRITE_OWNER: u32 = 0x0008_0000;
const GENERIC_ALL: u32 = 0x1000_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;

impl Place {
    /// The rights with which somebody could put something else in the file's place. Attributes count on a file because a link
    /// is one: who may write them may lead it elsewhere.
    fn decisive(self) -> u32 {
        let control = DELETE | WRITE_DAC | WRITE_OWNER | GENERIC_ALL;
        match self {
            Place::File => {
                let write = WRITE_DATA_ADD_FILE | APPEND_DATA_ADD_FOLDER | WRITE_ATTRIBUTES_OF_FILE;
                control | write | GENERIC_WRITE
            }
            Place::Holder => {
                control | WRITE_DATA_ADD_FILE | APPEND_DATA_ADD_FOLDER | DELETE_CHILD | GENERIC_WRITE
            }
            Place::Above => control | DELETE_CHILD,
        }
    }
}

/// Somebody who could write, and by what right. For people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// Its owner.
    Owner(String),
    /// Whoever is named.
    Granted(String),
    /// There is no list: its file system has none, or somebody took it away.
    Everybody,
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Writer::Owner(sid) => write!(f, "its owner, {}", Named(sid)),
            Writer::Granted(sid) => write!(f, "{}", Named(sid)),
            Writer::Everybody => f.write_str("everybody, since it has no permissions"),
        }
    }
}

impl Access {
    /// Somebody who is not trusted and could put something else in the place of the file.
    pub(crate) fn writer(&self, place: Place, trusted: &[&str]) -> Option<Writer> {
        self.granted(place.decisive(), trusted)
    }

    /// Somebody who is not trusted and may do anything at all to it.
    pub(crate) fn stranger(&self, trusted: &[&str]) -> Option<Writer> {
        self.granted(u32::MAX, trusted)
    }

    /// Somebody who is not trusted and could change who may do what, or take it away.
    pub(crate) fn master(&self, trusted: &[&str]) -> Option<Writer> {
        self.granted(DELETE | DELETE_CHILD | WRITE_DAC | WRITE_OWNER | GENERIC_ALL, trusted)
    }

    fn granted(&self, rights: u32, trusted: &[&str]) -> Option<Writer> {
        if !is_trusted(&self.owner, trusted) {
            return Some(Writer::Owner(self.owner.clone()));
        }
        let Some(grants) = &self.grants else { return Some(Writer::Everybody) };
        let other = |grant: &&Grant| {
            grant.rights & rights != 0 && !is_trusted(&grant.to, trusted) && !is_placeholder(&grant.to)
        };
        grants.iter().find(other).map(|grant| Writer::Granted(grant.to.clone()))
    }
}

/// Whether somebody has the machine anyway (the system, the administrators, the installer of Windows) or is trusted besides:
/// the user that this process runs as.
fn is_trusted(sid: &str, besides: &[&str]) -> bool {
    let installer = || sid.starts_with("S-1-5-80-") && sid == service_sid::of("TrustedInstaller");
    besides.contains(&sid) || matches!(sid, "S-1-5-18" | "S-1-5-32-544") || installer()
}

/// `CREATOR OWNER`, `CREATOR GROUP` and `OWNER RIGHTS`: in nobody's token. The first two are templates for what is made below, the
/// last one is about the owner, who is judged as such.
fn is_placeholder(sid: &str) -> bool {
    matches!(sid, "S-1-3-0" | "S-1-3-1" | "S-1-3-4")
}

/// An identifier with its name, if it has the same one everywhere. Others would have to be looked up, perhaps far away.
struct Named<'a>(&'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            "S-1-1-0" => "Everyone",
            "S-1-5-4" => "INTERACTIVE",
            "S-1-5-7" => "ANONYMOUS LOGON",
            "S-1-5-11" => "Authenticated Users",
            "S-1-5-19" => "LOCAL SERVICE",
            "S-1-5-20" => "NETWORK SERVICE",
            "S-1-5-32-545" => "Users",
            "S-1-5-32-546" => "Guests",
            "S-1-5-32-547" => "Power Users",
            "S-1-15-2-1" => "ALL APPLICATION PACKAGES",
            sid => return f.write_str(sid),
        };
        write!(f, "{name} ({})", self.0)
    }
}

/// A list that is not what Windows makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Reads the bytes of an `ACL`, [MS-DTYP] 2.4.5, down to what it grants on the object itself. An entry of a kind that is not known
/// makes the list unreadable: it could grant something.
pub(crate) fn decode(acl: &[u8]) -> Result<Vec<Grant>, Malformed> {
    let size = usize::from(u16_at(acl, 2)?);
    let mut rest = acl.get(8..size).ok_or(Malformed)?;
    let mut grants = Vec::new();
    for _ in 0..u16_at(acl, 4)? {
        let entry =
            rest.get(..usize::from(u16_at(rest, 2)?)).filter(|entry| entry.len() >= 8).ok_or(Malformed)?;
        rest = &rest[entry.len()..];
        let (kind, flags) = (entry[0], entry[1]);
        let is_for_children_only = flags & INHERIT_ONLY != 0;
        let identifier = match kind {
            ALLOWED | ALLOWED_CALLBACK => &entry[8..],
            ALLOWED_OBJECT | ALLOWED_CALLBACK_OBJECT => after_object_types(entry)?,
            DENIED | DENIED_OBJECT | DENIED_CALLBACK | DENIED_CALLBACK_OBJECT => continue,
            _ => return Err(Malformed),
        };
        if !is_for_children_only {
            grants.push(Grant { to: sid(identifier)?, rights: u32_at(entry, 4)? });
        }
    }
    Ok(grants)
}

/// winnt.h, `ACE_HEADER`.
const ALLOWED: u8 = 0;
const DENIED: u8 = 1;
const ALLOWED_OBJECT: u8 = 5;
const DENIED_OBJECT: u8 = 6;
const ALLOWED_CALLBACK: u8 = 9;
const DENIED_CALLBACK: u8 = 10;
const ALLOWED_CALLBACK_OBJECT: u8 = 11;
const DENIED_CALLBACK_OBJECT: u8 = 12;
const INHERIT_ONLY: u8 = 8;

/// [MS-DTYP] 2.4.4.3: flags say which of two identifiers of types follow.
fn after_object_types(entry: &[u8]) -> Result<&[u8], Malformed> {
    let types = (u32_at(entry, 8)? & 3).count_ones() as usize;
    entry.get(12 + 16 * types..).ok_or(Malformed)
}

/// The text of a binary identifier, [MS-DTYP] 2.4.2.
fn sid(bytes: &[u8]) -> Result<String, Malformed> {
    let &[revision @ 1, count @ 0..=15, a, b, c, d, e, f, ref parts @ ..] = bytes else {
        return Err(Malformed);
    };
    let authority = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let authority = if authority >> 32 == 0 { authority.to_string() } else { format!("0x{authority:012X}") };
    let text = format!("S-{revision}-{authority}");
    (0..usize::from(count)).try_fold(text, |text, part| Ok(format!("{text}-{}", u32_at(parts, 4 * part)?)))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    let bytes = bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u16::from_le_bytes).ok_or(Malformed)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_le_bytes).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: &str = "S-1-5-18";
    const ADMINISTRATORS: &str = "S-1-5-32-544";
    const USERS: &str = "S-1-5-32-545";
    const AUTHENTICATED: &str = "S-1-5-11";
    const ALICE: &str = "S-1-5-21-1-2-3-1001";

    const READ_EXECUTE: u32 = 0x0012_00A9;
    const MODIFY: u32 = 0x0013_01BF;
    const FULL: u32 = 0x001F_01FF;

    fn access(owner: &str, grants: &[(&str, u32)]) -> Access {
        let grants = grants.iter().map(|&(to, rights)| Grant { to: to.into(), rights }).collect();
        Access { owner: owner.into(), grants: Some(grants) }
    }

    /// Lists as Windows sets them up, and what follows from each in each place: may somebody else write?
    #[test]
    fn who_counts_depends_on_the_right_and_the_place() {
        let installer = service_sid::of("TrustedInstaller");
        let system = [(SYSTEM, FULL), (ADMINISTRATORS, FULL)];
        let with = |more: &[(&'static str, u32)]| access(SYSTEM, &[&system[..], more].concat());
        let table = [
            // What it is, its list, and the answer for File, Holder, Above.
            ("ours alone", with(&[]), [false, false, false]),
            (
                "C:\\Program Files",
                access(&installer, &[(USERS, READ_EXECUTE), ("S-1-3-0", 0x1000_0000)]),
                [false; 3],
            ),
            (
                "C:\\, where all may make folders",
                with(&[(AUTHENTICATED, 0x4), (USERS, READ_EXECUTE)]),
                [true, true, false],
            ),
            ("C:\\ProgramData, where all may make both", with(&[(USERS, 0x0116)]), [true, true, false]),
            ("a folder made in C:\\", with(&[(AUTHENTICATED, MODIFY)]), [true; 3]),
            ("a grant to take away what is inside", with(&[(USERS, DELETE_CHILD)]), [false, true, true]),
            ("a grant to change the list", with(&[(ALICE, WRITE_DAC)]), [true; 3]),
            ("a grant to take it over", with(&[(ALICE, WRITE_OWNER)]), [true; 3]),
            ("a grant to delete", with(&[(ALICE, DELETE)]), [true; 3]),
            ("everything, unmapped", with(&[(ALICE, GENERIC_ALL)]), [true; 3]),
            ("writing, unmapped", with(&[(ALICE, GENERIC_WRITE)]), [true, true, false]),
            ("attributes: a link could be led elsewhere", with(&[(ALICE, 0x100)]), [true, false, false]),
            ("a user's own", access(ALICE, &system), [true; 3]),
            ("a user's own by way of the owner's rights", access(SYSTEM, &[("S-1-3-4", FULL)]), [false; 3]),
            ("no list", Access { grants: None, ..with(&[]) }, [true; 3]),
            ("an empty list", access(SYSTEM, &[]), [false; 3]),
        ];
        for (what, access, expected) in table {
            let found = [Place::File, Place::Holder, Place::Above]
                .map(|place| access.writer(place, &[SYSTEM]).is_some());
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn a_service_trusts_itself_and_no_other() {
        let own = access("S-1-5-19", &[("S-1-5-19", FULL)]);
        assert_eq!(own.writer(Place::File, &["S-1-5-19"]), None);
        assert_eq!(own.writer(Place::File, &[]), Some(Writer::Owner("S-1-5-19".into())));
    }

    #[test]
    fn a_stranger_may_anything_and_a_master_may_change_that() {
        let service = service_sid::of("acme-desk");
        let reader = access(SYSTEM, &[(&service, FULL), (USERS, READ_EXECUTE)]);
        assert_eq!(reader.stranger(&[&service]), Some(Writer::Granted(USERS.into())));
        assert_eq!(reader.master(&[&service]), None);
        assert_eq!(reader.master(&[]), Some(Writer::Granted(service)));
    }

    #[test]
    fn people_are_told_who() {
        let words = |access: Access| access.writer(Place::File, &[]).unwrap().to_string();
        assert_eq!(words(access(SYSTEM, &[(USERS, MODIFY)])), "Users (S-1-5-32-545)");
        assert_eq!(words(access(ALICE, &[])), "its owner, S-1-5-21-1-2-3-1001");
        assert!(words(Access { grants: None, ..access(SYSTEM, &[]) }).starts_with("everybody"));
    }

    /// `S-1-5-32-545` and `S-1-5-18`, binary.
    const USERS_BYTES: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x21, 2, 0, 0];
    const SYSTEM_BYTES: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];

    fn entry(kind: u8, flags: u8, body: &[&[u8]]) -> Vec<u8> {
        let body = body.concat();
        let size = (body.len() as u16 + 4).to_le_bytes();
        [&[kind, flags][..], &size, &body].concat()
    }

    fn list(entries: &[Vec<u8>]) -> Vec<u8> {
        let body = entries.concat();
        let (size, count) = ((body.len() as u16 + 8).to_le_bytes(), (entries.len() as u16).to_le_bytes());
        [&[2, 0][..], &size, &count, &[0, 0], &body].concat()
    }

    #[test]
    fn lists_are_decoded() {
        let rights = 0x1301BF_u32.to_le_bytes();
        let bytes = list(&[
            entry(ALLOWED, 0, &[&rights, &SYSTEM_BYTES]),
            entry(DENIED, 0, &[&rights, &USERS_BYTES]),
            entry(ALLOWED, INHERIT_ONLY | 3, &[&rights, &USERS_BYTES]),
            entry(ALLOWED_OBJECT, 0, &[&rights, &1_u32.to_le_bytes(), &[7; 16], &USERS_BYTES]),
            // A condition follows the identifier.
            entry(ALLOWED_CALLBACK, 0, &[&rights, &USERS_BYTES, b"artx"]),
        ]);
        let grant = |to: &str| Grant { to: to.into(), rights: MODIFY };
        assert_eq!(decode(&bytes), Ok(vec![grant(SYSTEM), grant(USERS), grant(USERS)]));
        assert_eq!(decode(&list(&[])), Ok(vec![]));
    }

    #[test]
    fn a_list_that_is_cut_off_or_not_understood_is_no_list() {
        let rights = MODIFY.to_le_bytes();
        let whole = list(&[entry(ALLOWED, 0, &[&rights, &USERS_BYTES])]);
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length]), Err(Malformed), "{length} bytes");
        }
        let unknown = list(&[entry(4, 0, &[&rights, &USERS_BYTES])]);
        assert_eq!(decode(&unknown), Err(Malformed));
        let mut short = whole;
        short[10] = 4;
        assert_eq!(decode(&short), Err(Malformed), "an entry that is shorter than its head");
    }

    #[test]
    fn identifiers_have_the_text_that_windows_gives_them() {
        assert_eq!(sid(&USERS_BYTES).unwrap(), USERS);
        assert_eq!(sid(&[1, 0, 0, 0, 0, 0, 0, 1]).unwrap(), "S-1-1");
        assert_eq!(sid(&[1, 0, 1, 0, 0, 0, 0, 0]).unwrap(), "S-1-0x010000000000");
        assert_eq!(sid(&[2, 0, 0, 0, 0, 0, 0, 1]), Err(Malformed));
        assert_eq!(sid(&[1, 16, 0, 0, 0, 0, 0, 1]), Err(Malformed));
    }
}
