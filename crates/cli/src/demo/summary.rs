//! What is said at the end: what the engine did, and how fast.

use std::time::Duration;

use super::model::{Measure, Model};
use crate::screen::{Screen, Tone};
use crate::words::span;

/// The measures in the order of the day, with what each is of and what it says.
const LINES: [(Measure, &str, &str); 6] = [
    (Measure::LogonToReady, "logon to agent ready", "a process, connected and at work"),
    (Measure::CrashToProcess, "crash to new process", "the first restart does not wait"),
    (Measure::SwitchToReady, "switch to agent ready", "after the old user's has stopped"),
    (Measure::HangNoticed, "hang to notice", "2 s without a heartbeat are a hang"),
    (Measure::EndToProcess, "its end to new process", ""),
    (Measure::ShutdownToStopped, "shutdown to all stopped", "side by side"),
];

pub(super) fn text(model: &Model, screen: &Screen) -> String {
    let mut out = String::from("\n");
    out.push_str(&screen.paint("What the engine did, and how long it took", Tone::Head));
    out.push('\n');
    for (measure, what, note) in LINES {
        let times: Vec<Duration> =
            model.measures.iter().filter(|(which, _)| *which == measure).map(|(_, took)| *took).collect();
        if let Some(took) = range(&times) {
            let line = format!("  {what:<24}{took:<18}{note}");
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    let left = model.launched.saturating_sub(model.exited);
    let left = if left == 0 { "none was left behind".to_owned() } else { format!("{left} did not end") };
    out.push_str(&format!("  {} processes were started; {left}.\n", model.launched));
    out.push_str(
        "\nYour own agent, any program:\n  bilayer config init acme.toml\n  bilayer run -c acme.toml\n",
    );
    out
}

/// "12 ms", or "9 ms to 14 ms" where there are several.
fn range(times: &[Duration]) -> Option<String> {
    let (least, most) = (times.iter().min()?, times.iter().max()?);
    let (least, most) = (span(*least), span(*most));
    Some(if least == most { most } else { format!("{least} to {most}") })
}
