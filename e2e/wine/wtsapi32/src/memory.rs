//! Answers in the caller's hands, until it gives them back.

use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{process, ptr};

use windows_sys::Win32::System::RemoteDesktop::{WTS_TYPE_CLASS, WTSTypeSessionInfoLevel1};
use windows_sys::core::BOOL;

use crate::refusal::answer;

/// Which function takes an answer back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FreedBy {
    /// `WTSFreeMemory`
    FreeMemory,
    /// `WTSFreeMemoryExW` for so many entries of the first level.
    FreeMemoryEx(u32),
}

struct Answer {
    freed_by: FreedBy,
    /// Kept alive, never looked at.
    _records: Box<dyn Any>,
    _texts: Vec<Box<[u16]>>,
}

// SAFETY: what it holds is plain values and pointers into its own texts; it is only ever dropped, on whichever thread.
unsafe impl Send for Answer {}

/// By the address of the records.
static ANSWERS: Mutex<BTreeMap<usize, Answer>> = Mutex::new(BTreeMap::new());

fn answers() -> MutexGuard<'static, BTreeMap<usize, Answer>> {
    ANSWERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Texts that records point to.
#[derive(Default)]
pub(crate) struct Texts(Vec<Box<[u16]>>);

impl Texts {
    /// Where the text lies, for as long as these texts live.
    pub(crate) fn add(&mut self, text: &str) -> *mut u16 {
        let mut text: Box<[u16]> = text.encode_utf16().chain([0]).collect();
        let start = text.as_mut_ptr();
        self.0.push(text);
        start
    }
}

/// Leaves records, and the texts that they point to, to the caller.
pub(crate) fn hand_out<T: 'static>(mut records: Box<[T]>, texts: Texts, freed_by: FreedBy) -> *mut T {
    let (start, records): (*mut T, Box<dyn Any>) = if records.is_empty() {
        // An address of its own, that can be given back.
        let mut nothing = Box::new(0_u64);
        (ptr::from_mut(&mut *nothing).cast(), nothing)
    } else {
        (records.as_mut_ptr(), Box::new(records))
    };
    answers().insert(start.addr(), Answer { freed_by, _records: records, _texts: texts.0 });
    start
}

/// Takes an answer back. What was never handed out, or has another function for this, is a mistake of the program under test that
/// Windows would answer with a broken heap, later and elsewhere.
fn take_back(address: usize, freed_by: FreedBy) {
    let answer = answers().remove(&address);
    match answer {
        Some(answer) if answer.freed_by == freed_by => {}
        Some(answer) => mistake(&format!("{:?} is freed with {freed_by:?}", answer.freed_by)),
        None => mistake(&format!("{address:#x} is freed with {freed_by:?} but was not handed out")),
    }
}

fn mistake(text: &str) -> ! {
    eprintln!("wtsapi32 stand-in: {text}");
    process::abort()
}

/// <https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtsfreememory>
#[unsafe(no_mangle)]
extern "system" fn WTSFreeMemory(memory: *mut c_void) {
    if !memory.is_null() {
        take_back(memory.addr(), FreedBy::FreeMemory);
    }
}

/// <https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtsfreememoryexw>
#[unsafe(no_mangle)]
extern "system" fn WTSFreeMemoryExW(class: WTS_TYPE_CLASS, memory: *const c_void, entries: u32) -> BOOL {
    if class != WTSTypeSessionInfoLevel1 {
        mistake(&format!("memory of class {class} was never handed out"));
    }
    if !memory.is_null() {
        take_back(memory.addr(), FreedBy::FreeMemoryEx(entries));
    }
    answer(Ok(()))
}
