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
    for name in &what.dependencies {
        let dependency = unit_name(name)?;
        let _ = write!(text, "Requires={dependency}\nAfter={dependency}\n");
    }
    let _ = write!(
        text,
        "# The bus ends after it: it asks there whether the system goes down.\n\
         After=dbus.socket dbus.service systemd-logind.service nss-user-lookup.target\n\
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

/// Whether a service can depend on a unit of this name, whether or not there is one.
///
/// # Errors
///
/// What would be a name, for a person.
pub fn check_dependency(name: &str) -> Result<(), String> {
    unit_name(name).map(drop).map_err(|_| {
        "a unit, such as `postgresql` or `network-online.target`; `systemctl list-unit-files` lists them"
            .into()
    })
}

/// The name of a unit, as people shorten it: systemd.unit(5), "Description".
fn unit_name(name: &str) -> io::Result<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    let has_kind = name.rsplit_once('.').is_some_and(|(_, kind)| KINDS.contains(&kind));
    let full = if has_kind { name.to_owned() } else { format!("{name}.service") };
    if name.is_empty() || !name.bytes().all(fits) || full.len() > UNIT_NAME_MAX {
        return Err(invalid(format!("{name:?} in `dependencies` is no unit's name")));
    }
    Ok(full)
}

/// Bytes of a unit's name, its kind included.
const UNIT_NAME_MAX: usize = 255;

const KINDS: [&str; 10] =
    ["service", "socket", "target", "mount", "automount", "device", "path", "timer", "slice", "swap"];

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
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
    }
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

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::time::Duration;

    use super::super::marker;
    use super::*;

    fn acme() -> Installation {
        Installation {
            name: "acme".to_owned(),
            display_name: "Acme".to_owned(),
            description: String::new(),
            program: "/opt/acme/bilayer".into(),
            arguments: ["service", "-c", "/etc/acme/acme.toml"].map(str::to_owned).to_vec(),
            config: "/etc/acme/acme.toml".into(),
            account: Account::LocalSystem,
            start: StartType::Auto,
            dependencies: Vec::new(),
            preshutdown_timeout: Duration::from_secs(15),
            keeps: false,
        }
    }

    fn lines(what: &Installation, key: &str) -> Vec<String> {
        let text = render(what).unwrap();
        text.lines().filter_map(|line| line.strip_prefix(key)).map(str::to_owned).collect()
    }

    #[test]
    fn words_arrive_at_the_program_as_they_are() {
        let odd = r#"/opt/a "b" 100% $HOME\n"#;
        let what = Installation {
            program: odd.into(),
            arguments: vec!["-c".to_owned(), odd.to_owned(), String::new()],
            config: odd.into(),
            ..acme()
        };
        let program = r#""/opt/a \"b\" 100%% $HOME\\n""#;
        let argument = r#""/opt/a \"b\" 100%% $$HOME\\n""#;
        assert_eq!(lines(&what, "ExecStart="), [format!(r#"{program} -c {argument} """#)]);
        assert_eq!(lines(&what, "ExecReload="), [format!("{program} reload -c {argument}")]);
        assert_eq!(marker::read(&render(&what).unwrap()).unwrap().config, Path::new(odd));
    }

    #[test]
    fn nothing_that_people_name_makes_a_line_of_its_own() {
        let what = Installation {
            display_name: "Acme\nExecStartPre=/bin/sh 5%\\".to_owned(),
            dependencies: vec!["db".to_owned(), "network-online.target".to_owned()],
            ..acme()
        };
        assert_eq!(lines(&what, "Description="), ["Acme ExecStartPre=/bin/sh 5%%"]);
        assert_eq!(lines(&what, "Requires="), ["db.service", "network-online.target"]);
        for name in ["db\nNice=1", "a b", "100%", ""] {
            assert!(
                render(&Installation { dependencies: vec![name.to_owned()], ..acme() }).is_err(),
                "{name}"
            );
        }
        let folder = std::ffi::OsStr::from_bytes(b"/opt/\xff");
        for program in [Path::new("/opt/a\nb"), Path::new(folder)] {
            assert!(render(&Installation { program: program.to_owned(), ..acme() }).is_err(), "{program:?}");
        }
    }

    #[test]
    fn dependencies_are_units_also_with_escaped_names() {
        let mount = r"srv-big\x2ddisk.mount";
        let what = Installation { dependencies: vec![mount.to_owned()], ..acme() };
        assert_eq!(lines(&what, "Requires="), [mount]);
        for good in [mount, "db", "getty@tty1", r"dev-disk-by\x2duuid-1.device"] {
            assert_eq!(check_dependency(good), Ok(()), "{good}");
        }
        for bad in ["a/b", "", "a b", "100%", "a\n", &"a".repeat(248)] {
            assert!(check_dependency(bad).unwrap_err().contains("systemctl"), "{bad}");
        }
    }

    #[test]
    fn what_the_configuration_decides() {
        let kept = Installation { keeps: true, ..acme() };
        assert_eq!(lines(&kept, "KillMode="), ["process"]);
        assert_eq!(
            (lines(&acme(), "KillMode="), lines(&acme(), "TimeoutStopSec=")),
            (vec!["mixed".into()], vec!["15s".into()])
        );
        assert!(render(&Installation { account: Account::NetworkService, ..acme() }).is_err());
        assert_eq!(not_taken(&acme()).len(), 0);
        assert_eq!(not_taken(&Installation { start: StartType::Delayed, ..acme() }).len(), 1);
    }
}
