//! The picture of this moment, for a terminal of 80 × 24 and anything larger.

use bilayer_ipc::control::AgentState;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line as Text, Span};
use ratatui::widgets::{Block, BorderType, Padding, Paragraph, Row as Cells, Table};

use super::model::{Line, Model, Row, Seat};
use crate::table::wrap;

/// Rows of the agents' table: two agents for each of two users.
const AGENTS: u16 = 4;
const SESSIONS: u16 = 2;

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, color: bool) {
    let [head, sessions, agents, story, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(SESSIONS + 2),
        Constraint::Length(AGENTS + 3),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let paint = Paint { color };
    frame.render_widget(header(model, head.width, paint), head);
    frame.render_widget(seats(&model.seats, paint), sessions);
    frame.render_widget(rows(&model.rows, paint), agents);
    frame.render_widget(lines(&model.story, story, paint), story);
    let note = " Real processes, imaginary users. Nothing of this system is touched.";
    let leave = "q leaves ";
    let gap = usize::from(foot.width).saturating_sub(note.len() + leave.len());
    frame.render_widget(Text::from(vec![note.dim(), " ".repeat(gap).into(), leave.dim()]), foot);
}

/// Colours, or the same without them.
#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn with(self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }
}

fn header(model: &Model, width: u16, paint: Paint) -> Text<'static> {
    let name = " bilayer demo";
    let what = "  one service, one supervised agent on every user's desktop";
    let clock = format!("{} ", model.clock);
    let gap = usize::from(width).saturating_sub(name.len() + what.len() + clock.len());
    Text::from(vec![
        Span::styled(name, paint.with(Color::Cyan).add_modifier(Modifier::BOLD)),
        what.into(),
        " ".repeat(gap).into(),
        Span::styled(clock, Style::new().add_modifier(Modifier::BOLD)),
    ])
}

fn block(title: &'static str) -> Block<'static> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(Style::new().dim())
        .title(Span::styled(title, Style::new().add_modifier(Modifier::BOLD)))
        .padding(Padding::horizontal(1))
}

fn seats(seats: &[Seat], paint: Paint) -> Paragraph<'static> {
    let mut text: Vec<Text<'static>> = seats
        .iter()
        .map(|seat| {
            let (place, style) = if seat.front {
                ("in front", paint.with(Color::Green))
            } else {
                ("in the background", Style::new().dim())
            };
            Text::from(vec![
                format!("session {}  {:<7}", seat.session, seat.user).into(),
                Span::styled(place, style),
                Span::styled(if seat.locked { ", locked" } else { "" }, paint.with(Color::Yellow)),
            ])
        })
        .collect();
    if text.is_empty() {
        text.push(Text::from("nobody is logged on".dim()));
    }
    Paragraph::new(text).block(block(" Sessions "))
}

fn rows(rows: &[Row], paint: Paint) -> Table<'static> {
    let head = Cells::new(["agent", "for", "state", "pid", "restarts", "why"]).dim();
    let cells = rows.iter().map(|row| {
        let (state, style) = state(row, paint);
        Cells::new(vec![
            Text::from(row.who.agent.clone()),
            Text::from(row.who.user.clone()),
            Text::from(Span::styled(state, style)),
            Text::from(row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())),
            Text::from(row.restarts.to_string()),
            Text::from(why(row)),
        ])
    });
    let widths = [
        Constraint::Length(5),
        Constraint::Length(6),
        Constraint::Length(8),
        Constraint::Length(7),
        Constraint::Length(8),
        Constraint::Fill(1),
    ];
    Table::new(cells, widths).header(head).column_spacing(1).block(block(" Agents "))
}

/// What is worth knowing: of an agent that runs, why it was started again.
fn why(row: &Row) -> String {
    match (row.state, &row.last_exit) {
        (AgentState::Running, Some(how)) => format!("started again ({how})"),
        (AgentState::Running, None) => String::new(),
        _ => row.reason.clone(),
    }
}

fn state(row: &Row, paint: Paint) -> (&'static str, Style) {
    match row.state {
        AgentState::Waiting => ("waiting", paint.with(Color::Yellow)),
        AgentState::Starting => ("starting", paint.with(Color::Yellow)),
        AgentState::Running if row.ready => ("ready", paint.with(Color::Green)),
        AgentState::Running => ("running", paint.with(Color::Yellow)),
        AgentState::Stopping => ("stopping", paint.with(Color::Yellow)),
        AgentState::Held => ("held", paint.with(Color::Red)),
        AgentState::Released => ("released", Style::new().dim()),
    }
}

/// The end of the story, as much as fits, newest last.
fn lines(story: &[Line], area: Rect, paint: Paint) -> Paragraph<'static> {
    // A border and a column of padding on each side, then the clock.
    let width = usize::from(area.width.saturating_sub(4 + 7)).max(20);
    let height = usize::from(area.height.saturating_sub(2));
    let mut text: Vec<Text<'static>> = Vec::new();
    for line in story.iter().rev() {
        let part = line_text(line, width, paint);
        if text.len() + part.len() > height {
            break;
        }
        text.splice(0..0, part);
    }
    Paragraph::new(text).block(block(" The day "))
}

fn line_text(line: &Line, width: usize, paint: Paint) -> Vec<Text<'static>> {
    let (clock, text, style) = match line {
        Line::Step { clock, says } => (*clock, *says, Style::new().add_modifier(Modifier::BOLD)),
        Line::Effect(text) => ("  ->", text.as_str(), paint.with(Color::Cyan)),
    };
    let parts = wrap(text, width);
    parts
        .into_iter()
        .enumerate()
        .map(|(n, part)| {
            let lead = if n == 0 { clock } else { "" };
            Text::from(vec![format!("{lead:<7}").dim(), Span::styled(part, style)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::day::DAY;
    use super::super::model::{Fact, What, Who};
    use super::*;

    fn who(session: &str, agent: &str, user: &str) -> Who {
        Who { session: session.to_owned(), agent: agent.to_owned(), user: user.to_owned() }
    }

    /// Two people, one of whom has just taken over.
    fn noon() -> Model {
        let start = Instant::now();
        let mut model = Model::default();
        let mut at = start;
        let mut tell = |model: &mut Model, who: &Who, after_ms, what| {
            at += Duration::from_millis(after_ms);
            model.apply(Fact { who: who.clone(), what }, at);
        };
        let running =
            |pid| What::Changed { state: AgentState::Running, reason: "runs".to_owned(), pid: Some(pid) };
        model.begin(&DAY[0], start);
        model.begin(&DAY[1], start);
        model.seats.push(Seat { session: "1", user: "alice", front: true, locked: false });
        for (agent, pid) in [("desk", 4711), ("sync", 4712)] {
            let who = who("1", agent, "alice");
            tell(&mut model, &who, 1, What::Launched);
            tell(&mut model, &who, 0, running(pid));
            tell(&mut model, &who, 9, What::Ready);
        }
        let desk = who("1", "desk", "alice");
        model.begin(&DAY[2], start);
        tell(&mut model, &desk, 500, What::Exited { how: "exit code 101".to_owned() });
        tell(&mut model, &desk, 2, What::Launched);
        tell(&mut model, &desk, 0, running(4720));
        tell(&mut model, &desk, 8, What::Ready);
        model.begin(&DAY[4], start + Duration::from_millis(600));
        model.seats[0].front = false;
        model.seats[0].locked = true;
        model.seats.push(Seat { session: "2", user: "bob", front: true, locked: false });
        tell(
            &mut model,
            &desk,
            100,
            What::AskedToStop { why: "its session is no longer one to serve".to_owned() },
        );
        let reason = "was asked to stop: its session is no longer one to serve".to_owned();
        tell(&mut model, &desk, 0, What::Changed { state: AgentState::Stopping, reason, pid: Some(4720) });
        tell(&mut model, &who("2", "sync", "bob"), 3, What::Launched);
        model
    }

    #[test]
    fn the_picture_at_80_by_24() {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &noon(), true)).unwrap();
        insta::assert_snapshot!(terminal.backend());
    }

    #[test]
    fn a_terminal_too_small_shows_less_and_survives() {
        for (columns, rows) in [(1, 1), (10, 3), (40, 10), (200, 60)] {
            let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
            terminal.draw(|frame| draw(frame, &noon(), false)).unwrap();
        }
    }
}
