//! Documents that a program can check: the schema files, and the commands of README.md.

use anyhow::{Context, Result, bail};

use crate::process::{cargo, program, read, run};
use crate::root;

/// The schema of the configuration. Those of the wire are kept by a test of their crate.
const CONFIG_SCHEMA: &str = "schema/config.schema.json";

/// Writes the checked-in schema files again, or fails where one is out of date.
pub(crate) fn schema(check: bool) -> Result<()> {
    let mut wire = cargo(["test", "--quiet", "--package", "bilayer-ipc", "--test", "schema"]);
    if !check {
        wire.env("BILAYER_WRITE_SCHEMA", "1");
    }
    run(&mut wire)?;
    let printed = read(&mut cargo(["run", "--quiet", "--bin", "bilayer", "--", "config", "schema"]))?;
    let file = root().join(CONFIG_SCHEMA);
    if std::fs::read_to_string(&file).is_ok_and(|text| text == printed) {
        println!("{CONFIG_SCHEMA} is up to date");
    } else if check {
        bail!("{CONFIG_SCHEMA} is out of date; run `cargo xtask schema` and commit what it writes");
    } else {
        std::fs::write(&file, printed).with_context(|| format!("cannot write {}", file.display()))?;
        println!("{CONFIG_SCHEMA} written");
    }
    Ok(())
}

/// Runs every fenced block of README.md whose info string is `sh test`, in one shell each, at the repository's root.
pub(crate) fn readme() -> Result<()> {
    let text = std::fs::read_to_string(root().join("README.md")).context("cannot read README.md")?;
    let blocks = blocks(&text);
    if blocks.is_empty() {
        bail!("README.md has no block marked `sh test`");
    }
    for block in blocks {
        // What a failing block leaves in the background ends with it.
        let block = format!("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{block}");
        run(&mut program("bash", ["-euo", "pipefail", "-c", &block]))?;
    }
    Ok(())
}

fn blocks(markdown: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in markdown.lines() {
        match (&mut block, line.trim_end()) {
            (None, "```sh test") => block = Some(String::new()),
            (Some(_), "```") => blocks.extend(block.take()),
            (Some(text), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

#[cfg(test)]
mod test {
    #[test]
    fn only_marked_blocks_are_run() {
        let text = "```sh\nrm\n```\n```sh test\ntrue\nls\n```\n```\nno\n```\n";
        assert_eq!(super::blocks(text), ["true\nls\n"]);
    }
}
