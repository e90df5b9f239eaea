//! The control endpoint, from the side of a command.

use bilayer::chain;
use std::path::Path;

use bilayer_ipc::agent::{ClientKind, Initialize, Program};
use bilayer_ipc::control::{Candidate, Candidates, ConfigurationErrors, StatusReport};
use bilayer_ipc::handshake::{self, HandshakeError, VERSIONS};
use bilayer_ipc::peer::CallError;
use bilayer_ipc::rpc::{RpcError, code};
use bilayer_ipc::{Connection, Incoming, Limits, Peer, method};
use bilayer_platform::{ConnectError, Dirs, connect_control};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::screen::visible;
use crate::target::{Target, quoted, which};

/// A connection to a running service, after its handshake.
pub(crate) struct Client {
    peer: Peer,
    /// Held, because dropping it ends the connection.
    _incoming: Incoming,
}

impl Client {
    /// Connects to the service that `config` means; without one, to the only one running.
    pub(crate) async fn connect(config: Option<&Path>) -> Result<Self, Failure> {
        if config.is_none()
            && let several @ [_, _, ..] = &Dirs::running()[..]
        {
            return Err(Self::ask_which(several).await);
        }
        let target = Target::find(config)?;
        for dirs in &target.places {
            if let Some(client) = Self::open(dirs).await? {
                return Ok(client);
            }
        }
        Err(target.not_running())
    }

    /// Names each service that runs as it is to be named.
    async fn ask_which(running: &[Dirs]) -> Failure {
        let mut found = Vec::with_capacity(running.len());
        for dirs in running {
            let client = Self::open(dirs).await.ok().flatten();
            let status = match &client {
                Some(client) => client.status().await.ok(),
                None => None,
            };
            found.push(match status {
                Some(status) => {
                    format!(
                        "-c {}  ({})",
                        quoted(Path::new(&status.service.config)),
                        visible(&status.service.name)
                    )
                }
                None => format!("(the one in {} does not say)", dirs.runtime.display()),
            });
        }
        which(found.into_iter())
    }

    /// Connects to the service with these folders; `None` if none is running there.
    pub(crate) async fn open(dirs: &Dirs) -> Result<Option<Self>, Failure> {
        let stream = match connect_control(dirs).await {
            Ok(stream) => stream,
            Err(error) => return absent_or(dirs, &error).map(|()| None),
        };
        let (connection, peer, incoming) = Connection::new(stream, Limits::default());
        tokio::spawn(connection.run());
        let hello = Initialize {
            protocol: VERSIONS,
            kind: ClientKind::Control,
            token: None,
            resume: None,
            client: Program { name: "bilayer".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        };
        match handshake::open(&peer, &hello).await {
            Ok(_) => Ok(Some(Self { peer, _incoming: incoming })),
            Err(error) => Err(not_welcome(dirs, &error)),
        }
    }

    pub(crate) async fn status(&self) -> Result<StatusReport, Failure> {
        self.call(method::SERVICE_STATUS, &()).await
    }

    /// Calls a method of the control API.
    pub(crate) async fn call<R: DeserializeOwned>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<R, Failure> {
        let answer = self.call_raw(method, params).await?;
        serde_json::from_str(answer.get()).map_err(|error| {
            Failure::failed(format!(
                "the service's answer to {method} is not what this version of bilayer understands: {error}; \
                 is the service of another version?"
            ))
        })
    }

    /// The same, with the answer as it came.
    pub(crate) async fn call_raw(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<Box<RawValue>, Failure> {
        self.peer.request(method, params).await.map_err(|error| match error {
            CallError::Answer(error) => refusal(&error),
            other => Failure::failed(format!("the service did not answer {method}: {}", chain(&other))),
        })
    }
}

/// The endpoint is there, and does not want us.
fn not_welcome(dirs: &Dirs, error: &HandshakeError) -> Failure {
    match error {
        HandshakeError::Call(CallError::Answer(answer)) if answer.code == code::REFUSED => denied(dirs),
        HandshakeError::Call(CallError::Answer(answer)) => Failure::failed(format!(
            "the service in {} does not speak with this version of bilayer: {}",
            dirs.runtime.display(),
            visible(&answer.message)
        )),
        other => Failure::failed(format!(
            "cannot talk to the service in {}, which may be starting or stopping; try again: {}",
            dirs.runtime.display(),
            chain(other)
        )),
    }
}

fn denied(dirs: &Dirs) -> Failure {
    Failure::not_permitted(format!(
        "the service in {} does not take commands from this user; administrators may give them (try sudo)",
        dirs.runtime.display()
    ))
}

/// Nothing there is no error: another place may have it.
fn absent_or(dirs: &Dirs, error: &ConnectError) -> Result<(), Failure> {
    match error {
        ConnectError::NotRunning { .. } => Ok(()),
        ConnectError::NotPermitted { .. } => Err(denied(dirs)),
        other => Err(Failure::failed(chain(other))),
    }
}

/// What the service says instead of doing it, and what it means to the shell.
fn refusal(error: &RpcError) -> Failure {
    let text = visible(&error.message);
    match error.code {
        code::NO_SUCH => Failure::no_such(with_candidates(&text, "there is", error)),
        code::AMBIGUOUS => Failure::usage(with_candidates(&text, "it could be", error)),
        code::REFUSED => Failure::not_permitted(text),
        code::INVALID_PARAMS => Failure::usage(text),
        _ => match error.parse_data::<ConfigurationErrors>() {
            // Drawn by the service for us to print as it is; only the lines' ends may pass.
            Some(errors) if !errors.rendered.is_empty() => Failure::usage(format!(
                "{text}\n{}",
                errors.rendered.trim_end().lines().map(visible).collect::<Vec<_>>().join("\n")
            )),
            _ => Failure::failed(text),
        },
    }
}

fn with_candidates(text: &str, lead: &str, error: &RpcError) -> String {
    let candidates = error.parse_data::<Candidates>().unwrap_or_default().candidates;
    if candidates.is_empty() {
        return text.to_owned();
    }
    let list: Vec<String> = candidates.iter().map(candidate).collect();
    format!("{text}; {lead}\n{}", list.join("\n"))
}

/// A candidate the way it is typed.
fn candidate(candidate: &Candidate) -> String {
    let agent = candidate.agent.as_deref().map(|agent| format!("{agent} ")).unwrap_or_default();
    visible(&match &candidate.session {
        Some(session) => format!("  {agent}--session {session} ({})", candidate.user.name),
        None => format!("  {agent}--user {}", candidate.user.name),
    })
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use bilayer_ipc::agent::User;

    use super::*;
    use crate::failure::Code;

    fn said(failure: Failure) -> (Code, String) {
        match failure {
            Failure::Said(code, text) => (code, text),
            Failure::ReaderLeft => panic!("a refusal is said"),
        }
    }

    #[test]
    fn a_refusal_shows_what_could_be_typed_instead() {
        let alice = User { name: "alice".to_owned(), id: "1001".to_owned() };
        let candidates = vec![
            Candidate { agent: Some("desk".to_owned()), session: Some("2".to_owned()), user: alice.clone() },
            Candidate { agent: Some("desk".to_owned()), session: Some("5".to_owned()), user: alice },
        ];
        let error = RpcError::new(code::AMBIGUOUS, "2 agents match; choose one, or use --all")
            .with_data(&Candidates { candidates });
        let (code, text) = said(refusal(&error));
        assert_eq!(code, Code::Usage);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_place_without_a_service_is_passed_over_and_one_that_refuses_is_not() {
        let place = || Dirs { runtime: "/run/acme".into(), state: "/s".into(), log: "/l".into() };
        let address = || "/run/acme/control.sock".to_owned();
        let nobody = ConnectError::NotRunning { address: address(), source: ErrorKind::NotFound.into() };
        assert!(absent_or(&place(), &nobody).is_ok());
        let refused =
            ConnectError::NotPermitted { address: address(), source: ErrorKind::PermissionDenied.into() };
        assert_eq!(said(absent_or(&place(), &refused).unwrap_err()).0, Code::NotPermitted);
        let answer = HandshakeError::Call(CallError::Answer(RpcError::refused()));
        assert_eq!(said(not_welcome(&place(), &answer)).0, Code::NotPermitted);
    }

    #[test]
    fn codes_of_the_wire_become_exit_codes() {
        let exit = |code| said(refusal(&RpcError::new(code, "no"))).0;
        assert_eq!(exit(code::NO_SUCH), Code::NoSuch);
        assert_eq!(exit(code::REFUSED), Code::NotPermitted);
        assert_eq!(exit(code::NOT_NOW), Code::Failed);
        assert_eq!(exit(code::INVALID_PARAMS), Code::Usage);
        let errors = ConfigurationErrors { rendered: "line 3: unknown key\n".to_owned() };
        let (code, text) =
            said(refusal(&RpcError::new(code::INTERNAL, "the configuration is wrong").with_data(&errors)));
        assert_eq!((code, text.as_str()), (Code::Usage, "the configuration is wrong\nline 3: unknown key"));
    }
}
