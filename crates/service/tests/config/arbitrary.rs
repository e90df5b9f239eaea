//! No text makes the reader, or the drawing of what it says, panic.

use bilayer::config::{Style, sample};
use proptest::prelude::*;

use crate::machine::{CONSOLE, PRIVILEGED, load};

fn survives(text: &str) {
    for how in [CONSOLE, PRIVILEGED] {
        let report = match load(text, &how) {
            Ok(loaded) => loaded.warnings,
            Err(report) => {
                assert!(report.has_errors(), "refused without a reason");
                report
            }
        };
        for finding in report.findings() {
            assert!(
                finding.span.as_ref().is_none_or(|span| span.start <= span.end && finding.line.is_some())
            );
        }
        let _ = report.render(Style { color: true, unicode: true, width: 30 });
        let _ = report.render(Style::PLAIN);
        let _ = report.to_json();
        let _ = report.to_string();
    }
}

/// A value of a type that the key may not expect.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        "[0-9]{1,20}(ms|s|m|h|d|B|KiB|MiB|GiB| s)?".prop_map(|text| format!("{text:?}")),
        ".{0,20}".prop_map(|text| format!("{text:?}")),
        Just("1e300".to_owned()),
        Just("nan".to_owned()),
        Just("true".to_owned()),
        Just("1979-05-27".to_owned()),
        Just("[[], {}, \"\", 1]".to_owned()),
        Just("{ a = { b = [] }, 64 = 1 }".to_owned()),
        Just("\"\"\"\n\n\u{0}ü\n\"\"\"".to_owned()),
    ]
}

const KEYS: &[&str] = &[
    "service",
    "service.name",
    "agent",
    "agent.desk",
    "agent.desk.command",
    "agent.desk.sessions",
    "agent.desk.users",
    "agent.desk.types",
    "agent.desk.remote",
    "agent.desk.stop",
    "agent.desk.stop.grace",
    "agent.desk.restart",
    "agent.desk.restart.limit.count",
    "agent.desk.heartbeat",
    "agent.desk.exit_codes",
    "agent.desk.env",
    "agent.desk.cwd",
    "worker",
    "worker.desk",
    "worker.sync.command",
    "worker.sync.account",
    "worker.sync.sessions",
    "log",
    "log.max_size",
    "log.max_total",
    "wire",
    "wire.frame",
    "wire.queue",
    "wire.depth",
    "\"\\u0000\"",
    "ü",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_symbols(text in "[\\[\\]{}=.,\"'#\\\\ a-z0-9\r\n\u{feff}ü]{0,200}") {
        survives(&text);
    }

    #[test]
    fn any_values_of_known_keys(lines in prop::collection::vec((prop::sample::select(KEYS), value()), 0..12)) {
        let text: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        survives(&text);
    }

    #[test]
    fn the_sample_with_a_piece_cut_out_and_another_put_in(
        from in 0usize..4000, length in 0usize..80, put in "[\\[\\]{}=.\"'#\\\\ a-z0-9\nü]{0,8}",
    ) {
        let mut text = sample().replace("\n#", "\n");
        let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap();
        let (from, to) = (boundary(from), boundary(from + length));
        text.replace_range(from..to, &put);
        survives(&text);
    }
}
