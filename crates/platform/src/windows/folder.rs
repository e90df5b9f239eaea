//! Folders that only the service and administrators can enter.

use std::fs;
use std::io;
use std::path::Path;

use windows_sys::Win32::Foundation::ERROR_ALREADY_EXISTS;
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;

use super::acl::Place;
use super::handle::succeeded;
use super::object::{Kind, Object};
use super::security::Descriptor;
use super::sid::Sid;
use super::token::own_sid;
use super::wide::wide;
use super::{sddl, service_sid, trust};
use crate::Error;

/// Makes the folders of a service, the first above the others, with their permissions from birth. What is there already is used
/// only if nobody else can have put it there.
pub(super) fn ensure(service: &str, folders: [&Path; 4]) -> Result<(), Error> {
    let Some(above) = folders[0].parent() else { return Ok(()) };
    // Whoever could move what is above would move us with it.
    match trust::who_writes(above, Place::Above) {
        Ok(None) => {}
        Ok(Some(who)) => {
            let problem =
                format!("cannot hold the service's data: {who}; let only administrators change that");
            return Err(Error::Unsafe { path: above.to_owned(), problem });
        }
        Err(source) => return Err(failed("look at the folder", above)(source)),
    }
    let private = Private::of(service).map_err(failed("make the permissions of", folders[0]))?;
    folders.into_iter().try_for_each(|folder| private.ensure(folder))
}

/// What the folders of a service have in common.
struct Private {
    descriptor: Descriptor,
    service: String,
}

impl Private {
    fn of(service: &str) -> io::Result<Private> {
        // A service owns its folders as the system; what installs it, as the administrators.
        let owner = if own_sid().as_str() == Sid::LOCAL_SYSTEM { "SY" } else { "BA" };
        let service = service_sid::of(service);
        Ok(Private { descriptor: Descriptor::parse(&sddl::folder(owner, &service))?, service })
    }

    fn ensure(&self, path: &Path) -> Result<(), Error> {
        match self.make(path) {
            Ok(()) => Ok(()),
            Err(error) if error.raw_os_error() == Some(ERROR_ALREADY_EXISTS.cast_signed()) => {
                self.adopt(path)
            }
            Err(error) => Err(failed("make the folder", path)(error)),
        }
    }

    fn make(&self, path: &Path) -> io::Result<()> {
        let (name, attributes) = (wide(path), self.descriptor.attributes());
        // SAFETY: the path has its end marker, and the attributes point to a descriptor that outlives the call.
        succeeded(unsafe { CreateDirectoryW(name.as_ptr(), &attributes) })
    }

    /// Something has the name already. Administrators may have made it, by hand or by an installer, with what folders here get by
    /// default; then it gets its own permissions, and what was put there until now must be theirs, too. Anybody else may have
    /// put anything there, and keeps handles to it.
    fn adopt(&self, path: &Path) -> Result<(), Error> {
        let refused = |problem: String| Error::Unsafe { path: path.to_owned(), problem };
        let looked = failed("look at the folder", path);
        let folder = Object::open(path).map_err(&looked)?;
        if folder.kind().map_err(&looked)? != Kind::Folder {
            return Err(refused(
                "is a file or a link in the place of a folder; remove it and start again".into(),
            ));
        }
        let trusted = [own_sid().as_str(), &self.service];
        let access = folder.access().map_err(&looked)?;
        if let Some(who) = access.master(&trusted) {
            return Err(refused(format!(
                "was there before and can be changed by {who}; look at what is in it, remove it and start again"
            )));
        }
        if access.stranger(&trusted).is_none() {
            return Ok(());
        }
        let restricted = Object::open_to_restrict(path).and_then(|folder| folder.restrict(&self.descriptor));
        restricted.map_err(failed("set the permissions of the folder", path))?;
        let access = folder.access().map_err(&looked)?;
        if let Some(who) = access.writer(Place::Holder, &trusted) {
            let problem =
                format!("is open to {who} whatever permissions it is given; it needs a disk with NTFS");
            return Err(refused(problem));
        }
        if let Some(who) = access.stranger(&trusted) {
            tracing::warn!(path = %path.display(), "can be read by {who} whatever permissions it is given");
        }
        self.look_inside(path)
    }

    /// From now on nobody else can put anything there; what is there must be ours or the administrators'.
    fn look_inside(&self, path: &Path) -> Result<(), Error> {
        let looked = failed("look into the folder", path);
        for entry in fs::read_dir(path).map_err(&looked)? {
            let entry = entry.map_err(&looked)?.path();
            let object = Object::open(&entry).map_err(&looked)?;
            let problem = if object.kind().map_err(&looked)? == Kind::Link {
                "is a link in a folder of the service; remove it and start again".to_owned()
            } else if let Some(who) =
                object.access().map_err(&looked)?.master(&[own_sid().as_str(), &self.service])
            {
                format!(
                    "was put there by somebody else and can be changed by {who}; remove it and start again"
                )
            } else {
                continue;
            };
            return Err(Error::Unsafe { path: entry, problem });
        }
        Ok(())
    }
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Folder { action, path: path.to_owned(), source }
}
