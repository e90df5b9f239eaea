//! The unit that packages ship is the one that `bilayer install` would write.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::fs;
use std::path::{Path, PathBuf};

use bilayer::config::{Loading, Unchecked, load_text};
use bilayer::manager::{installation, service_file};

const CONFIG: &str = "/etc/bilayer/bilayer.toml";

/// With `BILAYER_WRITE_UNIT=1` in the environment, writes the file instead.
#[test]
fn the_packaged_unit_is_up_to_date() {
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/linux");
    let text = fs::read_to_string(packaging.join("bilayer.toml")).unwrap();
    let how = Loading { privileged: true, checks: &Unchecked };
    let loaded = load_text(Path::new(CONFIG), &text, &how).unwrap();
    let arguments = ["service", "-c", CONFIG].map(str::to_owned).to_vec();
    let mut what = installation(&loaded.config, PathBuf::from("/usr/bin/bilayer"), arguments);
    what.display_name = "Bilayer: programs in every user's session".to_owned();
    // Its configuration may say so once it is installed; a unit of this kind is fine for either.
    what.keeps = true;
    let Some(made) = service_file(&what).transpose().unwrap() else { return };
    let path = packaging.join("bilayer.service");
    if std::env::var_os("BILAYER_WRITE_UNIT").is_some() {
        fs::write(&path, &made).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == made,
        "packaging/linux/bilayer.service is not what `bilayer install` writes any more; if that is meant, run\n    \
         BILAYER_WRITE_UNIT=1 cargo test -p bilayer --test unit_file\nand check in the result"
    );
}
