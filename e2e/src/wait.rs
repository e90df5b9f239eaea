//! Waiting for something to happen, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often the world is looked at while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until there is an answer; after `limit` an error that says what did not come.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
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
        thread::park_timeout(LOOK_EVERY);
    }
}

/// Looks all through `span`; an error as soon as `what` does not hold.
pub(crate) fn throughout(what: &str, span: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + span;
    while Instant::now() < end {
        if !holds()? {
            bail!("did not hold: {what}");
        }
        thread::park_timeout(LOOK_EVERY);
    }
    Ok(())
}
