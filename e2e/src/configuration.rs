//! The configurations that most scenarios begin with.

use crate::layer0::RUST_AGENT;

/// The example agent in every session, whether there is a display or not. What is put behind it are further keys of the agent, or
/// further tables.
pub(crate) const EVERYONE: &str = r#"
[service]
name = "acme"
[agent.desk]
command = ["/usr/local/bin/rust-agent"]
sessions = "all"
needs_display = false
"#;

/// The same with another program and its arguments.
pub(crate) fn everyone_runs(command: &[&str]) -> String {
    // Words without quotes and backslashes are written in Rust as they are in TOML.
    EVERYONE.replace(&format!("{:?}", [RUST_AGENT]), &format!("{command:?}"))
}

/// The same with agents that outlive the service.
pub(crate) fn kept(config: &str) -> String {
    config.replace("name = \"acme\"\n", "name = \"acme\"\non_service_stop = \"keep\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_what_it_says() {
        let found = kept(&everyone_runs(&["/bin/sleep", "3600"]));
        assert!(found.contains("\non_service_stop = \"keep\"\n[agent.desk]\n"), "{found}");
        assert!(found.contains("\ncommand = [\"/bin/sleep\", \"3600\"]\n"), "{found}");
    }
}
