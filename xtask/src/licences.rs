//! Licences and sources of all dependencies.
//!
//! `deny.toml` is the rule. cargo-deny enforces it where it is installed; building it takes longer than everything else that
//! CI does, so where it is absent the two rules that matter most are checked here, and what is not checked is said.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{cargo, have, read, run};
use crate::root;

pub(crate) fn deny() -> Result<()> {
    if have("cargo-deny") {
        return run(&mut cargo(["deny", "--all-features", "check", "licenses", "bans", "sources"]));
    }
    println!(
        "cargo-deny is not installed: licences and sources are checked by xtask, advisories are NOT checked"
    );
    let rules = Rules::read()?;
    let metadata = read(&mut cargo(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let findings: Vec<_> = packages.iter().filter_map(|package| rules.finding(package)).collect();
    if !findings.is_empty() {
        bail!("against deny.toml:\n  {}", findings.join("\n  "));
    }
    println!(
        "{} packages: every licence is on the list, every source is the registry or this repository",
        packages.len()
    );
    Ok(())
}

/// The part of `deny.toml` that is understood here.
struct Rules {
    licences: BTreeSet<String>,
    banned: BTreeSet<String>,
}

impl Rules {
    fn read() -> Result<Self> {
        let path = root().join("deny.toml");
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let rules: toml::Table = text.parse().context("deny.toml")?;
        let strings = |table: &str, key: &str, field: Option<&str>| -> BTreeSet<String> {
            let list = rules.get(table).and_then(|table| table.get(key)).and_then(|list| list.as_array());
            let entry = |entry: &toml::Value| match field {
                Some(field) => entry.get(field).and_then(|name| name.as_str()).map(str::to_owned),
                None => entry.as_str().map(str::to_owned),
            };
            list.into_iter().flatten().filter_map(entry).collect()
        };
        Ok(Self {
            licences: strings("licenses", "allow", None),
            banned: strings("bans", "deny", Some("crate")),
        })
    }

    /// What is wrong with a package, if anything.
    fn finding(&self, package: &Value) -> Option<String> {
        let name = package["name"].as_str().unwrap_or("?");
        let from_registry = package["source"].as_str().is_none_or(|source| source.starts_with("registry+"));
        let licence = package["license"].as_str().unwrap_or("none");
        if self.banned.contains(name) {
            Some(format!("{name}: banned"))
        } else if !from_registry {
            Some(format!("{name}: comes from {}", package["source"]))
        } else if !self.allows(licence) {
            Some(format!("{name}: licence {licence}"))
        } else {
            None
        }
    }

    /// Whether an SPDX expression can be met with the allowed licences. `/` is an old spelling of OR.
    fn allows(&self, expression: &str) -> bool {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let mut words = spaced.split_whitespace().peekable();
        self.any(&mut words) && words.next().is_none()
    }

    fn any<'a>(&self, words: &mut Words<'a, impl Iterator<Item = &'a str>>) -> bool {
        let mut met = self.every(words);
        while words.next_if_eq(&"OR").is_some() {
            met |= self.every(words);
        }
        met
    }

    fn every<'a>(&self, words: &mut Words<'a, impl Iterator<Item = &'a str>>) -> bool {
        let mut met = self.one(words);
        while words.next_if_eq(&"AND").is_some() {
            met &= self.one(words);
        }
        met
    }

    fn one<'a>(&self, words: &mut Words<'a, impl Iterator<Item = &'a str>>) -> bool {
        let Some(word) = words.next() else { return false };
        if word == "(" {
            let met = self.any(words);
            return words.next() == Some(")") && met;
        }
        let mut licence = word.to_owned();
        if words.next_if_eq(&"WITH").is_some() {
            licence = format!("{licence} WITH {}", words.next().unwrap_or_default());
        }
        self.licences.contains(&licence)
    }
}

type Words<'a, I> = std::iter::Peekable<I>;

#[cfg(test)]
mod test {
    use super::Rules;

    #[test]
    fn an_expression_is_met_only_by_allowed_licences() {
        let licences = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
        let rules = Rules { licences, banned: Default::default() };
        for met in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "(GPL-3.0 OR MIT) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(rules.allows(met), "{met}");
        }
        for unmet in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR GPL-3.0) AND GPL-2.0",
            "MIT MIT",
            "(MIT",
            "MIT WITH x",
        ] {
            assert!(!rules.allows(unmet), "{unmet}");
        }
    }
}
