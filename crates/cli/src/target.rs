//! Which installation a command is about.
//!
//! With a configuration (`-c` or `BILAYER_CONFIG`): the service of that name, or the `bilayer run` that the same user gave
//! the same file. Without one: the only one running that this user can see, or else the only one installed.

use std::path::{Path, PathBuf};

use bilayer::manager::{InstalledService, installed_services};
use bilayer_platform::Dirs;

use crate::failure::Failure;

/// Where a service may be found, the likeliest place first.
#[derive(Debug)]
pub(crate) struct Target {
    /// The name of the service, where it is known.
    pub(crate) name: Option<String>,
    /// The configuration that was given.
    pub(crate) config: Option<PathBuf>,
    /// Its directories in console mode, then as an installed service.
    pub(crate) places: Vec<Dirs>,
}

impl Target {
    pub(crate) fn find(config: Option<&Path>) -> Result<Self, Failure> {
        match config {
            Some(file) => {
                let name = service_name(file)?;
                let places = vec![Dirs::console(&name, file), Dirs::system(&name)];
                Ok(Self { name: Some(name), config: Some(file.to_owned()), places })
            }
            None => match only_one(Dirs::running())? {
                Some(target) => Ok(target),
                None => only_one_installed(installed_services()).ok_or_else(nothing_running),
            },
        }
    }

    /// What to say when nobody answers in any of the places.
    pub(crate) fn not_running(&self) -> Failure {
        match (&self.name, &self.config) {
            (Some(name), Some(file)) => {
                let is_installed = installed_services().iter().any(|service| service.name == *name);
                let verb = if is_installed { "start" } else { "run" };
                Failure::not_running(format!(
                    "{name} is not running; start it with `bilayer {verb} -c {}`",
                    quoted(file)
                ))
            }
            _ => nothing_running(),
        }
    }
}

fn only_one(mut running: Vec<Dirs>) -> Result<Option<Target>, Failure> {
    if running.len() > 1 {
        return Err(which(running.iter().map(|dirs| dirs.runtime.display().to_string())));
    }
    Ok(running.pop().map(|dirs| Target { name: None, config: None, places: vec![dirs] }))
}

/// Nothing runs: the only service that could, so that it can be named.
fn only_one_installed(mut installed: Vec<InstalledService>) -> Option<Target> {
    let service = installed.pop().filter(|_| installed.is_empty())?;
    let places = vec![Dirs::system(&service.name)];
    Some(Target { name: Some(service.name), config: Some(service.config), places })
}

/// Several services run, and nobody said which one is meant.
pub(crate) fn which(found: impl Iterator<Item = String>) -> Failure {
    let lines: Vec<String> = found.map(|line| format!("\n  {line}")).collect();
    let count = lines.len();
    let list = lines.concat();
    Failure::usage(format!(
        "{count} services are running; say which one with `-c FILE`, its configuration:{list}"
    ))
}

/// A path as a shell takes it, so that the command can be copied.
pub(crate) fn quoted(file: &Path) -> String {
    let text = file.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/\\._-+:@%,".contains(c);
    if text.chars().all(is_plain) { text } else { format!("\"{text}\"") }
}

fn nothing_running() -> Failure {
    Failure::not_running(
        "no service is running that this user could talk to; start one with `bilayer run -c FILE` \
         (`bilayer config init FILE` writes a configuration to begin with)",
    )
}

/// The `service.name` of a configuration that may be full of mistakes otherwise: while somebody edits the file, `bilayer
/// status` still finds the service that runs from it.
pub(crate) fn service_name(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read the configuration {}: {error}", file.display()))
    })?;
    let name = match text.parse::<toml::Table>() {
        Ok(table) => {
            let name = table.get("service").and_then(|service| service.get("name"));
            name.and_then(toml::Value::as_str).map(str::to_owned)
        }
        Err(_) => guess_name(&text),
    };
    match name {
        Some(name) if is_name(&name) => Ok(name),
        Some(name) => Err(Failure::usage(format!(
            "the configuration {} names its service {name:?}, which is no name; `bilayer config check` says more",
            file.display()
        ))),
        None => Err(Failure::usage(format!(
            "the configuration {} has no `name` in its [service]; `bilayer config check` says more",
            file.display()
        ))),
    }
}

/// The first `name = "…"` below `[service]`, in a file that is no TOML at the moment.
fn guess_name(text: &str) -> Option<String> {
    let section = text.lines().map(str::trim).skip_while(|line| *line != "[service]").skip(1);
    section.take_while(|line| !line.starts_with('[')).find_map(|line| {
        let value = line.strip_prefix("name")?.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value[1..].split_once(quote).map(|(name, _)| name.to_owned())
    })
}

/// Whether this is a service's name, `[a-z][a-z0-9-]{0,31}`: it becomes part of paths, so nothing else may.
fn is_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_in_a_broken_file() {
        assert_eq!(
            guess_name("[service]\n# name\nname = \"acme-desk\" # x\n[agent.a]\n=").as_deref(),
            Some("acme-desk")
        );
        assert_eq!(guess_name("[service]\n[agent.a]\nname = 'b'"), None);
        assert_eq!(guess_name("name = 'a'"), None);
        assert_eq!(guess_name("[service]\nname = é"), None);
    }

    #[test]
    fn a_name_never_leaves_its_directory() {
        assert!(is_name("acme-desk"));
        for wrong in ["", "../etc", "Acme", "9acme", "a/b", &"a".repeat(33)] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }
}
