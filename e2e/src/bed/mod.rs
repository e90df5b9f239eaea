//! A throw-away machine: systemd and logind of a real Debian, booted in a container.
//!
//! Every boot starts from the same files: the cached system ([`rootfs`]) lies below an overlay that is thrown away. The
//! container has its own network (none), its own cgroup ([`cgroup`]) and a seat. Commands enter its namespaces; the program
//! under test does not, but is started by the container's own systemd, since a process that was entered from outside cannot
//! move into a cgroup inside.

mod cgroup;
mod logins;
mod power;
mod rootfs;
mod seat;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

pub(crate) use logins::{Desktop, Login};
pub(crate) use rootfs::{Suite, Variant};
pub(crate) use seat::Seat;

use crate::wait::until;
use cgroup::Cgroup;

/// What differs between two boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Whether logind kills what a user leaves behind. Debian's default is that it does not.
    pub(crate) kill_user_processes: bool,
    /// What is installed.
    pub(crate) system: Variant,
}

impl Setting {
    /// Debian's defaults, and those of most distributions.
    pub(crate) const USUAL: Self =
        Self { kill_user_processes: false, system: Variant { suite: Suite::Own, packages: &[] } };
}

/// A booted machine; dropping it destroys it.
#[derive(Debug)]
pub(crate) struct Bed {
    folder: PathBuf,
    cgroup: Cgroup,
    nspawn: Child,
    leader: u32,
    pub(crate) seat: Seat,
}

impl Bed {
    /// Whether its system is there or can be built here; builds it, so that no boot has to.
    pub(crate) fn can_boot(setting: Setting) -> Result<bool> {
        Ok(rootfs::ensure(setting.system)?.is_some())
    }

    /// Boots, and returns once all units are up.
    pub(crate) fn boot(setting: Setting, seat: Seat) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bilayer-e2e-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new("/run/bilayer-e2e").join(&name);
        let system = rootfs::ensure(setting.system)?;
        let system = system.with_context(|| {
            format!("the machine's mirror has no Debian {}", setting.system.suite.codename())
        })?;
        mount(&system, &folder)?;
        let logind = format!(
            "[Login]\nNAutoVTs=0\nReserveVT=0\nKillUserProcesses={}\n",
            if setting.kill_user_processes { "yes" } else { "no" }
        );
        write(&folder.join("root/etc/systemd/logind.conf.d/bed.conf"), &logind)?;
        let cgroup = Cgroup::new(&name)?;
        let mut nspawn = spawn(&name, &folder, &cgroup, &seat)?;
        let leader = match leader(&mut nspawn, &folder) {
            Ok(leader) => leader,
            Err(error) => {
                cgroup.kill();
                unmount(&folder);
                return Err(error);
            }
        };
        let bed = Self { folder, cgroup, nspawn, leader, seat };
        // A degraded system has a failed unit, which matters only to whoever needs that unit.
        let state = bed.inside(["timeout", "60", "systemctl", "is-system-running", "--wait"]).output()?;
        let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
        ensure!(["running", "degraded"].contains(&state.as_str()), "the container came up {state:?}");
        Ok(bed)
    }

    /// A command in the container's namespaces, as root, not run yet.
    pub(crate) fn inside<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.leader.to_string()])
            .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"])
            .args(args)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command inside to its end and returns its standard output; an error carries what it said on the other one.
    pub(crate) fn run<const N: usize>(&self, args: [&str; N]) -> Result<String> {
        run(&mut self.inside(args))
    }

    /// Calls a method on the container's system bus and returns what it answered.
    pub(crate) fn call(&self, object: &str, interface: &str, method: &str, args: &[&str]) -> Result<Value> {
        let mut command = self.inside(["busctl", "--json=short", "call", "org.freedesktop.login1", object]);
        let answer = run(command.arg(format!("org.freedesktop.login1.{interface}")).arg(method).args(args))?;
        if answer.trim().is_empty() {
            return Ok(Value::Null);
        }
        let answer: Value =
            serde_json::from_str(&answer).with_context(|| format!("{method} answered {answer}"))?;
        Ok(answer["data"].clone())
    }

    /// A property of an object of logind.
    pub(crate) fn property(&self, object: &str, interface: &str, property: &str) -> Result<Value> {
        let mut command =
            self.inside(["busctl", "--json=short", "get-property", "org.freedesktop.login1", object]);
        let answer = run(command.arg(format!("org.freedesktop.login1.{interface}")).arg(property))?;
        let answer: Value =
            serde_json::from_str(&answer).with_context(|| format!("{property} is {answer}"))?;
        Ok(answer["data"].clone())
    }

    /// A file of the container, as a path of the host.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.leader)).join(inside.trim_start_matches('/'))
    }

    /// A file on the container's disk, as a path of the host, also when it is off. What is mounted inside is not there.
    pub(crate) fn disk(&self, inside: &str) -> PathBuf {
        self.folder.join("root").join(inside.trim_start_matches('/'))
    }

    fn is_off(&self) -> bool {
        !Path::new(&format!("/proc/{}", self.leader)).exists()
    }

    /// Writes a file that belongs to root, with its folders.
    pub(crate) fn write(&self, inside: &str, text: &str) -> Result<()> {
        write(&self.path(inside), text)
    }

    /// Copies a program of the host, executable for everyone.
    pub(crate) fn install(&self, program: &Path, inside: &str) -> Result<()> {
        let source = program.to_str().context("a program's path is text")?;
        let target = self.path(inside);
        let target = target.to_str().context("a container's path is text")?;
        run(Command::new("install").args(["-m", "755", source, target]))?;
        Ok(())
    }

    /// What the container's journal says last.
    pub(crate) fn journal(&self) -> String {
        self.run(["journalctl", "--no-pager", "--lines=40", "--output=short-precise"]).unwrap_or_default()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.cgroup.kill();
        let _ = self.nspawn.wait();
        unmount(&self.folder);
    }
}

fn mount(system: &Path, folder: &Path) -> Result<()> {
    for part in ["upper", "work", "root"] {
        fs::create_dir_all(folder.join(part))
            .with_context(|| format!("cannot make {}/{part}", folder.display()))?;
    }
    let (system, overlay) = (system.display(), folder.display());
    let layers = format!("lowerdir={system},upperdir={overlay}/upper,workdir={overlay}/work");
    run(Command::new("mount").args(["-t", "overlay", "bed", "-o", &layers]).arg(folder.join("root")))?;
    Ok(())
}

fn unmount(folder: &Path) {
    let _ = run(Command::new("umount").arg("--lazy").arg(folder.join("root")));
    let _ = fs::remove_dir_all(folder);
}

/// Starts the container in its own cgroup: without one, all containers of the host would share the cgroup `/payload`.
fn spawn(name: &str, folder: &Path, cgroup: &Cgroup, seat: &Seat) -> Result<Child> {
    const JOIN: &str = r#"while [ "$1" != -- ]; do echo $$ >"$1"; shift; done; shift; exec setsid "$@""#;
    let mut binds = seat.binds(folder)?;
    if Path::new("/sys/power/state").exists() {
        // logind offers to sleep only where the kernel can; the file takes what systemd writes and nothing sleeps.
        write(&folder.join("power"), "freeze mem\n")?;
        binds.push(format!("--bind={}/power:/sys/power/state", folder.display()));
    }
    let console = File::create(folder.join("console"))?;
    Command::new("sh")
        .args(["-c", JOIN, "join"])
        .args(cgroup.doors())
        .args([
            "--",
            "systemd-nspawn",
            "--quiet",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--private-network",
        ])
        .args(["--console=pipe", "--link-journal=no"])
        .arg(format!("--machine={name}"))
        .arg(format!("--directory={}/root", folder.display()))
        .args(binds)
        .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
        .stdin(Stdio::null())
        .stdout(console.try_clone()?)
        .stderr(console)
        .spawn()
        .context("cannot start systemd-nspawn")
}

/// The container's first process, once its system bus answers.
fn leader(nspawn: &mut Child, folder: &Path) -> Result<u32> {
    let pid = nspawn.id();
    let console = || fs::read_to_string(folder.join("console")).unwrap_or_default();
    until("the container's system bus", Duration::from_secs(20), || {
        if let Some(status) = nspawn.try_wait()? {
            bail!("systemd-nspawn ended with {status}: {}", console());
        }
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        let Some(leader) = children.split_whitespace().next().and_then(|leader| leader.parse().ok()) else {
            return Ok(None);
        };
        let bus = format!("/proc/{leader}/root/run/dbus/system_bus_socket");
        Ok(Path::new(&bus).exists().then_some(leader))
    })
    .with_context(|| format!("the console says: {}", console()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    let folder = file.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Runs a command to its end and returns its standard output; an error carries the other one.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("{:?} ended with {}: {said}", command.get_args().collect::<Vec<_>>(), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
