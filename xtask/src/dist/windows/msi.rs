//! The package for Windows Installer, from packaging/windows/bilayer.wxs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{ARCHITECTURE, at, files_below, identity};
use crate::process::run;
use crate::root;

/// What the source says and wixl (0.101) does not write, as statements about the finished database.
///
/// Custom actions that undo: a program among the installed files (18), whose failure is not looked at (64), run by the system's
/// script (1024) as the system (2048) when it goes backwards (256).
/// <https://learn.microsoft.com/windows/win32/msi/custom-action-in-script-execution-options>
///
/// The program's folder on the path of the machine: `=-` makes the entry at an
/// installation and removes it with the package, `*` is the machine's, `[~];` appends.
/// <https://learn.microsoft.com/windows/win32/msi/environment-table>
const MISSING_IN_WIXL: [&str; 5] = [
    "UPDATE `CustomAction` SET `Type` = 3410 WHERE `Action` = 'UndoStopService'",
    "UPDATE `CustomAction` SET `Type` = 3410 WHERE `Action` = 'UndoInstallService'",
    "CREATE TABLE `Environment` (`Environment` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL LOCALIZABLE, \
     `Value` CHAR(255) LOCALIZABLE, `Component_` CHAR(72) NOT NULL PRIMARY KEY `Environment`)",
    "INSERT INTO `Environment` (`Environment`, `Name`, `Value`, `Component_`) \
     VALUES ('Path', '=-*Path', '[~];[INSTALLDIR]', 'ProgramComponent')",
    "UPDATE `Property` SET `Value` = 'START;WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED' \
     WHERE `Property` = 'SecureCustomProperties'",
];

/// The actions that carry out the table of environment variables, at their usual places.
const ENVIRONMENT_ACTIONS: [(&str, u32); 2] =
    [("RemoveEnvironmentStrings", 3300), ("WriteEnvironmentStrings", 5200)];

/// Builds the package from the files in `stage`.
pub(super) fn msi(stage: &Path, version: &str, out: &Path, epoch: u64) -> Result<PathBuf> {
    let codes = Codes::new(stage, version)?;
    let define = |name: &str, value: &str| format!("{name}={value}");
    let mut wixl = at(epoch, "wixl")?;
    wixl.current_dir(stage).args(["--arch", ARCHITECTURE]);
    for (name, value) in
        [("Version", codes.version.as_str()), ("FullVersion", version), ("ProductCode", &codes.product)]
    {
        wixl.args(["--define", &define(name, value)]);
    }
    run(wixl.arg("--output").arg(out).arg(root().join("packaging/windows/bilayer.wxs")))?;
    let actions = ENVIRONMENT_ACTIONS.map(|(action, sequence)| {
        format!("INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('{action}', {sequence})")
    });
    let statements = MISSING_IN_WIXL.into_iter().map(str::to_owned).chain(actions);
    run(at(epoch, "msibuild")?.arg(out).arg("-q").args(statements))?;
    let summary = ["-s", "Installation Database", "The Bilayer authors", "x64;1033", &codes.package];
    run(at(epoch, "msibuild")?.arg(out).args(summary))?;
    Ok(out.to_path_buf())
}

/// What Windows Installer tells packages apart by.
struct Codes {
    /// Three numbers; it knows no more.
    version: String,
    /// The same for every build of a version: a second one of the same version is no upgrade.
    product: String,
    /// The same for packages with the same content only.
    package: String,
}

impl Codes {
    fn new(stage: &Path, version: &str) -> Result<Codes> {
        let product =
            identity::guid([b"bilayer product".as_slice(), version.as_bytes(), ARCHITECTURE.as_bytes()]);
        let mut parts = vec![b"bilayer package".to_vec(), product.clone().into_bytes()];
        parts.push(fs::read(root().join("packaging/windows/bilayer.wxs"))?);
        for file in files_below(stage)? {
            parts.push(file.to_string_lossy().into_owned().into_bytes());
            parts.push(fs::read(stage.join(file))?);
        }
        let package = format!("{{{}}}", identity::guid(parts.iter().map(Vec::as_slice)));
        Ok(Codes { version: product_version(version)?, product, package })
    }
}

/// `1.2.3` of `1.2.3-rc.1`, within the limits of Windows Installer.
fn product_version(version: &str) -> Result<String> {
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    let parsed: Vec<u32> = numbers
        .split('.')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .with_context(|| format!("{version} is not a version"))?;
    match parsed[..] {
        [major @ 0..=255, minor @ 0..=255, build @ 0..=65535] => Ok(format!("{major}.{minor}.{build}")),
        _ => bail!("{version}: Windows Installer has three numbers, of at most 255, 255 and 65535"),
    }
}
