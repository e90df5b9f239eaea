//! Where an installation keeps its endpoints, its state and its log.

use std::path::{Path, PathBuf};

use crate::{Error, system};

/// The folders of one installation or of one run in a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirs {
    /// Endpoints; empty after a boot.
    pub runtime: PathBuf,
    /// What must live through a boot.
    pub state: PathBuf,
    /// The log.
    pub log: PathBuf,
}

impl Dirs {
    /// The folders of an installed service. Nothing is made.
    pub fn system(name: &str) -> Dirs {
        system::dirs::system(name)
    }

    /// The folders of a run in a console, by this user, with this configuration file: a second command that the same user
    /// gives with the same file finds the first. Nothing is made.
    pub fn console(name: &str, config: &Path) -> Dirs {
        let config = config.canonicalize().unwrap_or_else(|_| config.to_path_buf());
        let digest = fnv1a(config.as_os_str().as_encoded_bytes());
        system::dirs::console(&format!("{name}-{digest:08x}"))
    }

    /// Makes the folders with the right owner and mode, and refuses any that somebody else could have put there.
    pub fn ensure(&self) -> Result<(), Error> {
        system::dirs::ensure(self)
    }

    /// Eight digits that tell these folders from others.
    pub fn digest(&self) -> String {
        format!("{:08x}", fnv1a(self.runtime.as_os_str().as_encoded_bytes()))
    }

    /// Every installation or run whose control endpoint this user could talk to and that answers now.
    pub fn running() -> Vec<Dirs> {
        system::dirs::running()
    }
}

/// FNV-1a folded to 32 bits: tells configuration files apart in a folder's name, protects nothing, and is the same in every
/// release (the standard library's hasher promises none of that).
pub(crate) fn fnv1a(bytes: &[u8]) -> u32 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32) as u32 ^ hash as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_never_changes() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4 ^ 0x8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c ^ 0x8601_ec8c);
    }
}
