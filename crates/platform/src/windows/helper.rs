//! The helper that runs as the user.

use std::process::ExitCode;

/// On Windows nothing is done by a second process yet: agents are children of this program's own session.
pub fn helper_main() -> Option<ExitCode> {
    None
}
