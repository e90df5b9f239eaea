//! The file that `config init` writes.

/// A configuration to start from: one agent, every key explained, those with a default commented out. Its program is one
/// that every machine of this system has.
pub fn sample() -> String {
    let (program, folder, account) = match std::env::consts::FAMILY {
        "windows" => {
            (r#"['C:\Windows\System32\ping.exe', "-t", "127.0.0.1"]"#, r"'C:\Windows\Temp'", "LocalService")
        }
        _ => (r#"["/usr/bin/sleep", "infinity"]"#, r#""/tmp""#, "nobody"),
    };
    include_str!("sample.toml")
        .replace("@PROGRAM@", program)
        .replace("@FOLDER@", folder)
        .replace("@ACCOUNT@", account)
}
