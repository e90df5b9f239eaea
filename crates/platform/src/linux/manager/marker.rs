//! How a unit file says that Bilayer made it: a section whose name begins with `X-`, which systemd.unit(5) leaves alone.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::dirs::fnv1a;

const SECTION: &str = "[X-Bilayer]";
const CONFIG: &str = "Config=";
const CHECKSUM: &str = "Checksum=";

/// What a unit file of ours says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// The configuration that the service was installed with.
    pub(super) config: PathBuf,
    /// Somebody changed the file since it was written.
    pub(super) is_edited: bool,
}

/// The text of a unit with the marker at its end.
pub(super) fn sealed(mut text: String, config: &str) -> String {
    let _ = write!(text, "\n{SECTION}\n{CONFIG}{config}\n");
    let sum = sum(&text);
    let _ = writeln!(text, "{CHECKSUM}{sum}");
    text
}

/// The marker of a unit file; `None` if it is not ours.
pub(super) fn read(text: &str) -> Option<Marker> {
    let mut lines = text.lines().skip_while(|line| line.trim() != SECTION).skip(1);
    let section: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with('[')).collect();
    let value = |key| section.iter().find_map(|line| line.strip_prefix(key));
    let config = PathBuf::from(value(CONFIG)?);
    let rest: String = text.split_inclusive('\n').filter(|line| !line.starts_with(CHECKSUM)).collect();
    Some(Marker { config, is_edited: value(CHECKSUM) != Some(&sum(&rest)) })
}

/// Tells a text from one that was edited. It protects nothing: who may edit the file may also write this line.
fn sum(text: &str) -> String {
    format!("{:08x}", fnv1a(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_noticed_and_a_foreign_unit_is_not_ours() {
        let text = sealed("[Service]\nExecStart=/bin/true\n".to_owned(), "/etc/acme/acme x.toml");
        let config = PathBuf::from("/etc/acme/acme x.toml");
        assert_eq!(read(&text), Some(Marker { config: config.clone(), is_edited: false }));
        let edited = text.replace("/bin/true", "/bin/false");
        assert_eq!(read(&edited), Some(Marker { config: config.clone(), is_edited: true }));
        let longer = format!("{text}Nice=5\n");
        assert_eq!(read(&longer), Some(Marker { config, is_edited: true }));
        assert_eq!(read("[Service]\nExecStart=/bin/true\n"), None);
        assert_eq!(read("# [X-Bilayer]\nConfig=/x\n"), None);
        assert_eq!(read("[X-Bilayer]\n[Service]\nConfig=/x\n"), None);
    }
}
