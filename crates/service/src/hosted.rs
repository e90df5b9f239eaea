//! Life as a service of the system.

use std::path::Path;

use bilayer_platform::{Dirs, HostError, ServiceHost};

use crate::builder::{Builder, RunError, Service};
use crate::config::{self, Config, Loading};
use crate::log::{self, id};
use crate::{SessionSource, chain};

/// The service's exit codes: those of the program `bilayer`.
const FAILED: u8 = 1;
const CONFIGURATION: u8 = 2;

/// Runs the service that the system's service manager started this program for, with this configuration, and returns the
/// program's exit code. `build` adds what a product has of its own.
///
/// To be called early, on the main thread, by the command that the service was installed with
/// ([`manager::installation`](crate::manager::installation)).
///
/// # Errors
///
/// The service manager did not start this process. Whatever goes wrong later is in the log and in the exit code, since a
/// service has nobody else to tell.
pub fn run_as_service(
    config: &Path,
    build: impl FnOnce(Builder) -> Builder + Send + 'static,
) -> Result<u8, HostError> {
    // Against the folder that it was started in: a service works in another one.
    let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    bilayer_platform::run_as_service(move |host| {
        let code = match live(host.clone(), &config, build) {
            Ok(()) => 0,
            Err(end) => {
                host.status(&end.text);
                tracing::error!(event = id::FAILED, "the service ends: {}", end.text);
                end.code
            }
        };
        // Once the manager knows the code, the process ends.
        log::flush();
        code
    })
}

/// An end that is none of its own will.
struct End {
    code: u8,
    text: String,
}

impl End {
    fn failed(text: impl Into<String>) -> End {
        End { code: FAILED, text: text.into() }
    }
}

fn live(host: ServiceHost, file: &Path, build: impl FnOnce(Builder) -> Builder) -> Result<(), End> {
    let how = Loading { privileged: true, checks: &config::Machine };
    let loaded = config::load(file, &how);
    let dirs = Dirs::system(host.name());
    // The folders and the log first: what is wrong with the configuration is to be read there.
    let log = loaded.as_ref().map(|loaded| loaded.config.log.clone()).unwrap_or_default();
    let opened = open_log(&log, host.name(), &dirs);
    let loaded = loaded.map_err(|report| {
        report.to_string().lines().for_each(|finding| tracing::error!("{finding}"));
        End { code: CONFIGURATION, text: format!("the configuration {} cannot be used", file.display()) }
    })?;
    opened?;
    loaded.warnings.to_string().lines().for_each(|finding| tracing::warn!("{finding}"));
    let config = named(loaded.config, host.name())?;
    let host_name = host.name().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| End::failed(format!("cannot start the event loop: {error}")))?;
    let builder = Service::builder(config).dirs(dirs).host(host).sessions(SessionSource::System);
    let ended = runtime.block_on(build(builder).run());
    // A disk that hangs under the configuration must not keep a service from ending whose agents have.
    runtime.shutdown_background();
    ended.map_err(|error: RunError| match error.is_taken() {
        // Trying again would go on for as long as the other one runs.
        true => End { code: CONFIGURATION, text: format!("{} runs already: {}", host_name, chain(&error)) },
        false => End::failed(chain(&error)),
    })
}

/// From here on the log goes to the file and to the system's event log. Where there can be no file, the event log is told why.
fn open_log(log: &config::Log, name: &str, dirs: &Dirs) -> Result<(), End> {
    let settings =
        log::Settings { event_log: Some(name.to_owned()), ..log::Settings::new(log, name, dirs, false) };
    let made = dirs.ensure().map_err(|error| End::failed(chain(&error)));
    let opened =
        made.and_then(|()| log::install(settings.clone()).map_err(|error| End::failed(chain(&error))));
    opened.inspect_err(|_| {
        // There is nobody left to tell that this failed too.
        let _ = log::install(log::Settings { file: None, ..settings });
    })
}

/// The manager knows the service by the name that it was installed with, and so do its folders and its rights.
fn named(config: Config, installed: &str) -> Result<Config, End> {
    if config.service.name == installed {
        return Ok(config);
    }
    let text = format!(
        "the configuration {} names the service {:?}, and it was installed as {installed:?}; correct the name, or install \
         the service of the new name",
        config.source.display(),
        config.service.name
    );
    Err(End { code: CONFIGURATION, text })
}
