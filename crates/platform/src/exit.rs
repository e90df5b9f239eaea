//! How a process ended, in words and as a key of a configuration.

use std::fmt;

/// How the root process of an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// It returned this code: 0-255 on Unix, any 32-bit value (an `NTSTATUS` among them) on Windows.
    Code(u32),
    /// A Unix signal ended it.
    Signal(u8),
    /// It is gone and nobody can say how.
    Unknown,
}

impl Exit {
    /// The name of the signal that ended it, such as `SIGKILL`, or its number where it has no name.
    pub fn signal_name(self) -> Option<String> {
        let Exit::Signal(number) = self else { return None };
        let known = SIGNALS.iter().find(|(known, _)| *known == number);
        Some(known.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned()))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Exit::Signal(number) => match SIGNALS.iter().find(|(known, _)| *known == number) {
                Some((_, name)) => write!(f, "killed by {name}"),
                None => write!(f, "killed by signal {number}"),
            },
            Exit::Code(code) => match STATUSES.iter().find(|(known, _)| *known == code) {
                Some((_, name)) => write!(f, "0x{code:08X} ({name})"),
                None if code > 0xFFFF => write!(f, "0x{code:08X}"),
                None => write!(f, "exit code {code}"),
            },
            Exit::Unknown => f.write_str("gone, exit unknown"),
        }
    }
}

/// Reads a key of the `exit_codes` table: a decimal (`64`), a hexadecimal (`0xC0000005`) or a signal (`SIGTERM`). The same
/// on every system, so that one file serves both; a signal never occurs on Windows.
pub fn exit_key(text: &str) -> Option<Exit> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        return plain.then(|| u32::from_str_radix(digits, 16).ok().map(Exit::Code)).flatten();
    }
    if text.starts_with("SIG") {
        return SIGNALS.iter().find(|(_, name)| *name == text).map(|(number, _)| Exit::Signal(*number));
    }
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok().map(Exit::Code)).flatten()
}

impl Exit {
    /// The key that [`exit_key`] reads as this; empty for [`Exit::Unknown`], which is no key.
    pub fn key(self) -> String {
        match self {
            Exit::Signal(number) => SIGNALS
                .iter()
                .find(|(known, _)| *known == number)
                .map_or_else(String::new, |(_, name)| (*name).to_owned()),
            Exit::Code(code) if code > 0xFFFF => format!("0x{code:08X}"),
            Exit::Code(code) => code.to_string(),
            Exit::Unknown => String::new(),
        }
    }
}

/// signal(7), the numbers of x86 and ARM.
const SIGNALS: [(u8, &str); 31] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (11, "SIGSEGV"),
    (12, "SIGUSR2"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (16, "SIGSTKFLT"),
    (17, "SIGCHLD"),
    (18, "SIGCONT"),
    (19, "SIGSTOP"),
    (20, "SIGTSTP"),
    (21, "SIGTTIN"),
    (22, "SIGTTOU"),
    (23, "SIGURG"),
    (24, "SIGXCPU"),
    (25, "SIGXFSZ"),
    (26, "SIGVTALRM"),
    (27, "SIGPROF"),
    (28, "SIGWINCH"),
    (29, "SIGIO"),
    (30, "SIGPWR"),
    (31, "SIGSYS"),
];

/// The exit codes of Windows that people meet: `NTSTATUS` values of `ntstatus.h`, and those of the run-time libraries of C++ and
/// .NET. The names are what went wrong, not what the symbols are called.
const STATUSES: [(u32, &str); 31] = [
    (0x4001_0004, "the session or a debugger ended it"),
    (0x4001_0005, "ended by Ctrl-C in a debugger"),
    (0x8000_0002, "misaligned access"),
    (0x8000_0003, "breakpoint"),
    (0xC000_0005, "access violation"),
    (0xC000_0006, "its file or memory could not be read back in"),
    (0xC000_0008, "invalid handle"),
    (0xC000_0017, "out of memory"),
    (0xC000_001D, "illegal instruction"),
    (0xC000_0022, "access denied"),
    (0xC000_0025, "noncontinuable exception"),
    (0xC000_0026, "invalid disposition of an exception"),
    (0xC000_007B, "a file of it is broken or for another processor"),
    (0xC000_008C, "array bounds exceeded"),
    (0xC000_0094, "integer division by zero"),
    (0xC000_0095, "integer overflow"),
    (0xC000_0096, "privileged instruction"),
    (0xC000_009A, "the machine is out of resources"),
    (0xC000_00FD, "stack overflow"),
    (0xC000_0135, "a DLL was not found"),
    (0xC000_0138, "an ordinal of a DLL was not found"),
    (0xC000_0139, "an entry point was not found"),
    (0xC000_013A, "ended by Ctrl-C"),
    (0xC000_0142, "a DLL failed to start, as at the end of a session"),
    (0xC000_026B, "the session is ending"),
    (0xC000_0374, "heap corruption"),
    (0xC000_0409, "stack buffer overrun or abort"),
    (0xC000_0417, "invalid argument of a C library function"),
    (0xC000_0428, "its signature is not trusted"),
    (0xE043_4352, "unhandled .NET exception"),
    (0xE06D_7363, "unhandled C++ exception"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_people_write_them() {
        assert_eq!(exit_key("64"), Some(Exit::Code(64)));
        assert_eq!(exit_key("0xC0000005"), Some(Exit::Code(0xC000_0005)));
        assert_eq!(exit_key("SIGTERM"), Some(Exit::Signal(15)));
        for wrong in ["", "-1", "+1", "0x", "0x+1", "4294967296", "SIGNOPE", "TERM", " 1"] {
            assert_eq!(exit_key(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_key_is_read_as_what_it_was_written_for() {
        for exit in [Exit::Code(64), Exit::Code(0xC000_0005), Exit::Signal(15), Exit::Signal(9)] {
            assert_eq!(exit_key(&exit.key()), Some(exit));
        }
    }

    #[test]
    fn no_number_has_two_names() {
        assert!(STATUSES.is_sorted_by(|(a, _), (b, _)| a < b));
        assert!(SIGNALS.is_sorted_by(|(a, _), (b, _)| a < b));
    }

    #[test]
    fn exits_are_told_in_words() {
        assert_eq!(Exit::Signal(9).to_string(), "killed by SIGKILL");
        assert_eq!(Exit::Signal(40).to_string(), "killed by signal 40");
        assert_eq!(Exit::Code(3).to_string(), "exit code 3");
        assert_eq!(Exit::Code(0xC000_0005).to_string(), "0xC0000005 (access violation)");
        assert_eq!(Exit::Code(0xC000_0135).to_string(), "0xC0000135 (a DLL was not found)");
        assert_eq!(Exit::Code(0xE000_0001).to_string(), "0xE0000001");
    }
}
