//! Prints who is logged on, and every hint: `cargo run -p bilayer-platform --example sessions`. As root it follows the whole
//! machine. With a program as argument it is started once in every session that is ready.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bilayer_platform::{
    Command, Hint, Launched, Mode, Process, SessionInfo, Sessions, is_privileged, launch,
};
use tokio::io::AsyncReadExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if let Some(code) = bilayer_platform::helper_main() {
        return code;
    }
    let mode = if is_privileged() { Mode::System } else { Mode::Console };
    match follow(mode).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::FAILURE
        }
    }
}

async fn follow(mode: Mode) -> Result<(), bilayer_platform::Error> {
    let program = std::env::args().nth(1).map(PathBuf::from);
    let begin = Instant::now();
    let mut sessions = Sessions::open(mode, "sessions").await?;
    let mut served = HashSet::new();
    loop {
        match sessions.enumerate().await {
            Ok(found) => {
                for session in found {
                    print(&session);
                    let ready = program.clone().filter(|_| session.display);
                    if let Some(program) = ready.filter(|_| served.insert(session.logon.clone())) {
                        start(&session, program).await;
                    }
                }
            }
            Err(error) => tell(&error),
        }
        tokio::select! {
            hint = sessions.hint() => {
                println!("{:9.3} {hint:?}", begin.elapsed().as_secs_f64());
                if matches!(hint, Hint::ShutdownAnnounced { .. }) {
                    sessions.release_shutdown();
                }
            }
            () = tokio::time::sleep(Duration::from_secs(30)) => println!("{:9.3} again", begin.elapsed().as_secs_f64()),
        }
    }
}

fn print(session: &SessionInfo) {
    println!(
        "    {} {} {:?} {:?} locked={} remote={} type={:?} display={} groups={:?} logon={}",
        session.id,
        session.user.name,
        session.kind,
        session.state,
        session.locked,
        session.remote,
        session.session_type,
        session.display,
        session.groups,
        session.logon
    );
}

async fn start(session: &SessionInfo, program: PathBuf) {
    let command = Command {
        env: vec![("BILAYER_TEST".into(), session.id.clone())],
        trust_writable_program: true,
        ..Command::new(program, "bilayer-example-agent")
    };
    match launch(&session.station, &command).await {
        // Without our hold on its outputs they end when it does.
        Ok(Launched { process, stdout: mut out, stderr: mut err, .. }) => {
            println!("    started as process {}", process.pid());
            let session = session.id.clone();
            tokio::spawn(async move {
                let (mut text, mut errors) = (String::new(), String::new());
                let _ = tokio::join!(out.read_to_string(&mut text), err.read_to_string(&mut errors));
                report(&session, &process, &text, &errors).await;
            });
        }
        Err(error) => {
            tell(&error);
        }
    }
}

async fn report(session: &str, process: &Process, text: &str, errors: &str) {
    let exit = process.exited().await;
    println!("    in session {session}: {exit}, swept {:?}\n{text}{errors}", process.sweep());
}

/// An error and what caused it.
fn tell(error: &dyn std::error::Error) {
    println!("    {error}");
    if let Some(source) = error.source() {
        tell(source);
    }
}
