//! A Windows of its own for every scenario: a Wine prefix with terminal services that are played.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use wtsapi32_stand_in::script::{FOLDER, MESSAGES};
use wtsapi32_stand_in::{Event, Message, Script, Session, State};

use crate::process::Process;
use crate::wait::until;

/// Where the programs under test are installed. With a space, as usual.
pub(crate) const PROGRAMS: &str = r"C:\Program Files\Acme";

/// How long a command may take, the making of a prefix among them.
const COMMAND_MAX: Duration = Duration::from_secs(90);

/// A prefix that is made once and copied for every scenario.
pub(crate) struct Prepared {
    prefix: PathBuf,
    /// Programs for Windows, as cargo built them.
    built: PathBuf,
}

impl Prepared {
    /// Makes it, or takes the one that is there.
    pub(crate) fn make() -> Result<Self> {
        let own = std::env::current_exe()?;
        let target = own.ancestors().nth(2).context("a program lies in target/PROFILE")?;
        let built = target.join("x86_64-pc-windows-gnu/debug");
        ensure!(
            built.join("bilayer.exe").exists(),
            "{} has no bilayer.exe; `cargo xtask e2e-windows` builds it",
            built.display()
        );
        compile_c(&built)?;
        let prepared = Self { prefix: target.join("wine-bed/prepared"), built };
        if !prepared.prefix.join("ready-for-the-bed").exists() {
            prepared.register_stand_in()?;
        }
        Ok(prepared)
    }

    fn register_stand_in(&self) -> Result<()> {
        let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("run.sh");
        let key = r"HKCU\Software\Wine\DllOverrides";
        let mut add = Command::new(runner);
        add.env("WINE_PREFIX_DIR", &self.prefix);
        add.args(["reg", "add", key, "/v", "wtsapi32", "/d", "native,builtin", "/f"]);
        read(&mut add)?;
        // Only now is the registry in its file.
        read(Command::new("wineserver").env("WINEPREFIX", &self.prefix).arg("--wait"))?;
        fs::write(self.prefix.join("ready-for-the-bed"), "")?;
        Ok(())
    }
}

/// The example in C, as its own instructions say, and the bed's own tool.
fn compile_c(built: &Path) -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, program, words) in [
        ("../../examples/c-agent", "c-agent.exe", &["agent.c", "json.c", "wire_windows.c", "-ladvapi32"][..]),
        (".", "scm.exe", &["scm.c", "-ladvapi32"]),
    ] {
        let mut compile = Command::new("x86_64-w64-mingw32-gcc");
        compile.current_dir(here.join(folder)).args(["-std=c11", "-O2", "-Wall", "-Werror", "-o"]);
        read(compile.arg(built.join(program)).args(words))?;
    }
    Ok(())
}

/// A running Windows. It ends, with everything in it, when this is dropped.
pub(crate) struct Bed {
    prefix: PathBuf,
    built: PathBuf,
    keep: bool,
}

impl Bed {
    /// A copy of the prepared prefix, with the programs under test installed and one session: alice's, at the console.
    pub(crate) fn fresh(prepared: &Prepared) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let prefix = prepared.prefix.with_file_name(name);
        // Links to the system's files, which nobody writes to; the registry is written in place.
        read(Command::new("cp").args(["--archive", "--link"]).arg(&prepared.prefix).arg(&prefix))?;
        for hive in ["system.reg", "user.reg", "userdef.reg"] {
            fs::remove_file(prefix.join(hive))?;
            fs::copy(prepared.prefix.join(hive), prefix.join(hive))?;
        }
        let bed = Self { prefix, built: prepared.built.clone(), keep: false };
        bed.install("wtsapi32_stand_in.dll", r"C:\windows\system32\wtsapi32.dll")?;
        for program in ["bilayer.exe", "rust-agent.exe", "c-agent.exe", "windows-agent.exe", "scm.exe"] {
            bed.install(program, &format!(r"{PROGRAMS}\{program}"))?;
        }
        fs::create_dir_all(bed.path(FOLDER))?;
        bed.play(|script| script.sessions.push(console(1, "alice")))?;
        Ok(bed)
    }

    /// Leaves the prefix where it is.
    pub(crate) fn keep(&mut self) -> &Path {
        self.keep = true;
        &self.prefix
    }

    /// The folder of everything of this Windows.
    pub(crate) fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// Where a file of drive C lies on this machine.
    pub(crate) fn path(&self, windows: &str) -> PathBuf {
        let inside = windows.strip_prefix(r"C:\").expect("the bed has drive C");
        self.prefix.join("drive_c").join(inside.replace('\\', "/"))
    }

    /// Puts a built program somewhere.
    pub(crate) fn install(&self, built: &str, to: &str) -> Result<()> {
        let (from, to) = (self.built.join(built), self.path(to));
        fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
        // Never through the link: what is there belongs to the prepared prefix, too.
        if to.exists() {
            fs::remove_file(&to)?;
        }
        fs::copy(&from, &to).with_context(|| format!("{} → {}", from.display(), to.display()))?;
        Ok(())
    }

    /// Writes a text file. Whoever waits for it finds it complete.
    pub(crate) fn write(&self, file: &str, text: impl AsRef<[u8]>) -> Result<()> {
        let path = self.path(file);
        fs::create_dir_all(path.parent().context("a file lies in a folder")?)?;
        let next = path.with_extension("next");
        fs::write(&next, text)
            .and_then(|()| fs::rename(&next, &path))
            .with_context(|| path.display().to_string())
    }

    /// A Windows program with its arguments, to be started in a console of this Windows.
    pub(crate) fn wine<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new("wine");
        command
            .env("WINEPREFIX", &self.prefix)
            .env("WINEDEBUG", "-all")
            .env("WINEDLLOVERRIDES", "mscoree=;mshtml=");
        // A display of whoever runs the tests would be one more thing that differs between machines.
        command.env_remove("DISPLAY").env_remove("BILAYER_CONFIG");
        command.args(words).stdin(Stdio::null());
        command
    }

    /// Runs a Windows program to its end; anything but success is an error with what it said.
    pub(crate) fn run<const N: usize>(&self, words: [&str; N]) -> Result<String> {
        read(&mut self.wine(words))
    }

    /// Changes what terminal services say from now on.
    pub(crate) fn play(&self, change: impl FnOnce(&mut Script)) -> Result<()> {
        let folder = self.path(FOLDER);
        let mut script = Script::read(&folder).unwrap_or_default();
        change(&mut script);
        script.write(&folder).context("cannot write the script of the sessions")
    }

    /// Changes a session and tells the windows of it.
    pub(crate) fn change(&self, session: u32, reason: u32, change: impl FnOnce(&mut Session)) -> Result<()> {
        self.play(|script| {
            if let Some(found) = script.sessions.iter_mut().find(|found| found.id == session) {
                change(found);
            }
            script.events.push(Event { reason, session });
        })
    }

    /// What people were shown.
    pub(crate) fn messages(&self) -> Result<Vec<Message>> {
        let text = fs::read_to_string(self.path(FOLDER).join(MESSAGES)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).context("a message of the stand-in")).collect()
    }

    /// Every living process of this Windows whose program is `program`, by its file name.
    pub(crate) fn processes(&self, program: &str) -> Result<Vec<Process>> {
        Process::all(&self.prefix, program)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let server =
            |option: &str| Command::new("wineserver").env("WINEPREFIX", &self.prefix).arg(option).status();
        // It has ended already if nothing ran.
        let _ = server("--kill");
        let _ = server("--wait");
        if !self.keep {
            let _ = fs::remove_dir_all(&self.prefix);
        }
    }
}

/// A user at the machine's own screen, unlocked, whose logon is like no other.
pub(crate) fn console(id: u32, user: &str) -> Session {
    // 2022 in units of 100 ns since 1601, and a second more for each logon.
    static LOGONS: AtomicU32 = AtomicU32::new(0);
    let logon = LOGONS.fetch_add(1, Ordering::Relaxed);
    Session {
        id,
        state: State::Active,
        station: "Console".into(),
        user: user.into(),
        domain: "ACME".into(),
        locked: Some(false),
        remote: false,
        logon_time: 132_854_688_000_000_000 + 10_000_000 * i64::from(logon),
        token_error: None,
        answer: Some(1),
    }
}

/// A user who was switched away from.
pub(crate) fn away(session: &mut Session) {
    session.state = State::Disconnected;
    session.station = String::new();
}

/// A user who is in front again.
pub(crate) fn at_the_console(session: &mut Session) {
    session.state = State::Active;
    session.station = "Console".into();
}

/// Runs a command to its end and returns its output; anything but success is an error with what it said.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } = output(command)?;
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    if !status.success() {
        let words: Vec<_> = command.get_args().collect();
        bail!("{words:?} ended with {status}: {}{stdout}", String::from_utf8_lossy(&stderr));
    }
    Ok(stdout)
}

/// Runs a command to its end, within a limit.
///
/// Its output goes to files, not to pipes: the first program in a prefix starts Wine's services, which inherit its output and
/// live on.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    let shown = format!("{:?} {:?}", command.get_program(), command.get_args().collect::<Vec<_>>());
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let mut child = command.spawn().with_context(|| format!("cannot start {shown}"))?;
    let ended = until(&format!("the end of {shown}"), COMMAND_MAX, || Ok(child.try_wait()?));
    if ended.is_err() {
        // It may end this very moment.
        let _ = child.kill();
        let _ = child.wait();
    }
    Ok(Output { status: ended?, stdout: all(&mut stdout)?, stderr: all(&mut stderr)? })
}

fn all(file: &mut fs::File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file to which several programs may write.
pub(crate) fn appended(path: &Path) -> Result<fs::File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| path.display().to_string())
}
