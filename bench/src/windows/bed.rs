//! A Windows for one run: a fresh Wine prefix with the programs that are measured.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use wtsapi32_stand_in::{Script, Session, State, script};

/// Where the programs lie in the prefix, and everything that they read and write.
const FOLDER: &str = r"C:\bench";

/// How long a command of this bed may take.
const COMMAND_MAX: Duration = Duration::from_secs(90);

/// How long a service may be refused: until the slowest of those that Wine starts by itself has given up.
const SERVICE_MAX: Duration = Duration::from_secs(90);

/// The prefix. Everything in it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Bed {
    prefix: PathBuf,
    built: PathBuf,
}

impl Bed {
    /// Makes a prefix and puts the programs there.
    pub(crate) fn fresh() -> Result<Self> {
        let target = target()?;
        let prefix = target.join(format!("bench/prefix-{}", std::process::id()));
        fs::create_dir_all(prefix.parent().context("a prefix lies in a folder")?)?;
        let bed = Self { prefix, built: target.join("x86_64-pc-windows-gnu/release") };
        println!("making a Wine prefix for this run");
        bed.prepare()?;
        fs::create_dir_all(bed.path(""))?;
        // Agents of a desktop: programs with a console would be given one by the system, a process more.
        bed.compile("child", &["-mwindows"])?;
        bed.compile("agent", &["-mwindows"])?;
        bed.compile("control", &["-mwindows"])?;
        bed.compile("floor", &["-mconsole"])?;
        bed.copy(&bed.built.join("bilayer.exe"), "bilayer.exe")?;
        bed.play_sessions()?;
        Ok(bed)
    }

    /// The runner of the tests makes the prefix with the library that Rust programs need there.
    fn prepare(&self) -> Result<()> {
        let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/wine/run.sh");
        let mut make = Command::new(runner);
        make.env("WINE_PREFIX_DIR", &self.prefix).args(["cmd", "/c", "exit"]);
        finish(&mut make)
    }

    /// Puts the stand-in for terminal services, which Wine lacks, in the place of Wine's own. It plays one session.
    fn play_sessions(&self) -> Result<()> {
        let library = self.prefix.join("drive_c/windows/system32/wtsapi32.dll");
        fs::remove_file(&library)?;
        fs::copy(self.built.join("wtsapi32_stand_in.dll"), &library)
            .context("the stand-in for wtsapi32.dll")?;
        let key = r"HKCU\Software\Wine\DllOverrides";
        self.run(["reg", "add", key, "/v", "wtsapi32", "/d", "native,builtin", "/f"])?;
        let script = self.prefix.join("drive_c").join(script_folder());
        fs::create_dir_all(script)?;
        self.play(&[logon(1)])
    }

    /// Says who is logged on from now on.
    pub(crate) fn play(&self, sessions: &[Session]) -> Result<()> {
        let script = Script { sessions: sessions.to_vec(), events: Vec::new() };
        let folder = self.prefix.join("drive_c").join(script_folder());
        script.write(&folder).context("cannot write the script of the sessions")
    }

    /// A file of this bed as Windows knows it.
    pub(crate) fn windows(&self, name: &str) -> String {
        format!(r"{FOLDER}\{name}")
    }

    /// The same file on this machine.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.prefix.join("drive_c/bench").join(name)
    }

    /// A Windows program with its arguments.
    pub(crate) fn wine<'w>(&self, words: impl IntoIterator<Item = &'w str>) -> Command {
        let mut command = Command::new("wine");
        command
            .env("WINEPREFIX", &self.prefix)
            .env("WINEDEBUG", "-all")
            .env("WINEDLLOVERRIDES", "mscoree=;mshtml=");
        command.env_remove("DISPLAY").env_remove("BILAYER_CONFIG");
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs a Windows program to its end.
    pub(crate) fn run<'w>(&self, words: impl IntoIterator<Item = &'w str>) -> Result<()> {
        finish(&mut self.wine(words))
    }

    /// Runs a Windows program that starts a service. The service manager refuses that while it starts others, as it does
    /// when a prefix is new (error 1055).
    pub(crate) fn start_service<'w>(&self, words: impl IntoIterator<Item = &'w str> + Clone) -> Result<()> {
        let deadline = Instant::now() + SERVICE_MAX;
        while let Err(error) = self.run(words.clone()) {
            ensure!(Instant::now() < deadline, error);
            std::thread::park_timeout(Duration::from_millis(200));
        }
        Ok(())
    }

    /// Puts a program of this machine into the bed.
    pub(crate) fn copy(&self, from: &Path, name: &str) -> Result<()> {
        let to = self.path(name);
        fs::copy(from, &to).with_context(|| format!("{} → {}", from.display(), to.display()))?;
        Ok(())
    }

    /// Compiles one of this crate's C programs into the bed. None has a C library: nothing but Windows' own loader stands
    /// between the start of a process and its first instruction.
    fn compile(&self, name: &str, flags: &[&str]) -> Result<()> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("windows-{name}.c"));
        let mut gcc = Command::new("x86_64-w64-mingw32-gcc");
        gcc.args(["-O2", "-ffreestanding", "-nostdlib", "-Wl,-e,start"]).args(flags);
        gcc.arg("-o").arg(self.path(&format!("{name}.exe"))).arg(&source).args(["-lkernel32", "-ladvapi32"]);
        let status = gcc.status().context("cannot start x86_64-w64-mingw32-gcc")?;
        ensure!(status.success(), "gcc could not compile {}", source.display());
        Ok(())
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        for option in ["--kill", "--wait"] {
            // It has ended already if nothing ran.
            let _ = Command::new("wineserver").env("WINEPREFIX", &self.prefix).arg(option).status();
        }
        let _ = fs::remove_dir_all(&self.prefix);
        for beside in ["lock", "log"] {
            let _ = fs::remove_file(self.prefix.with_extension(beside));
        }
    }
}

/// Where the stand-in looks for its script, below drive C.
fn script_folder() -> &'static str {
    script::FOLDER.strip_prefix(r"C:\").expect("the stand-in's folder is on drive C")
}

/// A logon of a user at the console, told from every other by its number. Its session is always 1: to Wine, every process is of
/// that session, and layer 0 takes connections from the session's own processes only.
pub(crate) fn logon(number: u32) -> Session {
    Session {
        id: 1,
        state: State::Active,
        station: "Console".into(),
        user: "alice".into(),
        domain: "ACME".into(),
        locked: Some(false),
        remote: false,
        // 2022 in units of 100 ns since 1601, and a second more for each.
        logon_time: 132_854_688_000_000_000 + 10_000_000 * i64::from(number),
        token_error: None,
        answer: None,
    }
}

/// cargo's folder, in which this program lies two levels down.
fn target() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors().nth(2).map(Path::to_owned).context("a program lies in target/PROFILE")
}

/// Runs a command to its end, within a limit; anything but success is an error with what it said.
///
/// Its output goes to a file and not to a pipe: the first program in a prefix starts Wine's own services, which inherit it.
pub(crate) fn finish(command: &mut Command) -> Result<()> {
    let said = std::env::temp_dir().join(format!("bilayer-bench-said-{}", std::process::id()));
    let output = File::create(&said)?;
    let mut child = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn()?;
    let deadline = Instant::now() + COMMAND_MAX;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            None if Instant::now() > deadline => break None,
            None => std::thread::park_timeout(Duration::from_millis(20)),
        }
    };
    let text = fs::read(&said).unwrap_or_default();
    let _ = fs::remove_file(&said);
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("{command:?} ended with {status}: {}", String::from_utf8_lossy(&text).trim()),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            bail!("{command:?} did not end within {} s", COMMAND_MAX.as_secs())
        }
    }
}
