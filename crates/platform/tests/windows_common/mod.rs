//! What the contract tests for Windows share.
#![allow(dead_code)] // Each test binary uses a part of it.
#![allow(clippy::unwrap_used)] // Tests, though the lint does not see it here.

use std::future::Future;
use std::time::Duration;

use bilayer_platform::{Command, Launched, Output, OutputEnd, Station};
use tokio::io::AsyncReadExt as _;

/// Says which part a copy of the test program plays; absent in the test itself.
const ROLE: &str = "BILAYER_TEST_ROLE";
/// Stands before every line that a role says, since the test harness has its own to say.
const MARK: &str = "> ";

/// Plays the part that the environment names, if it names one, and ends the program.
///
/// Windows has no shell to rely on, so the program under test is this one, started again. Each test file has a `role` test which
/// only calls this.
pub(crate) fn play(parts: impl Fn(&str, &str) -> u32) {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (part, argument) = role.split_once(' ').unwrap_or((&role, ""));
    std::process::exit(parts(part, argument).cast_signed());
}

/// One line to whoever started this role.
pub(crate) fn say(text: impl std::fmt::Display) {
    use std::io::Write as _;
    let mut out = std::io::stdout();
    // Whoever listened may be gone; the role goes on.
    let _ = writeln!(out, "{MARK}{text}");
    let _ = out.flush();
}

/// Waits to be killed.
pub(crate) fn stay() -> ! {
    loop {
        std::thread::park();
    }
}

/// A command that plays a part.
pub(crate) fn acting(role: &str) -> Command {
    Command {
        args: ["role", "--exact", "--nocapture"].map(str::to_owned).to_vec(),
        env: vec![(ROLE.into(), role.into())],
        trust_writable_program: true,
        ..Command::new(std::env::current_exe().unwrap(), "bilayer-test-agent")
    }
}

/// The same for a role that starts another by itself.
pub(crate) fn child_role(name: &str) -> std::process::Command {
    let command = acting(name);
    let mut child = std::process::Command::new(command.program);
    child.args(command.args).env(ROLE, name);
    child
}

/// What it prints ends with it.
pub(crate) async fn start(command: &Command) -> Launched {
    let mut launched = bilayer_platform::launch(&Station::own(), command).await.unwrap();
    launched.ends = [OutputEnd::default(), OutputEnd::default()];
    launched
}

/// Runs a test on a loop like the service's own.
pub(crate) fn on_a_loop(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

/// Waits for something that must happen, and says what it was if it does not.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within 20 s"),
    }
}

/// The next line that a role says.
pub(crate) async fn said(output: &mut Output) -> String {
    within("a line of output", async {
        loop {
            let mut line = Vec::new();
            loop {
                match output.read_u8().await {
                    Ok(b'\n') => break,
                    Ok(byte) => line.push(byte),
                    Err(error) => panic!("the output ended: {error}"),
                }
            }
            // The mark may come after words of the harness in the same line.
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some((_, text)) = line.split_once(MARK) {
                return text.trim_end().to_owned();
            }
        }
    })
    .await
}
