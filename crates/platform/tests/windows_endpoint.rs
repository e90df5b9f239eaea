//! Endpoints on Windows: who can connect, and what each end learns of the other.
#![cfg(all(windows, feature = "host"))]
#![allow(clippy::unwrap_used)] // Tests, though the lint does not see it outside of their functions.

mod windows_common;

use std::path::PathBuf;

use bilayer_platform::{
    ConnectError, Dirs, ENDPOINT_PER, EndpointPer, Error, Listener, Station, connect, connect_control,
    server_identity,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use windows_common::{acting, on_a_loop, play, said, say, start, stay, within};

#[test]
fn role() {
    play(|part, argument| {
        match part {
            "dial" => on_a_loop(async {
                let stream = connect(argument, &server_identity()).await;
                say(if stream.is_ok() { "in" } else { "out" });
                stay();
            }),
            _ => unreachable!("no such part: {part}"),
        }
        0
    });
}

fn agents() -> Listener {
    Listener::for_agents(&Dirs::console("test", &PathBuf::from("a.toml")), &Station::own(), "1").unwrap()
}

fn control() -> Dirs {
    let name = format!("test-{}", u32::from_ne_bytes(bilayer_platform::random_bytes()));
    Dirs::console(&name, &PathBuf::from("a.toml"))
}

#[test]
fn both_ends_learn_who_the_other_is() {
    assert_eq!(ENDPOINT_PER, EndpointPer::Launch);
    on_a_loop(async {
        let listener = agents();
        let own = server_identity();
        let dial = connect(listener.address(), &own);
        let (client, accepted) =
            within("the connection", async { tokio::join!(dial, listener.accept()) }).await;
        let (mut client, (mut server, peer)) = (client.unwrap(), accepted.unwrap());
        assert_eq!(peer.pid(), std::process::id());
        assert_eq!(peer.user_id(), server_identity());
        assert!(peer.is_same_user() && peer.may_serve(&Station::own()));

        client.write_all(b"hello").await.unwrap();
        let mut word = [0; 5];
        within("the word", server.read_exact(&mut word)).await.unwrap();
        assert_eq!(&word, b"hello");
        server.write_all(b"bye").await.unwrap();
        drop(server);
        let mut rest = Vec::new();
        within("the end", client.read_to_end(&mut rest))
            .await
            .expect("a closed pipe is the end, not an error");
        assert_eq!(rest, b"bye", "what was written before the end arrives");
    });
}

#[test]
fn a_peer_belongs_to_its_own_launch() {
    on_a_loop(async {
        let (first, second) = (agents(), agents());
        assert_ne!(first.address(), second.address());
        let mut ours = start(&acting(&format!("dial {}", first.address()))).await;
        let other = start(&acting(&format!("dial {}", second.address()))).await;
        let (_stream, peer) = within("the agent", first.accept()).await.unwrap();
        assert_eq!(peer.pid(), ours.process.pid());
        assert!(ours.process.owns(&peer));
        assert!(!other.process.owns(&peer));
        assert_eq!(said(&mut ours.stdout).await, "in");
    });
}

#[test]
fn one_client_after_the_other_is_served() {
    on_a_loop(async {
        let listener = agents();
        let address = listener.address().to_owned();
        let dialing = tokio::spawn(async move {
            let mut clients = Vec::new();
            for _ in 0..20 {
                clients.push(connect(&address, &server_identity()).await.unwrap());
            }
            clients
        });
        let mut streams = Vec::new();
        for _ in 0..20 {
            streams.push(within("a client", listener.accept()).await.unwrap().0);
        }
        assert_eq!(dialing.await.unwrap().len(), 20);
    });
}

#[test]
fn a_client_that_comes_and_goes_hurts_nobody() {
    on_a_loop(async {
        let listener = agents();
        drop(std::fs::File::options().read(true).write(true).open(listener.address()).unwrap());
        let address = listener.address().to_owned();
        let dialing = tokio::spawn(async move { connect(&address, &server_identity()).await });
        // The first may be seen or not; it must not be in the way of the second.
        let (mut stream, _) = within("a client", listener.accept()).await.unwrap();
        if within("its fate", stream.read(&mut [0])).await.is_ok_and(|read| read == 0) {
            within("the second", listener.accept()).await.unwrap();
        }
        within("the dialing", dialing).await.unwrap().unwrap();
    });
}

#[test]
fn a_wrong_server_is_found_out() {
    on_a_loop(async {
        let listener = agents();
        let result = within("the refusal", connect(listener.address(), "S-1-5-18")).await;
        assert!(matches!(&result, Err(ConnectError::Impostor { found, .. }) if *found == server_identity()));
    });
}

#[test]
fn a_services_endpoint_is_where_only_administrators_listen_and_its_client_finds_out_an_impostor() {
    on_a_loop(async {
        let dirs = Dirs::system(&format!("test-{}", u32::from_ne_bytes(bilayer_platform::random_bytes())));
        assert!(matches!(connect_control(&dirs).await, Err(ConnectError::NotRunning { .. })));
        let listener = Listener::for_control(&dirs).unwrap();
        let administrators = r"\\.\pipe\ProtectedPrefix\Administrators\bilayer-test-";
        let shared = r"\\.\pipe\bilayer-test-";
        assert!(listener.address().starts_with(administrators) || listener.address().starts_with(shared));
        assert!(matches!(Listener::for_control(&dirs), Err(Error::Taken { .. })));
        // This test is neither a service of that name nor LocalSystem, and its user is not the administrators.
        let result = within("the refusal", connect_control(&dirs)).await;
        assert!(
            matches!(result, Err(ConnectError::Impostor { .. } | ConnectError::NotPermitted { .. })),
            "nothing is said to a stranger"
        );
    });
}

#[test]
fn addresses_that_lead_nowhere_say_so() {
    on_a_loop(async {
        let nobody = connect(r"\\.\pipe\bilayer-test-nobody", &server_identity()).await;
        assert!(matches!(nobody, Err(ConnectError::NotRunning { .. })));
        let network = connect(r"\\host.invalid\pipe\x", &server_identity()).await;
        assert!(matches!(network, Err(ConnectError::Failed { .. })), "no other machine is asked");
    });
}

#[test]
fn the_control_endpoint_has_one_listener_and_is_found() {
    on_a_loop(async {
        let dirs = control();
        dirs.ensure().unwrap();
        assert!(matches!(connect_control(&dirs).await, Err(ConnectError::NotRunning { .. })));
        assert!(!Dirs::running().contains(&dirs));

        let listener = Listener::for_control(&dirs).unwrap();
        assert!(matches!(Listener::for_control(&dirs), Err(Error::Taken { .. })));
        assert!(Dirs::running().contains(&dirs));
        let dial = connect_control(&dirs);
        let (client, accepted) =
            within("the connection", async { tokio::join!(dial, listener.accept()) }).await;
        client.unwrap();
        assert!(accepted.unwrap().1.is_same_user());

        drop(listener);
        within("the end of the pipe", async {
            // The runtime closes it when it has seen that its last read was cancelled.
            while Dirs::running().contains(&dirs) {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        })
        .await;
        std::fs::remove_dir_all(&dirs.runtime).unwrap();
    });
}
