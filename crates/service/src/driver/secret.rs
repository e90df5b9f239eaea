//! What is kept of a secret that was given out.

use bilayer_ipc::Secret;
use sha2::{Digest, Sha256};

/// The hash of a launch token or resume secret: enough to know it again, not enough to use it. The secrets have 256 random
/// bits, so neither salt nor a slow hash adds anything.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SecretHash([u8; 32]);

impl SecretHash {
    pub(super) fn of(secret: &Secret) -> Self {
        Self(Sha256::digest(secret.expose().as_bytes()).into())
    }
}
