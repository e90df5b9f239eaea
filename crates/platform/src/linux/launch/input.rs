//! What a program that is started here reads: nothing.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::OnceLock;

/// `/dev/null`, open for reading as a shell's `</dev/null` has it. Opened by the first launch, which fails if it cannot be.
///
/// All programs share this one open file description, so that a child has nothing to do but dup2(2). It gives none of them a hold
/// on another: it stays open for reading only, the device answers at once that there is no more, whatever position or flags
/// somebody sets, and who opens `/proc/self/fd/0` gets a description of their own.
pub(super) fn nothing() -> io::Result<RawFd> {
    static NOTHING: OnceLock<File> = OnceLock::new();

    if let Some(file) = NOTHING.get() {
        return Ok(file.as_raw_fd());
    }
    let opened = File::open("/dev/null")?;
    Ok(NOTHING.get_or_init(|| opened).as_raw_fd())
}
