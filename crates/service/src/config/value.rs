//! What a time, a size, a number, a choice and a name look like.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::read::{Findings, Node, listed, near, shown};

/// `true` or `false`.
pub(super) fn boolean(node: Node<'_>, findings: &mut Findings) -> Option<bool> {
    match (node.value.as_bool(), node.value) {
        (Some(value), _) => Some(value),
        (None, DeValue::String(text)) if **text == *"true" || **text == *"false" => {
            node.wrong("must be true or false, not text", findings)
                .hint(format!("write {text} without quotes"));
            None
        }
        _ => node.wrong_type("true or false", findings),
    }
}

/// Text on one line, not empty, of at most 1,024 bytes.
pub(super) fn text(node: Node<'_>, findings: &mut Findings) -> Option<String> {
    let DeValue::String(text) = node.value else { return node.wrong_type("text in quotes", findings) };
    let wrong = match &**text {
        "" => "is empty",
        text if text.len() > 1024 => "is longer than 1,024 bytes",
        text if text.chars().any(char::is_control) => "has a control character in it",
        text => return Some(text.to_owned()),
    };
    node.wrong(wrong, findings);
    None
}

/// A whole number in a range.
pub(super) fn integer<'a>(range: RangeInclusive<u64>) -> impl FnOnce(Node<'a>, &mut Findings) -> Option<u64> {
    move |node, findings| {
        let DeValue::Integer(integer) = node.value else {
            return node.wrong_type("a whole number", findings);
        };
        let value = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        match value.and_then(|value| u64::try_from(value).ok()).filter(|value| range.contains(value)) {
            Some(value) => Some(value),
            None => {
                let (from, to) = range.into_inner();
                node.wrong(format!("must be between {from} and {to}"), findings);
                None
            }
        }
    }
}

/// One of a few words.
pub(super) fn one_of<'a, T: Copy>(
    words: &'static [(&'static str, T)],
) -> impl FnOnce(Node<'a>, &mut Findings) -> Option<T> {
    move |node, findings| choice(words, node, findings)
}

/// One of a few words.
pub(super) fn choice<T: Copy>(words: &[(&str, T)], node: Node<'_>, findings: &mut Findings) -> Option<T> {
    let known = || words.iter().map(|(word, _)| *word);
    let DeValue::String(text) = node.value else {
        return node.wrong_type(&format!("one of {}", listed(known())), findings);
    };
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == &**text) {
        return Some(*value);
    }
    let finding = node.wrong(format!("cannot be `{}`", shown(text)), findings);
    finding.hint(match near(text, known()) {
        Some(near) => format!("did you mean `{near}`? It is one of {}", listed(known())),
        None => format!("it is one of {}", listed(known())),
    });
    None
}

/// A time: a whole number and its unit, such as "500ms", "5s", "2m", "1h", "30d"; in a range.
pub(super) fn duration<'a>(
    range: RangeInclusive<Duration>,
) -> impl FnOnce(Node<'a>, &mut Findings) -> Option<Duration> {
    move |node, findings| {
        let text = match node.value {
            DeValue::String(text) => text,
            DeValue::Integer(number) => {
                let number = shown(&number.to_string());
                node.wrong("needs a unit: a bare number is no time", findings)
                    .hint(format!("write \"{number}s\" for seconds or \"{number}ms\" for milliseconds"));
                return None;
            }
            _ => return node.wrong_type("a time such as \"5s\"", findings),
        };
        let Some(value) = parse_duration(text) else {
            node.wrong(format!("cannot be \"{}\": that is no time", shown(text)), findings).hint(
                "a whole number and one of the units ms, s, m, h, d without a space: \"500ms\", \"5s\", \"2m\", \"1h\"",
            );
            return None;
        };
        if !range.contains(&value) {
            let (from, to) = (show_duration(*range.start()), show_duration(*range.end()));
            node.wrong(format!("must be between \"{from}\" and \"{to}\""), findings);
            return None;
        }
        Some(value)
    }
}

/// A size: a whole number and its unit, such as "512B", "64KiB", "10MiB"; in bytes, in a range.
pub(super) fn size<'a>(range: RangeInclusive<u64>) -> impl FnOnce(Node<'a>, &mut Findings) -> Option<u64> {
    move |node, findings| {
        let text = match node.value {
            DeValue::String(text) => text,
            DeValue::Integer(number) => {
                let number = shown(&number.to_string());
                node.wrong("needs a unit: a bare number is no size", findings)
                    .hint(format!("write \"{number}B\" for bytes; other units are KiB, MiB and GiB"));
                return None;
            }
            _ => return node.wrong_type("a size such as \"10MiB\"", findings),
        };
        let Some(value) = parse_size(text) else {
            node.wrong(format!("cannot be \"{}\": that is no size", shown(text)), findings).hint(
                "a whole number and one of the units B, KiB, MiB, GiB without a space: \"64KiB\", \"10MiB\"",
            );
            return None;
        };
        if !range.contains(&value) {
            let (from, to) = (show_size(*range.start()), show_size(*range.end()));
            node.wrong(format!("must be between \"{from}\" and \"{to}\""), findings);
            return None;
        }
        Some(value)
    }
}

/// Whether `text` matches `[a-z][a-z0-9-]{0,31}`.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// What to do about a name that is none: the nearest one that is, or the rule.
pub(super) fn name_hint(text: &str) -> String {
    let tame = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let near: String = text.chars().take(32).map(tame).collect();
    let rule = "a name is 1 to 32 lower-case letters, digits and hyphens, and begins with a letter";
    match near.trim_matches('-') {
        near if is_name(near) => format!("{rule}, such as `{near}`"),
        _ => rule.to_owned(),
    }
}

/// A name: `[a-z][a-z0-9-]{0,31}`.
pub(super) fn name(node: Node<'_>, findings: &mut Findings) -> Option<String> {
    let DeValue::String(text) = node.value else { return node.wrong_type("a name in quotes", findings) };
    if is_name(text) {
        return Some(text.to_string());
    }
    node.wrong(format!("cannot be \"{}\": that is no name", shown(text)), findings).hint(name_hint(text));
    None
}

const TIMES: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

fn parse_duration(text: &str) -> Option<Duration> {
    parse_unit(text, &TIMES).map(Duration::from_millis)
}

fn parse_size(text: &str) -> Option<u64> {
    parse_unit(text, &SIZES)
}

fn parse_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

/// A time as the file would write it, in the largest unit that holds it exactly.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 { "0s".to_owned() } else { show_unit(millis, &TIMES) }
}

/// A size as the file would write it, in the largest unit that holds it exactly.
pub(super) fn show_size(bytes: u64) -> String {
    if bytes == 0 { "0B".to_owned() } else { show_unit(bytes, &SIZES) }
}

fn show_unit(value: u64, units: &[(&str, u64)]) -> String {
    let exact = |(_, factor): &&(&str, u64)| value.is_multiple_of(*factor);
    let (unit, factor) = units.iter().rev().find(exact).expect("the first unit is 1");
    format!("{}{unit}", value / factor)
}
