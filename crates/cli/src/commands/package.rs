//! `bilayer package`, which a package of the system runs while it is installed, upgraded or removed, and nobody else
//!
//! A package knows its configuration file and nothing of what is in it. Every step is fine with what it finds: nothing to stop or
//! to remove is no error, and a step that was made can be made again.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use bilayer::chain;
use bilayer::manager::{InstalledService, installed_services};
use bilayer_platform::{Dirs, EventLog, Severity};

use super::{install, needed, start, stop, uninstall};
use crate::args::Package;
use crate::failure::Failure;
use crate::screen::{self, Screen};
use crate::target::service_name;

/// A file in the state folder of a service that ran when a package stopped it: the package that follows starts it.
const RAN: &str = "ran-before-package";

/// The id of the entries that a failed step leaves in the system's log: nobody sees what a step prints.
const EVENT_ERROR: u16 = 901;

pub(super) async fn run(given: Option<&Path>, step: &Package, screen: &Screen) -> Result<(), Failure> {
    let file = needed(given)?;
    let done = match step {
        Package::Stop => stop_all(file).await,
        Package::Install { sample, start } => install_anew(file, sample.as_deref(), *start, screen).await,
        Package::Remove => remove_all(file).await,
    };
    if let Err(Failure::Said(_, message)) = &done {
        report(message);
    }
    done
}

/// Stops what runs with this configuration, its agents with it, and notes down that it ran.
async fn stop_all(file: &Path) -> Result<(), Failure> {
    for service in services_of(file) {
        if stop::stop(&service).await? {
            let note = note_of(&service.name);
            fs::write(&note, "")
                .map_err(|error| Failure::io(format!("cannot write {}", note.display()), &error))?;
        }
    }
    Ok(())
}

/// Installs the service of this configuration or brings it up to date, and starts it if it ran before or shall run.
async fn install_anew(
    file: &Path,
    sample: Option<&Path>,
    shall_run: bool,
    screen: &Screen,
) -> Result<(), Failure> {
    prepare(file, sample)?;
    install::run(Some(file), install::Asks::Nobody, screen).await?;
    let name = service_name(file)?;
    let (services, others): (Vec<_>, Vec<_>) =
        services_of(file).into_iter().partition(|service| service.name == name);
    let mut ran = forget(&name);
    for other in others {
        // Somebody renamed the service in its configuration: this one would serve the same agents once more.
        ran |= stop::stop(&other).await? | forget(&other.name);
        uninstall::remove(&other).await?;
    }
    for service in services.iter().filter(|_| ran || shall_run) {
        // The package is in place; why the service does not run is for its log, and undoing the package would not help.
        if let Err(Failure::Said(_, message)) = start::start(service).await {
            screen::warn(&message);
            report(&message);
        }
    }
    Ok(())
}

/// Stops and removes every service with this configuration. The configuration stays.
async fn remove_all(file: &Path) -> Result<(), Failure> {
    for service in services_of(file) {
        uninstall::stop_for_good(&service).await?;
        // What the package brought itself goes with its files.
        if !service.is_packaged {
            uninstall::remove(&service).await?;
        }
    }
    Ok(())
}

/// Makes the folders of the service, so that its configuration can lie there and nobody else can change it, and begins the
/// configuration if there is none.
fn prepare(file: &Path, sample: Option<&Path>) -> Result<(), Failure> {
    let template = sample.filter(|_| !file.exists());
    let name = service_name(template.unwrap_or(file))?;
    Dirs::system(&name).ensure().map_err(|error| Failure::failed(chain(&error)))?;
    let Some(template) = template else { return Ok(()) };
    let text = fs::read(template)
        .map_err(|error| Failure::io(format!("cannot read {}", template.display()), &error))?;
    // `create_new` never follows a link to, or overwrites, what somebody else put there.
    let written =
        OpenOptions::new().write(true).create_new(true).open(file).and_then(|mut new| new.write_all(&text));
    written.map_err(|error| Failure::io(format!("cannot write the configuration {}", file.display()), &error))
}

/// The installed services that run with this configuration, also if it says something else by now or cannot be read.
fn services_of(file: &Path) -> Vec<InstalledService> {
    installed_services().into_iter().filter(|service| is_same(&service.config, file)).collect()
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        // Neither is there any more, and then the text is all there is to compare.
        _ => one.as_os_str().eq_ignore_ascii_case(other.as_os_str()),
    }
}

fn note_of(name: &str) -> PathBuf {
    Dirs::system(name).state.join(RAN)
}

/// Whether the service ran before the package came; asked once.
fn forget(name: &str) -> bool {
    fs::remove_file(note_of(name)).is_ok()
}

/// Leaves an entry where administrators look. Whoever runs the package hears of the failure from its exit code.
fn report(message: &str) {
    if let Ok(Some(log)) = EventLog::open("bilayer") {
        let _ = log.report(Severity::Error, EVENT_ERROR, message, "");
    }
}
