//! Who may open what we make, in the Security Descriptor Definition Language.
//!
//! `SY` is the system, `BA` the administrators, `NU` whoever logged on over the network; `GA` all rights, `GR` and `GW` reading and
//! writing. `P` keeps the lists of the folders above from adding to ours. What an owner may always do is change the list, so the
//! owner is always given by name: by default it would be the group of administrators in an elevated process, and the user in
//! another.

/// A pipe for one agent: the system, we, and the agent's user, here and not over the network. In a console we are that user, perhaps
/// in a shell on another machine.
#[cfg(feature = "host")]
pub(crate) fn agent_pipe(own: &str, user: &str) -> String {
    if own == user {
        return console_pipe(own);
    }
    format!("O:{own}D:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;GA;;;{own})(A;;GRGW;;;{user})")
}

/// The control pipe of a run in a console: the system, and the user who started it.
#[cfg(feature = "host")]
pub(crate) fn console_pipe(own: &str) -> String {
    format!("O:{own}D:P(A;;GA;;;SY)(A;;GA;;;{own})")
}

/// The control pipe of a service: the system, we, and administrators with all their rights: in a filtered token the group counts
/// for denials only. Other machines are turned away by the pipe's own flag; an administrator in a remote shell is not, who could do
/// as much by way of the service manager.
#[cfg(feature = "host")]
pub(crate) fn service_pipe(owner: &str) -> String {
    format!("O:{owner}D:P(A;;GA;;;SY)(A;;GA;;;{owner})(A;;GRGW;;;BA)")
}

/// A folder of a service, with all that will be in it: the system, administrators, the service itself.
pub(crate) fn folder(owner: &str, service: &str) -> String {
    format!("O:{owner}D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{service})")
}

#[cfg(all(test, feature = "host"))]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_is_let_in() {
        let lists =
            [agent_pipe("S-1-5-18", "S-1-5-21-7"), console_pipe("S-1-5-21-7"), service_pipe("S-1-5-18")];
        for list in lists.into_iter().chain([folder("SY", "S-1-5-80-1")]) {
            assert!(
                list.starts_with("O:S") && list.contains("D:P("),
                "owned by name, and nothing is inherited: {list}"
            );
            for everybody in ["WD", "AU", "BU", "IU", "AN"] {
                assert!(!list.contains(&format!(";;;{everybody})")), "{list}");
            }
        }
    }

    #[test]
    fn an_agent_may_speak_and_not_change_who_may() {
        assert!(agent_pipe("S-1-5-18", "S-1-5-21-7").ends_with("(A;;GRGW;;;S-1-5-21-7)"));
        assert!(!agent_pipe("S-1-5-21-7", "S-1-5-21-7").contains("(D;"), "a remote shell has agents, too");
    }
}
