//! Rules about documents, and about what no file of the repository may name.

use super::rules::{lines, regex, whole};
use super::{File, Finding, Rule, beside};

pub(super) const ALL: &[Rule] = &[changelog, links, no_machine_paths, no_package_hosts, nothing_outside];

/// What changed since the last release has its place.
fn changelog(file: &File) -> Vec<Finding> {
    match file.path == "CHANGELOG.md" && !file.text.contains("## [Unreleased]") {
        true => whole("has no [Unreleased] section".to_owned()),
        false => Vec::new(),
    }
}

/// A relative link leads to a file.
fn links(file: &File) -> Vec<Finding> {
    if !file.path.ends_with(".md") {
        return Vec::new();
    }
    let link = regex(r"\]\(([^)#\s]+)(#[^)\s]*)?\)");
    let broken = |target: &str| {
        !target.contains("://") && !target.starts_with("mailto:") && !beside(&file.path, target).exists()
    };
    let line_findings = |(at, line): (usize, &str)| -> Vec<Finding> {
        let targets = link.captures_iter(line).filter_map(|found| found.get(1));
        let finding =
            |target: &str| Finding { line: at + 1, says: format!("the link to {target} leads nowhere") };
        targets
            .map(|target| target.as_str().to_owned())
            .filter(|target| broken(target))
            .map(|target| finding(&target))
            .collect()
    };
    file.text.lines().enumerate().flat_map(line_findings).collect()
}

/// A document or a script that names a folder of its author's machine works on no other.
fn no_machine_paths(file: &File) -> Vec<Finding> {
    let is_checked =
        file.path.ends_with(".md") || file.path.ends_with(".toml") || file.path.starts_with(".ci/");
    let path = regex(r"(^|[^A-Za-z0-9_.$}>])/(root|tmp|work|home/[a-z]+)/[A-Za-z0-9_.-]+");
    if is_checked { lines(&file.text, &path, "a path of one machine") } else { Vec::new() }
}

/// Packages come from wherever the machine is set up to take them from.
fn no_package_hosts(file: &File) -> Vec<Finding> {
    let host = regex(concat!(
        r"deb\.",
        r"debian\.org|registry\.",
        r"npmjs\.org|static\.",
        r"rust-lang\.org|files\.",
        r"pythonhosted\.org"
    ));
    lines(&file.text, &host, "names a package host; use the machine's own configuration")
}

/// The repository stands alone.
fn nothing_outside(file: &File) -> Vec<Finding> {
    let outside = regex(concat!(r"\.\./sha", r"red/|/work/(sha", r"red|main)"));
    lines(&file.text, &outside, "refers to something outside the repository")
}

#[cfg(test)]
mod test {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        let file = File::new(path, text.to_owned());
        ALL.iter().map(|rule| rule(&file).len()).sum()
    }

    #[test]
    fn what_breaks_a_rule_is_found() {
        assert_eq!(found("CHANGELOG.md", "## [1.0.0]"), 1);
        assert_eq!(found("docs/a.md", "see [this](no-such-file.md#part) and [that](https://example.org)"), 1);
        assert_eq!(found("README.md", concat!("run /ro", "ot/x")), 1);
        assert_eq!(found("a.sh", concat!("curl deb.", "debian.org")), 1);
    }

    #[test]
    fn what_keeps_the_rules_is_not() {
        assert_eq!(found("CHANGELOG.md", "## [Unreleased]"), 0);
        assert_eq!(found("xtask/a.md", "[one](Cargo.toml), [two](../xtask/Cargo.toml), [three](#here)"), 0);
        assert_eq!(found("README.md", "/run/acme/control, /etc/acme, $HOME/root/x"), 0);
    }
}
