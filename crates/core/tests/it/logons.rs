//! The numbers of logons.

use bilayer_core::{Logon, LogonTable};

#[test]
fn all_three_names_make_a_logon() {
    let mut table = LogonTable::new();
    let first = table.intern("2", "boot-1", "1000");
    assert_eq!(table.intern("2", "boot-1", "1000"), first);
    let others = [
        table.intern("3", "boot-1", "1000"),
        table.intern("2", "boot-2", "1000"),
        table.intern("2", "boot-1", "1001"),
    ];
    assert!(!others.contains(&first));
}

#[test]
fn a_user_who_becomes_known_makes_no_other_logon() {
    let mut table = LogonTable::new();
    let early = table.intern("2", "boot-1", "");
    assert_eq!(table.intern("2", "boot-1", ""), early);
    let other = table.intern("3", "boot-1", "");
    table.forget_unseen();
    assert_eq!(table.intern("2", "boot-1", "1000"), early);
    assert_eq!(table.intern("3", "boot-1", "0"), other);
    table.forget_unseen();
    assert_eq!(table.len(), 2);
    assert_eq!(table.intern("2", "boot-1", "1000"), early);
    assert_ne!(table.intern("2", "boot-1", "1001"), early, "a user who is known does not change");
    assert_ne!(table.intern("3", "boot-2", ""), other);
}

#[test]
fn what_is_gone_is_forgotten_and_its_number_never_used_again() {
    let mut table = LogonTable::new();
    let mut highest = None;
    for round in 0..1000 {
        let logon = table.intern("2", &round.to_string(), "1000");
        assert!(highest < Some(logon));
        highest = Some(logon);
        let stays = table.intern("1", "boot", "0");
        assert_eq!(stays, Logon(1));
        table.forget_unseen();
        assert_eq!(table.len(), 2);
    }
    table.forget_unseen();
    assert!(table.is_empty());
    assert!(highest < Some(table.intern("2", "999", "1000")));
}
