//! How an agent finds its service.

use bilayer_ipc::Secret;

/// Names the environment variable with the endpoint: the path of a socket or a pipe.
pub const ENDPOINT: &str = "BILAYER_ENDPOINT";
/// Names the environment variable with the token that proves this launch, good for one `initialize`.
pub const TOKEN: &str = "BILAYER_TOKEN";
/// Names the environment variable with the uid or SID that must be at the other end.
pub const SERVER: &str = "BILAYER_SERVER";

/// Where the service is, who it is, and what proves this process to it. Has no `Debug`, because it holds a secret.
#[derive(Clone)]
pub struct Environment {
    /// The path of a socket or a pipe.
    pub endpoint: String,
    /// The uid or SID that must be at the other end.
    pub server: String,
    /// The launch token.
    pub token: Secret,
}

/// The environment is not that of a program started by Bilayer.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// It is not there at all.
    #[error(
        "not started by Bilayer: {ENDPOINT} is not set. An agent is started by the service: name this program in an \
         [agent.NAME] table of its configuration and run `bilayer run`"
    )]
    NotStarted,
    /// A part of it is missing or unusable.
    #[error(
        "started by Bilayer, but {variable} is missing or unusable; a program in between may have cleaned the environment"
    )]
    Incomplete {
        /// Which part.
        variable: &'static str,
    },
}

impl Environment {
    /// Reads `BILAYER_ENDPOINT`, `BILAYER_SERVER` and `BILAYER_TOKEN` of this process.
    ///
    /// # Errors
    /// [`EnvironmentError`].
    pub fn of_process() -> Result<Self, EnvironmentError> {
        Self::from_variables(|variable| std::env::var(variable).ok())
    }

    fn from_variables(value: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let endpoint = value(ENDPOINT).ok_or(EnvironmentError::NotStarted)?;
        let server = value(SERVER).ok_or(EnvironmentError::Incomplete { variable: SERVER })?;
        let token = value(TOKEN).and_then(Secret::from_text);
        let token = token.ok_or(EnvironmentError::Incomplete { variable: TOKEN })?;
        Ok(Self { endpoint, server, token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Environment, EnvironmentError> {
        let value = |name: &str| {
            set.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        };
        Environment::from_variables(value)
    }

    #[test]
    fn a_program_started_by_hand_is_told_what_to_do() {
        let error = read(&[]).err().unwrap().to_string();
        assert!(error.contains("not started by Bilayer") && error.contains("bilayer run"), "{error}");
    }

    #[test]
    fn every_part_is_needed() {
        let whole = [(ENDPOINT, "/run/x"), (SERVER, "0"), (TOKEN, "secret")];
        assert!(read(&whole).is_ok_and(|environment| environment.token.expose() == "secret"));
        for missing in [SERVER, TOKEN] {
            let rest: Vec<_> = whole.into_iter().filter(|(variable, _)| *variable != missing).collect();
            let Err(EnvironmentError::Incomplete { variable }) = read(&rest) else { panic!("{missing}") };
            assert_eq!(variable, missing);
        }
        assert!(read(&[(ENDPOINT, "/run/x"), (SERVER, "0"), (TOKEN, "")]).is_err());
    }
}
