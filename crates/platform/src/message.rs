//! What a person is told on their desktop, and what they answer.

use std::time::Duration;

/// A message for the person in front of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// A few words.
    pub title: String,
    /// Plain text.
    pub text: String,
    /// How grave it is.
    pub gravity: Gravity,
    /// The buttons below it.
    pub buttons: Buttons,
    /// How long it stays on the screen, in whole seconds, rounded up; without it, until it is closed.
    pub timeout: Option<Duration>,
    /// Whether its answer is waited for. Every wait ends: with `None` as the time-out, after [`Message::ANSWER_WITHIN`].
    pub wait: bool,
}

impl Message {
    /// How long an answer is waited for where nothing else is said.
    pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);
    /// The longest time that a message may stay, and be waited for.
    pub const TIMEOUT_MAX: Duration = Duration::from_secs(60 * 60);
    /// The longest title, in bytes.
    pub const TITLE_BYTES_MAX: usize = 256;
    /// The longest text, in bytes: more than fits on a screen.
    pub const TEXT_BYTES_MAX: usize = 8 * 1024;

    /// Whether it asks for more than to be shown: buttons, a time-out, an answer. Not every system can do that:
    /// [`MESSAGES_ANSWER`](crate::MESSAGES_ANSWER).
    pub fn is_question(&self) -> bool {
        self.wait || self.timeout.is_some() || self.buttons != Buttons::Ok
    }
}

/// How grave a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gravity {
    /// For information.
    #[default]
    Info,
    /// A warning.
    Warning,
    /// Something failed.
    Error,
}

/// The buttons of a message, in the sets that Windows has: `MessageBox`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Buttons {
    /// OK.
    #[default]
    Ok,
    /// OK, Cancel.
    OkCancel,
    /// Yes, No.
    YesNo,
    /// Yes, No, Cancel.
    YesNoCancel,
    /// Retry, Cancel.
    RetryCancel,
    /// Abort, Retry, Ignore.
    AbortRetryIgnore,
}

/// What a person answered to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// OK, or the message was closed where OK is its only button.
    Ok,
    /// Cancel, or the message was closed.
    Cancel,
    /// Yes.
    Yes,
    /// No.
    No,
    /// Retry.
    Retry,
    /// Abort.
    Abort,
    /// Ignore.
    Ignore,
    /// Nothing, until its time was over.
    TimedOut,
}
