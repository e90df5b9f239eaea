//! What is different between two unit files, as a person reads it.

use std::collections::BTreeMap;

/// Settings in the order of their names; one that is given several times has all its values.
type Settings<'t> = BTreeMap<(&'t str, &'t str), Vec<&'t str>>;

/// The section with what Bilayer notes down for itself.
const OWN: &str = "X-Bilayer";

/// What a setting is now and was before, a line each.
pub(super) fn between(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (settings(old), settings(new));
    let mut keys: Vec<_> = old.keys().chain(new.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    let line = |key: (&str, &str)| {
        let shown =
            |of: &Settings<'_>| of.get(&key).map_or_else(|| "not set".to_owned(), |values| values.join(", "));
        let (was, is) = (shown(&old), shown(&new));
        (was != is).then(|| format!("{}: was {was}, is {is}", key.1))
    };
    keys.into_iter().filter_map(line).collect()
}

fn settings(text: &str) -> Settings<'_> {
    let mut found = Settings::new();
    let mut section = "";
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some((key, value)) = line.split_once('=')
            && (section, key) != (OWN, "Checksum")
        {
            found.entry((section, key.trim())).or_default().push(value.trim());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_setting_and_none_for_comments() {
        let old = "# a\n[Service]\nRestart=no\nNice=5\nAfter=a\nAfter=b\n[X-Bilayer]\nChecksum=1\n";
        let new = "# b\n[Service]\nRestart = always\nAfter=a\nAfter=b\nUMask=0077\n[X-Bilayer]\nChecksum=2\n";
        let said = ["Nice: was 5, is not set", "Restart: was no, is always", "UMask: was not set, is 0077"];
        assert_eq!(between(old, new), said);
        assert!(between(old, old).is_empty());
    }
}
