//! The test bed, before anything is tested on it.

use anyhow::{Result, ensure};

use crate::bed::{Bed, Desktop};

/// Logins, switch, lock, logoff, sleep and a refused shutdown do to logind what they do on a desktop.
pub(super) fn is_real(bed: &Bed) -> Result<String> {
    let alice = bed.login("alice", Desktop::Wayland)?;
    let bob = bed.login("bob", Desktop::X11)?;
    let carol = bed.login("carol", Desktop::Remote)?;
    ensure!(bed.session_property(&alice, "Type")? == "wayland", "alice has a Wayland session");
    ensure!(bed.session_property(&bob, "Type")? == "x11", "bob has an X11 session");
    ensure!(bed.session_property(&carol, "Seat")?[0] == "", "carol has no seat");
    bed.switch_to(&alice)?;
    ensure!(bed.session_property(&bob, "Active")? == false, "bob is in the background");
    bed.switch_to(&bob)?;
    ensure!(bed.session_property(&alice, "Active")? == false, "alice is in the background");
    bed.lock(&alice)?;
    bed.unlock(&alice)?;
    bed.sleep_cycle()?;
    bed.aborted_shutdown()?;
    bed.log_off(&alice)?;
    bed.wait_until_gone(&alice)?;
    bed.terminate(&bob)?;
    bed.wait_until_gone(&bob)?;
    Ok(format!("sessions {}, {} and {} came, switched, locked and left", alice.id, bob.id, carol.id))
}

/// A process that stays in the session's scope lives on or not, as logind is set up.
pub(super) fn kills_leftovers(bed: &Bed) -> Result<String> {
    let alice = bed.login("alice", Desktop::Wayland)?;
    let scope = format!("/sys/fs/cgroup/user.slice/user-1001.slice/session-{}.scope/cgroup.procs", alice.id);
    // systemd reads two dollars as one.
    bed.run([
        "systemd-run",
        "--quiet",
        "--collect",
        "--property=KillMode=process",
        "sh",
        "-c",
        &format!("echo $$$$ >{scope}; exec sleep 77777"),
    ])?;
    let left = crate::wait::until("the leftover lives in the scope", crate::layer0::SOON, || {
        let found = bed
            .processes("sleep")?
            .into_iter()
            .find(|sleep| sleep.status("Uid").is_some_and(|uid| uid.starts_with('0')));
        Ok(found.filter(|sleep| sleep.cgroup().is_ok_and(|cgroup| cgroup.contains(".scope"))))
    })?;
    bed.log_off(&alice)?;
    bed.wait_until_gone(&alice)?;
    ensure!(left.is_dead(), "the leftover was killed with its session");
    Ok("the session went with what was left in it".to_owned())
}
