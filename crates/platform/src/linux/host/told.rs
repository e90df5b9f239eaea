//! What systemd is told about the state of this service: sd_notify(3), "Well-known assignments".

use std::time::Duration;

/// What is added to the time that agents have, for the service itself to end.
pub(super) const TO_END: Duration = Duration::from_secs(5);

/// A longer line is cut: it is read on one line of a terminal.
const STATUS_BYTES_MAX: usize = 200;

/// The states in which a service is, as far as systemd is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// It was started; nothing needs to be said.
    #[default]
    Starting,
    /// `READY=1`
    Running,
    /// `RELOADING=1`; `READY=1` follows.
    Reloading,
    /// `STOPPING=1`, and nothing leads back.
    Stopping,
}

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Told(State);

impl Told {
    /// What to send for this state; `None` if it would lead back.
    pub(super) fn next(&mut self, state: State) -> Option<&'static str> {
        let text = match (self.0, state) {
            (State::Stopping, State::Stopping) => "",
            (State::Stopping, _) | (_, State::Starting) => return None,
            // A reload of what is not up yet is part of its start.
            (State::Starting, State::Reloading) => return None,
            (_, State::Running) => "READY=1\n",
            (_, State::Reloading) => "RELOADING=1\n",
            (_, State::Stopping) => "STOPPING=1\n",
        };
        self.0 = state;
        Some(text)
    }
}

/// The assignment for a line of text.
pub(super) fn status(text: &str) -> String {
    let end = text.floor_char_boundary(STATUS_BYTES_MAX);
    let line = text[..end].replace(char::is_control, " ");
    format!("STATUS={line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_ends_with_ready_and_a_stop_with_nothing() {
        let mut told = Told::default();
        let mut said = |state| told.next(state);
        assert_eq!(said(State::Reloading), None);
        assert_eq!(said(State::Running), Some("READY=1\n"));
        assert_eq!(said(State::Reloading), Some("RELOADING=1\n"));
        assert_eq!(said(State::Running), Some("READY=1\n"));
        assert_eq!(said(State::Stopping), Some("STOPPING=1\n"));
        assert_eq!(said(State::Stopping), Some(""), "once is enough; what is left is told again");
        assert_eq!(said(State::Running), None, "a reload that ends after the stop began");
        assert_eq!(said(State::Reloading), None);
    }

    #[test]
    fn a_status_is_one_line_and_no_other_assignment() {
        assert_eq!(status("a\nSTOPPING=1"), "STATUS=a STOPPING=1\n");
        assert_eq!(status(&"é".repeat(1_000)).len(), "STATUS=\n".len() + STATUS_BYTES_MAX);
    }
}
