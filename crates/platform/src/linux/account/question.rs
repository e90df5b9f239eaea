//! A question to the name service: from the service, over a child, to the answer.

use std::io::{self, Write as _};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Account, answer, name_service};
use crate::system::helper::{self, Bounds, LOOK_UP};

/// How long the name service may take before it is asked again another time.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How many are asked at a time; the others wait in line. Each is a process of some milliseconds, or of 5 s where a directory is away.
const ASKED_MAX: usize = 16;

static ASKING: Semaphore = Semaphore::const_new(ASKED_MAX);

/// Whom the name service is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// A user, by uid.
    Uid(u32),
    /// A user, by name or else by uid.
    Name(String),
    /// This process.
    Own,
}

impl Question {
    /// Asks in a child, which is killed when its time is up. A program that never said that its copies can be helpers
    /// ([`helper_main`](crate::helper_main)) asks by itself, on a thread that may be left behind. Needs a runtime.
    ///
    /// # Errors
    /// `TimedOut`: there was no answer within 5 s, however long of that it had to wait for its turn. `NotFound`: there is none. Else
    /// why it could not be asked.
    pub(super) async fn ask(self) -> io::Result<Account> {
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.ask_in_turn()).await;
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the name service: no answer within 5 s");
        answer.unwrap_or_else(|_| Err(late()))
    }

    async fn ask_in_turn(self) -> io::Result<Account> {
        let turn = ASKING.acquire().await.map_err(io::Error::other)?;
        if !helper::is_possible() {
            return self.ask_here(turn).await;
        }
        // Whoever asks may stop listening, also since its time is up; its child is seen to its end all the same, and its turn is
        // over only then.
        let bounds = Bounds { within: ANSWER_WITHIN, length: answer::LENGTH_MAX };
        let child = tokio::spawn(async move { helper::look_up(&self.words(), bounds, turn).await });
        let answered = child.await.map_err(io::Error::other)?;
        let bytes = answered
            .map_err(|cause| io::Error::other(format!("the helper that asks the name service: {cause}")))?;
        answer::decode(&bytes)
    }

    /// `_turn` is over once nobody waits for the answer, or nobody could ask any more once that many are left behind.
    async fn ask_here(self, _turn: SemaphorePermit<'static>) -> io::Result<Account> {
        tokio::task::spawn_blocking(move || self.answer()).await.map_err(io::Error::other)?
    }

    /// Its answer, by the modules of the name service in this process.
    fn answer(&self) -> io::Result<Account> {
        match self {
            Question::Uid(uid) => name_service::user(*uid),
            Question::Name(name) => name_service::user_called(name),
            Question::Own => name_service::own(),
        }
    }

    /// The child's part: the answer is on standard output, also one that says that there is none.
    pub(super) fn answer_on_stdout(&self) -> io::Result<()> {
        let bytes = answer::encode(&self.answer());
        let mut out = io::stdout().lock();
        out.write_all(&bytes)?;
        out.flush()
    }

    /// The question as arguments of a child.
    fn words(&self) -> Vec<String> {
        match self {
            Question::Uid(uid) => vec![LOOK_UP.into(), "uid".into(), uid.to_string()],
            Question::Name(name) => vec![LOOK_UP.into(), "name".into(), name.clone()],
            Question::Own => vec![LOOK_UP.into(), "own".into()],
        }
    }

    /// The question that a child was asked.
    pub(super) fn of_words(words: &[String]) -> io::Result<Question> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            [LOOK_UP, "uid", uid] => uid.parse().map(Question::Uid).map_err(io::Error::other),
            [LOOK_UP, "name", name] => Ok(Question::Name(name.to_owned())),
            [LOOK_UP, "own"] => Ok(Question::Own),
            _ => Err(io::Error::other("this is no question to the name service")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_understands_what_it_is_asked() {
        for question in [Question::Uid(1001), Question::Name("-u".into()), Question::Own] {
            assert_eq!(Question::of_words(&question.words()).unwrap(), question);
        }
        for words in [vec![], vec!["look-up"], vec!["look-up", "uid", "-1"], vec!["look-up", "own", "1"]] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            assert!(Question::of_words(&words).is_err(), "{words:?}");
        }
    }

    #[tokio::test]
    async fn the_wait_for_a_turn_is_part_of_the_time() {
        let all = ASKING.acquire_many(ASKED_MAX as u32).await.unwrap();
        tokio::time::pause();
        let asked = tokio::time::timeout(ANSWER_WITHIN * 2, Question::Own.ask()).await;
        assert_eq!(asked.expect("it is given up").unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(all);
    }
}
