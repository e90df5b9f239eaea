//! Security descriptors: who may open what.

use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle};
use std::{ffi::c_void, ptr};

use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::Security::Authorization::{GetSecurityInfo, SE_KERNEL_OBJECT};
use windows_sys::Win32::Security::OWNER_SECURITY_INFORMATION;
#[cfg(feature = "host")]
use windows_sys::Win32::Security::{
    Authorization::{ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1},
    SECURITY_ATTRIBUTES,
};

use super::handle::LocalMemory;
use super::sid::Sid;
#[cfg(feature = "host")]
use super::{handle::succeeded, wide::wide};

/// A descriptor in memory, for objects that are about to be made.
#[cfg(feature = "host")]
pub(super) struct Descriptor(LocalMemory);

// SAFETY: the memory is ours alone and never written after it was made.
#[cfg(feature = "host")]
unsafe impl Send for Descriptor {}
// SAFETY: as above.
#[cfg(feature = "host")]
unsafe impl Sync for Descriptor {}

#[cfg(feature = "host")]
impl Descriptor {
    /// Reads one in the Security Descriptor Definition Language.
    pub(super) fn parse(sddl: &str) -> io::Result<Descriptor> {
        let (text, mut descriptor) = (wide(sddl), ptr::null_mut());
        // SAFETY: `text` has its end marker; `descriptor` is ours to be written; the size is not asked for.
        succeeded(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &mut descriptor,
                ptr::null_mut(),
            )
        })?;
        Ok(Descriptor(LocalMemory(descriptor)))
    }

    /// For a pipe of ours that this user, we and the system may open, and nobody else: the default descriptor of a pipe would
    /// let everybody read. We own it by name, since in an elevated process the default owner is the group of administrators.
    pub(super) fn for_pipe(own: &Sid, user: &Sid) -> io::Result<Descriptor> {
        Descriptor::parse(&format!("O:{own}D:P(A;;GA;;;SY)(A;;GA;;;{own})(A;;GRGW;;;{user})"))
    }

    /// What the calls that make objects take. Good while `self` lives; the handle that is made is not inherited.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.0.0,
            bInheritHandle: 0,
        }
    }
}

/// Who owns the pipe behind a handle. Only the owner's own processes can have made it so: an owner is a member of the maker's
/// token, or was set by the system.
pub(super) fn owner_of(pipe: BorrowedHandle<'_>) -> io::Result<Sid> {
    let (mut owner, mut descriptor): (_, *mut c_void) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the handle is alive; the two pointers are ours to be written, the others are not asked for.
    let status = unsafe {
        GetSecurityInfo(
            pipe.as_raw_handle(),
            SE_KERNEL_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &mut owner,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &mut descriptor,
        )
    };
    if status != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(status.cast_signed()));
    }
    let _memory = LocalMemory(descriptor);
    if owner.is_null() {
        return Err(io::Error::other("the pipe has no owner"));
    }
    // SAFETY: on success `owner` points into the descriptor, which `_memory` keeps alive.
    unsafe { Sid::read(owner) }
}
