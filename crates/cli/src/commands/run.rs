//! `bilayer run`

use std::io::IsTerminal;
use std::path::Path;

use bilayer::config::Config;
use bilayer::log::{self, Rotation, Settings};
use bilayer::{RunError, Service, SessionSource, chain};
use bilayer_platform::Dirs;

use super::config::{load_to_run, privileged, rendered};
use super::needed;
use crate::args::Run;
use crate::failure::Failure;
use crate::screen::{self, Screen};

pub(super) async fn run(given: Option<&Path>, args: &Run, screen: &Screen) -> Result<(), Failure> {
    if args.console_window && !bilayer_platform::CONSOLE_WINDOWS {
        return Err(Failure::usage(
            "--console-window: this system gives programs no windows; what agents print is in the log",
        ));
    }
    let file = needed(given)?;
    let system = privileged(args.console);
    let loaded = load_to_run(file, system, screen)?;
    if !loaded.warnings.is_empty() {
        screen::warn(&rendered(&loaded.warnings, screen));
    }
    let config = loaded.config;
    let name = config.service.name.clone();
    let (source, dirs) = if system {
        (SessionSource::System, Dirs::system(&name))
    } else {
        (SessionSource::Console, Dirs::console(&name, &config.source))
    };
    start_log(&config, &dirs)?;
    if std::io::stderr().is_terminal() {
        screen::warn(&format!("{name} runs until Ctrl-C; `bilayer status -c {}` shows it", file.display()));
    }
    let ended =
        Service::builder(config).sessions(source).dirs(dirs).console_windows(args.console_window).run().await;
    ended.map_err(|error| match error {
        error if error.is_taken() => Failure::failed(format!(
            "{name} is running already; `bilayer status -c {}` shows it",
            file.display()
        )),
        RunError::NotPrivileged => Failure::not_permitted(error.to_string()),
        error => Failure::failed(chain(&error)),
    })
}

/// From here on the log goes to standard error and to the file that `bilayer logs` reads.
fn start_log(config: &Config, dirs: &Dirs) -> Result<(), Failure> {
    dirs.ensure().map_err(|error| Failure::failed(chain(&error)))?;
    let folder = config.log.directory.as_deref().unwrap_or(&dirs.log);
    let settings = Settings {
        level: config.log.level.into(),
        stderr: true,
        file: Some(log::file_in(folder, &config.service.name)),
        rotation: Rotation {
            max_size: config.log.max_size,
            max_total: config.log.max_total,
            max_age: config.log.max_age,
        },
        event_log: None,
    };
    log::install(settings).map_err(|error| Failure::failed(chain(&error)))
}
