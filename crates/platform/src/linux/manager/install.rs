//! Making, updating and removing a unit.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::files::{self, Found};
use super::systemd::{Systemd, UnitFacts};
use super::{differences, unit};
use crate::{Account, Installation, Installed, ManagerError, StartType, Uninstalled};

const INSTALL: &str = "install";
const UNINSTALL: &str = "uninstall";

pub(super) async fn install(systemd: &Systemd, what: &Installation) -> Result<Installed, ManagerError> {
    let name = &what.name;
    permitted(INSTALL, name)?;
    if what.account != Account::LocalSystem {
        let source = io::Error::new(ErrorKind::Unsupported, "a service runs as root here");
        return Err(ManagerError::Account { name: name.clone(), account: what.account.to_string(), source });
    }
    let text = unit::render(what).map_err(|source| failed(INSTALL, name, source))?;
    let before = systemd.facts(INSTALL, name).await?;
    let path = files::own(name);
    let old = ours(INSTALL, name, &before, &path)?;
    let mut outcome =
        Installed { created: !before.is_found(), warnings: unit::not_taken(what), ..Installed::default() };
    // A package may have brought it, and even the very same.
    let is_there = match files::look_at(&before.fragment) {
        Ok(Found::Ours(_, marker)) if old.is_none() && marker.config != what.config => {
            return Err(ManagerError::PackagedOther { name: name.clone(), config: marker.config });
        }
        Ok(Found::Ours(there, _)) => old.is_none() && there == text,
        _ => false,
    };
    match &old {
        _ if is_there => {}
        Some((old, _)) if *old == text => {}
        old => {
            if let Some((old, is_edited)) = old {
                outcome.changes = differences::between(old, &text);
                if *is_edited {
                    let copy =
                        files::keep_copy(&path, old).map_err(|source| failed(INSTALL, name, source))?;
                    outcome.notes.push(edited(name, &path, &copy));
                }
            }
            files::write(&path, &text).map_err(|source| failed(INSTALL, name, source))?;
        }
    }
    let (was, is) = (before.file_state == "enabled", what.start != StartType::Manual);
    if was != is {
        systemd.enable(INSTALL, name, is).await?;
        if !outcome.created {
            outcome.changes.push(format!("start: was {}, is {}", start(was), start(is)));
        }
    }
    systemd.read_units(INSTALL, name).await?;
    let after = systemd.facts(INSTALL, name).await?;
    if !after.drop_ins.is_empty() {
        outcome
            .notes
            .push(format!("these files change what the unit says, and stay: {}", after.drop_ins.join(", ")));
    }
    Ok(outcome)
}

pub(super) async fn uninstall(systemd: &Systemd, name: &str) -> Result<Uninstalled, ManagerError> {
    permitted(UNINSTALL, name)?;
    let before = systemd.facts(UNINSTALL, name).await?;
    let path = files::own(name);
    if ours(UNINSTALL, name, &before, &path)?.is_none() {
        return Err(match before.is_found() {
            true => ManagerError::Packaged { name: name.to_owned() },
            false => ManagerError::NotInstalled { name: name.to_owned() },
        });
    }
    // Enabled is a name and not a file: what our file hides stays so, since that was never ours to remove.
    let outcome = if files::is_packaged(name) { Uninstalled::Packaged } else { Uninstalled::Removed };
    if outcome == Uninstalled::Removed {
        systemd.enable(UNINSTALL, name, false).await?;
    }
    files::remove(&path).map_err(|source| failed(UNINSTALL, name, source))?;
    systemd.read_units(UNINSTALL, name).await?;
    systemd.forget_end(name).await;
    Ok(outcome)
}

/// Makes sure that a service of this name is Bilayer's if there is one, wherever its unit comes from. Returns the text of our
/// own file, if that is there, and whether somebody edited it.
fn ours(
    action: &'static str,
    name: &str,
    facts: &UnitFacts,
    path: &Path,
) -> Result<Option<(String, bool)>, ManagerError> {
    let not_ours = || ManagerError::NotOurs { name: name.to_owned() };
    if facts.is_masked() {
        return Err(ManagerError::Disabled { name: name.to_owned() });
    }
    // A unit with an alias of this name, one that a generator or a program made, or one that a package ships.
    let is_other = facts.is_found()
        && (facts.id != format!("{name}.service")
            || facts.fragment.as_os_str().is_empty()
            || facts.fragment != path
                && matches!(files::look_at(&facts.fragment), Ok(Found::Foreign) | Err(_)));
    // systemd may not have read yet what is there.
    match files::look_at(path).map_err(|source| failed(action, name, source))? {
        Found::Foreign => Err(not_ours()),
        _ if is_other => Err(not_ours()),
        Found::Nothing => Ok(None),
        Found::Ours(text, marker) => Ok(Some((text, marker.is_edited))),
    }
}

/// Only root writes units. Said before anything is tried, half of which might work.
fn permitted(action: &'static str, name: &str) -> Result<(), ManagerError> {
    match rustix::process::geteuid().is_root() {
        true => Ok(()),
        false => Err(ManagerError::NotPermitted { action, name: name.to_owned() }),
    }
}

fn failed(action: &'static str, name: &str, source: io::Error) -> ManagerError {
    match source.kind() {
        ErrorKind::PermissionDenied => ManagerError::NotPermitted { action, name: name.to_owned() },
        _ => ManagerError::Failed { action, name: name.to_owned(), source },
    }
}

fn edited(name: &str, path: &Path, copy: &Path) -> String {
    format!(
        "{} had been edited by hand; as it was it is kept as {}, and what you want of it belongs into a drop-in: \
         systemctl edit {name}.service",
        path.display(),
        copy.display()
    )
}

fn start(is_enabled: bool) -> &'static str {
    if is_enabled { "auto" } else { "manual" }
}
