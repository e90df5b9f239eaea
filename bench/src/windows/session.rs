//! From the news of a logon to an agent that has introduced itself.

use std::time::Duration;

use anyhow::{Context, Result};

use super::bed::{Bed, logon};
use super::layer0::{Service, agent};
use super::notes::Notes;
use super::process::Process;
use crate::table::{Row, percentile};

/// Logons and logoffs to measure.
const LOGONS: u32 = 20;
/// How long the agent of a session that has ended may live.
const LOGOFF_MAX: Duration = Duration::from_secs(20);

/// Somebody logs on and off again and again; the service, which Wine's manager never tells so, is told that its parameters have
/// changed, whereupon it looks.
pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let mut connected = Notes::new(bed, "notes-connected")?;
    let mut told = Notes::new(bed, "notes-told")?;
    let program = bed.windows("agent.exe");
    bed.play(&[])?;
    let agents = agent("agent", &[&program, connected.name()], "sessions = \"all\"\n");
    let _service = Service::start(bed, "session", &agents)?;
    let tell = |told: &mut Notes| -> Result<f64> {
        bed.run([&*bed.windows("control.exe"), "bench-session", told.name()])?;
        told.next()
    };
    let mut milliseconds = Vec::new();
    for number in 2..2 + LOGONS {
        bed.play(&[logon(number)])?;
        let since = tell(&mut told)?;
        let until = connected.next().context("the agent of a new session")?;
        milliseconds.push((until - since) * 1000.0);
        let end = Process::one("agent.exe", connected.name())?.end()?;
        bed.play(&[])?;
        tell(&mut told)?;
        end.wait(LOGOFF_MAX).context("the agent of a session that ended")?;
    }
    bed.play(&[logon(1)])?;
    let (median, tail) = (percentile(&mut milliseconds, 50), percentile(&mut milliseconds, 90));
    Ok(vec![Row::note(
        "service: news of a logon → agent connected, median",
        format!("{median:.1} ms"),
        format!("90th percentile {tail:.1} ms"),
    )])
}
