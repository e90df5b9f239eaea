//! Who can change a file.

use std::io;
use std::path::Path;

/// Says which path and who, if somebody other than administrators can write the file or a folder above it.
///
/// Nobody is looked for yet: in a console the program runs with the rights of the developer, who could start anything
/// anyway. The service, which would give away its own, checks.
pub fn writable_by_others(_path: &Path) -> io::Result<Option<String>> {
    Ok(None)
}
