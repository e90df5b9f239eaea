//! The clock that all of Bilayer goes by.

use std::sync::OnceLock;

use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;
use windows_sys::{s, w};

/// `QueryUnbiasedInterruptTimePrecise`: ticks of 100 ns since the boot, without those asleep.
type Precise = unsafe extern "system" fn(*mut u64);

/// Nanoseconds since the boot, without those asleep.
pub fn now() -> u64 {
    let mut ticks = 0;
    match precise() {
        // SAFETY: `ticks` is ours to be written.
        Some(precise) => unsafe { precise(&mut ticks) },
        None => {
            // SAFETY: as above. It fails only for a null pointer.
            unsafe { QueryUnbiasedInterruptTime(&mut ticks) };
        }
    }
    ticks * 100
}

/// The precise clock. Looked up, since Wine has only the one that moves with the system's own ticks of up to 15.6 ms.
fn precise() -> Option<Precise> {
    static PRECISE: OnceLock<Option<Precise>> = OnceLock::new();
    *PRECISE.get_or_init(|| {
        // SAFETY: a constant string with its end marker. The library is in every process and is never unloaded.
        let library = unsafe { GetModuleHandleW(w!("kernelbase.dll")) };
        // SAFETY: a constant string with its end marker; a null library stands for the program itself, which has none of this name.
        let function = unsafe { GetProcAddress(library, s!("QueryUnbiasedInterruptTimePrecise")) };
        // SAFETY: the function of this name has this signature (realtimeapiset.h).
        function.map(|function| unsafe {
            std::mem::transmute::<unsafe extern "system" fn() -> isize, Precise>(function)
        })
    })
}
