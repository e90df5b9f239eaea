//! Layer 0 as an installed service that follows the sessions of the machine.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::inside::PROGRAMS;
use super::peer::{Pace, Peer, Place, Setting, Supervisor};
use super::unit::{Unit, said};

/// Its children are agents in the session of a user, and run as that user: as alice, or in a session of root's.
pub(super) const PEER: Peer = Peer { name: "layer 0", needs: &[], pace: Pace::Nimble, start };

fn start(place: &Place) -> Result<Supervisor> {
    let set = match place.setting {
        Setting::Default => "",
        Setting::Fastest | Setting::Root => {
            "exit_codes = { SIGKILL = \"restart-now\" }\nrestart = { limit = { count = 1000, within = \"1s\" } }\n"
        }
    };
    let user = if place.is_for_alice() { "alice" } else { "root" };
    let (child, fifo) = (place.child(), place.fifo());
    let mut agents = String::new();
    for number in 0..place.children {
        let _ = write!(
            agents,
            "[agent.a{number}]\ncommand = ['{child}', '{}']\nsessions = \"all\"\nusers = [\"{user}\"]\n\
             needs_display = false\n{set}",
            fifo.display()
        );
    }
    Ok(Supervisor::In(run(place, &agents)?))
}

/// Installs and starts layer 0 with these agents.
pub(super) fn run(place: &Place, agents: &str) -> Result<Unit> {
    let text = format!("[service]\nname = \"{}\"\n{agents}", place.unit);
    let config = place.write("layer0.toml", &text)?;
    said(&mut bilayer("install", &config))?;
    let unit = Unit::ended_by(&place.unit, bilayer("uninstall", &config));
    said(&mut bilayer("start", &config)).context("cannot start layer 0")?;
    Ok(unit)
}

fn bilayer(verb: &str, config: &Path) -> Command {
    let mut command = Command::new(format!("{PROGRAMS}/bilayer"));
    command.arg(verb).arg("--config").arg(config);
    command
}
