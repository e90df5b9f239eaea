//! From the activation of a session to an agent that has introduced itself.
//!
//! Two users sit at one seat and take turns. When alice's session comes to the front, layer 0 starts its agent there; when bob's
//! does, the floor does the same: a C program that knows beforehand which session, user and program it will be and listens to
//! the same signal. Both programs are told of every switch, and each ends what it started at the other's.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Builder;
use zbus::Connection;

use super::inside::PROGRAMS;
use super::layer0;
use super::logins::Login;
use super::peer::{Place, Setting};
use super::unit::{Unit, said};
use crate::notes::{Notes, now};
use crate::table::{Row, percentile};

/// How long an agent may take.
const AGENT_MAX: Duration = Duration::from_secs(10);

/// Between two switches: whatever ends has ended.
const PAUSE: Duration = Duration::from_millis(150);

/// More than the floor takes, in milliseconds.
const BEYOND_FLOOR_MAX: f64 = 5.0;

/// Switches to and fro `switches` times.
pub(super) fn measure(folder: &Path, alice: &Login, switches: usize) -> Result<Vec<Row>> {
    let bob = Login::new("bob")?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let bus = runtime.block_on(Connection::system()).context("the system bus")?;
    let activate = |login: &Login| {
        let id = (&*login.id,);
        let call = bus.call_method(
            Some("org.freedesktop.login1"),
            "/org/freedesktop/login1",
            Some("org.freedesktop.login1.Manager"),
            "ActivateSession",
            &id,
        );
        runtime.block_on(call).with_context(|| format!("cannot activate the session of {}", login.user))
    };
    activate(&bob)?;
    let (ours, _service) = with_layer0(folder)?;
    activate(alice)?;
    ours.next(AGENT_MAX).context("layer 0's agent in the session of alice")?;
    let (theirs, _listener) = with_floor(folder, &bob)?;
    let (mut with_layer0, mut with_floor) = (Vec::new(), Vec::new());
    println!("switching to either user's session {switches} times");
    for _ in 0..switches {
        for (login, notes, samples) in [(&bob, &theirs, &mut with_floor), (alice, &ours, &mut with_layer0)] {
            std::thread::park_timeout(PAUSE);
            let asked = now();
            activate(login)?;
            let connected = notes.next(AGENT_MAX).with_context(|| format!("an agent for {}", login.user))?;
            samples.push((connected.at - asked) as f64 / 1e6);
        }
    }
    Ok(rows(with_layer0, with_floor))
}

fn rows(mut ours: Vec<f64>, mut floor: Vec<f64>) -> Vec<Row> {
    let medians = (percentile(&mut ours, 50), percentile(&mut floor, 50));
    let tails = (percentile(&mut ours, 90), percentile(&mut floor, 90));
    let what = "session activated → agent connected";
    vec![
        Row::beyond(&format!("{what}, median"), medians.0, ("C listener", medians.1), "ms", BEYOND_FLOOR_MAX),
        Row::note(
            &format!("{what}, 90th percentile"),
            format!("{:.1} ms", tails.0),
            format!("C listener {:.1} ms", tails.1),
        ),
    ]
}

fn with_layer0(folder: &Path) -> Result<(Notes, Unit)> {
    let place = place(folder, "bench-session")?;
    let notes = Notes::new(&place.fifo())?;
    let agent = format!(
        "[agent.client]\ncommand = ['{PROGRAMS}/client', '{}']\nsessions = \"console\"\nusers = [\"alice\"]\n\
         needs_display = false\n",
        place.fifo().display()
    );
    let unit = layer0::run(&place, &agent)?;
    Ok((notes, unit))
}

fn with_floor(folder: &Path, login: &Login) -> Result<(Notes, Unit)> {
    let place = place(folder, "bench-listener")?;
    let notes = Notes::new(&place.fifo())?;
    let endpoint = place.folder.join("endpoint");
    let words = [
        format!("{PROGRAMS}/listener"),
        login.object.clone(),
        said(Command::new("id").args(["-u", login.user]))?.trim().to_owned(),
        said(Command::new("id").args(["-g", login.user]))?.trim().to_owned(),
        endpoint.display().to_string(),
        format!("{PROGRAMS}/client"),
        place.fifo().display().to_string(),
    ];
    let unit = Unit::run(&place.unit, words.iter().map(String::as_str))?;
    Ok((notes, unit))
}

fn place(folder: &Path, name: &str) -> Result<Place> {
    let folder = folder.join(name);
    fs::create_dir_all(&folder)?;
    Ok(Place { unit: name.to_owned(), folder, setting: Setting::Fastest, children: 1 })
}
