//! Endpoints on the real operating system: who may be where, and who is at the other end.
#![cfg(target_os = "linux")]

mod common;

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use bilayer_platform::{
    ConnectError, Dirs, Error, Listener, Station, connect, connect_control, server_identity,
};
use common::{Folder, line_of, on_a_loop, sh, start, until, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn dirs(folder: &Folder) -> Dirs {
    let dirs =
        Dirs { runtime: folder.0.join("run"), state: folder.0.join("state"), log: folder.0.join("log") };
    dirs.ensure().expect("folders in a fresh folder");
    dirs
}

#[test]
fn both_ends_know_each_other() {
    on_a_loop(async {
        let folder = Folder::new();
        let dirs = dirs(&folder);
        let listener = Listener::for_control(&dirs).unwrap();
        let (client, accepted) =
            within("a connection", async { tokio::join!(connect_control(&dirs), listener.accept()) }).await;
        let (mut client, (mut server, peer)) = (client.unwrap(), accepted.unwrap());
        assert_eq!(peer.pid(), std::process::id());
        assert_eq!(peer.user_id(), server_identity());
        assert!(peer.is_same_user() && peer.may_serve(&Station::own()));
        client.write_all(b"over the wire").await.unwrap();
        drop(client);
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "over the wire");
    });
}

#[test]
fn a_client_refuses_a_server_of_another_user() {
    on_a_loop(async {
        let folder = Folder::new();
        let listener = Listener::for_control(&dirs(&folder)).unwrap();
        let error = connect(listener.address(), "4000000").await.err().unwrap();
        assert!(matches!(error, ConnectError::Impostor { .. }), "{error}");
    });
}

#[test]
fn nobody_listening_is_told_apart_from_not_permitted() {
    on_a_loop(async {
        let folder = Folder::new();
        let dirs = dirs(&folder);
        assert!(matches!(connect_control(&dirs).await.err().unwrap(), ConnectError::NotRunning { .. }));
        std::os::unix::net::UnixListener::bind(dirs.runtime.join("control.sock")).unwrap();
        assert!(matches!(connect_control(&dirs).await.err().unwrap(), ConnectError::NotRunning { .. }));
    });
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    on_a_loop(async {
        let folder = Folder::new();
        let dirs = dirs(&folder);
        drop(std::os::unix::net::UnixListener::bind(dirs.runtime.join("control.sock")).unwrap());
        let first = Listener::for_control(&dirs).unwrap();
        assert!(matches!(Listener::for_control(&dirs).err().unwrap(), Error::Taken { .. }));
        let address = first.address().to_owned();
        drop(first);
        assert!(!Path::new(&address).exists(), "a listener takes its socket with it");
        Listener::for_control(&dirs).unwrap();
    });
}

#[test]
fn what_is_no_socket_is_left_alone() {
    on_a_loop(async {
        for (kind, place) in [
            ("a folder", (|path: &Path| std::fs::create_dir(path)) as fn(&Path) -> std::io::Result<()>),
            ("a file", |path| std::fs::write(path, "precious")),
            ("a symbolic link", |path| std::os::unix::fs::symlink("/etc/passwd", path)),
        ] {
            let folder = Folder::new();
            let dirs = dirs(&folder);
            let path = dirs.runtime.join("control.sock");
            place(&path).unwrap();
            let before = std::fs::symlink_metadata(&path).unwrap().ino();
            let error = Listener::for_control(&dirs).err().unwrap();
            assert!(error.to_string().contains(kind), "{error}");
            assert_eq!(std::fs::symlink_metadata(&path).unwrap().ino(), before);
        }
    });
}

#[test]
fn a_path_that_is_too_long_is_named() {
    on_a_loop(async {
        let folder = Folder::new();
        let deep = folder.0.join("x".repeat(100));
        let dirs = Dirs { runtime: deep.join("run"), state: deep.join("state"), log: deep.join("log") };
        dirs.ensure().unwrap();
        let error = Listener::for_control(&dirs).err().unwrap();
        assert!(error.to_string().contains("107"), "{error}");
    });
}

#[test]
fn sockets_and_folders_are_closed_to_others() {
    on_a_loop(async {
        let folder = Folder::new();
        let dirs = dirs(&folder);
        let listener = Listener::for_agents(&dirs, &Station::own(), "c1").unwrap();
        let meta = std::fs::symlink_metadata(listener.address()).unwrap();
        assert!(meta.file_type().is_socket());
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        for made in [&dirs.runtime, &dirs.state, &dirs.log] {
            assert_eq!(
                std::fs::metadata(made).unwrap().permissions().mode() & 0o777,
                0o700,
                "{}",
                made.display()
            );
        }
    });
}

#[test]
fn a_link_in_the_place_of_a_folder_is_refused() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("/tmp", folder.0.join("run")).unwrap();
    let dirs =
        Dirs { runtime: folder.0.join("run"), state: folder.0.join("state"), log: folder.0.join("log") };
    let error = dirs.ensure().unwrap_err();
    assert!(matches!(error, Error::Unsafe { .. }), "{error}");
}

#[test]
fn a_peer_belongs_to_the_instance_that_started_it() {
    // Connects and waits; the shell itself cannot, and Python is not everywhere, so this test binary does it.
    if let Ok(address) = std::env::var("TEST_CONNECT_TO") {
        let mut socket = std::os::unix::net::UnixStream::connect(address).unwrap();
        let _ = std::io::Read::read(&mut socket, &mut [0]);
        return;
    }
    on_a_loop(async {
        let folder = Folder::new();
        let listener = Listener::for_control(&dirs(&folder)).unwrap();
        let own = std::env::current_exe().unwrap();
        let this = format!("{} --exact a_peer_belongs_to_the_instance_that_started_it", own.display());
        let connecting = |prefix: &str, name: &str| {
            let mut command = sh(&format!("{prefix} {this} >/dev/null 2>&1 & echo up; wait; sleep 60"));
            command.env = vec![("TEST_CONNECT_TO".into(), listener.address().into())];
            command.name = format!("bilayer-test-{name}");
            command
        };
        let mut stranger = start(&sh("echo up; sleep 60")).await;
        line_of(&mut stranger.stdout).await;
        for (prefix, name) in [("", "child"), ("setsid", "own-session")] {
            let launched = start(&connecting(prefix, name)).await;
            let (_stream, peer) = within("a connection", listener.accept()).await.unwrap();
            assert!(launched.process.owns(&peer), "{name}");
            assert!(!stranger.process.owns(&peer), "{name}");
            launched.process.kill_all().unwrap();
            within("the exit", launched.process.exited()).await;
            // All are killed at once, and the root may be the first to be gone.
            until("the end of the peer, which belongs to nobody then", || !launched.process.owns(&peer))
                .await;
        }
        stranger.process.kill_all().unwrap();
    });
}
