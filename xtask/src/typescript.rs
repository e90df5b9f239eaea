//! The agent in TypeScript, built so that its test has something to run.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process::{have, program, read, run};
use crate::root;

/// The oldest Node that the example is written for, as in its `package.json`.
const NODE_MAJOR_MIN: u32 = 20;

/// Builds it where Node and npm are. Elsewhere says so, and the test skips it: Debian's own Node may be too old, and no
/// other chore needs one.
pub(crate) fn build() -> Result<()> {
    let (node, npm) = match std::env::consts::OS {
        // npm is a script there, which is found by its whole name only.
        "windows" => ("node.exe", "npm.cmd"),
        _ => ("node", "npm"),
    };
    if !have(node) || !have(npm) || major(&read(&mut program(node, ["--version"]))?) < Some(NODE_MAJOR_MIN) {
        println!(
            "\n!!! SKIPPED: the agent in TypeScript is neither built nor tested; it needs npm and Node \
             {NODE_MAJOR_MIN} or later\n"
        );
        return Ok(());
    }
    let folder = root().join("examples/typescript-agent");
    if !is_installed(&folder) {
        run(in_folder(npm, &folder).args(["ci", "--no-audit", "--no-fund"]))?;
    }
    run(in_folder(npm, &folder).args(["run", "build"]))
}

fn in_folder(npm: &str, folder: &Path) -> Command {
    let mut command = Command::new(npm);
    command.current_dir(folder);
    command
}

/// Of `v20.11.1`.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Whether what npm installed last is not older than the lock file, so that tests run without a network too. npm leaves its
/// own lock file in the folder once it is done.
fn is_installed(folder: &Path) -> bool {
    let changed = |file: &str| folder.join(file).metadata().and_then(|metadata| metadata.modified()).ok();
    let wanted = changed("package-lock.json");
    changed("node_modules/.package-lock.json").is_some_and(|installed| Some(installed) >= wanted)
}

#[cfg(test)]
mod test {
    use super::major;

    #[test]
    fn versions_of_node_are_read() {
        assert_eq!((major("v20.11.1\n"), major("20.1"), major("v")), (Some(20), None, None));
    }
}
