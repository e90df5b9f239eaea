//! Layer 0, as it is measured here.

use std::fs::{self, File};
use std::process::Child;

use anyhow::{Context, Result};

use super::bed::Bed;

/// A section of an agent whose crashes count for nothing: it is restarted at once, always.
pub(crate) fn agent(name: &str, command: &[&str], more: &str) -> String {
    let command: Vec<_> = command.iter().map(|word| format!("'{word}'")).collect();
    format!(
        "[agent.{name}]\ncommand = [{}]\ntrust_writable_program = true\n\
         exit_codes = {{ 0 = \"restart-now\", 0x103 = \"restart-now\" }}\n\
         restart = {{ limit = {{ count = 1000, within = \"1s\" }} }}\n{more}",
        command.join(", ")
    )
}

/// `bilayer run`. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Console {
    child: Child,
}

impl Console {
    /// Starts it with these agents.
    pub(crate) fn start(bed: &Bed, name: &str, agents: &str) -> Result<Self> {
        let config = format!("{name}.toml");
        fs::write(bed.path(&config), format!("[service]\nname = \"bench-{name}\"\n{agents}"))?;
        let said = File::create(bed.path(&format!("{name}.said")))?;
        let mut run = bed.wine([&*bed.windows("bilayer.exe"), "run", "-c", &bed.windows(&config)]);
        let child = run.stdout(said.try_clone()?).stderr(said).spawn().context("cannot start wine")?;
        Ok(Self { child })
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
