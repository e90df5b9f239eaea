//! Layer 0, as it is measured here.

use std::fs::{self, File};
use std::process::Child;

use anyhow::{Context, Result};

use super::bed::Bed;
use super::process::Process;

/// A section of an agent whose crashes count for nothing: it is restarted at once, always.
pub(crate) fn agent(name: &str, command: &[&str], more: &str) -> String {
    let command: Vec<_> = command.iter().map(|word| format!("'{word}'")).collect();
    format!(
        "[agent.{name}]\ncommand = [{}]\n\
         exit_codes = {{ 0 = \"restart-now\", 0x103 = \"restart-now\" }}\n\
         restart = {{ limit = {{ count = 1000, within = \"1s\" }} }}\n{more}",
        command.join(", ")
    )
}

/// Writes a configuration and returns its name for Windows.
fn write_config(bed: &Bed, name: &str, agents: &str) -> Result<String> {
    let file = format!("{name}.toml");
    fs::write(bed.path(&file), format!("[service]\nname = \"bench-{name}\"\n{agents}"))?;
    Ok(bed.windows(&file))
}

/// `bilayer run`. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Console {
    child: Child,
}

/// The installed service. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Service<'b> {
    bed: &'b Bed,
    config: String,
}

impl<'b> Service<'b> {
    /// Installs and starts it with these agents.
    pub(crate) fn start(bed: &'b Bed, name: &str, agents: &str) -> Result<Self> {
        let service = Self { bed, config: write_config(bed, name, agents)? };
        bed.run(service.words("install").iter().map(String::as_str))?;
        bed.start_service(service.words("start").iter().map(String::as_str))?;
        Ok(service)
    }

    /// A command about it.
    fn words(&self, verb: &str) -> [String; 4] {
        [self.bed.windows("bilayer.exe"), verb.to_owned(), "-c".to_owned(), self.config.clone()]
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        let _ = self.bed.run(self.words("stop").iter().map(String::as_str));
    }
}

impl Console {
    /// Starts it with these agents.
    pub(crate) fn start(bed: &Bed, name: &str, agents: &str) -> Result<Self> {
        let config = write_config(bed, name, agents)?;
        let said = File::create(bed.path(&format!("{name}.said")))?;
        let mut run = bed.wine([&*bed.windows("bilayer.exe"), "run", "-c", &config]);
        let child = run.stdout(said.try_clone()?).stderr(said).spawn().context("cannot start wine")?;
        Ok(Self { child })
    }

    /// Its process.
    pub(crate) fn process(&self) -> Result<Process> {
        Process::of(&self.child)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
