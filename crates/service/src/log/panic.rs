//! What a panic leaves behind. The program ends of it, and a service has no standard error that anybody reads.

use std::panic::{self, PanicHookInfo};

use super::id;

/// From now on a panic is an entry of the log and of the system's event log.
pub(super) fn report() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        // What led to it comes first, and nobody else will write it.
        super::let_go();
        tracing::error!(event = id::FAILED, "{}", text(panic));
        super::flush();
        before(panic);
    }));
}

fn text(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let said = panic.payload_as_str().unwrap_or("something that is no text");
    format!(
        "the service ends because of a mistake in it, at {place}: {said}; please report it with the lines before"
    )
}
