//! The Event Log: a name under which entries are found, and the entries.
//!
//! An entry is an id and a text; the sentence around the text comes from a message file that is registered with the name. Ours
//! is the system's own `EventCreate.exe`, whose messages 1 to 1000 are all "%1": a message file of our own would be kept open
//! by every viewer and by the Event Log itself, and stand in the way of the next upgrade.

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_SUCCESS, HANDLE, WIN32_ERROR};
use windows_sys::Win32::System::EventLog::{
    DeregisterEventSource, EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE,
    RegisterEventSourceW, ReportEventW,
};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_SET_VALUE, REG_DWORD, REG_EXPAND_SZ, REG_OPTION_NON_VOLATILE,
    REG_VALUE_TYPE, RRF_NOEXPAND, RRF_RT_REG_EXPAND_SZ, RRF_RT_REG_SZ, RegCloseKey, RegCreateKeyExW,
    RegDeleteKeyW, RegGetValueW, RegSetValueExW,
};

use super::handle::succeeded;
use super::wide::wide;
use crate::{Error, Severity};

/// Where the names of the Application log are.
const SOURCES: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Application";

/// The file with the sentences. In the registry the variable stays as it is.
const MESSAGE_FILE: &str = r"%SystemRoot%\System32\EventCreate.exe";

/// The ids that the message file knows.
const ID_MAX: u16 = 1000;

/// The longest text of an entry, in UTF-16 units: `ReportEventW` allows 31,839.
const TEXT_UNITS_MAX: usize = 31_000;

/// A name under which this program writes entries into the Application log.
pub struct EventLog(HANDLE);

// SAFETY: the handle stands for the log, not for a thread; the log takes entries from any.
unsafe impl Send for EventLog {}
// SAFETY: as above.
unsafe impl Sync for EventLog {}

impl EventLog {
    /// Makes a name known to the system, so that a viewer shows the texts of its entries. Needs an administrator. Does nothing
    /// if that was done before, and refuses a name that another program has registered.
    pub fn register_source(name: &str) -> Result<(), Error> {
        let failed = |source| Error::EventSource { action: "register", name: name.into(), source };
        if let Some(file) = message_file(name).map_err(failed)?
            && !file.eq_ignore_ascii_case(MESSAGE_FILE)
        {
            return Err(failed(io::Error::other(format!(
                "another program has it, with the messages in {file}; choose another name for the service"
            ))));
        }
        let types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
        let text: Vec<u8> = wide(MESSAGE_FILE).into_iter().flat_map(u16::to_le_bytes).collect();
        let key = Key::create(&path_of(name)).map_err(failed)?;
        key.set("EventMessageFile", REG_EXPAND_SZ, &text).map_err(failed)?;
        key.set("TypesSupported", REG_DWORD, &u32::from(types).to_le_bytes()).map_err(failed)
    }

    /// Forgets a name. Entries stay, without their sentences. Does nothing if it is not known or belongs to another program.
    pub fn unregister_source(name: &str) -> Result<(), Error> {
        let failed = |source| Error::EventSource { action: "remove", name: name.into(), source };
        match message_file(name).map_err(failed)? {
            Some(file) if file.eq_ignore_ascii_case(MESSAGE_FILE) => {
                let path = wide(path_of(name));
                // SAFETY: the path has its end marker. Only a key without keys below it is removed.
                checked(unsafe { RegDeleteKeyW(HKEY_LOCAL_MACHINE, path.as_ptr()) }).map_err(failed)
            }
            _ => Ok(()),
        }
    }

    /// Opens the log for entries under this name; `None` where the system has no such log. A name that is not registered works,
    /// and a viewer shows its entries with a complaint.
    pub fn open(name: &str) -> io::Result<Option<EventLog>> {
        let name = wide(name);
        // SAFETY: the name has its end marker; no server means this machine.
        let handle = unsafe { RegisterEventSourceW(ptr::null(), name.as_ptr()) };
        if handle.is_null() { Err(io::Error::last_os_error()) } else { Ok(Some(EventLog(handle))) }
    }

    /// Writes an entry: a sentence, and what it is about as `name=value` or nothing. Ids are from 1 to 1000. Blocks while the
    /// Event Log does.
    pub fn report(&self, severity: Severity, id: u16, text: &str, details: &str) -> io::Result<()> {
        if !(1..=ID_MAX).contains(&id) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{id} is no id of an entry")));
        }
        let kind = match severity {
            Severity::Error => EVENTLOG_ERROR_TYPE,
            Severity::Warning => EVENTLOG_WARNING_TYPE,
            Severity::Information => EVENTLOG_INFORMATION_TYPE,
        };
        // A viewer shows the first line of each entry.
        let text = if details.is_empty() { text.to_owned() } else { format!("{text}\r\n\r\n{details}") };
        let units = text.encode_utf16().filter(|unit| *unit != 0).take(TEXT_UNITS_MAX);
        let text: Vec<u16> = units.chain([0]).collect();
        let texts = [text.as_ptr()];
        // SAFETY: the handle is open; one string with its end marker, no further data and no user.
        succeeded(unsafe {
            ReportEventW(self.0, kind, 0, id.into(), ptr::null_mut(), 1, 0, texts.as_ptr(), ptr::null())
        })
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        // SAFETY: from `RegisterEventSourceW`, ours alone and closed once.
        unsafe { DeregisterEventSource(self.0) };
    }
}

fn path_of(name: &str) -> String {
    format!(r"{SOURCES}\{name}")
}

/// The message file that is registered with a name, as it is written there.
fn message_file(name: &str) -> io::Result<Option<String>> {
    let (path, value) = (wide(path_of(name)), wide("EventMessageFile"));
    let mut text = [0_u16; 1024];
    let mut bytes = size_of_val(&text) as u32;
    let wanted = RRF_RT_REG_SZ | RRF_RT_REG_EXPAND_SZ | RRF_NOEXPAND;
    // SAFETY: both names have their end markers; the buffer has that many bytes; the type is not asked for.
    let status = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            path.as_ptr(),
            value.as_ptr(),
            wanted,
            ptr::null_mut(),
            text.as_mut_ptr().cast(),
            &mut bytes,
        )
    };
    if status == ERROR_FILE_NOT_FOUND {
        return Ok(None);
    }
    checked(status)?;
    let units = text.into_iter().take(bytes as usize / 2).take_while(|unit| *unit != 0);
    Ok(Some(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()))
}

/// A key of the registry, open to be written.
struct Key(HKEY);

impl Key {
    /// Opens it, and makes it if it is not there.
    fn create(path: &str) -> io::Result<Key> {
        let (path, mut key) = (wide(path), ptr::null_mut());
        // SAFETY: the path has its end marker; `key` is ours to be written; class, attributes and disposition are not given.
        checked(unsafe {
            RegCreateKeyExW(
                HKEY_LOCAL_MACHINE,
                path.as_ptr(),
                0,
                ptr::null(),
                REG_OPTION_NON_VOLATILE,
                KEY_SET_VALUE,
                ptr::null(),
                &mut key,
                ptr::null_mut(),
            )
        })?;
        Ok(Key(key))
    }

    fn set(&self, name: &str, kind: REG_VALUE_TYPE, bytes: &[u8]) -> io::Result<()> {
        let name = wide(name);
        // SAFETY: the key is open, the name has its end marker, and that many bytes are there.
        checked(unsafe { RegSetValueExW(self.0, name.as_ptr(), 0, kind, bytes.as_ptr(), bytes.len() as u32) })
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: from `RegCreateKeyExW`, ours alone and closed once.
        unsafe { RegCloseKey(self.0) };
    }
}

fn checked(status: WIN32_ERROR) -> io::Result<()> {
    if status == ERROR_SUCCESS { Ok(()) } else { Err(io::Error::from_raw_os_error(status.cast_signed())) }
}
