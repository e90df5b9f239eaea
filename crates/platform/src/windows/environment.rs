//! The environment of a new process: one block of `NAME=value` strings, sorted, each with its end marker and one more at the end.
//!
//! This file is plain text work and is tested on every system.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A string as Windows has it: UTF-16 that may hold unpaired surrogates.
pub(super) type Units = Vec<u16>;

/// Names and values, in any order.
pub(super) type Variables = Vec<(Units, Units)>;

/// A text as Windows has it.
pub(super) fn units(text: &str) -> Units {
    text.encode_utf16().collect()
}

/// Reads a block, given without its last end marker or with it. What has no name is left out.
pub(super) fn variables(block: &[u16]) -> Variables {
    let entries = block.split(|unit| *unit == 0).take_while(|entry| !entry.is_empty());
    entries
        .filter_map(|entry| {
            // The variables that hold the drives' folders have names that begin with `=`.
            let at = 1 + entry.get(1..)?.iter().position(|unit| *unit == u16::from(b'='))?;
            Some((entry[..at].to_vec(), entry[at + 1..].to_vec()))
        })
        .collect()
}

/// Builds the block. Of names that differ only by case the later one stands, with its own spelling.
pub(super) fn block(variables: impl IntoIterator<Item = (Units, Units)>) -> Units {
    let mut sorted = BTreeMap::new();
    for (name, value) in variables {
        let name = Name(name);
        // An equal key would keep the old spelling.
        sorted.remove(&name);
        sorted.insert(name, value);
    }
    let mut block = Units::new();
    for (Name(name), value) in &sorted {
        block.extend(name);
        block.push(u16::from(b'='));
        block.extend(value);
        block.push(0);
    }
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    block
}

/// That of a program with more rights than the user's others: the variables of the system, and what the profile's folder says.
/// Every program of the user can write the user's own variables, and would decide what this one loads.
pub(super) fn elevated(system: Variables, domain: &str, user: &str, profile: &str) -> Variables {
    let (drive, rest) = match profile.split_at_checked(2) {
        Some((drive, rest)) if drive.ends_with(':') => (drive, rest),
        _ => ("", profile),
    };
    let own = [
        ("USERPROFILE", profile),
        ("HOMEDRIVE", drive),
        ("HOMEPATH", rest),
        ("APPDATA", &format!(r"{profile}\AppData\Roaming")),
        ("LOCALAPPDATA", &format!(r"{profile}\AppData\Local")),
        ("USERNAME", user),
        ("USERDOMAIN", domain),
    ];
    let own = own.into_iter().map(|(name, value)| (units(name), units(value)));
    system.into_iter().chain(own).collect()
}

/// Whether a variable can be in a block at all: a zero would end it early, and a later `=` would be taken for the first.
pub(super) fn is_sound(name: &str, value: &str) -> bool {
    !name.is_empty() && !name.contains(['\0', '=']) && !value.contains('\0')
}

/// A variable's name. Names are compared without case, unit by unit; the system searches the block in this order.
struct Name(Units);

impl Name {
    fn folded(&self) -> impl Iterator<Item = u16> {
        self.0.iter().map(|unit| uppercase(*unit))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Name {}

/// One unit in upper case; where that would be more than one unit, itself, as the system's own table has it.
fn uppercase(unit: u16) -> u16 {
    let Some(letter) = char::from_u32(u32::from(unit)) else { return unit };
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => u16::try_from(u32::from(upper)).unwrap_or(unit),
        _ => unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_of(variables: &[(&str, &str)]) -> String {
        let units = |text: &str| text.encode_utf16().collect();
        String::from_utf16(&block(variables.iter().map(|(name, value)| (units(name), units(value))))).unwrap()
    }

    #[test]
    fn names_are_sorted_without_case() {
        assert_eq!(block_of(&[("b", "2"), ("C", "3"), ("A", "1")]), "A=1\0b=2\0C=3\0\0");
        // `_` is between the upper and the lower case letters: it comes after all of them.
        assert_eq!(block_of(&[("a_", "2"), ("ab", "1")]), "ab=1\0a_=2\0\0");
    }

    #[test]
    fn the_later_of_two_names_stands() {
        assert_eq!(block_of(&[("Path", "old"), ("PATH", "new")]), "PATH=new\0\0");
    }

    #[test]
    fn an_empty_block_has_both_end_markers() {
        assert_eq!(block_of(&[]), "\0\0");
    }

    #[test]
    fn the_drives_own_variables_come_first() {
        assert_eq!(block_of(&[("A", "1"), ("=C:", r"C:\x")]), "=C:=C:\\x\0A=1\0\0");
    }

    #[test]
    fn a_block_is_read_as_it_was_built() {
        let given = [("=C:", r"C:\x"), ("A", "1=2"), ("b", ""), ("Path", "x;y")];
        let given: Variables = given.map(|(name, value)| (units(name), units(value))).into();
        assert_eq!(variables(&block(given.clone())), given);
        assert!(variables(&[]).is_empty() && variables(&[0, 0]).is_empty());
        assert!(variables(&units("no sign\0\0")).is_empty());
    }

    #[test]
    fn with_more_rights_only_the_system_and_the_profile_count() {
        let system = vec![(units("Path"), units(r"C:\Windows")), (units("USERNAME"), units("SYSTEM"))];
        let made = String::from_utf16(&block(elevated(system, "ACME", "alice", r"C:\Users\alice"))).unwrap();
        assert_eq!(
            made,
            "APPDATA=C:\\Users\\alice\\AppData\\Roaming\0HOMEDRIVE=C:\0HOMEPATH=\\Users\\alice\0\
             LOCALAPPDATA=C:\\Users\\alice\\AppData\\Local\0Path=C:\\Windows\0USERDOMAIN=ACME\0USERNAME=alice\0\
             USERPROFILE=C:\\Users\\alice\0\0"
        );
    }

    #[test]
    fn unsound_variables_are_told() {
        assert!(is_sound("A", "b=c"));
        assert!(!is_sound("", "x") && !is_sound("A=B", "x") && !is_sound("A", "x\0y"));
    }
}
