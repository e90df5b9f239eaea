//! The system that is booted: Debian with systemd, logind and three users, each kind built once and kept in the user's cache.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::run;

const PACKAGES: &str =
    "systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,login,passwd,util-linux,procps,libnotify-bin";

/// Runs once inside the new system. Units that would wait for a network, a person or a clock are masked, and what systemd does
/// at the first boot of a new system need not be done at every boot here.
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
    touch /etc/.updated /var/.updated
"#;

/// Which release of Debian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// The machine's own where that is Debian, so that programs built on it run inside; else Debian 12.
    Own,
    /// Debian 13, with systemd 257. Programs built on older releases run there.
    Trixie,
}

impl Suite {
    /// Its code name, as mirrors know it.
    pub(crate) fn codename(self) -> String {
        match self {
            Self::Own => own_codename(),
            Self::Trixie => "trixie".to_owned(),
        }
    }
}

/// What a system is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// The release.
    pub(crate) suite: Suite,
    /// Packages that few scenarios need, beside those that every system has.
    pub(crate) packages: &'static [&'static str],
}

/// The folder of the built system; builds it if this user has none of this kind. Nothing where the machine's mirror has no
/// such release.
pub(crate) fn ensure(variant: Variant) -> Result<Option<PathBuf>> {
    let suite = variant.suite.codename();
    let mut hasher = DefaultHasher::new();
    (PACKAGES, PREPARE, variant.packages).hash(&mut hasher);
    let cache = cache()?;
    let system = cache.join(format!("{suite}-{:016x}", hasher.finish()));
    if system.exists() {
        return Ok(Some(system));
    }
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let building = cache.join(format!("building-{}-{suite}", std::process::id()));
    let with: String = variant.packages.iter().map(|package| format!(", with {package}")).collect();
    println!("building a small Debian {suite} once{with}, in {}", cache.display());
    if let Err(error) = build(&suite, variant.packages, &building) {
        let _ = fs::remove_dir_all(&building);
        // apt-get's words for a mirror that answers and does not carry the release.
        return if format!("{error:#}").contains("does not have a Release file") {
            Ok(None)
        } else {
            Err(error)
        };
    }
    // A rename makes it complete or absent, also when two builds run at once: the second one is thrown away.
    if fs::rename(&building, &system).is_err() {
        fs::remove_dir_all(&building)?;
    }
    Ok(Some(system))
}

fn build(suite: &str, packages: &[&str], folder: &Path) -> Result<()> {
    let include = [&[PACKAGES], packages].concat().join(",");
    let mut debootstrap = Command::new("mmdebstrap");
    debootstrap
        .args(["--variant=minbase", "--aptopt=APT::Install-Recommends \"false\""])
        .args(["doc", "man", "locale"].map(|kind| format!("--dpkgopt=path-exclude=/usr/share/{kind}/*")))
        .arg(format!("--include={include}"))
        .arg(suite)
        .arg(folder);
    // The machine's own mirror, asked for this release. Without the file, mmdebstrap takes Debian's own.
    if let Ok(sources) = fs::read_to_string("/etc/apt/sources.list.d/debian.sources") {
        let derived = folder.with_extension("sources");
        fs::write(&derived, sources.replace(&own_codename(), suite))
            .with_context(|| format!("cannot write {}", derived.display()))?;
        let built = run(debootstrap.arg(&derived));
        let _ = fs::remove_file(&derived);
        built?;
    } else {
        run(&mut debootstrap)?;
    }
    run(Command::new("chroot").arg(folder).args(["/bin/sh", "-euc", PREPARE]))?;
    Ok(())
}

/// The release of the machine where that is Debian.
fn own_codename() -> String {
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
