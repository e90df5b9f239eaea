//! Making, updating and removing a service.

use windows_sys::Win32::Foundation::{
    ERROR_INVALID_ACCOUNT_NAME, ERROR_INVALID_SERVICE_ACCOUNT, ERROR_SERVICE_DOES_NOT_EXIST,
    ERROR_SERVICE_LOGON_FAILED,
};
use windows_sys::Win32::System::Services::{
    SC_MANAGER_CONNECT, SC_MANAGER_CREATE_SERVICE, SERVICE_ALL_ACCESS, SERVICE_AUTO_START,
    SERVICE_DEMAND_START,
};

use super::super::quoting::command_line;
use super::handle::{Database, Service, refused};
use super::settings::Settings;
use super::{Services, account, features, marker};
use crate::{Account, Installation, Installed, ManagerError, Password, StartType};

const INSTALL: &str = "install";

/// The standard right to delete an object.
const DELETE: u32 = 0x0001_0000;

pub(super) fn install(what: &Installation, password: Option<&Password>) -> Result<Installed, ManagerError> {
    let failed = refused(INSTALL, &what.name);
    let database = Database::open(SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE).map_err(&failed)?;
    let is_there = match database.service(&what.name, 0) {
        Ok(_) => true,
        Err(error) if error.raw_os_error() == Some(ERROR_SERVICE_DOES_NOT_EXIST.cast_signed()) => false,
        Err(error) => return Err(failed(error)),
    };
    if is_there && marker::read(&what.name).is_none() {
        return Err(ManagerError::NotOurs { name: what.name.clone() });
    }
    let mut warnings = Vec::new();
    let settings = settings(what).map_err(&failed)?;
    if let Account::Managed(name) | Account::Named(name) = &what.account
        && let Err(error) = account::grant_logon_as_service(name)
    {
        warnings.push(format!("the right of {name} to log on as a service: {error}"));
    }
    let mut changes = Vec::new();
    let service = match is_there {
        false => create(&database, what, &settings, password)?,
        true => update(&database, what, &settings, password, &mut changes)?,
    };
    // What the system did not take over without a word is no change either.
    let kept = Settings::of(&service).map_err(&failed)?.differences(&settings);
    changes.retain(|change| !kept.contains(change));
    warnings.extend(kept);
    warnings.extend(features::apply(&service, what));
    Ok(Installed { created: !is_there, changes, warnings, notes: Vec::new() })
}

/// Makes the service and marks it as ours; one that could not be marked does not stay.
fn create(
    database: &Database,
    what: &Installation,
    settings: &Settings,
    password: Option<&Password>,
) -> Result<Service, ManagerError> {
    let failed = failed(what, settings);
    let service = settings.create(database, &what.name, password).map_err(&failed)?;
    if let Err(error) = marker::write(&what.name, &what.config) {
        if let Err(error) = service.delete() {
            tracing::warn!(%error, name = %what.name, "a service that could not be finished could not be removed");
        }
        return Err(failed(error));
    }
    Ok(service)
}

/// Brings a service of ours up to date, and notes what is different.
fn update(
    database: &Database,
    what: &Installation,
    settings: &Settings,
    password: Option<&Password>,
    changes: &mut Vec<String>,
) -> Result<Service, ManagerError> {
    let failed = failed(what, settings);
    let service = database.service(&what.name, SERVICE_ALL_ACCESS).map_err(&failed)?;
    let old = Settings::of(&service).map_err(&failed)?;
    changes.extend(old.differences(settings));
    let (was, is) = (features::is_delayed(&service), what.start == StartType::Delayed);
    if was != is {
        changes.push(format!("delayed start: was {was}, is {is}"));
    }
    // Written even without a difference: a service that is marked for deletion says so here and nowhere else.
    settings.change(&service, password).map_err(&failed)?;
    marker::write(&what.name, &what.config).map_err(&failed)?;
    Ok(service)
}

pub(super) fn uninstall(services: &Services, name: &str) -> Result<(), ManagerError> {
    let failed = refused("uninstall", name);
    services.ours(name, DELETE, &failed)?.delete().map_err(failed)
}

fn settings(what: &Installation) -> std::io::Result<Settings> {
    let program = what.program.to_str();
    let program = program.ok_or_else(|| std::io::Error::other("the program's path is not valid Unicode"))?;
    Ok(Settings {
        image_path: command_line(program, what.arguments.iter().map(String::as_str)),
        display_name: what.display_name.clone(),
        start: match what.start {
            StartType::Auto | StartType::Delayed => SERVICE_AUTO_START,
            StartType::Manual => SERVICE_DEMAND_START,
        },
        account: account::name_of(&what.account, &what.name)?,
        dependencies: what.dependencies.clone(),
    })
}

/// As [`refused`], and what is wrong with the account is said of the account.
fn failed(what: &Installation, settings: &Settings) -> impl Fn(std::io::Error) -> ManagerError {
    let (failed, name, account) = (refused(INSTALL, &what.name), what.name.clone(), settings.account.clone());
    move |source| match source.raw_os_error().map(i32::cast_unsigned) {
        Some(ERROR_INVALID_SERVICE_ACCOUNT | ERROR_INVALID_ACCOUNT_NAME | ERROR_SERVICE_LOGON_FAILED) => {
            ManagerError::Account { name: name.clone(), account: account.clone(), source }
        }
        _ => failed(source),
    }
}
