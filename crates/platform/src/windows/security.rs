//! Security descriptors: who may open what.

use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle};
use std::{ffi::c_void, ptr, slice};

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, WIN32_ERROR};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1, SE_KERNEL_OBJECT,
    SE_OBJECT_TYPE, SetSecurityInfo,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, OBJECT_SECURITY_INFORMATION,
    OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION, PSID, SECURITY_ATTRIBUTES,
};

use super::acl::{self, Access};
use super::handle::{LocalMemory, succeeded};
use super::sid::Sid;
use super::wide::wide;

/// A descriptor in memory, for objects that are about to be made.
pub(super) struct Descriptor(LocalMemory);

// SAFETY: the memory is ours alone and never written after it was made.
unsafe impl Send for Descriptor {}
// SAFETY: as above.
unsafe impl Sync for Descriptor {}

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

    /// What the calls that make objects take. Good while `self` lives; the handle that is made is not inherited.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.0.0,
            bInheritHandle: 0,
        }
    }

    /// Its list of who may do what, inside of it.
    fn list(&self) -> io::Result<*const ACL> {
        let (mut present, mut defaulted, mut list) = (0, 0, ptr::null_mut());
        // SAFETY: the descriptor is whole; the three others are ours to be written.
        succeeded(unsafe { GetSecurityDescriptorDacl(self.0.0, &mut present, &mut list, &mut defaulted) })?;
        if present == 0 || list.is_null() {
            Err(io::Error::other("a descriptor without a list"))
        } else {
            Ok(list)
        }
    }
}

/// Who owns the pipe behind a handle. Only the owner's own processes can have made it so: an owner is a member of the maker's
/// token, or was set by the system.
pub(super) fn owner_of(pipe: BorrowedHandle<'_>) -> io::Result<Sid> {
    Found::of(pipe, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION)?.owner()
}

/// Who owns what is behind a handle, and who may do what to it. The handle has `READ_CONTROL`.
pub(super) fn access_of(object: BorrowedHandle<'_>, kind: SE_OBJECT_TYPE) -> io::Result<Access> {
    let found = Found::of(object, kind, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION)?;
    let grants = match found.list() {
        None => None,
        Some(bytes) => Some(acl::decode(bytes).map_err(|_| {
            io::Error::other("its permissions have an entry that is not understood; remove it with icacls")
        })?),
    };
    Ok(Access { owner: found.owner()?.to_string(), grants })
}

/// Gives what is behind a handle the list of a descriptor, and keeps what is above it from adding to that. The handle has
/// `WRITE_DAC`.
pub(super) fn replace_list(
    object: BorrowedHandle<'_>,
    kind: SE_OBJECT_TYPE,
    descriptor: &Descriptor,
) -> io::Result<()> {
    let what = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    let list = descriptor.list()?;
    // SAFETY: the handle is alive; the list lies in the descriptor, which outlives the call; nothing else is set.
    checked(unsafe {
        SetSecurityInfo(
            object.as_raw_handle(),
            kind,
            what,
            ptr::null_mut(),
            ptr::null_mut(),
            list,
            ptr::null(),
        )
    })
}

/// A descriptor that the system handed out, with pointers into it.
struct Found {
    _memory: LocalMemory,
    owner: PSID,
    list: *mut ACL,
}

impl Found {
    fn of(
        object: BorrowedHandle<'_>,
        kind: SE_OBJECT_TYPE,
        what: OBJECT_SECURITY_INFORMATION,
    ) -> io::Result<Found> {
        let (mut owner, mut list) = (ptr::null_mut(), ptr::null_mut());
        let mut descriptor: *mut c_void = ptr::null_mut();
        // SAFETY: the handle is alive; the three pointers are ours to be written, the others are not asked for.
        checked(unsafe {
            GetSecurityInfo(
                object.as_raw_handle(),
                kind,
                what,
                &mut owner,
                ptr::null_mut(),
                &mut list,
                ptr::null_mut(),
                &mut descriptor,
            )
        })?;
        Ok(Found { _memory: LocalMemory(descriptor), owner, list })
    }

    fn owner(&self) -> io::Result<Sid> {
        if self.owner.is_null() {
            return Err(io::Error::other("it has no owner"));
        }
        // SAFETY: on success the pointer leads into the descriptor, which `self` keeps alive.
        unsafe { Sid::read(self.owner) }
    }

    /// The bytes of the list; `None`: there is none, and nothing is denied.
    fn list(&self) -> Option<&[u8]> {
        if self.list.is_null() {
            return None;
        }
        // SAFETY: on success the pointer leads to a whole list inside the descriptor, which `self` keeps alive.
        let head = unsafe { self.list.read() };
        let length = usize::from(head.AclSize).max(size_of::<ACL>());
        // SAFETY: as above; its head says how long it is.
        Some(unsafe { slice::from_raw_parts(self.list.cast(), length) })
    }
}

fn checked(status: WIN32_ERROR) -> io::Result<()> {
    if status == ERROR_SUCCESS { Ok(()) } else { Err(io::Error::from_raw_os_error(status.cast_signed())) }
}
