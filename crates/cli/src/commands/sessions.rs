//! `bilayer sessions`

use std::path::Path;

use bilayer_ipc::agent::{SessionKind, SessionState};
use bilayer_ipc::control::{SessionStatus, StatusReport};

use crate::args::Format;
use crate::client::Client;
use crate::failure::Failure;
use crate::screen::{self, Screen, Tone};
use crate::table::{Cell, Table};

pub(super) async fn run(config: Option<&Path>, format: Format, screen: &Screen) -> Result<(), Failure> {
    let status = Client::connect(config).await?.status().await?;
    if format.json {
        return screen::print_json(&status.sessions);
    }
    screen::print(&table(&status, screen))
}

/// The sessions, or a sentence where there are none.
pub(super) fn table(report: &StatusReport, screen: &Screen) -> String {
    let sessions = &report.sessions;
    match (&report.service.sessions_error, sessions.is_empty()) {
        (Some(_), true) => return "It is not known who is logged on.\n".to_owned(),
        (None, true) => return "Nobody is logged on.\n".to_owned(),
        (_, false) => {}
    }
    let mut table = Table::new(&["SESSION", "USER", "KIND", "STATE", "TYPE", "FACTS"]);
    for session in sessions {
        table.row(vec![
            Cell::new(&session.id),
            Cell::new(&session.user.name),
            Cell::new(kind(session.kind)),
            state(session.state),
            Cell::or_dash(session.session_type.as_ref()),
            Cell::new(facts(session)),
        ]);
    }
    table.render(screen)
}

fn facts(session: &SessionStatus) -> String {
    let mut facts = Vec::new();
    if session.greeter {
        facts.push("logon screen");
    }
    if session.locked {
        facts.push("locked");
    }
    if session.remote {
        facts.push("remote");
    }
    match (session.environment, session.display) {
        (false, _) => facts.push("environment not known yet"),
        (true, false) => facts.push("no display yet"),
        (true, true) => {}
    }
    facts.join(", ")
}

fn kind(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Console => "console",
        SessionKind::Remote => "remote",
        SessionKind::Other => "other",
    }
}

fn state(state: SessionState) -> Cell {
    match state {
        SessionState::Active => Cell::toned("active", Tone::Good),
        SessionState::Inactive => Cell::toned("inactive", Tone::Dim),
        SessionState::Closing => Cell::toned("closing", Tone::Busy),
    }
}
