//! Who a session's token says that its user is.
//!
//! All of this may wait for the system, and some of it for a domain controller: it is made off the loop.

use std::io;
use std::sync::Arc;

use crate::system::account;
use crate::system::profile;
use crate::system::shell;
use crate::system::sid::Sid;
use crate::system::station::Home;
use crate::system::token::Token;

/// What is read from a session's token each time the sessions are listed.
pub(super) struct Bearer {
    pub(super) user: Sid,
    /// The number of the logon.
    pub(super) logon: u64,
    /// Whether the user is an administrator, also where the token at hand is the filtered one.
    pub(super) administrator: bool,
}

/// Asks for a session's token and reads it.
pub(super) fn read(session: u32) -> io::Result<Bearer> {
    let token = Token::of_session(session)?;
    Ok(Bearer { user: token.user()?, logon: token.logon()?, administrator: token.is_an_administrators()? })
}

/// What takes longer to find out, and changes seldom.
pub(super) struct Learned {
    pub(super) user: Sid,
    pub(super) home: Arc<Home>,
    /// The groups of the user, by their identifiers.
    pub(super) groups: Vec<Sid>,
}

/// Looks at the token of a session and at what Windows keeps for its user. While there is no token, the session's shell says who
/// the user is, if the account that it runs as has the name which terminal services tell.
pub(super) fn learn(session: u32, domain: &str, user: &str) -> io::Result<Learned> {
    let token = Token::of_session(session).or_else(|error| {
        let is_the_user = |found: &Sid| {
            account::of(found).is_ok_and(|account| account.is_named(domain, user)) && !found.is_local_system()
        };
        shell::token_of(session, is_the_user).map_err(|_| error)
    })?;
    let home = Home { environment: profile::environment_of(&token)?, profile: profile::folder_of(&token)? };
    Ok(Learned { user: token.user()?, home: Arc::new(home), groups: token.groups()? })
}
