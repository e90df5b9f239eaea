//! What the manager keeps of a service: read, compared, written.

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::ERROR_INSUFFICIENT_BUFFER;
use windows_sys::Win32::System::Services::{
    ChangeServiceConfigW, CreateServiceW, QUERY_SERVICE_CONFIGW, QueryServiceConfigW, SERVICE_ALL_ACCESS,
    SERVICE_AUTO_START, SERVICE_DEMAND_START, SERVICE_DISABLED, SERVICE_ERROR_NORMAL, SERVICE_START_TYPE,
    SERVICE_WIN32_OWN_PROCESS,
};
use windows_sys::core::PCWSTR;
use zeroize::Zeroizing;

use super::super::handle::succeeded;
use super::super::wide::{read, wide};
use super::handle::{Database, Service};
use crate::Password;

/// The settings that come with the service itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// The whole command line; its program is quoted.
    pub(super) image_path: String,
    pub(super) display_name: String,
    pub(super) start: SERVICE_START_TYPE,
    /// As the manager writes it: "LocalSystem", `NT AUTHORITY\LocalService` in the language of the system.
    pub(super) account: String,
    pub(super) dependencies: Vec<String>,
}

impl Settings {
    /// Makes a service.
    pub(super) fn create(
        &self,
        database: &Database,
        name: &str,
        password: Option<&Password>,
    ) -> io::Result<Service> {
        let (name, texts) = (wide(name), self.texts(password));
        // SAFETY: the database is open; every text has its end marker, the list two; no tag is asked for.
        let raw = unsafe {
            CreateServiceW(
                database.raw(),
                name.as_ptr(),
                texts.display_name.as_ptr(),
                SERVICE_ALL_ACCESS,
                SERVICE_WIN32_OWN_PROCESS,
                self.start,
                SERVICE_ERROR_NORMAL,
                texts.image_path.as_ptr(),
                ptr::null(),
                ptr::null_mut(),
                texts.dependencies.as_ptr(),
                texts.account.as_ptr(),
                texts.password(),
            )
        };
        Service::owned(raw)
    }

    /// Writes these settings over those of a service that is there.
    pub(super) fn change(&self, service: &Service, password: Option<&Password>) -> io::Result<()> {
        let texts = self.texts(password);
        // SAFETY: the service is open; every text has its end marker, the list two; no tag is asked for.
        succeeded(unsafe {
            ChangeServiceConfigW(
                service.raw(),
                SERVICE_WIN32_OWN_PROCESS,
                self.start,
                SERVICE_ERROR_NORMAL,
                texts.image_path.as_ptr(),
                ptr::null(),
                ptr::null_mut(),
                texts.dependencies.as_ptr(),
                texts.account.as_ptr(),
                texts.password(),
                texts.display_name.as_ptr(),
            )
        })
    }

    /// Reads the settings of a service.
    pub(super) fn of(service: &Service) -> io::Result<Settings> {
        let mut length = 0;
        // SAFETY: the service is open; with no buffer only the length is written.
        let sized = succeeded(unsafe { QueryServiceConfigW(service.raw(), ptr::null_mut(), 0, &mut length) });
        match sized {
            Err(error) if error.raw_os_error() != Some(ERROR_INSUFFICIENT_BUFFER.cast_signed()) => {
                return Err(error);
            }
            _ => {}
        }
        // 8 bytes at a time, so that the structure at its start is aligned.
        let mut buffer = vec![0_u64; (length as usize).max(size_of::<QUERY_SERVICE_CONFIGW>()).div_ceil(8)];
        let config = buffer.as_mut_ptr().cast::<QUERY_SERVICE_CONFIGW>();
        let room = size_of_val(&*buffer) as u32;
        // SAFETY: the service is open; the buffer is aligned for the structure and can take `room` bytes.
        succeeded(unsafe { QueryServiceConfigW(service.raw(), config, room, &mut length) })?;
        // SAFETY: on success the buffer starts with the structure, made of plain values and pointers into the buffer.
        let config = unsafe { config.read() };
        Ok(Settings {
            // SAFETY: each is null or a string with its end marker inside `buffer`, which is alive.
            image_path: unsafe { text(config.lpBinaryPathName) },
            // SAFETY: as above.
            display_name: unsafe { text(config.lpDisplayName) },
            start: config.dwStartType,
            // SAFETY: as above.
            account: unsafe { text(config.lpServiceStartName) },
            // SAFETY: null or strings with their end markers and one more, inside `buffer`.
            dependencies: unsafe { list(config.lpDependencies) },
        })
    }

    /// What is different in `new`, a line each.
    pub(super) fn differences(&self, new: &Settings) -> Vec<String> {
        let mut lines = Vec::new();
        let mut compare = |what: &str, was: &str, is: &str| {
            if was != is {
                lines.push(format!("{what}: was {}, is {}", shown(was), shown(is)));
            }
        };
        compare("image path", &self.image_path, &new.image_path);
        compare("display name", &self.display_name, &new.display_name);
        compare("start", start_word(self.start), start_word(new.start));
        if !self.account.eq_ignore_ascii_case(&new.account) {
            compare("account", &self.account, &new.account);
        }
        compare("dependencies", &self.dependencies.join(", "), &new.dependencies.join(", "));
        lines
    }

    fn texts(&self, password: Option<&Password>) -> Texts {
        let mut dependencies: Vec<u16> = self.dependencies.iter().flat_map(wide).collect();
        // An empty list is one end marker too many, not none: none would leave the old list in place.
        dependencies.extend([0, 0]);
        Texts {
            image_path: wide(&self.image_path),
            display_name: wide(&self.display_name),
            account: wide(&self.account),
            dependencies,
            password: password.map(|password| Zeroizing::new(wide(password.expose()))),
        }
    }
}

/// The same as the calls want it.
struct Texts {
    image_path: Vec<u16>,
    display_name: Vec<u16>,
    account: Vec<u16>,
    dependencies: Vec<u16>,
    password: Option<Zeroizing<Vec<u16>>>,
}

impl Texts {
    fn password(&self) -> PCWSTR {
        self.password.as_ref().map_or(ptr::null(), |password| password.as_ptr())
    }
}

fn shown(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { format!("`{text}`") }
}

fn start_word(start: SERVICE_START_TYPE) -> &'static str {
    match start {
        SERVICE_AUTO_START => "auto",
        SERVICE_DEMAND_START => "manual",
        SERVICE_DISABLED => "disabled",
        _ => "a driver's",
    }
}

/// Reads a string that may not be there.
///
/// # Safety
///
/// `start` is null or points to UTF-16 units that end with a zero.
unsafe fn text(start: *const u16) -> String {
    if start.is_null() {
        return String::new();
    }
    // SAFETY: by the caller's word.
    unsafe { read(start) }
}

/// Reads strings up to an empty one.
///
/// # Safety
///
/// `start` is null or points to strings with their end markers, the last of which is empty.
unsafe fn list(start: *const u16) -> Vec<String> {
    let mut strings = Vec::new();
    let mut at = start;
    loop {
        // SAFETY: by the caller's word: every string before the empty one is followed by another.
        let string = unsafe { text(at) };
        if string.is_empty() {
            return strings;
        }
        // SAFETY: past this string and its end marker the next one starts.
        at = unsafe { at.add(string.encode_utf16().count() + 1) };
        strings.push(string);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            image_path: r#""C:\a b\x.exe" service"#.to_owned(),
            display_name: "Acme Desk".to_owned(),
            start: SERVICE_AUTO_START,
            account: "LocalSystem".to_owned(),
            dependencies: Vec::new(),
        }
    }

    #[test]
    fn differences_are_named_with_both_values() {
        assert!(settings().differences(&settings()).is_empty());
        let new = Settings {
            start: SERVICE_DEMAND_START,
            account: "localsystem".to_owned(),
            dependencies: vec!["RpcSs".to_owned(), "Tcpip".to_owned()],
            ..settings()
        };
        assert_eq!(
            settings().differences(&new),
            ["start: was `auto`, is `manual`", "dependencies: was none, is `RpcSs, Tcpip`"]
        );
    }

    #[test]
    fn a_list_ends_with_an_empty_string() {
        let units: Vec<u16> = "RpcSs\0Tcpip\0\0".encode_utf16().collect();
        // SAFETY: the list ends with an empty string.
        assert_eq!(unsafe { list(units.as_ptr()) }, ["RpcSs", "Tcpip"]);
        // SAFETY: null is allowed.
        assert!(unsafe { list(ptr::null()) }.is_empty());
        let settings = Settings { dependencies: vec!["RpcSs".to_owned()], ..settings() };
        assert_eq!(settings.texts(None).dependencies, "RpcSs\0\0\0".encode_utf16().collect::<Vec<_>>());
    }
}
