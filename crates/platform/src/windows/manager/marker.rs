//! How a service that Bilayer installed is told from any other: by its configuration, noted down below the service's own key,
//! where only administrators write. It goes with the service.

use std::io;
use std::path::{Path, PathBuf};

use super::registry::Key;
use crate::InstalledService;

const SERVICES: &str = r"SYSTEM\CurrentControlSet\Services";

/// The value; an installer that makes the service by other means writes it too.
const CONFIG: &str = "BilayerConfig";

/// Marks a service.
pub(super) fn write(name: &str, config: &Path) -> io::Result<()> {
    let config = config.to_str().ok_or_else(|| io::Error::other("the path is not valid Unicode"))?;
    Key::make(&format!(r"{SERVICES}\{name}\Parameters"))?.set_text(CONFIG, config)
}

/// The configuration that a service was installed with; `None` for a service that is not Bilayer's.
pub(super) fn read(name: &str) -> Option<PathBuf> {
    config_of(&Key::local_machine(SERVICES).ok()?, name)
}

/// Every marked service, by name.
pub(super) fn all() -> Vec<InstalledService> {
    let Ok(services) = Key::local_machine(SERVICES) else { return Vec::new() };
    let marked = |name: String| {
        let config = config_of(&services, &name)?;
        Some(InstalledService { name, config, is_packaged: false })
    };
    let mut found: Vec<_> = services.names().unwrap_or_default().into_iter().filter_map(marked).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn config_of(services: &Key, name: &str) -> Option<PathBuf> {
    let config = services.below(&format!(r"{name}\Parameters")).ok()?.text(CONFIG).ok()?;
    Some(config.into())
}
