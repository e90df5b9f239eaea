//! Access tokens: who a process acts for.

use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle, OwnedHandle};
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Security::{
    GetTokenInformation, TOKEN_INFORMATION_CLASS, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
#[cfg(feature = "host")]
use windows_sys::Win32::Security::{TOKEN_ELEVATION, TOKEN_STATISTICS, TokenElevation, TokenStatistics};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, OpenProcessToken, PROCESS_QUERY_LIMITED_INFORMATION,
};

use super::handle::{owned, succeeded};
use super::sid::Sid;

/// The token of a process, open for questions.
pub(super) struct Token(OwnedHandle);

impl Token {
    /// This process's own.
    pub(super) fn own() -> io::Result<Token> {
        // SAFETY: takes nothing and returns a constant that stands for this process.
        let process = unsafe { GetCurrentProcess() };
        Token::open(process)
    }

    /// That of another process.
    pub(super) fn of(process: BorrowedHandle<'_>) -> io::Result<Token> {
        Token::open(process.as_raw_handle())
    }

    fn open(process: HANDLE) -> io::Result<Token> {
        let mut token = std::ptr::null_mut();
        // SAFETY: `process` is alive for the call; `token` is ours to be written.
        succeeded(unsafe { OpenProcessToken(process, TOKEN_QUERY, &mut token) })?;
        owned(token).map(Token)
    }

    /// Its user.
    pub(super) fn user(&self) -> io::Result<Sid> {
        // TOKEN_USER and the identifier that it points to, which lies behind it in the same buffer: 68 bytes at most.
        let mut buffer = [0_u64; 32];
        self.ask(TokenUser, &mut buffer)?;
        let user = buffer.as_ptr().cast::<TOKEN_USER>();
        // SAFETY: on success the buffer, which is aligned for it, starts with a TOKEN_USER.
        let user = unsafe { user.read() };
        // SAFETY: its pointer leads to a complete identifier inside `buffer`, which is still alive.
        unsafe { Sid::read(user.User.Sid) }
    }

    /// Whether it has the full rights of an administrator.
    #[cfg(feature = "host")]
    pub(super) fn is_elevated(&self) -> io::Result<bool> {
        let mut elevation = [TOKEN_ELEVATION::default()];
        self.ask(TokenElevation, &mut elevation)?;
        Ok(elevation[0].TokenIsElevated != 0)
    }

    /// The number of its logon, which is not given out twice between two boots.
    #[cfg(feature = "host")]
    pub(super) fn logon(&self) -> io::Result<u64> {
        let mut statistics = [TOKEN_STATISTICS::default()];
        self.ask(TokenStatistics, &mut statistics)?;
        let id = statistics[0].AuthenticationId;
        Ok(u64::from(id.HighPart.cast_unsigned()) << 32 | u64::from(id.LowPart))
    }

    fn ask<T>(&self, what: TOKEN_INFORMATION_CLASS, answer: &mut [T]) -> io::Result<()> {
        let length = u32::try_from(size_of_val(answer)).map_err(io::Error::other)?;
        let mut needed = 0;
        // SAFETY: `answer` can take `length` bytes, and any bit pattern is a value of the plain types we ask for.
        succeeded(unsafe {
            GetTokenInformation(self.0.as_raw_handle(), what, answer.as_mut_ptr().cast(), length, &mut needed)
        })
    }
}

/// The user this process runs as.
pub(super) fn own_sid() -> &'static Sid {
    static OWN: OnceLock<Sid> = OnceLock::new();
    OWN.get_or_init(|| {
        Token::own()
            .and_then(|token| token.user())
            .expect("a process may always ask its own token for its user")
    })
}

/// Opens a process for questions about it. The handle keeps its id from being used again.
pub(super) fn open_process(pid: u32) -> io::Result<OwnedHandle> {
    // SAFETY: takes plain values only.
    owned(unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) })
}
