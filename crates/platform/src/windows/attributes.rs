//! The attribute list of a new process: which handles it inherits and which job it is born in.

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{
    DeleteProcThreadAttributeList, InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROC_THREAD_ATTRIBUTE_JOB_LIST, UpdateProcThreadAttribute,
};

use super::handle::succeeded;

/// An attribute list and the handles that it points to.
pub(super) struct Attributes {
    list: Vec<u64>,
    inherited: Vec<HANDLE>,
    job: Option<Box<HANDLE>>,
}

impl Attributes {
    /// A list with exactly these inheritable handles, and with this job if there is one. The handles must stay open until the
    /// process was created.
    pub(super) fn new(inherited: Vec<HANDLE>, job: Option<HANDLE>) -> io::Result<Attributes> {
        let mut bytes = 0;
        // SAFETY: without a list the call only says how long one is; it then "fails", which is how it is documented.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), 2, 0, &mut bytes) };
        let mut list = vec![0_u64; bytes.div_ceil(size_of::<u64>())];
        // SAFETY: the list has the length that was asked for, and u64 aligns it.
        succeeded(unsafe { InitializeProcThreadAttributeList(list.as_mut_ptr().cast(), 2, 0, &mut bytes) })?;
        // From here on dropping ends the list. The handles are behind pointers of their own, so they do not move with it.
        let mut attributes = Attributes { list, inherited, job: job.map(Box::new) };
        let (handles, length) = (attributes.inherited.as_ptr(), size_of_val(attributes.inherited.as_slice()));
        // The system takes no empty list: then nothing must be inherited at all.
        if length > 0 {
            attributes.set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, length)?;
        }
        if let Some(job) = attributes.job.as_deref() {
            let job = ptr::from_ref(job);
            attributes.set(PROC_THREAD_ATTRIBUTE_JOB_LIST, job, size_of::<HANDLE>())?;
        }
        Ok(attributes)
    }

    /// What the start-up information takes. Good while `self` lives.
    pub(super) fn as_mut_ptr(&mut self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.list.as_mut_ptr().cast()
    }

    fn set(&mut self, attribute: u32, value: *const HANDLE, length: usize) -> io::Result<()> {
        // SAFETY: the list is initialized and has room for two attributes; `value` is `length` bytes of handles which `self` owns
        // and leaves in place until the list is deleted.
        succeeded(unsafe {
            UpdateProcThreadAttribute(
                self.as_mut_ptr(),
                0,
                attribute as usize,
                value.cast(),
                length,
                ptr::null_mut(),
                ptr::null(),
            )
        })
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: the list is initialized, and is not used after this.
        unsafe { DeleteProcThreadAttributeList(self.list.as_mut_ptr().cast()) };
    }
}
