//! Messages to somebody who sits in front of a session.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, ERROR_WRITE_FAULT, FALSE, HANDLE};
use windows_sys::Win32::UI::WindowsAndMessaging::{IDASYNC, IDTIMEOUT, MESSAGEBOX_RESULT, MESSAGEBOX_STYLE};
use windows_sys::core::{BOOL, PCWSTR};

use crate::Message;
use crate::folder::Changes;
use crate::query::find;
use crate::refusal::{Refusal, answer, local, put, script};
use crate::script::{FOLDER, MESSAGES};

/// <https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtssendmessagew>
///
/// # Safety
///
/// The texts have as many bytes as is said, and the place for the answer is null or the caller's to be written.
#[unsafe(no_mangle)]
unsafe extern "system" fn WTSSendMessageW(
    server: HANDLE,
    session: u32,
    title: PCWSTR,
    title_bytes: u32,
    text: PCWSTR,
    text_bytes: u32,
    style: MESSAGEBOX_STYLE,
    timeout: u32,
    response: *mut MESSAGEBOX_RESULT,
    wait: BOOL,
) -> BOOL {
    let send = || {
        local(server)?;
        let id = find(&script()?, session)?.id;
        // SAFETY: by the caller's word.
        let title = unsafe { read(title, title_bytes) }?;
        // SAFETY: by the caller's word.
        let text = unsafe { read(text, text_bytes) }?;
        let waits = wait != FALSE;
        // Before it is shown: whoever sees it in the file may answer at once.
        let changes = Changes::watch()?;
        record(&Message { session: id, title, text, style, timeout, waits })?;
        let pressed = if waits { pressed(&changes, id, timeout)? } else { IDASYNC };
        // SAFETY: by the caller's word.
        unsafe { put(response, pressed) }
    };
    answer(send())
}

/// What is pressed in the end.
fn pressed(changes: &Changes, session: u32, timeout: u32) -> Result<MESSAGEBOX_RESULT, Refusal> {
    let end = (timeout > 0).then(|| Instant::now() + Duration::from_secs(timeout.into()));
    loop {
        if let Some(answer) = find(&script()?, session)?.answer {
            return Ok(answer);
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if !changes.wait(left)? {
            return Ok(IDTIMEOUT);
        }
    }
}

/// # Safety
///
/// There are that many bytes.
unsafe fn read(start: PCWSTR, bytes: u32) -> Result<String, Refusal> {
    if start.is_null() || !bytes.is_multiple_of(2) {
        return Err(ERROR_INVALID_PARAMETER);
    }
    // SAFETY: by the caller's word.
    let units = unsafe { std::slice::from_raw_parts(start, bytes as usize / 2) };
    Ok(String::from_utf16_lossy(units).trim_end_matches('\0').to_owned())
}

fn record(message: &Message) -> Result<(), Refusal> {
    let line = serde_json::to_string(message).map_err(|_| ERROR_WRITE_FAULT)? + "\n";
    let file = OpenOptions::new().create(true).append(true).open(Path::new(FOLDER).join(MESSAGES));
    // One write to a file opened for appending: lines of two processes do not mix.
    file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(|_| ERROR_WRITE_FAULT)
}
