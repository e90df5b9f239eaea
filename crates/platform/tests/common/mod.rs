//! What the contract tests share.
#![allow(dead_code)] // Each test binary uses a part of it.
#![allow(clippy::unwrap_used)] // Only functions that are marked as tests are known to be ones.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bilayer_platform::{Command, LaunchError, Launched, Output, OutputEnd, Station};
use tokio::io::AsyncReadExt as _;

/// Runs a test on a loop like the service's own.
pub(crate) fn on_a_loop(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

/// Waits for something that must happen, and says what it was if it does not.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(10), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within 10 s"),
    }
}

/// Looks again and again until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    within(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// A command of the shell.
pub(crate) fn sh(script: &str) -> Command {
    program("/bin/sh", &["-c", script])
}

/// A program with arguments.
pub(crate) fn program(path: &str, args: &[&str]) -> Command {
    Command {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        trust_writable_program: true,
        // The name is that of the control group, and tests run side by side.
        ..Command::new(path, format!("bilayer-test-{}", random_name()))
    }
}

/// Launches at this program's own station. What it prints ends with it.
pub(crate) async fn start(command: &Command) -> Launched {
    start_at(&Station::own(), command).await.unwrap()
}

/// Launches at a station. What it prints ends with it.
pub(crate) async fn start_at(station: &Station, command: &Command) -> Result<Launched, LaunchError> {
    let mut launched = bilayer_platform::launch(station, command).await?;
    launched.ends = [OutputEnd::default(), OutputEnd::default()];
    Ok(launched)
}

/// All that a program writes until nobody holds the pipe any more.
pub(crate) async fn all_of(output: &mut Output) -> String {
    let mut text = String::new();
    within("the end of the output", output.read_to_string(&mut text)).await.unwrap();
    text
}

/// One line of a program's output.
pub(crate) async fn line_of(output: &mut Output) -> String {
    let mut line = Vec::new();
    within("a line of output", async {
        loop {
            match output.read_u8().await {
                Ok(b'\n') | Err(_) => break,
                Ok(byte) => line.push(byte),
            }
        }
    })
    .await;
    String::from_utf8(line).unwrap()
}

/// Whether a process runs; a zombie does not.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with(['Z', 'X']))
}

fn random_name() -> String {
    bilayer_platform::random_bytes::<8>().map(|byte| format!("{byte:02x}")).concat()
}

/// A folder that is removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// Makes one that no other test has.
    pub(crate) fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("bilayer-test-{}", random_name()));
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    /// Writes a file with a mode.
    pub(crate) fn file(&self, name: &str, content: &[u8], mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}
