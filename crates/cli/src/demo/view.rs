//! How the demo is looked at: a picture on a terminal, or lines of text.

use std::convert::Infallible;
use std::io;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;
use tokio::sync::mpsc;

use super::model::Line;
use super::stage::Stage;
use super::{Shared, picture};
use crate::failure::Failure;
use crate::screen::{self, Screen, Tone};

pub(super) struct View {
    /// `None` for lines of text.
    terminal: Option<Terminal>,
    screen: Screen,
    /// Lines of the story that were printed already.
    printed: usize,
}

struct Terminal {
    terminal: DefaultTerminal,
    inputs: mpsc::Receiver<Input>,
}

impl View {
    pub(super) fn open(plain: bool, screen: &Screen) -> Result<Self, Failure> {
        // Also restores the terminal before the message of a panic is printed.
        let terminal = (!plain).then(ratatui::try_init).transpose();
        let terminal = terminal.map_err(|error| Failure::failed(cannot_draw(&error)))?;
        let terminal = terminal.map(|terminal| Terminal { terminal, inputs: inputs() });
        Ok(Self { terminal, screen: *screen, printed: 0 })
    }

    /// Shows every change until the demo ends; a person who leaves early ends it.
    pub(super) async fn show(&mut self, shared: &Shared, stage: &Stage) -> Infallible {
        match self.look(shared).await {
            Ok(()) => stage.leave().await,
            Err(failure) => stage.fail(failure).await,
        }
        std::future::pending().await
    }

    /// Gives the terminal back and prints what is left to print.
    pub(super) fn close(mut self, shared: &Shared) -> Result<(), Failure> {
        self.lines(shared)?;
        let Some(terminal) = self.terminal else { return Ok(()) };
        let mut terminal = terminal.terminal;
        let restored = ratatui::try_restore().and_then(|()| terminal.show_cursor());
        restored.map_err(|error| {
            // It is gone. The destructor would find that out again, and panic for want of a standard error to say so.
            std::mem::forget(terminal);
            Failure::failed(cannot_draw(&error))
        })
    }

    /// Returns when somebody wants to leave.
    async fn look(&mut self, shared: &Shared) -> Result<(), Failure> {
        loop {
            // Asked for before looking, so that no change can slip in between.
            let changed = shared.changed.notified();
            let Some(Terminal { terminal, inputs }) = &mut self.terminal else {
                self.lines(shared)?;
                changed.await;
                continue;
            };
            draw(terminal, shared, self.screen.color)?;
            tokio::select! {
                () = changed => {}
                input = inputs.recv() => match input {
                    Some(Input::Resize) => {}
                    Some(Input::Leave) | None => return Ok(()),
                },
            }
        }
    }

    fn lines(&mut self, shared: &Shared) -> Result<(), Failure> {
        if self.terminal.is_some() {
            return Ok(());
        }
        let model = shared.model.borrow();
        for line in &model.story[self.printed..] {
            screen::print(&match line {
                Line::Step { clock, says } => format!("{clock}  {}\n", self.screen.paint(says, Tone::Head)),
                Line::Effect(text) => format!("       {text}\n"),
            })?;
        }
        self.printed = model.story.len();
        Ok(())
    }
}

fn draw(terminal: &mut DefaultTerminal, shared: &Shared, color: bool) -> Result<(), Failure> {
    let model = shared.model.borrow();
    let drawn = terminal.draw(|frame| picture::draw(frame, &model, color));
    drawn.map(drop).map_err(|error| Failure::failed(cannot_draw(&error)))
}

/// What somebody at the terminal did.
enum Input {
    Leave,
    Resize,
}

/// Reads the terminal on a thread of its own. One that was closed keeps crossterm busy for ever within a single call: that
/// must not be the thread on which the service stops its agents.
fn inputs() -> mpsc::Receiver<Input> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if let Some(input) = input(&event)
                && sender.blocking_send(input).is_err()
            {
                return;
            }
        }
    });
    receiver
}

fn input(event: &Event) -> Option<Input> {
    match event {
        Event::Resize(..) => Some(Input::Resize),
        Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
            KeyCode::Char('q') | KeyCode::Esc => Some(Input::Leave),
            // The terminal is in raw mode: this is the key, not a signal.
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Input::Leave),
            _ => None,
        },
        _ => None,
    }
}

fn cannot_draw(error: &io::Error) -> String {
    format!("cannot draw on this terminal: {error}; `bilayer demo --plain` needs none")
}
