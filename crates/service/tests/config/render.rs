//! How a report looks: in a terminal, in a log and to a program.

use bilayer::config::{Report, Style};

use crate::machine::{CONSOLE, agent, load};

fn report() -> Report {
    let lines = "grase = \"5s\"\nsessions = \"consol\" # Bürö, with a long remark that does not fit on a narrow terminal";
    load(&agent(lines), &CONSOLE).unwrap_err()
}

#[test]
fn with_box_drawing_characters() {
    insta::assert_snapshot!("unicode", report().render(Style { unicode: true, ..Style::PLAIN }));
}

#[test]
fn on_a_narrow_terminal() {
    let drawn = report().render(Style { width: 40, ..Style::PLAIN });
    insta::assert_snapshot!("narrow", drawn);
    let too_long: Vec<&str> = drawn.lines().filter(|line| line.chars().count() > 40).collect();
    assert!(too_long.is_empty(), "{too_long:#?}");
}

#[test]
fn colours_only_where_wanted() {
    assert!(!report().render(Style::PLAIN).contains('\u{1b}'));
    assert!(report().render(Style { color: true, ..Style::PLAIN }).contains("\u{1b}["));
}

#[test]
fn a_file_cannot_send_control_sequences_to_the_terminal() {
    let lines = "sessions = \"\\u001b[2Jx\"\n\"\\u001b]0;k\" = 1\ntypes = [\"\u{202e}\"]";
    let drawn = load(&agent(lines), &CONSOLE).unwrap_err().render(Style::PLAIN);
    assert!(!drawn.contains(['\u{1b}', '\u{202e}']), "{drawn}");
}

#[test]
fn as_lines_for_a_log() {
    insta::assert_snapshot!("lines", report().to_string());
}

#[test]
fn as_json() {
    insta::assert_snapshot!("json", format!("{:#}", report().to_json()));
}
