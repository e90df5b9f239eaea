//! What the system's own parser makes of our command lines.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::c_void;
use std::{ptr, slice};

use proptest::collection::vec;
use proptest::prelude::*;
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::UI::Shell::CommandLineToArgvW;

use super::quoting::command_line;
use super::wide::wide;

/// <https://learn.microsoft.com/windows/win32/api/shellapi/nf-shellapi-commandlinetoargvw>
fn taken_apart(line: &str) -> Vec<String> {
    let line = wide(line);
    let mut count = 0;
    // SAFETY: the line has its end marker; `count` is ours to be written.
    let words = unsafe { CommandLineToArgvW(line.as_ptr(), &mut count) };
    assert!(!words.is_null());
    // SAFETY: on success there are `count` pointers behind `words`, alive until that is freed.
    let listed = unsafe { slice::from_raw_parts(words, usize::try_from(count).unwrap()) };
    let taken = listed.iter().map(|word| text(*word)).collect();
    // SAFETY: from the call above, and freed once.
    unsafe { LocalFree(words.cast::<c_void>()) };
    taken
}

fn text(word: *const u16) -> String {
    // SAFETY: every word has its end marker, and nothing behind that is read.
    let is_end = |at: &usize| (unsafe { ptr::read(word.wrapping_add(*at)) }) == 0;
    let length = (0..).find(is_end).unwrap();
    // SAFETY: so many units were just read.
    String::from_utf16(unsafe { slice::from_raw_parts(word, length) }).unwrap()
}

/// Mostly letters that mean something to a parser, and any others but the end marker of a string.
fn argument() -> impl Strategy<Value = String> {
    const SPECIAL: &[char] = &['\\', '"', ' ', '\t', '\n', '\x0B', '\'', '^', '%', 'a', 'ß', '世', '😀'];
    let letter = prop_oneof![
        8 => prop::sample::select(SPECIAL),
        1 => any::<char>().prop_filter("no end marker", |letter| *letter != '\0'),
    ];
    vec(letter, 0..24).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn comes_back_as_it_was(arguments in vec(argument(), 0..6)) {
        let program = r"C:\Program Files\Grüße\a.exe";
        let line = command_line(program, arguments.iter().map(String::as_str));
        let taken = taken_apart(&line);
        prop_assert_eq!(&taken[0], program);
        prop_assert_eq!(&taken[1..], &arguments[..], "of {}", line);
    }
}
