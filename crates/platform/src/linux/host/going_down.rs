//! Whether the system goes down, when systemd asks this service to stop.
//!
//! logind announces the shutdowns that it was asked for. Whoever asks systemd itself, with a signal to process 1 or with
//! `systemctl start poweroff.target`, has none announced: the service is stopped as if it were meant alone. Every way down, also
//! halt, kexec and soft-reboot, goes through one target, for whose start everything else is stopped: systemd.special(7),
//! "shutdown.target".

use std::io;
use std::time::Duration;

use zbus::Variant;

use super::super::bus::system_bus;

const SERVICE: &str = "org.freedesktop.systemd1";
/// The object of `shutdown.target`, which is loaded for the question if it is not yet.
const TARGET: &str = "/org/freedesktop/systemd1/unit/shutdown_2etarget";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// How long systemd may take. The service does nothing about its stop meanwhile; a system that goes down is busy.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Asks systemd; says no, and says so in the log, where there is no answer.
pub(super) async fn is_system_going_down() -> bool {
    let answer = match tokio::time::timeout(ANSWER_WITHIN, ask()).await {
        Ok(answer) => answer,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    answer.unwrap_or_else(|error| {
        tracing::warn!(
            %error,
            "systemd does not say whether the system goes down; this is taken for a stop of the service alone"
        );
        false
    })
}

/// Whether there is a job for the target: (number, object) of `Job` in org.freedesktop.systemd1(5), and number 0 for none.
/// Its state would not do, since it is reached only when this service has ended; nor would `SystemState`, which is "starting" until
/// the boot is over, whatever else happens.
async fn ask() -> io::Result<bool> {
    let bus = system_bus().await.map_err(io::Error::other)?;
    let asked = bus.call_method(Some(SERVICE), TARGET, Some(PROPERTIES), "Get", &(UNIT, "Job")).await;
    let answer = asked.map_err(io::Error::other)?;
    let body = answer.body();
    match body.deserialize().map_err(io::Error::other)? {
        Variant::Structure(job) => Ok(!matches!(job.fields().first(), Some(Variant::U32(0)) | None)),
        other => Err(io::Error::new(io::ErrorKind::InvalidData, format!("`Job` is {other:?}"))),
    }
}
