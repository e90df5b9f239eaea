//! A product's own layer 0: the engine of `bilayer`, with a method that its agents can call.
//!
//! `cargo run -p bilayer --example own_layer0 -- FILE.toml`

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use bilayer::config::{self, Loading, Machine, Style};
use bilayer::{Call, Service};

fn main() -> ExitCode {
    // The engine starts this program again, to read a user's environment as that user, and to ask the name service.
    if let Some(code) = bilayer::helper_main() {
        return code;
    }
    let Some(file) = std::env::args_os().nth(1) else {
        eprintln!("usage: own_layer0 FILE.toml");
        return ExitCode::from(2);
    };
    match run(Path::new(&file)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("own_layer0: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(file: &Path) -> Result<(), String> {
    let how = Loading { privileged: bilayer::is_privileged(), checks: &Machine };
    let loaded = config::load(file, &how).map_err(|report| report.render(Style::PLAIN))?;
    let service = Service::builder(loaded.config).method("acme/licence", |call: Call| async move {
        Ok(serde_json::json!({ "agent": call.agent, "user": call.user, "valid": true }))
    });
    // Agents die with the thread that started them, so the service runs on the main thread.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(service.run()).map_err(|error| bilayer::chain(&error))
}
