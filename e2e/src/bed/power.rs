//! Sleep and shutdown, announced by the real logind and not carried out.

use std::time::Duration;

use anyhow::Result;

use super::Bed;
use crate::wait::until;

const MANAGER: &str = "/org/freedesktop/login1";

impl Bed {
    /// A whole sleep cycle: announced, entered for a moment by a unit that only waits, and left again.
    pub(crate) fn sleep_cycle(&self) -> Result<()> {
        let drop_in = "/run/systemd/system/systemd-suspend.service.d/bed.conf";
        self.write(drop_in, "[Service]\nExecStart=\nExecStart=/bin/sleep 0.2\n")?;
        self.run(["systemctl", "daemon-reload"])?;
        self.call(MANAGER, "Manager", "Suspend", &["b", "false"])?;
        Ok(())
    }

    /// A shutdown that is announced and then refused, so that logind calls it off.
    pub(crate) fn aborted_shutdown(&self) -> Result<()> {
        let folder = "/run/systemd/system/reboot.target.d";
        self.write(&format!("{folder}/bed.conf"), "[Unit]\nRefuseManualStart=yes\n")?;
        self.run(["systemctl", "daemon-reload"])?;
        // The refusal comes at once, as this call's answer, or after the delay that a service asked for, to nobody.
        let _ = self.call(MANAGER, "Manager", "Reboot", &["b", "false"]);
        until("the shutdown is called off", Duration::from_secs(20), || {
            Ok((self.property(MANAGER, "Manager", "PreparingForShutdown")? == false).then_some(()))
        })?;
        std::fs::remove_dir_all(self.path(folder))?;
        self.run(["systemctl", "daemon-reload"])?;
        Ok(())
    }

    /// Turns the machine off, as a person does, and returns once it is off. Only its [`disk`](Self::disk) is left.
    pub(crate) fn power_off(&self) -> Result<()> {
        // The answer may be lost with the bus.
        let _ = self.call(MANAGER, "Manager", "PowerOff", &["b", "false"]);
        until("the machine is off", Duration::from_secs(60), || Ok(self.is_off().then_some(())))
    }

    /// Turns the machine off behind logind's back, which announces nothing then, and returns once it is off.
    pub(crate) fn power_off_unannounced(&self) -> Result<()> {
        self.run(["systemctl", "start", "--no-block", "--job-mode=replace-irreversibly", "poweroff.target"])?;
        until("the machine is off", Duration::from_secs(60), || Ok(self.is_off().then_some(())))
    }

    /// Who holds up a shutdown: their names.
    pub(crate) fn delays_of_shutdown(&self) -> Result<Vec<String>> {
        let answer = self.call(MANAGER, "Manager", "ListInhibitors", &[])?;
        let delays = answer[0].as_array().into_iter().flatten();
        let delays = delays.filter(|row| row[0] == "shutdown" && row[3] == "delay");
        Ok(delays.filter_map(|row| row[1].as_str().map(str::to_owned)).collect())
    }
}
