//! The system that is booted: Debian with systemd, logind and three users, built once and kept in the user's cache.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::run;

const PACKAGES: &str =
    "systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,login,passwd,util-linux,procps,libnotify-bin";

/// Runs once inside the new system. Units that would wait for a network, a person or a clock are masked.
const PREPARE: &str = r#"
    uid=1001
    for user in alice bob carol; do
        useradd --create-home --shell /bin/bash --uid $uid --groups audio,video $user
        uid=$((uid + 1))
    done
    touch /etc/default/locale
    echo bed > /etc/hostname
    printf '127.0.0.1 localhost bed\n' > /etc/hosts
    for unit in getty@tty1.service console-getty.service getty.target systemd-firstboot.service systemd-homed.service \
        apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer; do
        systemctl mask $unit >/dev/null 2>&1 || true
    done
    systemctl set-default multi-user.target >/dev/null 2>&1
    : > /etc/machine-id
"#;

/// The folder of the built system; builds it if this user has none of this kind.
pub(super) fn ensure() -> Result<PathBuf> {
    let suite = suite();
    let mut hasher = DefaultHasher::new();
    (PACKAGES, PREPARE).hash(&mut hasher);
    let cache = cache()?;
    let system = cache.join(format!("{suite}-{:016x}", hasher.finish()));
    if system.exists() {
        return Ok(system);
    }
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let building = cache.join(format!("building-{}", std::process::id()));
    println!("building a small Debian {suite} once, in {}", cache.display());
    build(&suite, &building)?;
    // A rename makes it complete or absent, also when two builds run at once: the second one is thrown away.
    if fs::rename(&building, &system).is_err() {
        fs::remove_dir_all(&building)?;
    }
    Ok(system)
}

fn build(suite: &str, folder: &Path) -> Result<()> {
    let mut debootstrap = Command::new("mmdebstrap");
    debootstrap
        .args(["--quiet", "--variant=minbase", "--aptopt=APT::Install-Recommends \"false\""])
        .args(["doc", "man", "locale"].map(|kind| format!("--dpkgopt=path-exclude=/usr/share/{kind}/*")))
        .arg(format!("--include={PACKAGES}"))
        .arg(suite)
        .arg(folder);
    // The machine's own mirror. Without the file, mmdebstrap takes what the machine's apt is set up with.
    let sources = Path::new("/etc/apt/sources.list.d/debian.sources");
    if sources.exists() {
        debootstrap.arg(sources);
    }
    run(&mut debootstrap)?;
    run(Command::new("chroot").arg(folder).args(["/bin/sh", "-euc", PREPARE]))?;
    Ok(())
}

/// The release of the machine where that is Debian, so that programs built on it run inside.
fn suite() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |key: &str| {
        release.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim_matches('"'))
    };
    match (value("ID="), value("VERSION_CODENAME=")) {
        (Some("debian"), Some(codename)) => codename.to_owned(),
        _ => "bookworm".to_owned(),
    }
}

fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(base) => PathBuf::from(base),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("bilayer/rootfs"))
}
