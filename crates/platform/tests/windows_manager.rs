//! The real Service Control Manager: installing, updating, removing, and services that start, stop, fail and crash.
//!
//! The services are a test of this program that the manager starts: `the_service`.
#![cfg(windows)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;
use std::time::{Duration, Instant};

use bilayer_platform::{
    Account, HostError, Installation, Installed, ManagerError, Notice, RunEnd, RunState, RunStatus,
    ServiceHost, Services, StartType, installed_services, run_as_service,
};

/// A busy machine, and no more.
const DEADLINE: Duration = Duration::from_secs(60);

/// A service of a test, removed at its end.
struct Service {
    what: Installation,
    runtime: tokio::runtime::Runtime,
}

impl Service {
    /// A service of this name, whose program is this one.
    fn new(name: &str) -> Service {
        let what = Installation {
            name: name.to_owned(),
            display_name: format!("Test {name}"),
            description: "For a test of Bilayer".to_owned(),
            program: std::env::current_exe().unwrap(),
            arguments: ["--exact", "the_service", "--nocapture"].map(str::to_owned).to_vec(),
            config: format!(r"C:\ProgramData\{name}\{name}.toml").into(),
            account: Account::LocalSystem,
            start: StartType::Manual,
            dependencies: Vec::new(),
            preshutdown_timeout: Duration::from_secs(15),
            keeps: false,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Service { what, runtime }
    }

    fn ask<T>(&self, ask: impl AsyncFnOnce(&Services, &str) -> T) -> T {
        self.runtime.block_on(async {
            let manager = Services::open().await.unwrap();
            ask(&manager, &self.what.name).await
        })
    }

    fn install(&self) -> Result<Installed, ManagerError> {
        self.ask(async |manager, _| manager.install(&self.what, None).await)
    }

    fn uninstall(&self) -> Result<(), ManagerError> {
        self.ask(async |manager, name| manager.uninstall(name).await.map(drop))
    }

    fn start(&self) -> Result<(), ManagerError> {
        self.ask(async |manager, name| manager.start(name).await)
    }

    fn stop(&self) -> Result<(), ManagerError> {
        self.ask(async |manager, name| manager.stop(name).await)
    }

    fn status(&self) -> Result<RunStatus, ManagerError> {
        self.ask(async |manager, name| manager.status(name).await)
    }

    /// Waits until the service is in this state.
    fn wait(&self, state: RunState) -> RunStatus {
        wait(|| self.status().ok().filter(|status| status.state == state))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A test that failed leaves it in any state, and one that did not has cleaned up.
        let _ = (self.stop(), self.uninstall());
    }
}

/// Asks until there is an answer.
fn wait<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "nothing happened for {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a program of the system and returns what it printed.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn registry(name: &str, value: &str) -> String {
    let key = format!(r"HKLM\SYSTEM\CurrentControlSet\Services\{name}");
    run("reg", &["query", &key, "/v", value])
}

fn is_listed(name: &str) -> bool {
    installed_services().iter().any(|service| service.name == name)
}

#[test]
fn a_service_is_made_updated_in_place_and_removed() {
    let mut service = Service::new("bilayer-test-install");
    service.what.program = r"C:\Program Files\Acme Desk\bilayer.exe".into();
    service.what.arguments = vec!["service".into(), "-c".into(), r"C:\Program Data\acme desk.toml".into()];
    assert!(matches!(service.uninstall(), Err(ManagerError::NotInstalled { .. })));

    let installed = service.install().unwrap();
    assert!(installed.created);
    assert!(installed.changes.is_empty());
    let image = registry(&service.what.name, "ImagePath");
    let quoted = r#""C:\Program Files\Acme Desk\bilayer.exe" service -c "C:\Program Data\acme desk.toml""#;
    assert!(image.contains(quoted), "{image}");
    assert!(registry(&service.what.name, "Description").contains("For a test of Bilayer"));
    assert!(is_listed(&service.what.name));
    let status = service.status().unwrap();
    assert_eq!((status.state, status.ended), (RunState::Stopped, None));

    let again = service.install().unwrap();
    assert_eq!((again.created, again.changes), (false, Vec::new()));
    service.what.display_name = "Test of an update".into();
    service.what.start = StartType::Auto;
    service.what.dependencies = vec!["RpcSs".into()];
    let updated = service.install().unwrap();
    // Wine keeps the dependencies that a service was made with; then that is a warning.
    let said = [updated.changes, updated.warnings].concat();
    for line in [
        "display name: was `Test bilayer-test-install`, is `Test of an update`",
        "start: was `manual`, is `auto`",
        "dependencies: was none, is `RpcSs`",
    ] {
        assert!(said.iter().any(|said| said == line), "{said:?}");
    }
    assert!(registry(&service.what.name, "DisplayName").contains("Test of an update"));

    service.uninstall().unwrap();
    assert!(matches!(service.status(), Err(ManagerError::NotInstalled { .. })));
    assert!(!is_listed(&service.what.name));
}

#[test]
fn a_service_of_somebody_else_is_not_touched() {
    let service = Service::new("bilayer-test-foreign");
    let name = &service.what.name;
    run("sc", &["create", name, "binPath=", r"C:\theirs.exe", "start=", "demand"]);
    assert!(matches!(service.install(), Err(ManagerError::NotOurs { .. })));
    assert!(matches!(service.uninstall(), Err(ManagerError::NotOurs { .. })));
    assert!(matches!(service.start(), Err(ManagerError::NotOurs { .. })));
    assert!(matches!(service.stop(), Err(ManagerError::NotOurs { .. })));
    let reloaded = service.ask(async |manager, name| manager.reload(name).await);
    assert!(matches!(reloaded, Err(ManagerError::NotOurs { .. })));
    assert_eq!(service.status().unwrap().state, RunState::Stopped);
    let image = registry(name, "ImagePath");
    assert!(image.contains(r"C:\theirs.exe"), "{image}");
    assert!(!is_listed(name));
    run("sc", &["delete", name]);
    assert!(matches!(service.status(), Err(ManagerError::NotInstalled { .. })));
}

#[test]
fn a_service_that_is_marked_for_deletion_says_so_and_goes_when_it_stops() {
    let service = Service::new("bilayer-test-marked");
    service.install().unwrap();
    service.start().unwrap();
    service.wait(RunState::Running);
    service.uninstall().unwrap();
    assert!(matches!(service.install(), Err(ManagerError::MarkedForDeletion { .. })));
    service.stop().unwrap();
    wait(|| service.install().ok().filter(|installed| installed.created));
    service.uninstall().unwrap();
}

#[test]
fn it_starts_and_stops() {
    let service = Service::new("bilayer-test-clean");
    service.install().unwrap();
    assert!(matches!(service.stop(), Err(ManagerError::NotRunning { .. })));
    service.start().unwrap();
    let status = service.wait(RunState::Running);
    assert!(status.pid.is_some());
    assert!(matches!(service.start(), Err(ManagerError::AlreadyRunning { .. })));
    service.stop().unwrap();
    assert_eq!(service.wait(RunState::Stopped).ended, Some(RunEnd::Clean));
}

#[test]
fn a_parameter_change_is_heard_and_a_failure_has_its_code() {
    let service = Service::new("bilayer-test-fails");
    service.install().unwrap();
    service.start().unwrap();
    service.wait(RunState::Running);
    service.ask(async |manager, name| manager.reload(name).await).unwrap();
    assert_eq!(service.wait(RunState::Stopped).ended, Some(RunEnd::Code(7)));
}

#[test]
fn a_panic_is_no_clean_end() {
    let service = Service::new("bilayer-test-panics");
    service.install().unwrap();
    service.start().unwrap();
    // The manager notices at once; Wine's only when it is asked for something that the service should hear.
    wait(|| service.ask(async |manager, name| manager.reload(name).await).err());
    let status = service.status().unwrap();
    assert_ne!(status.ended, Some(RunEnd::Clean));
}

/// The service of this program, if the manager started it: what it does depends on its name. Started from anywhere else, it is
/// told so.
#[test]
fn the_service() {
    let body = |host: ServiceHost| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        host.running();
        assert!(!host.name().ends_with("panics"), "as it should");
        let notice = runtime.block_on(host.next());
        host.stopping(1, Duration::from_secs(1));
        match notice {
            Notice::Stop { shutdown: false, within: None } => 0,
            Notice::Reload => 7,
            _ => 1,
        }
    };
    match run_as_service(body) {
        Err(HostError::NotStartedByManager) => {}
        ended => assert!(ended.is_ok(), "{ended:?}"),
    }
}
