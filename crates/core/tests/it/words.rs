//! Codes are stable words for programs; changing one breaks whoever reads `status --json`.

use std::fmt::{Display, Write};

use bilayer_core::*;

fn list<T: Display + Copy>(title: &str, all: &[T], code: impl Fn(T) -> &'static str) -> String {
    let mut text = format!("{title}\n");
    for &word in all {
        let code = code(word);
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
        writeln!(text, "  {code:<14} {word}").unwrap();
    }
    text
}

#[test]
fn every_reason_has_a_code_and_a_sentence() {
    let words = [
        list("waiting", WaitReason::ALL, WaitReason::code),
        list("held", HoldReason::ALL, HoldReason::code),
        list("not served", Unserved::ALL, Unserved::code),
        list("stopping because", StopReason::ALL, StopReason::code),
        list("stopping so far", Stage::ALL, Stage::code),
        list("launch failed", FailureKind::ALL, FailureKind::code),
    ]
    .concat();
    insta::assert_snapshot!(words);
}
