//! Keys and texts of the registry.

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, ERROR_NO_MORE_ITEMS, ERROR_SUCCESS, WIN32_ERROR};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_READ, KEY_WRITE, REG_OPTION_NON_VOLATILE, REG_SZ, RRF_RT_REG_SZ,
    RegCloseKey, RegCreateKeyExW, RegEnumKeyExW, RegGetValueW, RegOpenKeyExW, RegSetValueExW,
};

use super::super::wide::wide;

/// The longest name of a key: 255 characters, and the end marker.
const KEY_NAME_MAX: usize = 256;

/// A text longer than this is not one of ours.
const TEXT_MAX: usize = 32 * 1024;

/// An open key.
pub(super) struct Key(HKEY);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the key is ours alone and closed once.
        unsafe { RegCloseKey(self.0) };
    }
}

impl Key {
    /// Opens a key of the machine for reading.
    pub(super) fn local_machine(path: &str) -> io::Result<Key> {
        Key::open(HKEY_LOCAL_MACHINE, path)
    }

    /// Opens a key below this one for reading.
    pub(super) fn below(&self, path: &str) -> io::Result<Key> {
        Key::open(self.0, path)
    }

    fn open(parent: HKEY, path: &str) -> io::Result<Key> {
        let (path, mut key) = (wide(path), ptr::null_mut());
        // SAFETY: the parent is open; the path has its end marker; `key` is ours to be written.
        check(unsafe { RegOpenKeyExW(parent, path.as_ptr(), 0, KEY_READ, &mut key) })?;
        Ok(Key(key))
    }

    /// Opens a key of the machine for writing, and makes it if it is not there.
    pub(super) fn make(path: &str) -> io::Result<Key> {
        let (path, mut key) = (wide(path), ptr::null_mut());
        // SAFETY: the path has its end marker; `key` is ours to be written; nothing else is asked for.
        check(unsafe {
            RegCreateKeyExW(
                HKEY_LOCAL_MACHINE,
                path.as_ptr(),
                0,
                ptr::null(),
                REG_OPTION_NON_VOLATILE,
                KEY_WRITE,
                ptr::null(),
                &mut key,
                ptr::null_mut(),
            )
        })?;
        Ok(Key(key))
    }

    /// Writes a text.
    pub(super) fn set_text(&self, value: &str, text: &str) -> io::Result<()> {
        let (value, text) = (wide(value), wide(text));
        let bytes = u32::try_from(size_of_val(&*text)).map_err(io::Error::other)?;
        // SAFETY: the key is open; the name has its end marker; `text` has `bytes` bytes.
        check(unsafe { RegSetValueExW(self.0, value.as_ptr(), 0, REG_SZ, text.as_ptr().cast(), bytes) })
    }

    /// Reads a text.
    pub(super) fn text(&self, value: &str) -> io::Result<String> {
        let value = wide(value);
        let mut text = vec![0_u16; 512];
        loop {
            let mut bytes = size_of_val(&*text) as u32;
            // SAFETY: the key is open; the name has its end marker; `text` can take `bytes` bytes.
            let status = unsafe {
                RegGetValueW(
                    self.0,
                    ptr::null(),
                    value.as_ptr(),
                    RRF_RT_REG_SZ,
                    ptr::null_mut(),
                    text.as_mut_ptr().cast(),
                    &mut bytes,
                )
            };
            if status == ERROR_MORE_DATA && text.len() < TEXT_MAX {
                text = vec![0; text.len() * 4];
                continue;
            }
            check(status)?;
            let units = text.iter().copied().take_while(|unit| *unit != 0).collect::<Vec<_>>();
            return Ok(String::from_utf16_lossy(&units));
        }
    }

    /// The names of the keys below this one.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for index in 0.. {
            let mut name = [0_u16; KEY_NAME_MAX];
            let mut length = name.len() as u32;
            // SAFETY: the key is open; `name` can take `length` units; nothing else is asked for.
            let status = unsafe {
                RegEnumKeyExW(
                    self.0,
                    index,
                    name.as_mut_ptr(),
                    &mut length,
                    ptr::null(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                )
            };
            if status == ERROR_NO_MORE_ITEMS {
                break;
            }
            check(status)?;
            names.push(String::from_utf16_lossy(&name[..(length as usize).min(KEY_NAME_MAX)]));
        }
        Ok(names)
    }
}

/// The registry answers with the error itself and leaves the thread's last error alone.
fn check(status: WIN32_ERROR) -> io::Result<()> {
    match status {
        ERROR_SUCCESS => Ok(()),
        error => Err(io::Error::from_raw_os_error(error.cast_signed())),
    }
}
