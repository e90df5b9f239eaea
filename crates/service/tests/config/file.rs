//! Files that are not there, not text, or not to be trusted.

use std::fs;
use std::path::{Path, PathBuf};

use bilayer::config::{Report, load};

use crate::machine::{CONSOLE, PRIVILEGED, agent};

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bilayer-config-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is said about the only thing that is wrong, and the hint.
fn refusal(report: &Report, path: &Path) -> String {
    let [finding] = report.findings() else { panic!("one finding, not {report}") };
    assert_eq!(finding.line, None);
    let hint = finding.hint.as_deref().unwrap_or("no hint");
    format!("{}\n{hint}", finding.message).replace(&*path.to_string_lossy(), "FILE")
}

fn refused(path: &Path) -> String {
    refusal(&load(path, &CONSOLE).unwrap_err(), path)
}

#[test]
fn a_missing_file_is_told_with_the_next_step() {
    insta::assert_snapshot!("missing_file", refused(&Folder::new("missing").0.join("desk.toml")));
}

#[test]
fn a_folder_is_no_file() {
    let folder = Folder::new("folder");
    insta::assert_snapshot!("folder_for_a_file", refused(&folder.0));
}

#[test]
fn a_device_is_no_file() {
    insta::assert_snapshot!("device_for_a_file", refused(Path::new("/dev/null")));
}

#[test]
fn an_empty_file_is_told_with_the_next_step() {
    let folder = Folder::new("empty");
    for content in ["", "\u{feff}", " \r\n\t\n", "# [service]\n"] {
        insta::allow_duplicates!(insta::assert_snapshot!(
            "empty_file",
            refused(&folder.file("desk.toml", content))
        ));
    }
}

#[test]
fn text_that_is_not_utf8_is_told_with_its_line() {
    let folder = Folder::new("latin");
    let file = folder.file("desk.toml", b"[service]\nname = \"acme\"\ndisplay_name = \"B\xfcro\"\n");
    insta::assert_snapshot!("latin_file", refused(&file));
    let file = folder.file("wide.toml", b"\xff\xfe[\0s\0");
    insta::assert_snapshot!("wide_file", refused(&file));
}

#[test]
fn a_file_without_end_is_not_read() {
    let folder = Folder::new("long");
    insta::assert_snapshot!("long_file", refused(&folder.file("desk.toml", vec![b'#'; (1 << 20) + 1])));
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_are_fine() {
    let folder = Folder::new("bom");
    let text = agent("").replace('\n', "\r\n");
    let config = load(&folder.file("desk.toml", format!("\u{feff}{text}")), &CONSOLE).unwrap().config;
    assert_eq!(config.agents[0].name, "desk");
}

#[test]
fn a_mistake_on_the_first_line_is_placed_right_after_a_byte_order_mark() {
    let folder = Folder::new("bom-mistake");
    let text = format!("\u{feff}x = 1\n{}", agent(""));
    let report = load(&folder.file("desk.toml", text), &CONSOLE).unwrap_err();
    let finding = &report.findings()[0];
    assert_eq!((finding.line, finding.column), (Some(1), Some(1)));
}

#[test]
fn a_privileged_service_refuses_a_file_that_others_can_write() {
    let folder = Folder::new("writable");
    let file = folder.file("writable.toml", agent(""));
    insta::assert_snapshot!("writable_file", refusal(&load(&file, &PRIVILEGED).unwrap_err(), &file));
    assert!(load(&file, &CONSOLE).is_ok());
}
