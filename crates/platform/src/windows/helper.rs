//! The helper that runs as the user, inside the user's session.

use std::process::ExitCode;

use super::polite;

/// The first argument of a helper. A program that does not know it must not take it for one of its own.
pub(super) const MARK: &str = "--bilayer-in-session-helper";
/// Asks the processes with these ids to end.
pub(super) const END: &str = "end";

/// What the helper did not understand.
const NOT_UNDERSTOOD: u8 = 0xFF;

/// Runs the helper if this process was started as one. Call it first in `main`.
pub fn helper_main() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    if args.next()? != MARK {
        return None;
    }
    let (word, rest) = (args.next(), args.map(|arg| arg.parse()));
    let (Some(END), Ok(pids)) = (word.as_deref(), rest.collect::<Result<Vec<u32>, _>>()) else {
        return Some(ExitCode::from(NOT_UNDERSTOOD));
    };
    let silent = pids.into_iter().filter(|pid| !polite::ask_to_end(*pid)).count();
    Some(ExitCode::from(u8::try_from(silent).unwrap_or(NOT_UNDERSTOOD)))
}
