//! Access tokens: who a process acts for.

use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle, OwnedHandle};
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::HANDLE;
#[cfg(feature = "host")]
use windows_sys::Win32::Security::{
    CheckTokenMembership, CreateWellKnownSid, DuplicateToken, SID_AND_ATTRIBUTES, SecurityIdentification,
    TOKEN_ACCESS_MASK, TOKEN_ELEVATION, TOKEN_ELEVATION_TYPE, TOKEN_GROUPS, TOKEN_LINKED_TOKEN,
    TOKEN_STATISTICS, TokenElevation, TokenElevationType, TokenElevationTypeFull, TokenElevationTypeLimited,
    TokenGroups, TokenLinkedToken, TokenStatistics, WinBuiltinAdministratorsSid,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, TOKEN_INFORMATION_CLASS, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
#[cfg(feature = "host")]
use windows_sys::Win32::System::RemoteDesktop::WTSQueryUserToken;
#[cfg(feature = "host")]
use windows_sys::Win32::System::SystemServices::{SE_GROUP_INTEGRITY, SE_GROUP_LOGON_ID};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, OpenProcessToken, PROCESS_QUERY_LIMITED_INFORMATION,
};

use super::handle::{owned, succeeded};
use super::sid::Sid;

/// An access token, open for questions. It does not say what it is to anybody: there is no `Debug`.
pub(super) struct Token(OwnedHandle);

/// What the elevation of an administrator's token can be: with user account control there are two that are linked.
#[cfg(feature = "host")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElevationType {
    /// There is one token only: an ordinary user's, or one where user account control does not take part.
    Default,
    /// The one with all rights; the filtered one is linked to it.
    Full,
    /// The filtered one; the one with all rights is linked to it.
    Limited,
}

impl Token {
    /// This process's own.
    pub(super) fn own() -> io::Result<Token> {
        // SAFETY: takes nothing and returns a constant that stands for this process.
        let process = unsafe { GetCurrentProcess() };
        Token::open(process, TOKEN_QUERY)
    }

    /// The same, also for making another of it.
    #[cfg(feature = "host")]
    pub(super) fn own_with(access: TOKEN_ACCESS_MASK) -> io::Result<Token> {
        // SAFETY: takes nothing and returns a constant that stands for this process.
        let process = unsafe { GetCurrentProcess() };
        Token::open(process, access)
    }

    /// That of another process.
    pub(super) fn of(process: BorrowedHandle<'_>) -> io::Result<Token> {
        Token::open(process.as_raw_handle(), TOKEN_QUERY)
    }

    /// That of another process, also for making another of it.
    #[cfg(feature = "host")]
    pub(super) fn of_with(process: BorrowedHandle<'_>, access: TOKEN_ACCESS_MASK) -> io::Result<Token> {
        Token::open(process.as_raw_handle(), access)
    }

    /// That of the user who is logged on in a session: `WTSQueryUserToken`. `ERROR_NO_TOKEN` says that nobody is, or not yet.
    #[cfg(feature = "host")]
    pub(super) fn of_session(session: u32) -> io::Result<Token> {
        let mut token = std::ptr::null_mut();
        // SAFETY: `token` is ours to be written.
        succeeded(unsafe { WTSQueryUserToken(session, &mut token) })?;
        owned(token).map(Token)
    }

    /// Takes over a token that a call has made for us.
    #[cfg(feature = "host")]
    pub(super) fn from_handle(token: OwnedHandle) -> Token {
        Token(token)
    }

    fn open(process: HANDLE, access: u32) -> io::Result<Token> {
        let mut token = std::ptr::null_mut();
        // SAFETY: `process` is alive for the call; `token` is ours to be written.
        succeeded(unsafe { OpenProcessToken(process, access, &mut token) })?;
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

    /// Whether it has the rights of an administrator: the system checks it as it does for an object that only administrators may
    /// open, so that a filtered token, which has the group for denials only, has not. Needs `TOKEN_DUPLICATE`.
    #[cfg(feature = "host")]
    pub(super) fn is_administrator(&self) -> io::Result<bool> {
        let mut copy = std::ptr::null_mut();
        // SAFETY: the token is open; `copy` is ours to be written.
        succeeded(unsafe { DuplicateToken(self.0.as_raw_handle(), SecurityIdentification, &mut copy) })?;
        let copy = owned(copy)?;
        // The longest identifier has 68 bytes.
        let mut administrators = [0_u64; 9];
        let mut length = size_of_val(&administrators) as u32;
        // SAFETY: the buffer has that many bytes; there is no domain in this one.
        succeeded(unsafe {
            CreateWellKnownSid(
                WinBuiltinAdministratorsSid,
                std::ptr::null_mut(),
                administrators.as_mut_ptr().cast(),
                &mut length,
            )
        })?;
        let mut is_member = 0;
        // SAFETY: the copy is open for questions, the identifier is whole, and `is_member` is ours to be written.
        succeeded(unsafe {
            CheckTokenMembership(copy.as_raw_handle(), administrators.as_mut_ptr().cast(), &mut is_member)
        })?;
        Ok(is_member != 0)
    }

    /// Whether user account control counts it as elevated.
    #[cfg(feature = "host")]
    pub(super) fn is_elevated(&self) -> io::Result<bool> {
        let mut elevation = [TOKEN_ELEVATION::default()];
        self.ask(TokenElevation, &mut elevation)?;
        Ok(elevation[0].TokenIsElevated != 0)
    }

    /// Whether there are two tokens, and which of them this is.
    #[cfg(feature = "host")]
    pub(super) fn elevation_type(&self) -> io::Result<ElevationType> {
        let mut found: [TOKEN_ELEVATION_TYPE; 1] = [0];
        self.ask(TokenElevationType, &mut found)?;
        const FULL: TOKEN_ELEVATION_TYPE = TokenElevationTypeFull;
        const LIMITED: TOKEN_ELEVATION_TYPE = TokenElevationTypeLimited;
        Ok(match found[0] {
            FULL => ElevationType::Full,
            LIMITED => ElevationType::Limited,
            _ => ElevationType::Default,
        })
    }

    /// Whether its user is an administrator, whichever of the two tokens it is.
    #[cfg(feature = "host")]
    pub(super) fn is_an_administrators(&self) -> io::Result<bool> {
        match self.elevation_type()? {
            ElevationType::Full | ElevationType::Limited => Ok(true),
            ElevationType::Default => self.is_elevated(),
        }
    }

    /// The other of the two tokens. For a process with `SeTcbPrivilege` it is one that programs can be started with; others get
    /// one that only answers questions.
    #[cfg(feature = "host")]
    pub(super) fn linked(&self) -> io::Result<Token> {
        let mut linked = [TOKEN_LINKED_TOKEN::default()];
        self.ask(TokenLinkedToken, &mut linked)?;
        owned(linked[0].LinkedToken).map(Token)
    }

    /// The number of its logon, which is not given out twice between two boots.
    #[cfg(feature = "host")]
    pub(super) fn logon(&self) -> io::Result<u64> {
        let mut statistics = [TOKEN_STATISTICS::default()];
        self.ask(TokenStatistics, &mut statistics)?;
        let id = statistics[0].AuthenticationId;
        Ok(u64::from(id.HighPart.cast_unsigned()) << 32 | u64::from(id.LowPart))
    }

    /// The groups that its user is in. Those that a filtered token has for denials only are among them; what says something of
    /// this one logon (its own identifier, the integrity level) is not.
    #[cfg(feature = "host")]
    pub(super) fn groups(&self) -> io::Result<Vec<Sid>> {
        let mut needed = 0;
        // SAFETY: without a buffer the call only says how long the answer is; it then "fails", which is how it is documented.
        unsafe {
            GetTokenInformation(self.0.as_raw_handle(), TokenGroups, std::ptr::null_mut(), 0, &mut needed)
        };
        if needed as usize > GROUPS_LENGTH_MAX {
            return Err(io::Error::other("the token has more groups than Windows puts into one"));
        }
        let mut buffer = vec![0_u64; (needed as usize).max(size_of::<TOKEN_GROUPS>()).div_ceil(8)];
        self.ask(TokenGroups, &mut buffer)?;
        let answer = buffer.as_ptr().cast::<TOKEN_GROUPS>();
        // SAFETY: on success the buffer, which is aligned for it, starts with a TOKEN_GROUPS.
        let count = unsafe { (*answer).GroupCount } as usize;
        // SAFETY: as above; the address is computed without a reference to the one element that the type declares.
        let first = unsafe { (&raw const (*answer).Groups).cast::<SID_AND_ATTRIBUTES>() };
        let fits = (size_of_val(buffer.as_slice()) - std::mem::offset_of!(TOKEN_GROUPS, Groups))
            / size_of::<SID_AND_ATTRIBUTES>();
        // SAFETY: that many of them lie inside the buffer, which is still alive, and nobody writes them.
        let found = unsafe { std::slice::from_raw_parts(first, count.min(fits)) };
        let mut groups = Vec::new();
        for group in found.iter().filter(|group| is_of_the_user(group.Attributes)) {
            // SAFETY: its pointer leads to a complete identifier inside `buffer`, which is still alive.
            groups.push(unsafe { Sid::read(group.Sid) }?);
        }
        Ok(groups)
    }

    #[cfg(feature = "host")]
    pub(super) fn raw(&self) -> HANDLE {
        self.0.as_raw_handle()
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

/// What a list of groups may take in bytes: a token has at most 1,024 of them, each with 16 bytes and an identifier of 68.
#[cfg(feature = "host")]
const GROUPS_LENGTH_MAX: usize = 256 * 1024;

#[cfg(feature = "host")]
fn is_of_the_user(attributes: u32) -> bool {
    let (integrity, logon) = (SE_GROUP_INTEGRITY.cast_unsigned(), SE_GROUP_LOGON_ID.cast_unsigned());
    attributes & integrity == 0 && attributes & logon != logon
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
