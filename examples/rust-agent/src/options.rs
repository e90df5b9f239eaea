//! What the agent was told on its command line.

use std::time::Duration;

use bilayer_agent::Intent;

pub(crate) const USAGE: &str = "\
An example agent. Without options it behaves. Times are in milliseconds.

  --crash-after MS   abort after this time
  --hang-after MS    stop doing anything after this time, heartbeats included (--hang: 100)
  --ignore-stop      do not stop when asked to
  --never-ready      connect, but never say that it is ready
  --silent           never connect
  --exit CODE        exit with this code at once
  --goodbye INTENT   when stopping, announce: restart, hold, release or logging-off
  --flood            write to the output without end
";

/// What it was told.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) help: bool,
    pub(crate) crash_after: Option<Duration>,
    pub(crate) hang_after: Option<Duration>,
    pub(crate) ignore_stop: bool,
    pub(crate) never_ready: bool,
    pub(crate) silent: bool,
    pub(crate) exit: Option<u8>,
    pub(crate) goodbye: Option<Intent>,
    pub(crate) flood: bool,
}

impl Options {
    /// Reads a command line without the program's name.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{option} needs a value"));
            match option.as_str() {
                "-h" | "--help" => options.help = true,
                "--crash-after" => options.crash_after = Some(millis(&option, &value()?)?),
                "--hang-after" => options.hang_after = Some(millis(&option, &value()?)?),
                "--hang" => options.hang_after = Some(Duration::from_millis(100)),
                "--ignore-stop" => options.ignore_stop = true,
                "--never-ready" => options.never_ready = true,
                "--silent" => options.silent = true,
                "--flood" => options.flood = true,
                "--exit" => options.exit = Some(number(&option, &value()?)?),
                "--goodbye" => options.goodbye = Some(intent(&value()?)?),
                _ => return Err(format!("{option} is not an option of it")),
            }
        }
        Ok(options)
    }
}

fn number<T: std::str::FromStr>(option: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{option} {value}: not a number that fits"))
}

fn millis(option: &str, value: &str) -> Result<Duration, String> {
    number(option, value).map(Duration::from_millis)
}

fn intent(value: &str) -> Result<Intent, String> {
    serde_json::from_value(value.into())
        .map_err(|_| format!("--goodbye {value}: restart, hold, release or logging-off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read() {
        let options = parse("--crash-after 250 --ignore-stop --goodbye logging-off").unwrap();
        assert_eq!(options.crash_after, Some(Duration::from_millis(250)));
        assert!(options.ignore_stop && options.goodbye == Some(Intent::LoggingOff));
        assert_eq!(parse("").unwrap(), Options::default());
    }

    #[test]
    fn mistakes_are_named() {
        for line in ["--exit", "--exit 256", "--crash-after soon", "--goodbye never", "--dance"] {
            let option = line.split_whitespace().next().unwrap();
            assert!(parse(line).unwrap_err().contains(option), "{line}");
        }
    }
}
