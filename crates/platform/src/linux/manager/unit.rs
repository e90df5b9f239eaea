//! The unit file of a service: systemd.unit(5), systemd.service(5), systemd.exec(5).
//!
//! Agents are born of layer 0, and much of what a unit may say of a process stays with all its descendants. So no directive is
//! here that an agent would inherit and could not be rid of: docs/attack-surface.md goes through all of them.

use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::marker;
use crate::{Account, Installation, StartType};

/// The target that wants the service at boot.
const TARGET: &str = "multi-user.target";

/// Text of the unit file of this service; it ends with the marker that makes it ours.
///
/// # Errors
///
/// What is wrong: a path that no unit file can hold, an account that systemd has not.
pub(super) fn render(what: &Installation) -> io::Result<String> {
    if what.account != Account::LocalSystem {
        return Err(invalid(format!(
            "{} is no account of this system; a service runs as root here",
            what.account
        )));
    }
    let program = plain(&what.program, "the program's path")?;
    let config = plain(&what.config, "the configuration's path")?;
    let arguments: String =
        what.arguments.iter().map(|argument| format!(" {}", argument_of(argument))).collect();
    let mut text = format!(
        "# Bilayer makes this file; `bilayer install` writes it anew, below {own}. What you want otherwise\n\
         # belongs into a drop-in: systemctl edit {name}.service\n\
         \n\
         [Unit]\n\
         Description={description}\n",
        own = super::files::OWN,
        name = what.name,
        description = one_line(&what.display_name),
    );
    for dependency in what.dependencies.iter().map(|name| unit_name(name)) {
        let _ = write!(text, "Requires={dependency}\nAfter={dependency}\n");
    }
    let _ = write!(
        text,
        "After=dbus.socket systemd-logind.service nss-user-lookup.target\n\
         # Whoever depends on it is not helped by a service that is given up.\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=notify\n\
         NotifyAccess=main\n\
         ExecStart={program}{arguments}\n\
         ExecReload={program} reload -c {config_argument}\n\
         Restart=always\n\
         RestartSec=100ms\n\
         # A wrong configuration is wrong the next time, too.\n\
         RestartPreventExitStatus=2\n\
         TimeoutStartSec=90s\n\
         # It says when it needs longer.\n\
         TimeoutStopSec={stop_s}s\n\
         # Its loop looks around every 30 s and says so.\n\
         WatchdogSec=180s\n\
         TimeoutAbortSec=10s\n\
         # Agents live in their sessions. What lives here are workers{kill_why}.\n\
         KillMode={kill_mode}\n\
         Delegate=yes\n\
         OOMPolicy=continue\n\
         OOMScoreAdjust=-500\n\
         UMask=0077\n\
         SyslogIdentifier={name}\n",
        program = program_of(program),
        config_argument = argument_of(config),
        stop_s = what.preshutdown_timeout.as_secs().max(1),
        kill_why =
            if what.keeps { ", and they outlive it" } else { ": it stops them itself, unless it was killed" },
        kill_mode = if what.keeps { "process" } else { "mixed" },
        name = what.name,
    );
    let _ = write!(text, "\n[Install]\nWantedBy={TARGET}\n");
    Ok(marker::sealed(text, config))
}

/// What of an installation systemd has nothing for, a line each.
pub(super) fn not_taken(what: &Installation) -> Vec<String> {
    match what.start {
        StartType::Delayed => {
            vec!["a delayed start: systemd has none, so it starts when the system boots".to_owned()]
        }
        StartType::Auto | StartType::Manual => Vec::new(),
    }
}

/// The name of a unit, as people shorten it.
fn unit_name(name: &str) -> String {
    let has_kind = name.rsplit_once('.').is_some_and(|(_, kind)| KINDS.contains(&kind));
    let name = one_line(name);
    if has_kind { name } else { format!("{name}.service") }
}

const KINDS: [&str; 6] = ["service", "socket", "target", "mount", "path", "timer"];

/// A value on one line, with nothing in it that systemd would replace.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    // A backslash at its end would make the next line part of it.
    line.trim().trim_end_matches('\\').replace('%', "%%")
}

/// The first word of a command: variables are not replaced in it.
fn program_of(path: &str) -> String {
    quoted(&path.replace('%', "%%"))
}

/// Another word of a command.
fn argument_of(argument: &str) -> String {
    quoted(&argument.replace('%', "%%").replace('$', "$$"))
}

/// systemd.syntax(7), "Quoting".
fn quoted(word: &str) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:=@,%$".contains(&byte) || !byte.is_ascii();
    if !word.is_empty() && word.bytes().all(is_plain) && !word.starts_with(['-', '+', ':', '@', '!', '|']) {
        return word.to_owned();
    }
    if word.starts_with('-') && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A path as text that fits on a line.
fn plain<'p>(path: &'p Path, what: &str) -> io::Result<&'p str> {
    let text =
        path.to_str().ok_or_else(|| invalid(format!("{what} {} is not valid UTF-8", path.display())))?;
    match text.chars().any(char::is_control) {
        true => Err(invalid(format!("{what} {text:?} has a control character in it"))),
        false => Ok(text),
    }
}

fn invalid(problem: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, problem)
}
