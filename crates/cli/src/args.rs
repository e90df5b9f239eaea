//! The command line, as clap reads it. Every sentence here is one that a user reads in `--help`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 not running,
            4 no such agent, session or file, 5 not permitted";

const GLOBAL: &str = "Options of every command";

/// One service, one supervised agent on every user's desktop.
#[derive(Debug, Parser)]
#[command(name = "bilayer", version, after_help = EXIT_CODES, subcommand_required = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Configuration; it also says which installation is meant [default: the only one running]
    #[arg(
        short,
        long,
        global = true,
        env = "BILAYER_CONFIG",
        hide_env_values = true,
        value_name = "FILE",
        help_heading = GLOBAL
    )]
    pub(crate) config: Option<PathBuf>,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "auto|always|never",
        help_heading = GLOBAL
    )]
    pub(crate) color: ColorWhen,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service in the foreground, until Ctrl-C
    Run(Run),
    /// Install the service of a configuration, or bring it up to date
    Install,
    /// Remove the service; its configuration and its log stay
    Uninstall,
    /// Start the service
    Start,
    /// Stop the service and its agents
    Stop,
    /// Stop the service and start it again
    Restart,
    /// What the service manager runs
    #[command(hide = true)]
    Service,
    /// What a package of the system runs
    #[command(subcommand, hide = true)]
    Package(Package),
    /// Show the service, its sessions and its agents
    Status(Format),
    /// Show who is logged on
    Sessions(Format),
    /// List, start, stop, restart and call agents
    #[command(subcommand)]
    Agents(Agents),
    /// Show a message on users' desktops
    Message(Message),
    /// Show the log of the service and its agents
    Logs(Logs),
    /// Check, write and print configurations
    #[command(subcommand)]
    Config(Config),
    /// Read the configuration again; only agents whose part changed restart
    Reload(Format),
    /// Print the schema of the wire between service and agents (OpenRPC)
    Schema,
    /// Watch the engine through a day in 40 seconds: real processes, imaginary users
    Demo(Demo),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The agent that `demo` runs
    #[command(hide = true)]
    DemoAgent,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Serve only the session this command runs in, even where all sessions can be tracked
    #[arg(long)]
    pub(crate) console: bool,
    /// Give console agents a window each, and let them print there instead of into the log
    #[arg(long, hide = !bilayer_platform::CONSOLE_WINDOWS)]
    pub(crate) console_window: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Package {
    /// Before files are replaced or removed: stop the service, and remember that it ran
    Stop,
    /// Once files are in place: install the service or bring it up to date, and start it if it ran before
    Install {
        /// Begin the configuration with a copy of this file if there is none
        #[arg(long, value_name = "FILE")]
        sample: Option<PathBuf>,
        /// Start it in any case
        #[arg(long)]
        start: bool,
    },
    /// Before files are removed for good: remove the service; its configuration and its log stay
    Remove,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Format {
    /// Print JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Agents {
    /// List agents: what each does, and why
    List(Format),
    /// Start an agent that is held, waiting or released
    Start(Which),
    /// Stop an agent and hold it until `start` or a new logon
    Stop(Which),
    /// Stop an agent and start it again
    Restart(Which),
    /// Call a method of the product's own on an agent, and print its answer
    Call(Call),
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    #[command(flatten)]
    pub(crate) agent: Selector,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// `AGENT [--session ID | --user NAME | --all]`.
#[derive(Debug, Args)]
pub(crate) struct Selector {
    /// Name of the agent in the configuration
    pub(crate) agent: String,
    #[command(flatten)]
    pub(crate) of: Of,
    /// In every session
    #[arg(long, conflicts_with_all = ["session", "user"])]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Of {
    /// In this session
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// In the sessions of this user
    #[arg(long, value_name = "NAME", conflicts_with = "session")]
    pub(crate) user: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// Name of the agent in the configuration
    pub(crate) agent: String,
    /// Method
    pub(crate) method: String,
    /// Its parameters, a JSON array or object
    #[arg(value_name = "JSON", value_parser = json)]
    pub(crate) params: Option<serde_json::Value>,
    #[command(flatten)]
    pub(crate) of: Of,
    /// How long to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Message {
    /// What to say
    pub(crate) text: String,
    /// Its title
    #[arg(long, default_value = "")]
    pub(crate) title: String,
    #[command(flatten)]
    pub(crate) of: Of,
    /// How grave it is
    #[arg(long, value_enum, default_value_t)]
    pub(crate) level: Level,
    /// To everybody
    #[arg(long, conflicts_with_all = ["session", "user"])]
    pub(crate) all: bool,
    /// Ask with these buttons, and wait for the answer (Windows)
    #[arg(long, value_enum, value_name = "SET")]
    pub(crate) buttons: Option<Buttons>,
    /// Wait until it is closed, and print the answer (Windows)
    #[arg(long)]
    pub(crate) wait: bool,
    /// Take it off the screen after this time: 30s, 5m [default: 30s when waiting, else never] (Windows)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Go on with what is logged from now on
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// How many lines to begin with
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) lines: usize,
    /// Only lines about this agent
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check a configuration: every mistake at once, or what would run and where
    Check {
        /// File to check [default: the one of --config]
        file: Option<PathBuf>,
        #[command(flatten)]
        format: Format,
    },
    /// Write a configuration to begin with
    Init {
        /// File to write; one that exists is left alone
        #[arg(default_value = "bilayer.toml")]
        file: PathBuf,
    },
    /// Print a configuration with every default filled in
    Print {
        /// File to read [default: the one of --config]
        file: Option<PathBuf>,
    },
    /// Print the JSON Schema of the configuration, for editors
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Lines of text instead of a picture; the default where standard output is no terminal
    #[arg(long)]
    pub(crate) plain: bool,
    /// How fast the day goes by: 2 is twice as fast
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed)]
    pub(crate) speed: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    #[default]
    Info,
    Warning,
    Error,
}

impl From<Level> for bilayer_ipc::agent::MessageLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Info => Self::Info,
            Level::Warning => Self::Warning,
            Level::Error => Self::Error,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Buttons {
    Ok,
    OkCancel,
    YesNo,
    YesNoCancel,
    RetryCancel,
    AbortRetryIgnore,
}

impl From<Buttons> for bilayer_ipc::control::Buttons {
    fn from(buttons: Buttons) -> Self {
        match buttons {
            Buttons::Ok => Self::Ok,
            Buttons::OkCancel => Self::OkCancel,
            Buttons::YesNo => Self::YesNo,
            Buttons::YesNoCancel => Self::YesNoCancel,
            Buttons::RetryCancel => Self::RetryCancel,
            Buttons::AbortRetryIgnore => Self::AbortRetryIgnore,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

fn json(text: &str) -> Result<serde_json::Value, String> {
    match serde_json::from_str(text) {
        Ok(value @ (serde_json::Value::Array(_) | serde_json::Value::Object(_))) => Ok(value),
        Ok(_) => Err("parameters are a JSON array or object, such as '{\"name\": \"value\"}'".to_owned()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds from 0.001 to 86400".to_owned()),
    }
}

/// A number of seconds, with or without its unit, or of minutes.
fn time(text: &str) -> Result<Duration, String> {
    let (number, unit_s) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60.0),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if (0.001..=3600.0).contains(&(number * unit_s)) => {
            Ok(Duration::from_secs_f64(number * unit_s))
        }
        _ => Err("a time such as 30s or 5m, 1 hour at most".to_owned()),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.2..=4.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 0.2 to 4".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn clap_finds_no_contradiction() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_pages() {
        let mut pages = String::new();
        let mut command = Arguments::command().term_width(80);
        command.build();
        page(&mut pages, &mut command);
        insta::assert_snapshot!(pages);
    }

    fn page(pages: &mut String, command: &mut clap::Command) {
        let help = command.render_help();
        pages.push_str(&format!("\n━━ {}\n{help}", command.get_bin_name().unwrap_or("bilayer")));
        for inner in command.get_subcommands_mut().filter(|inner| !inner.is_hide_set()) {
            page(pages, inner);
        }
    }

    #[test]
    fn one_way_of_choosing_sessions_at_a_time() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert!(parse("bilayer agents stop desk --session 2 --user alice").is_err());
        assert!(parse("bilayer agents stop desk --all --user alice").is_err());
        assert!(parse("bilayer agents stop desk --all").is_ok());
        assert!(parse("bilayer agents call desk acme/open 7").is_err());
        assert!(parse("bilayer demo --speed 0").is_err());
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(time("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(time("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["", "s", "0s", "61m", "-1s", "1h", "nan", "inf"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
