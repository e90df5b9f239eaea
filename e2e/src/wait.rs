//! Waiting for something to happen, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long the world is left alone between two looks. One that took longer is followed by a pause as long as it was: whoever
/// waits does not keep the machine from what is waited for.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is an answer; after `limit` an error that says what did not come.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        let looked = Instant::now();
        let error = match look() {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if Instant::now() >= deadline {
            return match error {
                Some(error) => Err(error).with_context(|| format!("waited {limit:?} for: {what}")),
                None => bail!("waited {limit:?} in vain for: {what}"),
            };
        }
        thread::park_timeout(looked.elapsed().max(PAUSE));
    }
}

/// Looks all through `span`; an error as soon as `what` does not hold.
pub(crate) fn throughout(what: &str, span: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + span;
    while Instant::now() < end {
        let looked = Instant::now();
        if !holds()? {
            bail!("did not hold: {what}");
        }
        thread::park_timeout(looked.elapsed().max(PAUSE));
    }
    Ok(())
}
