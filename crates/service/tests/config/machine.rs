//! A machine that exists only in a test: `/opt/acme/desk` is a program, `/opt/acme/notes.txt` is not executable,
//! `/opt/acme/shared` can be written by anybody, `/opt/acme` is a folder, and `PATH` is `/opt/acme`.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bilayer::config::{Account, Checks, Loaded, Loading, Refusal, Report, load_text};

/// The machine. Whether it is one with Windows or one that systemd started is the parameter.
pub(crate) struct Fake<const WINDOWS: bool = true>;

impl<const WINDOWS: bool> Checks for Fake<WINDOWS> {
    fn is_file(&self, path: &Path) -> io::Result<bool> {
        match path.to_str() {
            Some("/opt/acme/desk" | "/opt/acme/notes.txt" | "/opt/acme/shared" | "/etc/acme/helper") => {
                Ok(true)
            }
            Some("/opt/acme") => Ok(false),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn search_path(&self) -> Option<OsString> {
        Some("relative:/opt/acme".into())
    }

    fn writable_by_others(&self, path: &Path) -> io::Result<Option<String>> {
        let shared = path == Path::new("/opt/acme/shared") || path.ends_with("writable.toml");
        Ok(shared.then(|| format!("`{}` is writable by everybody", path.display())))
    }

    fn executable(&self, program: &Path) -> Result<(), Refusal> {
        match program.ends_with("notes.txt") {
            true => Err(Refusal("it is not executable; chmod +x makes it so".to_owned())),
            false => Ok(()),
        }
    }

    fn has_delayed_start(&self) -> bool {
        WINDOWS
    }

    fn has_tokens(&self) -> bool {
        WINDOWS
    }

    fn shutdown_delay(&self) -> Option<Duration> {
        (!WINDOWS).then_some(Duration::from_secs(20))
    }

    fn has_greeters(&self) -> bool {
        !WINDOWS
    }

    fn dependency(&self, name: &str) -> Result<(), Refusal> {
        match name {
            "a/b" if WINDOWS => Err(Refusal("the short name, such as `RpcSs`".to_owned())),
            "a/b" => Err(Refusal("a unit, such as `db.service`".to_owned())),
            _ => Ok(()),
        }
    }

    fn worker_account(&self, account: &str, _service: &str, runs_as: &Account) -> Result<(), Refusal> {
        match account {
            r"ACME\alice" => Err(Refusal("has a password".to_owned())),
            _ if *runs_as != Account::LocalSystem => Err(Refusal(format!("{runs_as} cannot become"))),
            _ => Ok(()),
        }
    }

    fn knows_user(&self, user: &str) -> Option<bool> {
        Some(user == "alice")
    }

    fn knows_group(&self, group: &str) -> Option<bool> {
        Some(group == "staff")
    }
}

/// The file that every text is said to come from.
pub(crate) fn path() -> PathBuf {
    PathBuf::from("/etc/acme/desk.toml")
}

/// In the foreground.
pub(crate) const CONSOLE: Loading<'static> = Loading { privileged: false, checks: &Fake::<true> };
/// As a privileged service.
pub(crate) const PRIVILEGED: Loading<'static> = Loading { privileged: true, checks: &Fake::<true> };
/// In the foreground of a machine that systemd started.
pub(crate) const SYSTEMD: Loading<'static> = Loading { privileged: false, checks: &Fake::<false> };

/// Loads a text on the fake machine.
pub(crate) fn load(text: &str, how: &Loading<'_>) -> Result<Loaded, Report> {
    load_text(&path(), text, how)
}

/// A file whose only agent has these further lines.
pub(crate) fn agent(lines: &str) -> String {
    format!("[service]\nname = \"acme\"\n\n[agent.desk]\ncommand = [\"/opt/acme/desk\"]\n{lines}\n")
}

/// A file whose only worker has these further lines, beside an agent.
pub(crate) fn worker(lines: &str) -> String {
    agent(&format!("\n[worker.sync]\ncommand = [\"/opt/acme/desk\"]\n{lines}"))
}
