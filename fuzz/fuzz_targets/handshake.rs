//! Any bytes from a client against a running connection that waits for `initialize`. It must come to an end by itself, and
//! nobody may get in without a token.
#![no_main]

use std::time::Duration;

use bilayer_ipc::agent::ClientKind;
use bilayer_ipc::{Connection, Limits, handshake};
use libfuzzer_sys::fuzz_target;
use tokio::io::AsyncWriteExt;

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (mut client, service) = tokio::io::duplex(bytes.len() + 64 * 1024);
        let (connection, peer, mut incoming) = Connection::new(service, Limits::default());
        client.write_all(bytes).await.expect("it fits the pipe");
        client.shutdown().await.expect("a pipe in memory");
        let handshake = async {
            let within = Duration::from_secs(5);
            if let Ok(knock) = handshake::accept(&peer, &mut incoming, ClientKind::Agent, within).await {
                assert_eq!(knock.protocol, 1);
                knock.refuse(&peer, "fuzzing");
            }
            while incoming.next().await.is_some() {}
        };
        let over = async { tokio::join!(connection.run(), handshake) };
        tokio::time::timeout(Duration::from_secs(10), over).await.expect("it comes to an end");
    });
});
