//! How the demo is looked at: a picture on a terminal, or lines of text.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;

use super::model::Line;
use super::stage::Stage;
use super::{Shared, picture};
use crate::failure::Failure;
use crate::screen::{self, Screen, Tone};

/// How often keys are looked at. A key that waits this long still feels immediate.
const KEYS_EVERY: Duration = Duration::from_millis(40);

pub(super) struct View {
    /// `None` for lines of text.
    terminal: Option<RefCell<DefaultTerminal>>,
    screen: Screen,
    /// Lines of the story that were printed already.
    printed: Cell<usize>,
}

impl View {
    pub(super) fn open(plain: bool, screen: &Screen) -> Result<Self, Failure> {
        // Also restores the terminal before the message of a panic is printed.
        let terminal = (!plain).then(ratatui::try_init).transpose();
        let terminal = terminal.map_err(|error| Failure::failed(cannot_draw(&error)))?;
        Ok(Self { terminal: terminal.map(RefCell::new), screen: *screen, printed: Cell::new(0) })
    }

    /// Shows every change until the demo ends; a person who leaves early ends it.
    pub(super) async fn show(&self, shared: &Shared, stage: &Stage) -> Infallible {
        match self.look(shared).await {
            Ok(()) => stage.leave().await,
            Err(failure) => stage.fail(failure).await,
        }
        std::future::pending().await
    }

    /// Gives the terminal back and prints what is left to print.
    pub(super) fn close(&self, shared: &Shared) -> Result<(), Failure> {
        match self.terminal {
            Some(_) => ratatui::try_restore().map_err(|error| Failure::failed(cannot_draw(&error))),
            None => self.lines(shared),
        }
    }

    /// Returns when somebody wants to leave.
    async fn look(&self, shared: &Shared) -> Result<(), Failure> {
        loop {
            let changed = shared.changed.notified();
            match &self.terminal {
                Some(terminal) => {
                    draw(&mut terminal.borrow_mut(), shared, self.screen.color)?;
                    tokio::select! {
                        () = changed => {}
                        leaves = key() => if leaves? { return Ok(()) },
                    }
                }
                None => {
                    self.lines(shared)?;
                    changed.await;
                }
            }
        }
    }

    fn lines(&self, shared: &Shared) -> Result<(), Failure> {
        let model = shared.model.borrow();
        for line in &model.story[self.printed.get()..] {
            screen::print(&match line {
                Line::Step { clock, says } => format!("{clock}  {}\n", self.screen.paint(says, Tone::Head)),
                Line::Effect(text) => format!("       {text}\n"),
            })?;
        }
        self.printed.set(model.story.len());
        Ok(())
    }
}

fn draw(terminal: &mut DefaultTerminal, shared: &Shared, color: bool) -> Result<(), Failure> {
    let model = shared.model.borrow();
    let drawn = terminal.draw(|frame| picture::draw(frame, &model, color));
    drawn.map(drop).map_err(|error| Failure::failed(cannot_draw(&error)))
}

/// Waits for a key that leaves (true) or for another size of the terminal (false).
async fn key() -> Result<bool, Failure> {
    let failed = |error| Failure::failed(format!("cannot read the keyboard: {error}"));
    loop {
        tokio::time::sleep(KEYS_EVERY).await;
        while event::poll(Duration::ZERO).map_err(failed)? {
            match event::read().map_err(failed)? {
                Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(true),
                    // The terminal is in raw mode: this is the key, not a signal.
                    KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(true),
                    _ => {}
                },
                Event::Resize(..) => return Ok(false),
                _ => {}
            }
        }
    }
}

fn cannot_draw(error: &io::Error) -> String {
    format!("cannot draw on this terminal: {error}; `bilayer demo --plain` needs none")
}
