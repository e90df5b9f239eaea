//! The file that `config init` writes.

/// A configuration to start from: one agent, every key explained, those with a default commented out. Its program is one
/// that every machine of this system has.
pub fn sample() -> String {
    let (program, folder) = match std::env::consts::FAMILY {
        "windows" => (r#"['C:\Windows\System32\ping.exe', "-t", "127.0.0.1"]"#, r"'C:\Windows\Temp'"),
        _ => (r#"["/usr/bin/sleep", "infinity"]"#, r#""/tmp""#),
    };
    include_str!("sample.toml").replace("@PROGRAM@", program).replace("@FOLDER@", folder)
}
