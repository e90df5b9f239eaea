//! A log folder that somebody else can write.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use bilayer::chain;
use bilayer::log::{self, Rotation, Settings};
use tracing::level_filters::LevelFilter;

#[test]
fn a_link_in_the_place_of_the_log_leads_nowhere() {
    let folder = std::env::temp_dir().join(format!("bilayer-log-link-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let (path, victim) = (folder.join("a.log"), folder.join("victim"));
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, &path).unwrap();
    let rotation = Rotation { max_size: 100, max_total: 300, max_age: Duration::from_secs(86_400) };
    let settings = Settings {
        level: LevelFilter::INFO,
        stderr: false,
        file: Some(path.clone()),
        rotation,
        event_log: None,
    };

    let refused = chain(&log::install(settings.clone()).unwrap_err());
    assert!(refused.contains("a.log") && refused.contains("it is a symbolic link"), "{refused}");

    // One that comes later is moved out of the way with the file whose place it took, or is not followed.
    fs::remove_file(&path).unwrap();
    log::install(settings).unwrap();
    for number in 0..20 {
        tracing::info!(target: "bilayer::test", "a line that is not short, of number {number}");
        fs::remove_file(&path).unwrap();
        symlink(&victim, &path).unwrap();
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    fs::remove_dir_all(&folder).unwrap();
}
