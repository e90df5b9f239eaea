//! A panic is an entry of the log. In a program of its own: the log is one for the whole process.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bilayer::log::{Rotation, Settings, install};
use tracing::level_filters::LevelFilter;

#[test]
fn a_panic_is_an_entry_of_the_log() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("panic");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{}.log", std::process::id()));
    install(Settings {
        level: LevelFilter::ERROR,
        stderr: false,
        file: Some(file.clone()),
        rotation: Rotation { max_size: 1 << 20, max_total: 1 << 20, max_age: Duration::MAX },
        event_log: None,
    })
    .unwrap();
    let panicked = std::thread::spawn(|| panic!("no such thing as number {}", 7)).join();
    assert!(panicked.is_err());
    let said = fs::read_to_string(&file).unwrap();
    fs::remove_file(file).unwrap();
    assert!(said.contains("tests/panic.rs") || said.contains(r"tests\panic.rs"), "{said}");
    assert!(said.contains("no such thing as number 7"), "{said}");
}
