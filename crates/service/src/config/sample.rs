//! The file that `config init` writes.

/// A configuration to start from: one agent, every key explained, optional ones commented out.
pub fn sample() -> String {
    include_str!("sample.toml").to_owned()
}
