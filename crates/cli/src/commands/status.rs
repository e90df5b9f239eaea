//! `bilayer status`

use std::path::Path;

use bilayer::manager::{RunState, Services};
use bilayer_ipc::control::{Power, ServiceMode, ServiceState, ServiceStatus, StatusReport};
use jiff::Timestamp;

use super::{agents, sessions};
use crate::args::Format;
use crate::client::Client;
use crate::failure::{Code, Failure};
use crate::installation;
use crate::screen::{self, Screen, Tone, visible};
use crate::words::since;

pub(super) async fn run(config: Option<&Path>, format: Format, screen: &Screen) -> Result<(), Failure> {
    let client = match Client::connect(config).await {
        Err(failure) if failure.code() == Some(Code::NotRunning) && !format.json => {
            if let Some(text) = installed(config, screen).await {
                screen::print(&text)?;
            }
            return Err(failure);
        }
        client => client?,
    };
    let report = client.status().await?;
    if format.json {
        return screen::print_json(&report);
    }
    screen::print(&page(&report, Timestamp::now(), screen))
}

/// What the service manager says of a service that nobody answers for; nothing where it has none.
async fn installed(config: Option<&Path>, screen: &Screen) -> Option<String> {
    let service = installation::find(config).ok()?;
    let status = Services::open().await.ok()?.status(&service.name).await.ok()?;
    Some(format!(
        "{}, {}; installed as a service\n  configuration  {}\n  log            {}\n",
        screen.paint(&visible(&service.name), Tone::Head),
        screen.paint(
            &installation::state(&status),
            if status.state == RunState::Stopped { Tone::Dim } else { Tone::Busy }
        ),
        visible(&service.config.display().to_string()),
        visible(&installation::log_of(&service).display().to_string()),
    ))
}

/// The service, its sessions and its agents on one page.
fn page(report: &StatusReport, now: Timestamp, screen: &Screen) -> String {
    format!(
        "{}\n{}\n{}",
        service(&report.service, now, screen),
        sessions::table(report, screen),
        agents::table(&report.agents, &report.sessions, now, screen)
    )
}

fn service(service: &ServiceStatus, now: Timestamp, screen: &Screen) -> String {
    let (state, tone) = match (service.state, service.power) {
        (ServiceState::Stopping, _) => ("stopping", Tone::Busy),
        (ServiceState::Running, Power::Suspending) => ("going to sleep", Tone::Busy),
        (ServiceState::Running, Power::Awake) => ("running", Tone::Good),
    };
    let mode = match service.mode {
        ServiceMode::System => "serves every session",
        ServiceMode::Console => "serves the session it was started in",
    };
    let span = since(&service.since, now).map(|span| format!(" for {span}")).unwrap_or_default();
    let mut text = format!(
        "{}, {}{span}; {mode}\n  process        {}, version {}\n",
        screen.paint(&visible(&service.name), Tone::Head),
        screen.paint(state, tone),
        service.pid,
        visible(&service.version),
    );
    text.push_str(&format!("  configuration  {}\n", visible(&service.config)));
    if let Some(log) = &service.log {
        text.push_str(&format!("  log            {}\n", visible(log)));
    }
    if let Some(error) = &service.sessions_error {
        text.push_str(&format!(
            "  sessions       {}\n",
            screen.paint(&format!("as last known: {}", visible(error)), Tone::Bad)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use bilayer_ipc::agent::{SessionKind, SessionState, User};
    use bilayer_ipc::control::{
        AgentKind, AgentState, AgentStatus, LastExit, Reason, SessionStatus, Unserved,
    };

    use super::*;

    fn user(name: &str) -> User {
        User { name: name.to_owned(), id: "1001".to_owned() }
    }

    fn session(id: &str, name: &str, state: SessionState) -> SessionStatus {
        SessionStatus {
            id: id.to_owned(),
            user: user(name),
            kind: SessionKind::Console,
            state,
            locked: false,
            remote: false,
            administrator: None,
            session_type: Some("wayland".to_owned()),
            greeter: false,
            environment: true,
            display: true,
            unserved: Vec::new(),
        }
    }

    fn agent(name: &str, session: &str, owner: &str, state: AgentState, reason: &str) -> AgentStatus {
        AgentStatus {
            agent: name.to_owned(),
            kind: AgentKind::Agent,
            session: Some(session.to_owned()),
            user: user(owner),
            state,
            reason: Reason { code: "x".to_owned(), text: reason.to_owned() },
            pid: None,
            generation: 1,
            restarts: 0,
            since: "2026-03-01T11:57:00Z".to_owned(),
            next_retry: None,
            last_exit: None,
            connected: false,
            ready: None,
            status: None,
            crash_loop: false,
        }
    }

    /// Every kind of thing that a status can show.
    fn report() -> StatusReport {
        let last_exit = |text: &str| {
            Some(LastExit {
                code: None,
                signal: Some("SIGKILL".to_owned()),
                unknown: false,
                text: text.to_owned(),
                at: "2026-03-01T11:57:00Z".to_owned(),
            })
        };
        let ready = AgentStatus {
            pid: Some(4711),
            restarts: 2,
            generation: 3,
            last_exit: last_exit("killed by SIGKILL"),
            connected: true,
            ready: Some(true),
            status: Some("42 files\u{1b}[2J".to_owned()),
            ..agent("desk", "2", "alice", AgentState::Running, "its session is served")
        };
        let connecting = AgentStatus {
            pid: Some(4720),
            connected: true,
            ready: Some(false),
            ..agent("sync", "2", "alice", AgentState::Running, "its session is served")
        };
        let looping = AgentStatus {
            restarts: 11,
            crash_loop: true,
            next_retry: Some("2026-03-01T12:00:42Z".to_owned()),
            last_exit: last_exit("exit code 1"),
            ..agent("sync", "5", "bob", AgentState::Waiting, "it failed 11 times in 2 min")
        };
        let held = agent(
            "desk",
            "5",
            "bob",
            AgentState::Held,
            "the program /opt/acme/bin/desk does not exist; install it or correct `command`",
        );
        let worker = AgentStatus {
            pid: Some(4730),
            kind: AgentKind::Worker,
            session: None,
            ..agent("index", "", "acme-worker", AgentState::Running, "runs")
        };
        let elsewhere = Unserved {
            agent: "tray".to_owned(),
            reason: Reason {
                code: "background".to_owned(),
                text: "does not serve a session in the background".to_owned(),
            },
        };
        let locked = SessionStatus {
            locked: true,
            remote: true,
            unserved: vec![elsewhere],
            ..session("5", "bob", SessionState::Inactive)
        };
        StatusReport {
            service: ServiceStatus {
                name: "acme-desk".to_owned(),
                display_name: "Acme Desk".to_owned(),
                version: "0.1.0".to_owned(),
                pid: 4000,
                mode: ServiceMode::System,
                state: ServiceState::Running,
                since: "2026-03-01T09:55:00Z".to_owned(),
                config: "/etc/acme-desk/acme-desk.toml".to_owned(),
                log: Some("/var/log/acme-desk/acme-desk.log".to_owned()),
                power: Power::Awake,
                sessions_error: None,
            },
            sessions: vec![session("2", "alice", SessionState::Active), locked],
            agents: vec![ready, connecting, held, looping, worker],
        }
    }

    #[test]
    fn the_page_at_80_columns_in_a_pipe_and_when_all_is_quiet() {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        let terminal = page(&report(), now, &Screen { width: Some(80), color: false });
        insta::assert_snapshot!("terminal", terminal);
        insta::assert_snapshot!("pipe", page(&report(), now, &Screen { width: None, color: false }));
        let mut quiet = StatusReport { sessions: Vec::new(), agents: Vec::new(), ..report() };
        insta::assert_snapshot!("quiet", page(&quiet, now, &Screen { width: Some(80), color: false }));
        quiet.service.sessions_error = Some("cannot connect to the system bus".to_owned());
        insta::assert_snapshot!("blind", page(&quiet, now, &Screen { width: Some(80), color: false }));
    }
}
