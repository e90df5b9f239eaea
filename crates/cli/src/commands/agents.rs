//! `bilayer agents list|start|stop|restart|call`

use std::path::Path;

use bilayer_ipc::control::{self, AgentState, AgentStatus, Selector, SessionStatus};
use bilayer_ipc::method;
use jiff::Timestamp;

use crate::args::{self, Agents, Call, Format, Which};
use crate::client::Client;
use crate::failure::Failure;
use crate::screen::{self, Screen, Tone};
use crate::table::{Cell, Table};
use crate::words::{since, until};

pub(super) async fn run(config: Option<&Path>, agents: &Agents, screen: &Screen) -> Result<(), Failure> {
    match agents {
        Agents::List(format) => list(config, *format, screen).await,
        Agents::Start(which) => change(config, method::AGENTS_START, which, screen).await,
        Agents::Stop(which) => change(config, method::AGENTS_STOP, which, screen).await,
        Agents::Restart(which) => change(config, method::AGENTS_RESTART, which, screen).await,
        Agents::Call(which) => call(config, which).await,
    }
}

async fn list(config: Option<&Path>, format: Format, screen: &Screen) -> Result<(), Failure> {
    let status = Client::connect(config).await?.status().await?;
    if format.json {
        return screen::print_json(&status.agents);
    }
    screen::print(&table(&status.agents, &status.sessions, Timestamp::now(), screen))
}

async fn change(config: Option<&Path>, method: &str, which: &Which, screen: &Screen) -> Result<(), Failure> {
    let client = Client::connect(config).await?;
    let touched: Vec<AgentStatus> = client.call(method, &selector(&which.agent)).await?;
    if which.format.json {
        return screen::print_json(&touched);
    }
    screen::print(&table(&touched, &[], Timestamp::now(), screen))
}

async fn call(config: Option<&Path>, call: &Call) -> Result<(), Failure> {
    let client = Client::connect(config).await?;
    let params = call.params.as_ref().map(serde_json::value::to_raw_value).transpose();
    let params = params.map_err(|error| Failure::usage(format!("cannot send these parameters: {error}")))?;
    let (session, user) = (call.of.session.clone(), call.of.user.clone());
    let request = control::Call {
        selector: Selector { agent: Some(call.agent.clone()), session, user, all: false },
        method: call.method.clone(),
        params,
        timeout_ms: u32::try_from(call.timeout.as_millis()).ok(),
    };
    let result: serde_json::Value = client.call(method::AGENTS_CALL, &request).await?;
    screen::print_json(&result)
}

fn selector(which: &args::Selector) -> Selector {
    Selector {
        agent: Some(which.agent.clone()),
        session: which.of.session.clone(),
        user: which.of.user.clone(),
        all: which.all,
    }
}

/// The agents, and for each of `sessions` those that do not serve it, or a sentence where there are none at all.
pub(super) fn table(
    agents: &[AgentStatus],
    sessions: &[SessionStatus],
    now: Timestamp,
    screen: &Screen,
) -> String {
    let mut table = Table::new(&["AGENT", "SESSION", "USER", "STATE", "PID", "WHY"]);
    for agent in agents {
        table.row(vec![
            Cell::new(&agent.agent),
            Cell::or_dash(agent.session.as_ref()),
            Cell::new(&agent.user.name),
            Cell::toned(state(agent), tone(agent)),
            Cell::or_dash(agent.pid),
            Cell::new(why(agent, now)),
        ]);
    }
    for session in sessions {
        for unserved in &session.unserved {
            table.row(vec![
                Cell::new(&unserved.agent),
                Cell::new(&session.id),
                Cell::new(&session.user.name),
                Cell::toned("not here", Tone::Dim),
                Cell::or_dash(None::<u32>),
                Cell::new(&unserved.reason.text),
            ]);
        }
    }
    if table.is_empty() { "No agent serves a session now.\n".to_owned() } else { table.render(screen) }
}

fn state(agent: &AgentStatus) -> &'static str {
    match agent.state {
        AgentState::Waiting if agent.crash_loop => "crash loop",
        AgentState::Waiting => "waiting",
        AgentState::Starting => "starting",
        AgentState::Running if agent.ready == Some(true) => "ready",
        AgentState::Running => "running",
        AgentState::Stopping => "stopping",
        AgentState::Held => "held",
        AgentState::Released => "released",
    }
}

fn tone(agent: &AgentStatus) -> Tone {
    match agent.state {
        AgentState::Running if agent.crash_loop => Tone::Busy,
        AgentState::Running => Tone::Good,
        AgentState::Waiting if agent.crash_loop => Tone::Bad,
        AgentState::Waiting | AgentState::Starting | AgentState::Stopping => Tone::Busy,
        AgentState::Held => Tone::Bad,
        AgentState::Released => Tone::Dim,
    }
}

/// "for 3 min; \"42 files\"; restarted 2×: killed by SIGKILL".
fn why(agent: &AgentStatus, now: Timestamp) -> String {
    let mut parts = Vec::new();
    match agent.state {
        AgentState::Running => {
            parts.extend(since(&agent.since, now).map(|span| format!("for {span}")));
            if agent.connected && agent.ready == Some(false) {
                parts.push("connected, not ready yet".to_owned());
            }
            parts.extend(agent.status.as_ref().map(|status| format!("\"{status}\"")));
        }
        AgentState::Waiting
        | AgentState::Starting
        | AgentState::Stopping
        | AgentState::Held
        | AgentState::Released => {
            parts.push(agent.reason.text.clone());
            parts.extend(
                agent
                    .next_retry
                    .as_ref()
                    .and_then(|time| until(time, now))
                    .map(|span| format!("next try in {span}")),
            );
        }
    }
    if agent.restarts > 0 {
        let last = agent.last_exit.as_ref().map(|exit| format!(": {}", exit.text)).unwrap_or_default();
        parts.push(format!("restarted {}×{last}", agent.restarts));
    }
    parts.join("; ")
}
