//! An agent for Windows that does one thing wrong, or a client of a pipe that does.
//!
//! `waits FILE` writes where it could connect to `FILE.endpoint`, and leaves when FILE appears, with the code in it · `deaf`
//! ignores being asked to end · `alone FILE` has FILE to itself for as long as it lives, and says whether it could have it ·
//! `parent` starts a child and leaves · `exits CODE` leaves at once · `service …` is a program that the service manager starts and
//! never hears of.
//!
//! `client HOW [ENDPOINT TOKEN]` is a client, of the endpoint that layer 0 gave it if none is named: `honest` says hello and
//! prints the answer, `wrong-token` does so with a token of its own, `silent` says nothing, `endless` sends a header without an
//! end, `huge` announces a frame of 10 GB, `garbage` sends a frame that is no JSON, `batch` a batch, `vanish` leaves in the middle
//! of a frame. All but the last print what they were told until the other side closed.

#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, exit};
use std::time::Duration;

use tokio::signal::windows::{ctrl_break, ctrl_close};

fn main() -> io::Result<ExitCode> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["waits", file] => waits(file)?,
        ["deaf"] => deaf()?,
        ["alone", file] => alone(file),
        ["parent"] => leave_a_child()?,
        ["child"] | ["service", ..] => loop {
            std::thread::park();
        },
        ["exits", code] => leave(code),
        ["client", how] => client(how, &variable("BILAYER_ENDPOINT"), &variable("BILAYER_TOKEN"))?,
        ["client", how, endpoint, token] => client(how, endpoint, token)?,
        _ => return Ok(ExitCode::from(2)),
    }
    Ok(ExitCode::SUCCESS)
}

fn waits(file: &str) -> io::Result<()> {
    let lines = format!("{}\n{}\n", variable("BILAYER_ENDPOINT"), variable("BILAYER_TOKEN"));
    let endpoint = format!("{file}.endpoint");
    fs::write(format!("{endpoint}.next"), lines)?;
    fs::rename(format!("{endpoint}.next"), endpoint)?;
    println!("waits for {file}");
    loop {
        if let Ok(code) = fs::read_to_string(Path::new(file)) {
            // Else its successor would leave, too.
            fs::remove_file(file)?;
            leave(code.trim());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The system closes the file before it tells anybody of this program's end.
fn alone(file: &str) {
    let held = OpenOptions::new().write(true).create(true).truncate(false).share_mode(0).open(file);
    match &held {
        Ok(_) => println!("this agent is alone"),
        Err(error) => println!("this agent is not alone: {error}"),
    }
    loop {
        std::thread::park();
    }
}

/// Leaves with a code, decimal or `0x…`.
fn leave(code: &str) -> ! {
    let number = match code.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => code.parse(),
    };
    exit(number.map_or(2, u32::cast_signed))
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

#[tokio::main(flavor = "current_thread")]
async fn deaf() -> io::Result<()> {
    let (mut interrupt, mut close) = (ctrl_break()?, ctrl_close()?);
    println!("deaf to Ctrl-Break");
    loop {
        tokio::select! {
            _ = interrupt.recv() => println!("not listening"),
            _ = close.recv() => println!("not listening"),
        }
    }
}

fn leave_a_child() -> io::Result<()> {
    Command::new(std::env::current_exe()?).arg("child").spawn()?;
    println!("left a child behind");
    Ok(())
}

fn client(how: &str, endpoint: &str, token: &str) -> io::Result<()> {
    let mut pipe = OpenOptions::new().read(true).write(true).open(endpoint)?;
    match how {
        "honest" => hello(&mut pipe, token)?,
        "wrong-token" => hello(&mut pipe, "not the token")?,
        "silent" => {}
        "endless" => endless(&mut pipe),
        "huge" => pipe.write_all(b"Content-Length: 10000000000\r\n\r\n{")?,
        "garbage" => frame(&mut pipe, "{\"jsonrpc\": nonsense")?,
        "batch" => frame(&mut pipe, "[]")?,
        "vanish" => {
            pipe.write_all(b"Content-Length: 100\r\n\r\n{")?;
            exit(3);
        }
        _ => exit(2),
    }
    let mut told = Vec::new();
    // That it was closed is the end, however it is said.
    let _ = pipe.read_to_end(&mut told);
    println!("{how} was told: {}", String::from_utf8_lossy(&told).replace("\r\n", " "));
    Ok(())
}

fn hello(pipe: &mut File, token: &str) -> io::Result<()> {
    let hello = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocol":{{"min":1,"max":1}},"kind":"agent","token":"{token}","client":{{"name":"windows-agent","version":"1"}}}}}}"#
    );
    frame(pipe, &hello)
}

fn frame(pipe: &mut File, body: &str) -> io::Result<()> {
    pipe.write_all(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
}

/// Until the other side has had enough.
fn endless(pipe: &mut File) {
    while pipe.write_all(&[b'x'; 512]).is_ok() {}
}
