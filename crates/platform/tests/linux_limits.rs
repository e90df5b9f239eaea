//! The limits of this process and those of its children. Alone in its file: a limit is of the whole process.
#![cfg(target_os = "linux")]

mod common;

use common::{all_of, on_a_loop, sh, start};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn a_child_has_the_limit_of_open_files_from_before() {
    on_a_loop(async {
        let hard = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(200), maximum: hard }).unwrap();
        bilayer_platform::raise_descriptor_limit();
        bilayer_platform::raise_descriptor_limit();
        assert_eq!(getrlimit(Resource::Nofile), Rlimit { current: hard, maximum: hard });
        let mut launched = start(&sh("ulimit -Sn; ulimit -Hn")).await;
        let hard = hard.map_or("unlimited".into(), |hard| hard.to_string());
        assert_eq!(all_of(&mut launched.stdout).await, format!("200\n{hard}\n"));
    });
}
