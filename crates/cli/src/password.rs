//! A password from a terminal, which does not show it.

use std::io;

use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, read};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};

/// Nobody's password is longer.
const CHARS_MAX: usize = 512;

/// Reads a line without showing it. Ctrl-C and Esc are an error.
pub(crate) fn read_hidden(line: &mut String) -> io::Result<()> {
    enable_raw_mode()?;
    let outcome = read_line(line);
    disable_raw_mode()?;
    eprintln!();
    outcome
}

fn read_line(line: &mut String) -> io::Result<()> {
    loop {
        let Event::Key(key) = read()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        let is_control = key.modifiers == KeyModifiers::CONTROL;
        match key.code {
            KeyCode::Enter => return Ok(()),
            KeyCode::Esc => return Err(io::ErrorKind::Interrupted.into()),
            KeyCode::Char('c') if is_control => return Err(io::ErrorKind::Interrupted.into()),
            KeyCode::Backspace => {
                line.pop();
            }
            KeyCode::Char(letter) if line.chars().count() < CHARS_MAX => line.push(letter),
            _ => {}
        }
    }
}
