//! What has to be done as another user, in a child that is this program again.

use std::process::ExitCode;

/// Runs the helper if this process was started as one. Call it first in `main`.
pub fn helper_main() -> Option<ExitCode> {
    None
}
