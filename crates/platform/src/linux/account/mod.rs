//! Users and groups, as the name service knows them.
//!
//! Its modules are code of others (nsswitch.conf(5)): of directories that may take as long as they like, with libraries that stay
//! mapped for good. So they run in a child of this program ([`Question::ask`]), which answers in a plain format ([`answer`]), and
//! what calls them is one file ([`name_service`]).

mod answer;
mod name_service;
mod question;

use std::io;
use std::path::PathBuf;

use self::question::Question;

/// A line of the user database, and the groups that the user is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: PathBuf,
    pub(crate) shell: PathBuf,
    /// All of the user's groups, the primary one among them.
    pub(crate) gids: Vec<u32>,
    /// Their names, as far as they have any.
    pub(crate) groups: Vec<String>,
}

impl Account {
    /// Looks a user up. `NotFound`: there is none with this uid.
    pub(crate) async fn look_up(uid: u32) -> io::Result<Account> {
        Question::Uid(uid).ask().await
    }

    /// Finds a user by name or, if nobody has it and it is a number, by uid, as chown(1) does. `NotFound`: there is none.
    pub(crate) async fn find(name_or_uid: &str) -> io::Result<Account> {
        Question::Name(name_or_uid.to_owned()).ask().await
    }

    /// The user that this process is, with the groups that it is in, which need not be those of the database.
    pub(crate) async fn own() -> io::Result<Account> {
        Question::Own.ask().await
    }
}

/// Answers the question that this process was started for, in these words, on standard output.
pub(super) fn answer_in_child(words: &[String]) -> io::Result<()> {
    Question::of_words(words)?.answer_on_stdout()
}

/// What a worker can run as, for people.
pub const WORKER_ACCOUNTS: &str = "a user of this machine, such as `acme-worker`";

/// Whether a worker can run as this account, as far as that can be told by its name: which accounts there are, the name service
/// says when one is needed.
///
/// # Errors
///
/// What is wrong with it, to follow "account `…`, which": no user can be called so, passwd(5).
pub fn check_worker_account(account: &str, _service: &str, _runs_as: &crate::Account) -> Result<(), String> {
    let impossible = |c: char| c.is_control() || c.is_whitespace() || matches!(c, ':' | ',' | '/');
    if account.is_empty() || account.starts_with('-') || account.contains(impossible) {
        return Err("can be no user's name".into());
    }
    Ok(())
}

/// Whether there is a user of this name or, if it is a number, this uid. `None`: the name service did not say. Blocks until it
/// answers, and asks it in this process: not for a service.
pub fn knows_user(user_or_uid: &str) -> Option<bool> {
    let answer = match user_or_uid.parse() {
        Ok(uid) => name_service::user(uid).map(|_| true),
        Err(_) => name_service::uid_of(user_or_uid).map(|uid| uid.is_some()),
    };
    known(answer)
}

/// Whether there is a group of this name, asked as in [`knows_user`].
pub fn knows_group(group: &str) -> Option<bool> {
    known(name_service::group_exists(group))
}

fn known(answer: io::Result<bool>) -> Option<bool> {
    match answer {
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(false),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_not() {
        for (name, known) in [("root", true), ("0", true), ("no-such-account", false), ("3999999999", false)]
        {
            assert_eq!(knows_user(name), Some(known), "{name}");
        }
        assert_eq!(knows_group("root"), Some(true));
        assert_eq!(knows_group("no-such-group"), Some(false));
    }

    #[tokio::test]
    async fn accounts_are_found_by_name_and_number() {
        for name in ["root", "0"] {
            assert_eq!(Account::find(name).await.unwrap().uid, 0);
        }
        for name in ["no-such-account", "3999999999"] {
            assert_eq!(Account::find(name).await.unwrap_err().kind(), io::ErrorKind::NotFound, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_a_name_is_told() {
        let runs_as = crate::Account::default();
        for good in ["acme-worker", "_acme", "ACME\\worker$", "1001"] {
            assert_eq!(check_worker_account(good, "acme", &runs_as), Ok(()), "{good}");
        }
        for bad in ["", "-u", "a b", "root:0", "../root", "a\n"] {
            assert!(check_worker_account(bad, "acme", &runs_as).is_err(), "{bad}");
        }
    }
}
