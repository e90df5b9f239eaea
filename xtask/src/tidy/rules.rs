//! Rules about Rust code.

use regex_lite::Regex;

use super::{File, Finding, Rule};

/// A longer file holds more than one idea.
pub(super) const LINES_MAX: usize = 500;

pub(super) const ALL: &[Rule] = &[
    length,
    no_unsafe,
    forbids_unsafe,
    no_cfg_os,
    nothing_left_over,
    no_fixed_sleep,
    no_wall_clock,
    no_ignored_test,
    names,
];

fn length(file: &File) -> Vec<Finding> {
    let lines = file.text.lines().count();
    match file.is_rust() && lines > LINES_MAX {
        true => whole(format!("{lines} lines; {LINES_MAX} are the most")),
        false => Vec::new(),
    }
}

fn no_unsafe(file: &File) -> Vec<Finding> {
    if file.is_foreign() {
        return Vec::new();
    }
    code_lines(file, r"\bunsafe\b", "only crates/platform and the stand-in for a DLL may use unsafe code")
}

/// Every crate root says so itself; those that meet a foreign interface are the ones that cannot.
fn forbids_unsafe(file: &File) -> Vec<Finding> {
    let is_root = ["src/lib.rs", "src/main.rs"].iter().any(|root| file.path.ends_with(root))
        || file.path.contains("src/bin/");
    match is_root
        && !file.is_foreign()
        && !file.path.starts_with("fuzz/")
        && !file.code.contains("#![forbid(unsafe_code)]")
    {
        true => whole("a crate root without #![forbid(unsafe_code)]".to_owned()),
        false => Vec::new(),
    }
}

/// A difference between systems is a file of the platform crate or data, not a condition.
fn no_cfg_os(file: &File) -> Vec<Finding> {
    let condition = regex(r"cfg(_attr)?!?\(.*\b(windows|unix|target_os|target_family)\b");
    let item = regex(r"^\s*(pub(\(\w+\))? )?(mod|use) ");
    let lines: Vec<_> = file.code.lines().collect();
    let allowed = |at: usize| {
        let line = lines[at].trim_start();
        if file.is_foreign() && line.starts_with("#[cfg(") {
            let mut following = lines[at + 1..].iter().filter(|line| !line.trim_start().starts_with("#["));
            return following.next().is_some_and(|line| item.is_match(line));
        }
        // A test or a test bed of one system says so at its head.
        (file.is_test() || file.is_foreign() || file.path.starts_with("bench/"))
            && line.starts_with("#![cfg(")
    };
    let breaks = |at: &usize| condition.is_match(lines[*at]) && !allowed(*at);
    let finding = |at| Finding {
        line: at + 1,
        says: "a condition on the operating system belongs on a `mod` line of crates/platform".to_owned(),
    };
    (0..lines.len()).filter(breaks).map(finding).collect()
}

fn nothing_left_over(file: &File) -> Vec<Finding> {
    let mut findings = code_lines(file, r"\b(todo|unimplemented)!", "left over");
    let words = regex(concat!(r"\b(FIX", r"ME|XX", r"X)\b"));
    if file.is_rust() || file.path.ends_with(".sh") {
        findings.extend(lines(&file.text, &words, "left over"));
    }
    findings
}

/// A test waits for an event with a deadline; a fixed time is too long on one machine and too short on the next. With the
/// clock of the runtime paused, sleeping is how a test says what time it is.
fn no_fixed_sleep(file: &File) -> Vec<Finding> {
    let tests_start = match file.is_test() {
        true => 0,
        false => file.code.lines().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(usize::MAX),
    };
    let sleep =
        if file.code.contains("start_paused") { r"thread::sleep" } else { r"\b(thread|time)::sleep\(" };
    let mut findings = code_lines(file, sleep, "a fixed sleep in a test; wait for the event with a deadline");
    findings.retain(|finding| finding.line > tests_start && !is_in_loop(&file.code, finding.line));
    findings
}

/// Where the time of day may be asked for: what people read, and how old a file is.
const OF_THE_DAY: [&str; 5] = [
    "crates/service/src/log/",
    "crates/service/src/driver/start.rs",
    "crates/service/src/driver/status.rs",
    "crates/service/src/driver/launch.rs",
    "crates/service/src/driver/execute.rs",
];

/// The time of day is set back and forward by people and by the network. Nothing is decided by it, and no deadline is in it.
fn no_wall_clock(file: &File) -> Vec<Finding> {
    let decides = ["core", "ipc", "platform", "service", "agent"]
        .iter()
        .any(|name| file.path.starts_with(&format!("crates/{name}/src/")));
    if !decides || OF_THE_DAY.iter().any(|shown| file.path.starts_with(shown)) {
        return Vec::new();
    }
    let asked = r"\b((SystemTime|Timestamp|Zoned)::now|Realtime\w*|CLOCK_REALTIME|GetSystemTime\w*)\b";
    code_lines(file, asked, "the time of day can be set; decide by the clock that only goes forward")
}

/// Looking again and again needs a pause between two looks: a sleep in a loop is not what a test relies on.
fn is_in_loop(code: &str, line: usize) -> bool {
    let above: Vec<_> = code.lines().take(line).collect();
    let start = regex(r"\b(fn|loop|while|for) ");
    let nearest = above.iter().rev().find_map(|line| start.captures(line));
    nearest.and_then(|found| found.get(1)).is_some_and(|word| word.as_str() != "fn")
}

fn no_ignored_test(file: &File) -> Vec<Finding> {
    code_lines(file, r"#\[ignore\b", "an ignored test proves nothing")
}

fn names(file: &File) -> Vec<Finding> {
    let mut findings = code_lines(
        file,
        r"\bfn get_([^m]|m[^u]|mu[^t]|mut[^(<])",
        "an accessor is named after what it returns, without get_",
    );
    let vague = regex(r"\b(struct|enum|trait|type) \w*(Manager|Helper|Utils?)\b");
    // The trait of a D-Bus interface is named after the interface.
    let is_interface = |line: usize| {
        let above: Vec<_> = file.code.lines().take(line).collect();
        above.iter().rev().take(8).any(|line| line.contains("proxy("))
    };
    let vague = lines(&file.code, &vague, "the name says nothing; what is it?");
    findings.extend(vague.into_iter().filter(|finding| !is_interface(finding.line)));
    if !file.is_test() && regex(r"(^|/)(utils?|misc|common)\.rs$").is_match(&file.path) {
        findings.extend(whole("the name of the file says nothing; what is in it?".to_owned()));
    }
    findings
}

fn code_lines(file: &File, pattern: &str, says: &str) -> Vec<Finding> {
    lines(&file.code, &regex(pattern), says)
}

/// One finding for each line that matches.
pub(super) fn lines(text: &str, pattern: &Regex, says: &str) -> Vec<Finding> {
    let finding = |(at, _)| Finding { line: at + 1, says: says.to_owned() };
    text.lines().enumerate().filter(|(_, line)| pattern.is_match(line)).map(finding).collect()
}

pub(super) fn whole(says: String) -> Vec<Finding> {
    vec![Finding { line: 0, says }]
}

pub(super) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns of the rules are constants")
}

#[cfg(test)]
mod test {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        let file = File::new(path, text.to_owned());
        ALL.iter().map(|rule| rule(&file).len()).sum()
    }

    #[test]
    fn what_breaks_a_rule_is_found() {
        let cases = [
            ("crates/core/src/a.rs", "unsafe { x() }".to_owned()),
            ("e2e/wine/src/a.rs", "unsafe { x() }".to_owned()),
            ("crates/core/src/lib.rs", "//! A crate.".to_owned()),
            ("examples/a/src/bin/b.rs", "fn main() {}".to_owned()),
            ("crates/core/src/a.rs", "#[cfg(windows)]\nmod b;".to_owned()),
            ("crates/platform/src/a.rs", "#[cfg(target_os = \"linux\")]\nfn b() {}".to_owned()),
            ("crates/cli/src/a.rs", "if cfg!(unix) {}".to_owned()),
            ("crates/core/src/a.rs", "fn a() { todo!() }".to_owned()),
            ("crates/core/src/a.rs", concat!("// FIX", "ME").to_owned()),
            ("crates/ipc/tests/a.rs", "tokio::time::sleep(d).await;".to_owned()),
            (
                "crates/ipc/src/a.rs",
                "#[cfg(test)]\nmod test {\nfn a() { std::thread::sleep(d) }\n}".to_owned(),
            ),
            ("crates/ipc/src/a.rs", "#[ignore = \"slow\"]".to_owned()),
            ("crates/service/src/driver/watch.rs", "let now = SystemTime::now();".to_owned()),
            ("crates/platform/src/linux/clock.rs", "clock_gettime(ClockId::Realtime)".to_owned()),
            ("crates/ipc/src/a.rs", "fn get_name() {}".to_owned()),
            ("crates/ipc/src/a.rs", "struct SessionManager;".to_owned()),
            ("crates/ipc/src/utils.rs", String::new()),
            ("crates/ipc/src/a.rs", "\n".repeat(LINES_MAX + 1)),
        ];
        for (path, text) in cases {
            assert_eq!(found(path, &text), 1, "{path}: {text}");
        }
    }

    #[test]
    fn what_keeps_the_rules_is_not() {
        let cases = [
            ("crates/core/src/lib.rs", "#![forbid(unsafe_code)]\n// unsafe todo!() get_ cfg(windows)"),
            ("crates/platform/src/lib.rs", "#[cfg(windows)]\nmod windows;\n#[cfg(unix)]\npub use linux::*;"),
            ("crates/platform/src/a.rs", "unsafe { x() }"),
            ("e2e/wine/wtsapi32/src/lib.rs", "#[cfg(windows)]\nmod a;\nunsafe { x() }"),
            ("crates/service/src/driver/status.rs", "let now = Timestamp::now();"),
            ("crates/cli/src/a.rs", "let now = Timestamp::now();"),
            ("crates/core/src/table.rs", "fn get_mut(&mut self) {}"),
            ("crates/platform/tests/a.rs", "#![cfg(target_os = \"linux\")]"),
            ("crates/platform/src/linux/login.rs", "#[zbus::proxy(\ninterface = \"a\"\n)]\ntrait Manager {}"),
            ("crates/ipc/tests/a.rs", "#[tokio::test(start_paused = true)]\ntokio::time::sleep(d).await;"),
            ("crates/ipc/src/a.rs", "fn a() { tokio::time::sleep(d) }\n#[cfg(test)]\nmod test {}"),
            ("crates/ipc/tests/a.rs", "async fn until() {\nloop {\ntokio::time::sleep(d).await;\n}\n}"),
        ];
        for (path, text) in cases {
            assert_eq!(found(path, text), 0, "{path}: {text}");
        }
    }
}
