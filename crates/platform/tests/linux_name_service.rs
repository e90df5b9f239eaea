//! The name service is asked by children, which are copies of this program: so it has a `main` of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = bilayer_platform::helper_main() {
        return code;
    }
    system::tests();
    ExitCode::SUCCESS
}

/// There is no such service elsewhere.
#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn tests() {}
}

#[cfg(target_os = "linux")]
mod system {
    use std::cell::Cell;
    use std::fs;
    use std::rc::Rc;
    use std::time::Duration;

    use bilayer_platform::{LaunchErrorKind, Station};
    use tokio::task::LocalSet;

    /// More than may be asked for at a time.
    const MANY: usize = 100;
    /// How many may.
    const AT_ONCE: usize = 16;

    pub(super) fn tests() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            accounts_are_found().await;
            children_are_few().await;
        });
        modules_are_elsewhere();
    }

    async fn accounts_are_found() {
        for name in ["root", "0"] {
            let station = Station::of_account(name, "acme").await.expect("root is there");
            assert_eq!((&*station.user().name, &*station.user().id), ("root", "0"));
        }
        for name in ["no-such-account", "3999999999", "-"] {
            let error = Station::of_account(name, "acme").await.expect_err("nobody is there");
            assert_eq!(error.kind, LaunchErrorKind::NotReady, "{name}: {error}");
        }
        let error = Station::of_user(3_999_999_999).await.expect_err("nobody is there");
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
    }

    /// However many are looked up at once, and whoever of those that asked has gone.
    async fn children_are_few() {
        let found = Rc::new(Cell::new(0));
        let asking: Vec<_> = (0..MANY)
            .map(|_| {
                let found = Rc::clone(&found);
                tokio::task::spawn_local(async move {
                    Station::of_user(0).await.expect("root is there");
                    found.set(found.get() + 1);
                })
            })
            .collect();
        for asker in asking.iter().skip(AT_ONCE).take(AT_ONCE) {
            asker.abort();
        }
        let mut most = 0;
        let all = async {
            while found.get() < MANY - AT_ONCE || children() > 0 {
                most = most.max(children());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("all are found");
        assert!((1..=AT_ONCE).contains(&most), "{most} children at once");
    }

    /// Those of glibc itself are no files: what this machine has besides is none of this process's.
    fn modules_are_elsewhere() {
        let maps = fs::read_to_string("/proc/self/maps").expect("procfs");
        assert!(!maps.contains("/libnss_"), "{maps}");
        let threads = fs::read_dir("/proc/self/task").expect("procfs").count();
        assert_eq!(threads, 1, "a thread waits for the name service");
    }

    fn children() -> usize {
        let text = fs::read_to_string("/proc/thread-self/children").expect("procfs");
        text.split_whitespace().count()
    }
}
