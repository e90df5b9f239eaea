//! What must hold, each on a machine of its own.

mod bad_launch;
mod bed_itself;
mod displays;
mod evening;
mod full_disk;
mod identity;
mod inheritance;
mod keep;
mod leaving;
mod moving;
mod name_service;
mod package;
mod people;
mod power;
mod restart;
mod served;
mod service;
mod tracking;
mod trouble;
mod workers;

use anyhow::Result;

use crate::bed::{Bed, Setting, Suite, Variant};

/// Something that must hold.
pub(crate) struct Scenario {
    /// What, in words.
    pub(crate) name: &'static str,
    /// How the machine is set up.
    pub(crate) setting: Setting,
    /// On which releases it is played.
    pub(crate) suites: &'static [Suite],
    /// Whether it is about what virtual terminals do, and gets them where they are free. Others are played side by side.
    pub(crate) is_at_terminals: bool,
    /// Plays it and says what was seen.
    pub(crate) run: fn(&Bed) -> Result<String>,
}

const USUAL: Setting = Setting::USUAL;
/// With an X server and small programs for it.
const GRAPHICAL: Setting =
    Setting { system: Variant { packages: displays::PACKAGES, ..USUAL.system }, ..USUAL };
const KILLING: Setting = Setting { kill_user_processes: true, ..USUAL };

const fn scenario(name: &'static str, setting: Setting, run: fn(&Bed) -> Result<String>) -> Scenario {
    Scenario { name, setting, run, suites: &[Suite::Own], is_at_terminals: false }
}

impl Scenario {
    const fn at_terminals(mut self) -> Self {
        self.is_at_terminals = true;
        self
    }

    /// It is also played on the younger release: what logind or the service manager do differently there matters to it.
    const fn and_on_trixie(mut self) -> Self {
        self.suites = &[Suite::Own, Suite::Trixie];
        self
    }
}

/// All of them. What takes long comes first, so that nobody waits for one scenario at the end.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("two users at one machine, from the first logon to the power switch", USUAL, evening::play)
        .and_on_trixie()
        .at_terminals(),
    scenario("agents outlive a service that is killed a hundred times", USUAL, keep::killed_and_kept),
    scenario(
        "a service that is killed while it launches starts no agent twice",
        USUAL,
        keep::killed_in_the_middle,
    ),
    scenario("agents end with a service that is killed a hundred times", USUAL, keep::killed_and_not_kept),
    scenario("the installed service comes back, killed or hung", USUAL, service::comes_back),
    scenario("the bed is a real one", USUAL, bed_itself::is_real).at_terminals().and_on_trixie(),
    scenario("the bed kills what users leave where logind is told to", KILLING, bed_itself::kills_leftovers),
    scenario("agents run as their users, in their sessions", USUAL, identity::of_two_users).and_on_trixie(),
    scenario("text logins and remote shells are not served", USUAL, identity::text_logins).and_on_trixie(),
    scenario("the logon screen has its agent until somebody logs on", USUAL, served::greeter).and_on_trixie(),
    scenario("a machine where nobody logs on costs nothing", USUAL, served::nobody),
    scenario("a desktop from afar is served as such", USUAL, served::from_afar).and_on_trixie(),
    scenario("each seat has its agent, and one is the console", USUAL, served::second_seat),
    scenario("a desktop without a seat is served, and who lingers is not", USUAL, served::seatless)
        .and_on_trixie(),
    scenario("an agent is what a shell of its session is", USUAL, inheritance::of_an_odd_unit)
        .and_on_trixie(),
    scenario("what agents inherit of a confined service is said", USUAL, inheritance::of_a_confined_unit),
    scenario("an agent that needs a display waits for it", USUAL, identity::display),
    scenario("an agent starts as soon as its environment is known", USUAL, identity::at_once).and_on_trixie(),
    scenario("a compositor that starts again is followed", USUAL, displays::restarted),
    scenario("two desktops of one user have two displays", USUAL, displays::two_of_one_user),
    scenario("a real program shows its window", GRAPHICAL, displays::real_program),
    scenario("a user without a shell, a home or room has an agent", USUAL, bad_launch::users),
    scenario("a user without a runtime folder has an agent", USUAL, bad_launch::no_runtime_folder),
    scenario("an environment of any kind does no harm", USUAL, bad_launch::environments),
    scenario(
        "a program that cannot be started is held, and back after a reload",
        USUAL,
        bad_launch::programs,
    ),
    scenario("what lies in the place of a socket is left alone", USUAL, bad_launch::sockets),
    scenario("agents run while the disk is full from the start", USUAL, full_disk::state),
    scenario("agents run while the disk becomes full", USUAL, full_disk::later),
    scenario("an agent waits for room for its socket", USUAL, full_disk::sockets),
    scenario("a switch stops the old agent before it starts the new one", USUAL, moving::switch)
        .and_on_trixie()
        .at_terminals(),
    scenario("a lock stops the agent that asked for it and tells the other", USUAL, moving::lock)
        .and_on_trixie()
        .at_terminals(),
    scenario("a logoff ends the agent, and logind the session", USUAL, leaving::log_off)
        .at_terminals()
        .and_on_trixie(),
    scenario("a logoff where logind kills the processes", KILLING, leaving::log_off).and_on_trixie(),
    scenario("a session ended by order", USUAL, leaving::terminated),
    scenario("a second logon of the same user is served anew", USUAL, leaving::back_again),
    scenario("a closing session is not served, whatever lives on in it", USUAL, tracking::closing)
        .and_on_trixie(),
    scenario("a session whose leader was killed is over", USUAL, tracking::leader_killed),
    scenario("without a system bus the service waits for it", USUAL, tracking::no_bus).and_on_trixie(),
    scenario("agents live through a restart of the system bus", USUAL, tracking::bus_restarted)
        .and_on_trixie(),
    scenario("agents live through a restart of logind", USUAL, tracking::logind_restarted).and_on_trixie(),
    scenario("agents live through the death of logind", USUAL, tracking::logind_killed),
    scenario("a flood of logins leaves nothing behind", USUAL, tracking::flood),
    scenario("workers run as their accounts, with nobody logged on", USUAL, workers::of_two_accounts)
        .and_on_trixie(),
    scenario("workers outlive the service and have it back", USUAL, workers::kept).and_on_trixie(),
    scenario("a worker waits for its account and follows it", USUAL, workers::account_that_changes),
    scenario("no module of the name service is in the service", USUAL, name_service::is_elsewhere)
        .and_on_trixie(),
    scenario("a name service that hangs is asked by a process that ends", USUAL, name_service::hangs),
    scenario("a killed agent is back, and the status says why", USUAL, trouble::crash),
    scenario("an agent that ignores the stop is killed at its grace", USUAL, trouble::deaf),
    scenario("what an agent leaves behind is killed", USUAL, trouble::child_left_behind),
    scenario("only administrators control the service", USUAL, people::strangers),
    scenario("another user's connection is not heard", USUAL, people::foreign_peer),
    scenario("a command that could mean several agents asks which", USUAL, people::ambiguous),
    scenario("a message reaches a person, by an agent or by the desktop", USUAL, people::message),
    scenario("a sleep cycle stops nothing", USUAL, power::sleep).and_on_trixie(),
    scenario("a shutdown that is called off brings the agents back", USUAL, power::aborted_shutdown)
        .and_on_trixie(),
    scenario("a power-off waits until the agents have left", USUAL, power::power_off).and_on_trixie(),
    scenario(
        "a power-off that does not wait still lets the agents leave",
        USUAL,
        power::power_off_without_lock,
    ),
    scenario("a power-off that nobody announced lets kept agents leave", USUAL, power::power_off_unannounced)
        .and_on_trixie(),
    scenario("the service stops and leaves nothing behind", USUAL, power::service_stop),
    scenario(
        "a restart of the service leaves the agents, and they have it back in a second",
        USUAL,
        restart::kept,
    )
    .and_on_trixie(),
    scenario("what a kept agent prints is read to the end", USUAL, keep::prints_on),
    scenario("systemd keeps the installed service, all its life", USUAL, service::whole_life).and_on_trixie(),
    scenario("the installed service reads its configuration again", USUAL, service::reloads).and_on_trixie(),
    scenario("the installed service stops in its own time", USUAL, service::stops_in_its_own_time),
    scenario("units that are not Bilayer's are left alone", USUAL, service::units_of_others),
    scenario("what the service manager cannot do is said", USUAL, service::refusals),
    scenario("the package is installed, configured, upgraded, removed and purged", USUAL, package::life)
        .and_on_trixie(),
    scenario("agents that are kept do not notice an upgrade of the package", USUAL, package::kept),
    scenario("a package leaves a service as a person left it", USUAL, package::as_it_was_left),
    scenario("a package is installed over a broken configuration", USUAL, package::broken_configuration),
    scenario("a service of one's own lives beside the one of the package", USUAL, package::beside),
    scenario("a package is installed while an image is built", USUAL, package::image),
];
