//! The program as a shell sees it: exit codes, and what goes to which stream.

mod common;

use std::fs;

use common::{Home, code, err, out};

const AGENT: &str = "[service]\nname = \"testing\"\n\n[agent.desk]\ncommand = [\"/bin/sleep\", \"600\"]\n";

#[test]
fn wrong_usage_is_2() {
    let home = Home::new("usage");
    for line in
        [&["statsu"][..], &[], &["agents", "stop"], &["agents", "call", "a", "b", "{"], &["logs", "-n", "x"]]
    {
        let output = home.run(line);
        assert_eq!(code(&output), 2, "{line:?}: {}", err(&output));
        assert!(out(&output).is_empty(), "{line:?}");
    }
}

#[test]
fn a_near_miss_is_named() {
    let output = Home::new("near").run(&["statsu"]);
    assert!(err(&output).contains("'status'"), "{}", err(&output));
}

#[test]
fn nothing_running_is_3_and_says_how_to_start() {
    let home = Home::new("nothing");
    let file = home.write("acme.toml", AGENT);
    for command in
        [&["status"][..], &["sessions"], &["agents", "list"], &["reload"], &["logs"], &["message", "hello"]]
    {
        let output = home.run(&[&["-c", &file], command].concat());
        assert_eq!(code(&output), 3, "{command:?}: {}", err(&output));
        let said = err(&output);
        assert!(
            said.starts_with("bilayer: testing is not running; start it with `bilayer run -c "),
            "{said}"
        );
    }
}

#[test]
fn a_configuration_that_is_being_edited_still_names_its_service() {
    let home = Home::new("edited");
    let file = home.write("acme.toml", "[service]\nname = \"testing\"\n\n[agent.desk]\ncommand = [\"/bin/sl");
    let output = home.run(&["-c", &file, "status"]);
    assert_eq!(code(&output), 3, "{}", err(&output));
}

#[test]
fn a_configuration_that_is_not_there_is_2() {
    let home = Home::new("missing");
    for command in [&["status"][..], &["config", "check"], &["config", "print"]] {
        let output = home.run(&[&["-c", "/nowhere/acme.toml"], command].concat());
        assert_eq!(code(&output), 2, "{command:?}");
        assert!(err(&output).contains("/nowhere/acme.toml"), "{}", err(&output));
    }
    let output = home.run(&["config", "check"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("-c FILE"), "{}", err(&output));
}

#[test]
fn every_mistake_of_a_configuration_at_once() {
    let home = Home::new("mistakes");
    let file = home.write(
        "acme.toml",
        "[service]\nname = \"Acme Desk\"\n\n[agent.desk]\ncomand = [\"/nowhere/desk\"]\n",
    );
    let output = home.run(&["config", "check", &file]);
    let said = err(&output);
    assert_eq!(code(&output), 2, "{said}");
    assert!(said.starts_with("bilayer: ") && said.contains("Acme Desk") && said.contains("comand"), "{said}");
    assert!(out(&output).is_empty());
}

#[test]
fn a_check_for_programs() {
    let home = Home::new("check-json");
    let check = |text: &str| {
        let output = home.run(&["config", "check", "--json", &home.write("acme.toml", text)]);
        let checked: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
        (code(&output), checked)
    };
    let (exit, checked) = check("[service]\nname = \"acme\"\n\n[agent.desk]\ncomand = [\"/nowhere/desk\"]\n");
    assert_eq!((exit, &checked["usable"], &checked["service"]), (2, &false.into(), &serde_json::Value::Null));
    let findings = checked["findings"].as_array().unwrap();
    let misspelt = findings.iter().find(|found| found["line"] == 5).unwrap();
    assert_eq!((&misspelt["severity"], &misspelt["column"]), (&"error".into(), &1.into()), "{misspelt}");
    assert!(misspelt["hint"].as_str().unwrap().contains("command"), "{misspelt}");

    let (exit, checked) = check("[service]\nname = \"acme\"\n");
    assert_eq!((exit, &checked["usable"], &checked["service"]), (0, &true.into(), &"acme".into()));
    assert_eq!(checked["findings"][0]["severity"], "warning", "{checked}");
}

#[test]
fn init_then_check() {
    let home = Home::new("init");
    let file = home.path("acme.toml");
    let output = home.run(&["config", "init", &file]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).contains(&format!("bilayer run -c {file}")), "{}", out(&output));
    let output = home.run(&["config", "check", &file]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).contains("ok: "), "{}", out(&output));
}

#[test]
fn init_leaves_a_file_that_exists_alone() {
    let home = Home::new("exists");
    let file = home.write("acme.toml", AGENT);
    let output = home.run(&["config", "init", &file]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("left alone"), "{}", err(&output));
    assert_eq!(fs::read_to_string(&file).unwrap(), AGENT);
}

#[test]
fn what_programs_read_is_what_it_should_be() {
    let home = Home::new("schemas");
    for line in [&["schema"][..], &["config", "schema"]] {
        let output = home.run(line);
        assert_eq!(code(&output), 0);
        let schema: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
        assert!(schema.is_object(), "{line:?}");
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = out(&home.run(&["completions", shell]));
        assert!(script.contains("bilayer") && script.contains("sessions"), "{shell}");
    }
}

#[test]
fn a_reader_that_left_is_no_error() {
    use std::process::Stdio;
    let home = Home::new("pipe");
    let mut child = home.command(&["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), err(&output).as_str()), (0, ""));
}

#[test]
fn what_only_the_system_runs_is_not_offered_and_says_so() {
    let home = Home::new("services");
    let file = home.write("acme.toml", AGENT);
    let help = out(&home.run(&["--help"]));
    for command in ["install", "uninstall", "start", "stop", "restart"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
    }
    for command in ["service", "package"] {
        assert!(!help.contains(&format!("\n  {command} ")), "{command}: {help}");
    }
    let output = home.run(&["-c", &file, "service"]);
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert!(err(&output).contains("`bilayer run -c "), "{}", err(&output));
}
