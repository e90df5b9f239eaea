//! What makes a program one of a session's user: a token, an environment, a folder.
//!
//! The token is asked for at every launch and let go of after it. That costs a tenth of a millisecond, and it is what shows that
//! the session is still that of the same logon; a token that is kept would also keep the logon alive when its user has left.

use std::io;
use std::os::windows::io::{AsRawHandle as _, OwnedHandle};
use std::path::PathBuf;
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_CTX_CLOSE_PENDING, ERROR_CTX_WINSTATION_NOT_FOUND, ERROR_FILE_NOT_FOUND,
    ERROR_NO_SUCH_LOGON_SESSION, ERROR_NO_TOKEN, ERROR_PRIVILEGE_NOT_HELD, HANDLE, WIN32_ERROR,
};
use windows_sys::Win32::Security::{
    DuplicateTokenEx, SecurityAnonymous, TOKEN_ADJUST_DEFAULT, TOKEN_ADJUST_SESSIONID, TOKEN_ASSIGN_PRIMARY,
    TOKEN_DUPLICATE, TOKEN_QUERY, TokenPrimary,
};

use super::environment::Variables;
use super::handle::{owned, succeeded};
use super::token::{ElevationType, Token};
use crate::{Elevation, LaunchError, LaunchErrorKind};

/// A token that a process can be started with. Whoever has it can act as its user, so that nothing of it is ever printed and it
/// is never inherited.
pub(super) struct PrimaryToken(OwnedHandle);

impl PrimaryToken {
    /// Makes one of a token: `DuplicateTokenEx`.
    pub(super) fn from_token(token: &Token) -> io::Result<PrimaryToken> {
        let rights = TOKEN_QUERY
            | TOKEN_DUPLICATE
            | TOKEN_ASSIGN_PRIMARY
            | TOKEN_ADJUST_DEFAULT
            | TOKEN_ADJUST_SESSIONID;
        let mut primary = ptr::null_mut();
        // SAFETY: the token is alive; `primary` is ours to be written. The level is that of impersonation, which a primary token
        // is not for. Without attributes the handle is not inherited.
        succeeded(unsafe {
            DuplicateTokenEx(token.raw(), rights, ptr::null(), SecurityAnonymous, TokenPrimary, &mut primary)
        })?;
        owned(primary).map(PrimaryToken)
    }

    /// For the calls that take one.
    pub(super) fn raw(&self) -> HANDLE {
        self.0.as_raw_handle()
    }
}

/// What a program is started with to be one of a session's user.
pub(super) struct Credentials {
    /// Who it acts for.
    pub(super) token: PrimaryToken,
    /// The environment of that user, which the variables of the command stand over.
    pub(super) environment: Variables,
    /// The user's own folder, where a program starts that names no other.
    pub(super) profile: PathBuf,
    /// Where its windows are.
    pub(super) desktop: Desktop,
}

/// Where the windows of a program are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Desktop {
    /// On the desktop that the user of the session sees.
    Interactive,
    /// Nowhere that anybody sees: the system makes a window station for the logon, as it does for services.
    None,
}

/// Of an administrator's two tokens the one that is meant, and whether it has more rights than the user's everyday programs.
pub(super) fn elevate(token: Token, elevation: Elevation) -> io::Result<(Token, bool)> {
    Ok(match (elevation, token.elevation_type()?) {
        (Elevation::Filtered, ElevationType::Full) => (token.linked()?, false),
        (Elevation::Filtered, ElevationType::Limited | ElevationType::Default) => (token, false),
        (Elevation::Linked, ElevationType::Limited) => (token.linked()?, true),
        (Elevation::Linked, ElevationType::Full) => (token, true),
        // There is no other. If it is elevated, then so are all programs of its user.
        (Elevation::Linked, ElevationType::Default) => {
            let elevated = token.is_elevated()?;
            (token, elevated)
        }
    })
}

/// A token that was not to be had, classified and with what to do about it. `whose` names session and user.
pub(super) fn no_token(whose: &str, source: io::Error) -> LaunchError {
    let (kind, advice) = meaning(source.raw_os_error().unwrap_or(0).cast_unsigned());
    let error = LaunchError::system("get the token of", whose, kind, source);
    match advice {
        Some(advice) => error.with_advice(advice),
        None => error,
    }
}

/// What `WTSQueryUserToken` and the calls after it mean by an error. What is not known may pass.
fn meaning(code: WIN32_ERROR) -> (LaunchErrorKind, Option<&'static str>) {
    match code {
        ERROR_NO_TOKEN => (
            LaunchErrorKind::NotReady,
            Some("it is not ready yet; right after a logon this passes by itself"),
        ),
        ERROR_CTX_WINSTATION_NOT_FOUND
        | ERROR_CTX_CLOSE_PENDING
        | ERROR_NO_SUCH_LOGON_SESSION
        | ERROR_FILE_NOT_FOUND => (LaunchErrorKind::Gone, Some("the session has ended")),
        ERROR_PRIVILEGE_NOT_HELD | ERROR_ACCESS_DENIED => (
            LaunchErrorKind::Wrong,
            Some("only LocalSystem is given the tokens of users; let the service run with this account"),
        ),
        _ => (LaunchErrorKind::Busy, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_about_tokens_are_classified() {
        for (code, kind) in [
            (1008, LaunchErrorKind::NotReady),
            (7022, LaunchErrorKind::Gone),
            (1312, LaunchErrorKind::Gone),
            (1314, LaunchErrorKind::Wrong),
            (5, LaunchErrorKind::Wrong),
            (1450, LaunchErrorKind::Busy),
        ] {
            assert_eq!(meaning(code).0, kind, "{code}");
        }
        let error = no_token("session 2 (alice)", io::Error::from_raw_os_error(1008));
        assert!(error.to_string().starts_with("cannot get the token of session 2 (alice): it is not ready"));
    }

    #[test]
    fn an_ordinary_token_stays_what_it_is() {
        let own = Token::own().unwrap();
        let (user, full) = (own.user().unwrap(), own.elevation_type().unwrap() == ElevationType::Full);
        if !full {
            let (token, raised) = elevate(own, Elevation::Filtered).unwrap();
            assert_eq!(token.user().unwrap(), user);
            assert!(!raised);
        }
    }
}
