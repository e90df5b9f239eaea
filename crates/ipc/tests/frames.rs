//! The codec and the reader of messages, under any bytes cut anywhere.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use bilayer_ipc::frame::{FrameCodec, encode_message};
use bilayer_ipc::{Limits, rpc};
use bytes::BytesMut;
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder};

fn limits() -> Limits {
    Limits { frame_bytes: 4096, header_bytes: 128, depth: 16, ..Limits::default() }
}

/// Feeds the bytes in pieces of these sizes, again and again, and returns the bodies, and whether it ended well.
fn decode(bytes: &[u8], pieces: &[usize]) -> (Vec<Vec<u8>>, bool) {
    let mut codec = FrameCodec::new(&limits());
    let mut buffer = BytesMut::new();
    let mut bodies = Vec::new();
    let mut rest = bytes;
    for piece in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*piece).min(rest.len()));
        buffer.extend_from_slice(now);
        rest = later;
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(body)) => bodies.push(body.to_vec()),
                Ok(None) => break,
                Err(_) => return (bodies, false),
            }
            assert!(buffer.capacity() <= bytes.len() + 64 * 1024, "memory for what has not come");
        }
    }
    let whole = matches!(codec.decode_eof(&mut buffer), Ok(None));
    (bodies, whole)
}

#[test]
fn a_promise_takes_no_memory() {
    let mut codec = FrameCodec::new(&Limits { frame_bytes: 1 << 30, ..Limits::default() });
    let mut buffer = BytesMut::from(&b"Content-Length: 1073741824\r\n\r\n"[..]);
    assert!(codec.decode(&mut buffer).unwrap().is_none());
    assert!(buffer.capacity() <= 64 * 1024, "{} bytes for a promise", buffer.capacity());
}

#[test]
fn names_are_read_in_any_case_and_other_fields_are_ignored() {
    let bytes = b"content-TYPE: application/vscode-jsonrpc; charset=utf-8\r\nCONTENT-length:\t2 \r\nX: \xff\r\n\r\n{}";
    assert_eq!(decode(bytes, &[1]), (vec![b"{}".to_vec()], true));
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_however_it_is_cut(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..8),
        pieces in prop::collection::vec(1_usize..700, 1..20),
    ) {
        let mut stream = BytesMut::new();
        for body in &bodies {
            FrameCodec::new(&limits()).encode(body, &mut stream).unwrap();
        }
        prop_assert_eq!(decode(&stream, &pieces), (bodies, true));
    }

    #[test]
    fn cutting_changes_nothing_for_any_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        pieces in prop::collection::vec(1_usize..20, 1..20),
    ) {
        prop_assert_eq!(decode(&bytes, &pieces), decode(&bytes, &[usize::MAX]));
    }

    #[test]
    fn cutting_changes_nothing_for_what_looks_like_frames(
        bytes in "(Content-Length: ?[0-9+-]{0,3}|X: y|\r\n|\r\n\r\n|[{}a]){0,20}",
        pieces in prop::collection::vec(1_usize..20, 1..20),
    ) {
        prop_assert_eq!(decode(bytes.as_bytes(), &pieces), decode(bytes.as_bytes(), &[usize::MAX]));
    }

    #[test]
    fn both_encoders_agree(text in ".{0,200}") {
        let mut stream = BytesMut::new();
        FrameCodec::new(&limits()).encode(&serde_json::to_vec(&text).unwrap(), &mut stream).unwrap();
        prop_assert_eq!(&encode_message(&text, 4096).unwrap()[..], &stream[..]);
    }

    #[test]
    fn reading_any_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), depth in 0_u16..20) {
        let _ = rpc::parse(&bytes, depth);
    }

    #[test]
    fn reading_anything_like_a_message_never_panics(
        text in r#"\{?("(jsonrpc|id|method|params|result|error)":("2.0"|[0-9]{1,20}|null|\{|\}|\[|\]|"\\"|,){0,4},?){0,6}\}?"#,
    ) {
        let _ = rpc::parse(text.as_bytes(), 16);
    }

    #[test]
    fn depth_is_counted_as_a_parser_would(open in 1_u16..40, max in 1_u16..40, text in "[\\[\\]{}a]{0,9}") {
        // Brackets within a string do not count.
        let value = format!("{}{}{}", "[".repeat(open.into()), serde_json::to_string(&text).unwrap(), "]".repeat(open.into()));
        let body = format!(r#"{{"jsonrpc":"2.0","method":"m","params":{value}}}"#);
        prop_assert_eq!(rpc::parse(body.as_bytes(), max).is_ok(), open < max);
    }

    #[test]
    fn a_message_that_fits_no_frame_is_not_built(length in 0_usize..300, max in 0_u32..300) {
        let encoded = encode_message(&"x".repeat(length), max);
        prop_assert_eq!(encoded.is_ok(), length + 2 <= max as usize);
    }
}
