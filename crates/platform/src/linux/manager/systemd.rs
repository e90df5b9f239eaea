//! The few calls of systemd's interface that are made: org.freedesktop.systemd1(5).

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use zbus::{Connection, DynamicType, Message, OwnedObjectPath, Variant};

use super::super::bus::{answered_error, system_bus};
pub(super) use super::state::UnitFacts;
use crate::ManagerError;

const SERVICE: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE_UNIT: &str = "org.freedesktop.systemd1.Service";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// How long systemd may take for one answer. It reads every unit of the machine again for some.
const ANSWER_WITHIN: Duration = Duration::from_secs(90);

/// A connection to systemd.
pub(super) struct Systemd(Connection);

/// A call that was not answered as it should have been.
enum Unanswered {
    /// systemd or the bus refused, with the name of an error and a sentence.
    Refused(String, String),
    /// Nobody answered, or not what was expected.
    Failed(io::Error),
}

impl Systemd {
    /// Connects to the system bus.
    pub(super) async fn connect() -> Result<Systemd, ManagerError> {
        let connected = tokio::time::timeout(ANSWER_WITHIN, system_bus()).await;
        match connected {
            Ok(Ok(bus)) => Ok(Systemd(bus)),
            Ok(Err(error)) => Err(ManagerError::Unreachable { source: io::Error::other(error.to_string()) }),
            Err(_) => Err(ManagerError::Unreachable { source: io::ErrorKind::TimedOut.into() }),
        }
    }

    /// What systemd knows of a service.
    pub(super) async fn facts(&self, action: &'static str, name: &str) -> Result<UnitFacts, ManagerError> {
        self.ask_facts(name).await.map_err(|error| error.of(action, name))
    }

    /// Has a start, a stop or a reload begun; what was under way is called off for it.
    pub(super) async fn job(
        &self,
        action: &'static str,
        method: &str,
        name: &str,
    ) -> Result<(), ManagerError> {
        let called = self.call(PATH, MANAGER, method, &(unit(name), "replace")).await;
        called.map(drop).map_err(|error| error.of(action, name))
    }

    /// Has the service started at boot from now on, or no longer.
    pub(super) async fn enable(
        &self,
        action: &'static str,
        name: &str,
        is_enabled: bool,
    ) -> Result<(), ManagerError> {
        let units = [unit(name)];
        let called = match is_enabled {
            true => self.call(PATH, MANAGER, "EnableUnitFiles", &(&units[..], false, false)).await,
            false => self.call(PATH, MANAGER, "DisableUnitFiles", &(&units[..], false)).await,
        };
        called.map(drop).map_err(|error| error.of(action, name))
    }

    /// Has all unit files read again.
    pub(super) async fn read_units(&self, action: &'static str, name: &str) -> Result<(), ManagerError> {
        let called = self.call(PATH, MANAGER, "Reload", &()).await;
        called.map(drop).map_err(|error| error.of(action, name))
    }

    /// Has systemd forget how the last life of a service ended. There may be nothing to forget.
    pub(super) async fn forget_end(&self, name: &str) {
        let _ = self.call(PATH, MANAGER, "ResetFailedUnit", &unit(name)).await;
    }

    async fn ask_facts(&self, name: &str) -> Result<UnitFacts, Unanswered> {
        let loaded = self.call(PATH, MANAGER, "LoadUnit", &unit(name)).await?;
        let path: OwnedObjectPath = loaded.body().deserialize().map_err(unclear)?;
        let path = path.as_str();
        let of_unit = self.call(path, PROPERTIES, "GetAll", &UNIT).await?;
        let of_service = self.call(path, PROPERTIES, "GetAll", &SERVICE_UNIT).await?;
        let (of_unit, of_service) = (of_unit.body(), of_service.body());
        let read = |properties: &HashMap<&str, Variant<'_>>, facts: &mut UnitFacts| {
            properties.iter().for_each(|(name, value)| take(facts, name, value));
        };
        let mut facts = UnitFacts::default();
        read(&of_unit.deserialize().map_err(unclear)?, &mut facts);
        read(&of_service.deserialize().map_err(unclear)?, &mut facts);
        Ok(facts)
    }

    async fn call<B>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        arguments: &B,
    ) -> Result<Message, Unanswered>
    where
        B: serde::Serialize + DynamicType,
    {
        let call = self.0.call_method(Some(SERVICE), path, Some(interface), method, arguments);
        match tokio::time::timeout(ANSWER_WITHIN, call).await {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(error)) => Err(match answered_error(&error) {
                Some((name, text)) => Unanswered::Refused(name, text),
                None => Unanswered::Failed(io::Error::other(error.to_string())),
            }),
            Err(_) => Err(Unanswered::Failed(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl Unanswered {
    /// What it means for what was tried.
    fn of(self, action: &'static str, name: &str) -> ManagerError {
        let name = name.to_owned();
        match self {
            Self::Refused(error, text) => match error.as_str() {
                "org.freedesktop.systemd1.NoSuchUnit" => ManagerError::NotInstalled { name },
                "org.freedesktop.systemd1.UnitMasked" => ManagerError::Disabled { name },
                "org.freedesktop.DBus.Error.AccessDenied"
                | "org.freedesktop.DBus.Error.AuthFailed"
                | "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired" => {
                    ManagerError::NotPermitted { action, name }
                }
                _ => {
                    let text = if text.is_empty() { error } else { text };
                    ManagerError::Failed { action, name, source: io::Error::other(text) }
                }
            },
            Self::Failed(source) => ManagerError::Failed { action, name, source },
        }
    }
}

fn unclear(error: zbus::Error) -> Unanswered {
    Unanswered::Failed(io::Error::other(error))
}

fn unit(name: &str) -> String {
    format!("{name}.service")
}

/// Takes over a property that is one of those asked for.
fn take(facts: &mut UnitFacts, name: &str, value: &Variant<'_>) {
    let text = || match value {
        Variant::Str(text) => text.to_string(),
        _ => String::new(),
    };
    match name {
        "Id" => facts.id = text(),
        "LoadState" => facts.load_state = text(),
        "ActiveState" => facts.active_state = text(),
        "SubState" => facts.sub_state = text(),
        "FragmentPath" => facts.fragment = PathBuf::from(text()),
        "UnitFileState" => facts.file_state = text(),
        "Result" => facts.result = text(),
        "DropInPaths" => {
            if let Variant::Array(paths) = value {
                let texts = paths.iter().filter_map(|path| match path {
                    Variant::Str(path) => Some(path.to_string()),
                    _ => None,
                });
                facts.drop_ins = texts.collect();
            }
        }
        "Job" => {
            if let Variant::Structure(job) = value {
                facts.has_job = !matches!(job.fields().first(), Some(Variant::U32(0)) | None);
            }
        }
        "MainPID" => {
            if let Variant::U32(pid) = value {
                facts.main_pid = *pid;
            }
        }
        "ExecMainCode" => {
            if let Variant::I32(code) = value {
                facts.exec_code = *code;
            }
        }
        "ExecMainStatus" => {
            if let Variant::I32(status) = value {
                facts.exec_status = *status;
            }
        }
        _ => {}
    }
}
