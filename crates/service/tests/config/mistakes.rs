//! Every mistake, one file each: what is said about it, at which place, and with which hint.

use bilayer::config::{Loading, Report, Style};

use crate::machine::{CONSOLE, PRIVILEGED, SYSTEMD, agent, load, worker};

fn report(text: &str, how: &Loading<'_>) -> Report {
    match load(text, how) {
        Ok(loaded) => loaded.warnings,
        Err(report) => report,
    }
}

fn rendered(text: &str, how: &Loading<'_>) -> String {
    report(text, how).render(Style { width: 80, ..Style::PLAIN })
}

macro_rules! mistakes {
    ($($name:ident, $how:expr, $text:expr;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), rendered($text.as_ref(), &$how));
            }
        )*
    };
}

fn desk(command: &str) -> String {
    format!("[service]\nname = \"acme\"\n\n[agent.desk]\ncommand = {command}\n")
}

/// A file with these further lines in `[service]`.
fn service(lines: &str) -> String {
    agent("").replacen("\n\n", &format!("\n{lines}\n\n"), 1)
}

mistakes! {
    unknown_section, CONSOLE, agent("[logs]\nlevel = \"info\"");
    unknown_key, CONSOLE, agent("heartbeet = \"5s\"");
    unknown_key_of_a_table_below, CONSOLE, agent("grase = \"5s\"");
    unknown_key_like_none, CONSOLE, agent("restart = { frequency = 3 }");
    duplicate_key, CONSOLE, agent("sessions = \"all\"\nsessions = \"active\"");
    duplicate_agent, CONSOLE, agent("[agent.desk]\ncommand = [\"/opt/acme/desk\"]");
    worker_of_a_session, CONSOLE, worker("sessions = \"all\"\nneeds_display = false\ntoken = \"shell\"");
    worker_without_an_account, PRIVILEGED, worker("");
    worker_with_a_password, CONSOLE, worker("account = 'ACME\\alice'");
    worker_whose_account_is_unknown, CONSOLE, worker("account = \"bob\"");
    worker_of_a_lesser_service, CONSOLE, service("account = \"LocalService\"").replace("agent.desk", "worker.desk").replace("desk\"]", "desk\"]\naccount = \"NetworkService\"");
    worker_that_logs_off, CONSOLE, worker("exit_codes = { 64 = \"logging-off\" }");
    worker_with_the_name_of_an_agent, CONSOLE, agent("[worker.desk]\ncommand = [\"/opt/acme/desk\"]");
    worker_with_an_unknown_key, CONSOLE, worker("acount = \"alice\"\nseshions = \"all\"");
    syntax, CONSOLE, "[service\nname = \"acme\"\n";
    syntax_and_more, CONSOLE, agent("sessions = \nheartbeat = 5");
    syntax_in_a_header, CONSOLE, agent("[agent.other\ncommand = []\nsessions = 1\n\n[log]\nlevel = \"loud\"");
    no_service, CONSOLE, "[agent.desk]\ncommand = [\"/opt/acme/desk\"]\n";
    no_name, CONSOLE, "[service]\ndisplay_name = \"Acme\"\n[agent.desk]\ncommand = [\"/opt/acme/desk\"]\n";
    no_agent, CONSOLE, "[service]\nname = \"acme\"\n";
    bad_name, CONSOLE, "[service]\nname = \"Acme Desk\"\n[agent.desk]\ncommand = [\"/opt/acme/desk\"]\n";
    bad_agent_name, CONSOLE, "[service]\nname = \"acme\"\n[agent.desk_2]\ncommand = [\"/opt/acme/desk\"]\n";
    agent_without_a_name, CONSOLE, "[service]\nname = \"acme\"\n[agent]\ncommand = [\"/opt/acme/desk\"]\n";
    section_that_is_no_table, CONSOLE, "log = \"info\"\n[service]\nname = \"acme\"\n[agent.a]\ncommand = [\"/opt/acme/desk\"]\n";
    wrong_type_of_time, CONSOLE, agent("heartbeat = true");
    time_without_unit, CONSOLE, agent("heartbeat = 15");
    time_with_a_space, CONSOLE, agent("stop.grace = \"5 s\"");
    time_out_of_range, CONSOLE, agent("stop.grace = \"20m\"");
    size_without_unit, CONSOLE, agent("[log]\nmax_size = 1000000");
    size_in_unknown_unit, CONSOLE, agent("[log]\nmax_size = \"10MB\"");
    total_below_one_file, CONSOLE, agent("[log]\nmax_size = \"20MiB\"\nmax_total = \"10MiB\"");
    queue_below_one_frame, CONSOLE, agent("[wire]\nframe = \"4MiB\"\nqueue = \"1MiB\"");
    number_out_of_range, CONSOLE, agent("restart.limit.count = 0");
    number_negative, CONSOLE, agent("restart.limit.count = -1");
    number_in_quotes, CONSOLE, agent("restart.limit.count = \"10\"");
    boolean_in_quotes, CONSOLE, agent("needs_display = \"false\"");
    unknown_word, CONSOLE, agent("sessions = \"consol\"");
    unknown_word_like_none, CONSOLE, agent("on_leave = \"hibernate\"");
    unknown_type, CONSOLE, agent("types = [\"x11\", \"weyland\"]");
    logon_screen_of_another_system, CONSOLE, agent("greeter = true");
    token_of_another_system, SYSTEMD, agent("elevation = \"linked\"\ntoken = \"shell\"");
    unknown_exit, CONSOLE, agent("exit_codes = { 64 = \"hold\", SIGNOPE = \"hold\" }");
    unknown_meaning, CONSOLE, agent("exit_codes = { 64 = \"logoff\" }");
    exit_given_twice, CONSOLE, agent("exit_codes = { 64 = \"hold\", \"0x40\" = \"release\" }");
    reserved_variable, CONSOLE, agent("env = { BILAYER_TOKEN = \"x\" }");
    variable_given_twice, CONSOLE, agent("env = { Path = \"x\", PATH = \"y\" }");
    variable_that_is_none, CONSOLE, agent("env = { \"A=B\" = \"x\" }");
    variable_of_another_type, CONSOLE, agent("env = { DEBUG = 1 }");
    nobody, CONSOLE, agent("users = []");
    unknown_user, CONSOLE, agent("users = [\"alice\", \"bob\"]\ngroups = [\"staff\", \"wheel\"]");
    remote_console, CONSOLE, agent("remote = true");
    account_that_cannot_have_agents, CONSOLE, service("account = 'NT AUTHORITY\\LocalService'");
    account_that_is_none, CONSOLE, service("account = \"desk\"");
    account_of_another_service, CONSOLE, service("account = 'NT SERVICE\\other'");
    service_called_as_its_folder, CONSOLE, agent("").replace("\"acme\"", "\"agents\"");
    dependency_that_is_none, CONSOLE, service("dependencies = [\"RpcSs\", \"a/b\", \"acme\"]");
    dependency_that_is_no_unit, SYSTEMD, service("dependencies = ['srv-a\\x2db.mount', \"a/b\"]");
    time_out_below_the_grace, CONSOLE, service("preshutdown_timeout = \"4s\"");
    account_where_a_service_is_root, SYSTEMD, service("account = \"NetworkService\"");
    start_that_is_not_delayed, SYSTEMD, service("account = \"root\"\nstart = \"delayed\"");
    grace_that_is_cut, SYSTEMD, agent("stop.grace = \"5m\"");
    relative_folder_in_a_service, PRIVILEGED, agent("cwd = \"data\"");
    no_command, CONSOLE, "[service]\nname = \"acme\"\n[agent.desk]\nsessions = \"all\"\n";
    empty_command, CONSOLE, desk("[]");
    empty_program, CONSOLE, desk("[\"\"]");
    command_as_text, CONSOLE, desk("\"sleep --for 60\"");
    argument_of_another_type, CONSOLE, desk("[\"/opt/acme/desk\", 60]");
    argument_with_nul, CONSOLE, desk("[\"/opt/acme/desk\", \"a\\u0000b\"]");
    program_missing, CONSOLE, desk("[\"/opt/acme/dekc\"]");
    program_with_its_arguments, CONSOLE, desk("[\"/opt/acme/desk --tray\", \"--quiet\"]");
    program_not_in_path, CONSOLE, desk("[\"dekc\"]");
    program_in_home, CONSOLE, desk("[\"~/bin/desk\"]");
    program_is_a_folder, CONSOLE, desk("[\"/opt/acme\"]");
    program_not_executable, CONSOLE, desk("[\"/opt/acme/notes.txt\"]");
    program_relative_in_a_service, PRIVILEGED, desk("[\"desk\", \"--tray\"]");
    program_relative_path_in_a_service, PRIVILEGED, desk("[\"./desk\"]");
    program_writable_in_a_service, PRIVILEGED, desk("[\"/opt/acme/shared\"]");
    log_folder_writable_in_a_service, PRIVILEGED, agent("[log]\ndirectory = \"/opt/acme/shared\"");
}

#[test]
fn all_mistakes_come_at_once_in_the_order_of_the_file() {
    let text = r#"
[service]
name = "Acme Desk"
nmae = "acme"

[agent.desk]
command = []
heartbeat = 5
env = { BILAYER_X = "y" }
grase = "5s"

[agent.Other]
command = ["/opt/acme/missing"]
restart = { on = "allways", limit = { count = 0, then = 1 } }

[log]
level = "loud"

[extra]
"#;
    let report = report(text, &CONSOLE);
    let lines: Vec<usize> = report.findings().iter().filter_map(|finding| finding.line).collect();
    assert_eq!(lines, [3, 4, 7, 8, 9, 10, 12, 13, 14, 14, 14, 17, 19]);
    assert!(report.has_errors());
}

#[test]
fn a_file_of_nothing_but_mistakes_is_bounded() {
    let mut text = agent("");
    for number in 0..50_000 {
        text.push_str(&format!("k{number} = 1\n"));
    }
    let report = report(&text, &CONSOLE);
    assert_eq!(report.findings().len(), 100);
    assert!(
        report
            .render(Style::PLAIN)
            .ends_with("50000 errors in /etc/acme/desk.toml, 49900 of them not shown\n")
    );
}
