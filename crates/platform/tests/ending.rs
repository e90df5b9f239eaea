//! Asking a process to end, on every system.
//!
//! This program is its own agent and its own helper, so it has a `main` of its own, which says first what each copy of it is.

use std::future::Future;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use bilayer_platform::{Command, Exit, Launched, Signals, Station, launch};
use tokio::io::AsyncReadExt as _;

/// What a part returns that was asked and ended by itself.
const ENDED_BY_ITSELF: u8 = 7;

/// Where this is, the program runs under Wine.
const WINE: &str = r"C:\windows\system32\winecfg.exe";

/// Shows a window and needs nobody.
const WINDOW: &str = r"C:\windows\system32\winver.exe";

/// More than one helper asks.
const MANY: usize = 70;

fn main() -> ExitCode {
    if let Some(code) = bilayer_platform::helper_main() {
        return code;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match std::env::args().nth(1).as_deref() {
        Some("listen") => runtime.block_on(listens()),
        Some("stay") => stays(),
        _ => runtime.block_on(tests()),
    }
}

/// An agent that hears what it is asked.
async fn listens() -> ExitCode {
    let mut signals = Signals::new().expect("signals");
    say_ready();
    signals.next().await;
    ExitCode::from(ENDED_BY_ITSELF)
}

/// An agent that knows nothing of this.
fn stays() -> ExitCode {
    say_ready();
    loop {
        std::thread::park();
    }
}

fn say_ready() {
    let mut out = io::stdout();
    out.write_all(b"r").and_then(|()| out.flush()).expect("a listener");
}

async fn tests() -> ExitCode {
    // What is said to an agent is not heard here, although it may be a child in the same terminal.
    let mut own = Signals::new().expect("signals");
    if Path::new(WINE).exists() {
        println!("skipped: Wine 8 raises no Ctrl-Break, so programs without a window cannot be asked there");
    } else {
        one_that_listens_ends_by_itself().await;
        one_that_does_not_is_ended().await;
        many_are_asked_together().await;
    }
    windows_are_told_to_close().await;
    one_that_has_ended_is_no_error().await;
    let heard = tokio::time::timeout(Duration::ZERO, own.next()).await;
    assert!(heard.is_err(), "this program was asked as well");
    println!("ok");
    ExitCode::SUCCESS
}

async fn one_that_listens_ends_by_itself() {
    let Launched { process, .. } = start("listen").await;
    process.terminate().expect("asking");
    assert_eq!(
        within("the end of one that listens", process.exited()).await,
        Exit::Code(ENDED_BY_ITSELF.into())
    );
}

async fn one_that_does_not_is_ended() {
    let Launched { process, .. } = start("stay").await;
    process.terminate().expect("asking");
    let exit = within("the end of one that does not listen", process.exited()).await;
    // SIGTERM; STATUS_CONTROL_C_EXIT.
    assert!([Exit::Signal(15), Exit::Code(0xC000_013A)].contains(&exit), "{exit}");
}

async fn many_are_asked_together() {
    let mut all = Vec::new();
    for _ in 0..MANY {
        all.push(start("listen").await.process);
    }
    all.iter().for_each(|process| process.terminate().expect("asking"));
    for process in &all {
        assert_eq!(within("the end of many", process.exited()).await, Exit::Code(ENDED_BY_ITSELF.into()));
    }
}

/// Where the system has such programs.
async fn windows_are_told_to_close() {
    if !Path::new(WINDOW).exists() {
        return;
    }
    let command = Command { trust_writable_program: true, ..Command::new(WINDOW, "bilayer-test-window") };
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(launch(&Station::own(), &command).await.expect("a start").process);
    }
    // Nothing says that a window is there: they are asked until they hear.
    let ended = async {
        for process in &all {
            loop {
                all.iter().for_each(|process| process.terminate().expect("asking"));
                let exited = tokio::time::timeout(Duration::from_millis(300), process.exited()).await;
                if let Ok(exit) = exited {
                    assert_ne!(exit, Exit::Code(1), "it was killed");
                    break;
                }
            }
        }
    };
    within("the end of those with a window", ended).await;
}

async fn one_that_has_ended_is_no_error() {
    let Launched { process, .. } = start("listen").await;
    process.kill_all().expect("killing");
    within("the end of one that was killed", process.exited()).await;
    process.terminate().expect("asking one that has ended");
}

/// Starts a part, and waits until it can be asked.
async fn start(part: &str) -> Launched {
    let program = std::env::current_exe().expect("this program's path");
    let command = Command {
        args: vec![part.to_owned()],
        trust_writable_program: true,
        ..Command::new(
            program,
            format!("bilayer-test-{:016x}", u64::from_ne_bytes(bilayer_platform::random_bytes())),
        )
    };
    let mut launched = launch(&Station::own(), &command).await.expect("a start");
    within("a word of the part", launched.stdout.read_u8()).await.expect("a word");
    launched
}

/// Waits for something that must happen, and says what it was if it does not.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within 20 s"),
    }
}
