//! Any bytes, cut anywhere, through the frame decoder and the reader of messages. Cutting must change nothing.
#![no_main]

use bilayer_ipc::frame::FrameCodec;
use bilayer_ipc::{Limits, rpc};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use tokio_util::codec::Decoder;

fn decode(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
    let limits = Limits { frame_bytes: 1 << 16, ..Limits::default() };
    let mut codec = FrameCodec::new(&limits);
    let mut buffer = BytesMut::new();
    let mut bodies = Vec::new();
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(body)) => bodies.push(body.to_vec()),
                Ok(None) => break,
                Err(_) => return (bodies, false),
            }
        }
        assert!(buffer.capacity() <= 2 * bytes.len() + 64 * 1024, "memory for what has not come");
    }
    (bodies, matches!(codec.decode_eof(&mut buffer), Ok(None)))
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    let cut = decode(bytes, usize::from(piece).max(1));
    assert_eq!(cut, decode(bytes, usize::MAX));
    for body in cut.0 {
        let _ = rpc::parse(&body, 64);
    }
});
