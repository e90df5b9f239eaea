//! What a fresh Debian machine with Rust lacks: installed where this program may, named where it may not.

use anyhow::{Result, bail};

use crate::process::{have, program, run};
use crate::{is_root, targets};

/// A program that a chore needs, and the Debian package that carries it.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

pub(crate) const CC: Need =
    Need { program: "gcc", package: "gcc libc6-dev", why: "the floor of the benchmark is a C program" };
pub(crate) const CXX: Need =
    Need { program: "g++", package: "g++", why: "the fuzzer's runtime is written in C++" };
pub(crate) const NSPAWN: Need = Need {
    program: "systemd-nspawn",
    package: "systemd-container",
    why: "boots systemd and logind for the tests",
};
pub(crate) const MMDEBSTRAP: Need =
    Need { program: "mmdebstrap", package: "mmdebstrap", why: "builds the system that the tests boot" };
pub(crate) const MINGW: Need = Need {
    program: "x86_64-w64-mingw32-gcc",
    package: "gcc-mingw-w64-x86-64",
    why: "links programs for Windows",
};
pub(crate) const WINE: Need =
    Need { program: "wine", package: "wine wine64", why: "runs programs for Windows" };
const WIXL: Need = Need { program: "wixl", package: "wixl", why: "builds the package for Windows" };
const MSIBUILD: Need =
    Need { program: "msibuild", package: "msitools", why: "writes into it what wixl cannot" };
const FAKETIME: Need =
    Need { program: "faketime", package: "faketime", why: "the package bears the time of its commit" };
const ZIP: Need = Need { program: "zip", package: "zip", why: "packs the portable archive" };
const DBUS: Need =
    Need { program: "dbus-daemon", package: "dbus", why: "tests of the session source talk to a real bus" };
const PYTHON: Need =
    Need { program: "python3", package: "python3", why: "the agent in Python is run by a test" };

const DPKG_DEB: Need =
    Need { program: "dpkg-deb", package: "dpkg", why: "packs the package for Debian and its like" };
const DPKG_SHLIBDEPS: Need =
    Need { program: "dpkg-shlibdeps", package: "dpkg-dev", why: "finds out which libraries that depends on" };
const RPMBUILD: Need =
    Need { program: "rpmbuild", package: "rpm", why: "packs the package for distributions with RPM" };

/// What builds the archive and the package for Windows.
pub(crate) const DIST_WINDOWS: [Need; 6] = [MINGW, WINE, WIXL, MSIBUILD, FAKETIME, ZIP];
/// What builds the package for Debian.
pub(crate) const DEB: [Need; 2] = [DPKG_DEB, DPKG_SHLIBDEPS];
/// What builds all that is for Linux.
pub(crate) const DIST_LINUX: [Need; 3] = [DPKG_DEB, DPKG_SHLIBDEPS, RPMBUILD];

/// Everything that some chore needs.
const ALL: [Need; 15] = [
    CC,
    CXX,
    NSPAWN,
    MMDEBSTRAP,
    MINGW,
    WINE,
    WIXL,
    MSIBUILD,
    FAKETIME,
    ZIP,
    DPKG_DEB,
    DPKG_SHLIBDEPS,
    RPMBUILD,
    DBUS,
    PYTHON,
];

/// Everything, before anything else asks for it.
pub(crate) fn setup() -> Result<()> {
    ensure(&ALL)?;
    targets::ensure(targets::WASM)?;
    targets::ensure(targets::WINDOWS)?;
    println!("everything that the chores need is here");
    Ok(())
}

/// Installs the packages of these needs where they are missing and this is root on Debian; names them elsewhere.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<_> = needs.iter().filter(|need| !have(need.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        println!("missing: {} ({})", need.program, need.why);
    }
    let packages: Vec<_> = missing.iter().flat_map(|need| need.package.split(' ')).collect();
    if !is_root() || !have("apt-get") {
        bail!("install it first: sudo apt-get install --no-install-recommends {}", packages.join(" "));
    }
    run(program("apt-get", ["update", "-q"]).env("DEBIAN_FRONTEND", "noninteractive"))?;
    let mut install = program("apt-get", ["install", "-q", "-y", "--no-install-recommends"]);
    run(install.args(packages).env("DEBIAN_FRONTEND", "noninteractive"))
}
