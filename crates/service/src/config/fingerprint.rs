//! A number that changes when an agent has to be started again to follow its configuration.

use bilayer_core::{OnServiceStop, Spec, Survivors};

use super::agent::words;
use super::{Command, Worker};

/// FNV-1a over all that a running process was given and cannot be given again: the command, its environment, the heartbeat
/// that it was told at the handshake, how its descendants are held, whether it outlives the service and which token it has.
/// The same on every machine and in every version:
/// a service that was updated compares it with what the one before it wrote down.
pub(super) fn fingerprint(command: &Command, spec: &Spec, on_service_stop: OnServiceStop) -> u64 {
    hash(command, spec, on_service_stop).0
}

/// The same of a worker: its account counts, too.
pub(super) fn worker_fingerprint(worker: &Worker, on_service_stop: OnServiceStop) -> u64 {
    let mut hash = hash(&worker.command, &worker.spec, on_service_stop);
    hash.part(b"worker");
    hash.part(worker.account.as_deref().unwrap_or_default().as_bytes());
    hash.0
}

fn hash(command: &Command, spec: &Spec, on_service_stop: OnServiceStop) -> Fnv {
    let mut hash = Fnv::default();
    hash.part(command.program.as_os_str().as_encoded_bytes());
    hash.count(command.args.len());
    for arg in &command.args {
        hash.part(arg.as_bytes());
    }
    match &command.cwd {
        Some(cwd) => hash.part(cwd.as_os_str().as_encoded_bytes()),
        None => hash.part(b""),
    }
    hash.count(command.env.len());
    for (name, value) in &command.env {
        hash.part(name.as_bytes());
        hash.part(value.as_bytes());
    }
    let heartbeat = spec.heartbeat.map_or(0, |heartbeat| heartbeat.as_millis());
    hash.part(&heartbeat.to_le_bytes());
    hash.part(&[u8::from(spec.survivors == Survivors::Leave)]);
    if on_service_stop == OnServiceStop::Keep {
        hash.part(b"keep");
    }
    if (command.elevation, command.token) != Default::default() {
        hash.part(words::elevation(command.elevation).as_bytes());
        hash.part(words::token(command.token).as_bytes());
    }
    hash
}

/// <http://www.isthe.com/chongo/tech/comp/fnv/>
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Fnv {
    /// Length first, so that no two lists of parts look the same.
    fn part(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes(bytes);
    }

    fn count(&mut self, count: usize) {
        self.bytes(&u64::try_from(count).unwrap_or(u64::MAX).to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}
