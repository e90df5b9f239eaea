//! The JSON Schema of the file, so that editors complete and check it, and the reference is made from it.
//!
//! The types here are never built: they are the file as its author sees it, for the generator. That they say the same as
//! the reader is what the tests compare, key by key.
#![expect(dead_code, reason = "only their schema is used")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// The schema, in draft 7, which the TOML plug-ins of editors understand.
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<File>();
    schema.insert("title".to_owned(), "Configuration of a Bilayer service".into());
    schema.to_value()
}

const TIME: &str = "^[0-9]+(ms|s|m|h|d)$";
const SIZE: &str = "^[0-9]+(B|KiB|MiB|GiB)$";
const NAME: &str = "^[a-z][a-z0-9-]{0,31}$";
const VARIABLE: &str = "^(?![Bb][Ii][Ll][Aa][Yy][Ee][Rr]_)[^=]+$";
const EXIT: &str = "^([0-9]+|0[xX][0-9A-Fa-f]+|SIG[A-Z0-9]+)$";

/// The configuration of one service, its agents and its workers.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("required" = ["service"]))]
struct File {
    service: Service,
    #[schemars(extend("propertyNames" = { "pattern": NAME }))]
    agent: BTreeMap<String, Agent>,
    #[schemars(extend("propertyNames" = { "pattern": NAME }))]
    worker: BTreeMap<String, Worker>,
    log: Log,
    wire: Wire,
}

/// The service itself.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("required" = ["name"]))]
struct Service {
    /// Names the service, its directories and its endpoints: 1 to 32 lower-case letters, digits and hyphens, a letter first. Not `agents`.
    #[schemars(extend("pattern" = NAME))]
    name: String,
    /// The name that people see. Without it: the `name`.
    display_name: String,
    /// A sentence on what the service is for, where the system lists its services.
    #[schemars(extend("default" = "Keeps programs running on users' desktops as those users."))]
    description: String,
    /// Who the service runs as: `LocalSystem`, `LocalService`, `NetworkService`, its own `NT SERVICE\NAME`, a group-managed
    /// `DOMAIN\NAME$`, or an account with a password, which `bilayer install` asks for. One that has agents runs as
    /// `LocalSystem`: no other account may start programs as other users. On Linux it is always root.
    #[schemars(extend("default" = "LocalSystem"))]
    account: String,
    /// When the system starts the service: at boot; some minutes later; never by itself. Linux has no
    /// later: `delayed` is `auto` there.
    #[schemars(extend("enum" = ["auto", "delayed", "manual"], "default" = "auto"))]
    start: String,
    /// Services that must run before it, by their short names; on Linux units, such as
    /// `postgresql` or `network-online.target`.
    #[schemars(extend("default" = []))]
    dependencies: Vec<String>,
    /// How long the system waits for the service, and so for its agents, after a shutdown was announced; on Linux
    /// how long a stop may take that does not ask for more. Without it: as long as the most patient agent needs, and at least
    /// 10 s. From 1s to 1h.
    #[schemars(extend("pattern" = TIME))]
    preshutdown_timeout: String,
    /// What becomes of agents when the service stops, or is killed. `keep`: they live on, and the next start of the service
    /// takes them over; a logoff or a shutdown of the machine still ends them.
    #[schemars(extend("enum" = ["stop", "keep"], "default" = "stop"))]
    on_service_stop: String,
}

/// One agent: a program that runs in the sessions it serves, as the session's user.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("required" = ["command"]))]
struct Agent {
    /// The program and its arguments, one text each. No shell reads them. A privileged service wants the program's whole
    /// path; in the foreground, a path is taken from the folder of this file and a bare name is looked up in `PATH`.
    #[schemars(extend("minItems" = 1))]
    command: Vec<String>,
    /// Which sessions are served: the one at the machine's own keyboard and screen; every active one, remote ones too; or
    /// those of every logged-on user, also in the background.
    #[schemars(extend("enum" = ["console", "active", "all"], "default" = "console"))]
    sessions: String,
    /// Only the sessions of these users: by name, on Windows also `DOMAIN\NAME`, or by id. Without it: of everybody.
    #[schemars(extend("minItems" = 1))]
    users: Vec<String>,
    /// Only the sessions of members of these groups; on Windows by name, `DOMAIN\NAME` or SID. Without it: of everybody.
    #[schemars(extend("minItems" = 1))]
    groups: Vec<String>,
    /// Only remote sessions (`true`) or only local ones (`false`). Without it: both.
    remote: bool,
    /// Only sessions of these types; an empty list means every type. Linux only.
    #[schemars(extend(
        "items" = { "enum": ["x11", "wayland", "mir", "tty", "web", "unspecified"] },
        "default" = ["x11", "wayland", "mir"],
    ))]
    types: Vec<String>,
    /// Whether the logon screen is served as well, whatever `users` and `groups` say. There the agent runs as the account of the
    /// display manager. Linux only.
    #[schemars(extend("default" = false))]
    greeter: bool,
    /// What happens when its session is no longer served but lives on: another user was switched to, or a remote client left.
    #[schemars(extend("enum" = ["stop", "keep"], "default" = "stop"))]
    on_leave: String,
    /// What happens while the session is locked. A stopped agent comes back at unlock.
    #[schemars(extend("enum" = ["keep", "stop"], "default" = "keep"))]
    while_locked: String,
    /// Whether it waits until the session has a display.
    #[schemars(extend("default" = true))]
    needs_display: bool,
    stop: Stop,
    restart: Restart,
    /// The longest silence before the agent counts as hung and is restarted; it is told this time and sends heartbeats by
    /// itself. Without it: none is asked for. From 1s to 1h.
    #[schemars(extend("pattern" = TIME))]
    heartbeat: String,
    /// How soon after its start the agent must say that it is ready, or it is restarted. Without it: nobody waits for it.
    /// From 100ms to 1h.
    #[schemars(extend("pattern" = TIME))]
    ready_within: String,
    /// What its exits mean. A key is an exit code (`64`), a hexadecimal status (`"0xC0000005"`) or a signal (`"SIGTERM"`). A
    /// meaning is `restart` (a failure), `restart-now` (none: at once), `hold` (until a person or a new logon), `release` (it
    /// left on purpose, until the next logon) or `logging-off` (no restart, unless no logoff follows).
    #[schemars(extend(
        "propertyNames" = { "pattern": EXIT },
        "additionalProperties" = { "enum": ["restart", "restart-now", "hold", "release", "logging-off"] },
    ))]
    exit_codes: BTreeMap<String, String>,
    /// Variables added to the session's environment. Names that begin with `BILAYER_` are the service's own.
    #[schemars(extend("propertyNames" = { "pattern": VARIABLE }))]
    env: BTreeMap<String, String>,
    /// Its working directory. Without it: the user's home.
    cwd: String,
    /// What becomes of processes that it leaves behind when it ends. `leave` is for an agent that opens programs for its user.
    #[schemars(extend("enum" = ["kill", "leave"], "default" = "kill"))]
    descendants: String,
    /// Start the program although someone other than root or the administrators could change it. Whoever can then decides
    /// what runs as every user.
    #[schemars(extend("default" = false))]
    trust_writable_program: bool,
    /// With which of its user's rights it runs, if the user is an administrator: the filtered ones of everyday programs, or all of
    /// them. With all of them its environment is made of the system's variables and the folders of the profile only. Windows only.
    #[schemars(extend("enum" = ["filtered", "linked"], "default" = "filtered"))]
    elevation: String,
    /// Where its rights come from: the session's own token or, while Windows does not give that out, the one of the session's
    /// `explorer.exe` if that is its user's and not elevated. Windows only.
    #[schemars(extend("enum" = ["session", "shell"], "default" = "session"))]
    token: String,
}

/// One worker: a program that runs once for the machine, whoever is logged on, as the account that is named here.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("required" = ["command"]))]
struct Worker {
    /// The program and its arguments, one text each. No shell reads them. A privileged service wants the program's whole
    /// path; in the foreground, a path is taken from the folder of this file and a bare name is looked up in `PATH`.
    #[schemars(extend("minItems" = 1))]
    command: Vec<String>,
    /// Who it runs as: on Linux a user by name or uid; on Windows `LocalService`, `NetworkService` or a group-managed
    /// `DOMAIN\NAME$`. `root` and `LocalSystem` are possible, and have all rights. A privileged service has to be told; in the
    /// foreground it runs as whoever started that.
    account: String,
    stop: Stop,
    restart: Restart,
    /// The longest silence before the worker counts as hung and is restarted; it is told this time and sends heartbeats by
    /// itself. Without it: none is asked for. From 1s to 1h.
    #[schemars(extend("pattern" = TIME))]
    heartbeat: String,
    /// How soon after its start the worker must say that it is ready, or it is restarted. Without it: nobody waits for it.
    /// From 100ms to 1h.
    #[schemars(extend("pattern" = TIME))]
    ready_within: String,
    /// What its exits mean. A key is an exit code (`64`), a hexadecimal status (`"0xC0000005"`) or a signal (`"SIGTERM"`). A
    /// meaning is `restart` (a failure), `restart-now` (none: at once), `hold` (until a person says otherwise) or `release` (it
    /// left on purpose, until a person starts it).
    #[schemars(extend(
        "propertyNames" = { "pattern": EXIT },
        "additionalProperties" = { "enum": ["restart", "restart-now", "hold", "release"] },
    ))]
    exit_codes: BTreeMap<String, String>,
    /// Its environment, besides what the system knows of the account. Names that begin with `BILAYER_` are the service's own.
    #[schemars(extend("propertyNames" = { "pattern": VARIABLE }))]
    env: BTreeMap<String, String>,
    /// Its working directory. Without it: the account's home, or the root folder where that cannot be entered.
    cwd: String,
    /// What becomes of processes that it leaves behind when it ends.
    #[schemars(extend("enum" = ["kill", "leave"], "default" = "kill"))]
    descendants: String,
    /// Start the program although someone other than root or the administrators could change it. Whoever can then decides
    /// what runs as this account.
    #[schemars(extend("default" = false))]
    trust_writable_program: bool,
}

/// How it is stopped.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("required" = []))]
struct Stop {
    /// The time between the request to stop and the kill. From 0s to 10m.
    #[schemars(extend("pattern" = TIME, "default" = "5s"))]
    grace: String,
}

/// When and how soon it is started again. The first restart after a failure is immediate; then the delay doubles from
/// 100 ms.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("required" = []))]
struct Restart {
    /// After which exits: all, those with a code other than 0, or none.
    #[schemars(extend("enum" = ["always", "failure", "never"], "default" = "always"))]
    on: String,
    /// The longest delay. From 100ms to 1h.
    #[schemars(extend("pattern" = TIME, "default" = "1m"))]
    delay_max: String,
    /// One that ran this long starts its delays over. From 1s to 1d.
    #[schemars(extend("pattern" = TIME, "default" = "1m"))]
    healthy_after: String,
    limit: Limit,
}

/// More failures than this are a crash loop.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("required" = []))]
struct Limit {
    /// How many failures are allowed.
    #[schemars(extend("minimum" = 1, "maximum" = 1000, "default" = 10))]
    count: Integer,
    /// Within how long. From 1s to 1d.
    #[schemars(extend("pattern" = TIME, "default" = "2m"))]
    within: String,
    /// What happens past it: a try every `delay_max`, or none until a person or a new logon.
    #[schemars(extend("enum" = ["slow", "hold"], "default" = "slow"))]
    then: String,
}

/// The log of the service and of what its agents write.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("required" = []))]
struct Log {
    /// The least severe level that is written.
    #[schemars(extend("enum" = ["error", "warn", "info", "debug", "trace"], "default" = "info"))]
    level: String,
    /// Where the files are. Without it: the service's own log directory.
    directory: String,
    /// A file that reaches this size is rotated. From 64KiB to 1GiB.
    #[schemars(extend("pattern" = SIZE, "default" = "10MiB"))]
    max_size: String,
    /// The oldest files go once all together are larger than this. From `max_size` to 1024GiB.
    #[schemars(extend("pattern" = SIZE, "default" = "100MiB"))]
    max_total: String,
    /// A file older than this goes. From 1h to 3660d.
    #[schemars(extend("pattern" = TIME, "default" = "30d"))]
    max_age: String,
}

/// Bounds on the connections of agents. The defaults are right unless a product sends large messages.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("required" = []))]
struct Wire {
    /// The longest message. From 1KiB to 64MiB.
    #[schemars(extend("pattern" = SIZE, "default" = "1MiB"))]
    frame: String,
    /// The longest header of a message. From 64B to 64KiB.
    #[schemars(extend("pattern" = SIZE, "default" = "4KiB"))]
    header: String,
    /// The deepest nesting of arrays and objects in a message.
    #[schemars(extend("minimum" = 4, "maximum" = 127, "default" = 64))]
    depth: Integer,
    /// Requests that one side may have waiting for an answer.
    #[schemars(extend("minimum" = 1, "maximum" = 4096, "default" = 64))]
    requests_in_flight: Integer,
    /// What may wait for a peer that does not read; one that falls further behind is cut off. From `frame` to 256MiB.
    #[schemars(extend("pattern" = SIZE, "default" = "2MiB"))]
    queue: String,
    /// How long a peer may take nothing of what waits for it, or leave a message unfinished. From 1s to 10m.
    #[schemars(extend("pattern" = TIME, "default" = "30s"))]
    stall: String,
    /// How soon after it connected a client must have introduced itself. From 100ms to 1m.
    #[schemars(extend("pattern" = TIME, "default" = "5s"))]
    handshake: String,
    /// Connections of one session that may be about to prove that they are an agent's. More of them wait.
    #[schemars(extend("minimum" = 1, "maximum" = 1024, "default" = 16))]
    connections_per_session: Integer,
}

/// A whole number without the format that a Rust type would add.
struct Integer;

impl JsonSchema for Integer {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Integer".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer" })
    }
}
