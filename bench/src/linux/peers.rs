//! The floor, and how each peer is set up: by the documentation of its own authors.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use anyhow::{Context, Result};

use super::inside::PROGRAMS;
use super::layer0;
use super::peer::{ALICE, Pace, Peer, Place, Setting, Supervisor};
use super::unit::{Unit, said};

/// A C program that does nothing but start its child again when it ends.
pub(super) const FLOOR: Peer = Peer { name: "C loop", needs: &[], pace: Pace::Nimble, start: floor };

/// Those that are compared.
pub(super) const PEERS: [Peer; 5] = [
    layer0::PEER,
    Peer { name: "runit", needs: &["runsvdir", "runsv"], pace: Pace::Steady, start: runit },
    Peer { name: "s6", needs: &["s6-svscan", "s6-supervise", "execlineb"], pace: Pace::Slow, start: s6 },
    Peer { name: "supervisord", needs: &["supervisord"], pace: Pace::Slow, start: supervisord },
    Peer { name: "systemd", needs: &["systemctl"], pace: Pace::Nimble, start: systemd },
];

/// Those of them that are installed here; the others are named loudly.
pub(super) fn present() -> Vec<Peer> {
    let (here, missing): (Vec<_>, Vec<_>) =
        PEERS.into_iter().partition(|peer| peer.needs.iter().all(|name| have(name)));
    for peer in missing {
        println!("!!! SKIPPED: {} is not measured: {} is missing", peer.name, peer.needs.join(" or "));
    }
    here
}

fn have(name: &str) -> bool {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .any(|folder| fs::exists(format!("{folder}/{name}")).unwrap_or(false))
}

fn floor(place: &Place) -> Result<Supervisor> {
    let (floor, child) = (format!("{PROGRAMS}/floor"), place.child());
    let fifo = place.fifo().to_str().context("a path of this program is text")?.to_owned();
    let user: &[&str] = if place.is_for_alice() { &["-u", ALICE] } else { &[] };
    let words = [&[&*floor], user, &[&*child, &*fifo]].concat();
    Ok(Supervisor::In(Unit::run(&place.unit, words)?))
}

/// `runsvdir` with a `runsv` for each child. The fastest `run` is no shell script but a program.
fn runit(place: &Place) -> Result<Supervisor> {
    let services = service_folders(place, &format!("#!/bin/sh\nexec chpst -u alice {}\n", place.command()))?;
    Ok(Supervisor::In(Unit::run(&place.unit, ["runsvdir", "-P", &services])?))
}

/// `s6-svscan` with an `s6-supervise` for each child. The fastest `run` is no script but a program.
fn s6(place: &Place) -> Result<Supervisor> {
    let script = format!("#!/usr/bin/execlineb -P\ns6-setuidgid alice {}\n", place.command());
    let services = service_folders(place, &script)?;
    Ok(Supervisor::In(Unit::run(&place.unit, ["s6-svscan", &services])?))
}

/// A folder for each child with its `run`: the script, a program that becomes alice and then the child, or the child itself.
/// Without arguments the child finds its pipe in the folder.
fn service_folders(place: &Place, script: &str) -> Result<String> {
    let services = place.folder.join("services");
    for number in 0..place.children {
        let service = services.join(format!("{number:04}"));
        fs::create_dir_all(&service)?;
        let run = service.join("run");
        match place.setting {
            Setting::Default => {
                fs::write(&run, script)?;
                fs::set_permissions(&run, Permissions::from_mode(0o755))?;
            }
            Setting::Fastest => symlink(format!("{PROGRAMS}/become"), &run)?,
            Setting::Root => symlink(place.child(), &run)?,
        }
        symlink(place.fifo(), service.join("notes"))?;
    }
    Ok(services.to_str().context("a path of this program is text")?.to_owned())
}

/// The fastest: a start counts at once as successful, and nothing is logged.
fn supervisord(place: &Place) -> Result<Supervisor> {
    let user = if place.is_for_alice() { "user=alice\n" } else { "" };
    let fastest = "startsecs=0\nautorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
    let set = if place.setting == Setting::Default { "" } else { fastest };
    let (folder, command, children) = (place.folder.display(), place.command(), place.children);
    let config = place.write(
        "supervisord.conf",
        &format!(
            "[supervisord]\nlogfile={folder}/log\npidfile={folder}/pid\nuser=root\nchildlogdir={folder}\n\
             [program:child]\ncommand={command}\nnumprocs={children}\n\
             process_name=%(program_name)s_%(process_num)04d\n{user}{set}"
        ),
    )?;
    let config = config.to_str().context("a path of this program is text")?;
    Ok(Supervisor::In(Unit::run(&place.unit, ["supervisord", "--nodaemon", "--configuration", config])?))
}

/// `Restart=always`. The fastest: without a delay and a limit, without accounting, and without the journal.
fn systemd(place: &Place) -> Result<Supervisor> {
    let user = if place.is_for_alice() { "User=alice\n" } else { "" };
    let (limit, set) = match place.setting {
        Setting::Default => ("", ""),
        Setting::Fastest | Setting::Root => (
            "StartLimitIntervalSec=0\n",
            "RestartSec=0\nStandardOutput=null\nStandardError=null\nMemoryAccounting=no\nTasksAccounting=no\n",
        ),
    };
    let text =
        format!("[Unit]\n{limit}[Service]\nExecStart={}\nRestart=always\n{user}{set}", place.command());
    let file = format!("/run/systemd/system/{}@.service", place.unit);
    fs::write(&file, text).with_context(|| format!("cannot write {file}"))?;
    said(Command::new("systemctl").arg("daemon-reload"))?;
    let instances = (0..place.children).map(|number| format!("{}@{number}.service", place.unit));
    said(Command::new("systemctl").args(["--no-block", "start"]).args(instances))?;
    Ok(Supervisor::First(Unit::started(format!("{}@*.service", place.unit))))
}
