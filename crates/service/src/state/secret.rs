//! What is kept of a secret that was given out.

use bilayer_ipc::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The hash of a launch token or resume secret: enough to know it again, not enough to use it. The secrets have 256 random
/// bits, so neither salt nor a slow hash adds anything.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SecretHash([u8; 32]);

impl SecretHash {
    pub(crate) fn of(secret: &Secret) -> Self {
        Self(Sha256::digest(secret.expose().as_bytes()).into())
    }
}

/// The secrets that are good for one process.
///
/// Each is good once, and buys the next. But a reply that carries the next one can be lost with its connection, so what was
/// paid with stays good until the agent was heard after that reply.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Secrets {
    /// Given out last: the launch token, and then the secret of each reply.
    next: SecretHash,
    /// What the last one was bought with.
    last: Option<SecretHash>,
}

impl Secrets {
    /// Those of a process that has its launch token and nothing else.
    pub(crate) fn new(token: SecretHash) -> Self {
        Self { next: token, last: None }
    }

    /// Whether this one is good.
    pub(crate) fn fit(&self, presented: &SecretHash) -> bool {
        self.next == *presented || self.last.as_ref() == Some(presented)
    }

    /// A secret that [fits](Self::fit) was shown, and this one is given out for it.
    pub(crate) fn exchange(&mut self, presented: SecretHash, given: SecretHash) {
        (self.last, self.next) = (Some(presented), given);
    }

    /// The agent has the secret that was given out last.
    pub(crate) fn confirm(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u8) -> SecretHash {
        SecretHash([number; 32])
    }

    #[test]
    fn a_secret_is_good_until_the_one_that_it_bought_is_known_to_have_arrived() {
        let mut secrets = Secrets::new(hash(0));
        secrets.exchange(hash(0), hash(1));
        // The reply was lost, twice.
        assert!(secrets.fit(&hash(0)) && secrets.fit(&hash(1)));
        secrets.exchange(hash(0), hash(2));
        assert!(secrets.fit(&hash(0)) && secrets.fit(&hash(2)) && !secrets.fit(&hash(1)));
        secrets.confirm();
        assert!(secrets.fit(&hash(2)) && !secrets.fit(&hash(0)));
        secrets.exchange(hash(2), hash(3));
        assert!(!secrets.fit(&hash(0)) && !secrets.fit(&hash(1)));
    }
}
