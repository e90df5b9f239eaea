//! Runs worlds and says what was seen in them.

#![forbid(unsafe_code)]

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use sim::{Coverage, Failure, Fault, Limits};

/// From how many events on a run must have seen everything.
const EVERYTHING_SEEN: u64 = 1_000_000;

/// Simulates the core in a world of users, sessions, processes and faults, and checks every invariant after every event.
#[derive(Parser)]
struct Args {
    /// The first world's seed; the next worlds have the next ones.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many events to simulate.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// How many worlds to simulate at most.
    #[arg(long)]
    seeds: Option<u64>,
    /// One world only, and everything that happens in it.
    #[arg(long)]
    trace: bool,
    /// Switches faults off, by name.
    #[arg(long, value_delimiter = ',', value_parser = fault)]
    without: Vec<Fault>,
    /// At most so many users.
    #[arg(long)]
    users: Option<usize>,
    /// At most so many specs.
    #[arg(long)]
    specs: Option<usize>,
}

fn fault(name: &str) -> Result<Fault, String> {
    let found = Fault::ALL.iter().copied().find(|fault| fault.name() == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        format!("no such fault; there are {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    let args = Args::parse();
    let limits = Limits { without: args.without, users: args.users, specs: args.specs };
    if args.trace {
        return trace(args.seed, &limits, args.events);
    }
    let (mut seen, mut events, mut worlds) = (Coverage::default(), 0, 0);
    let (began, cpu_began) = (Instant::now(), cpu_time());
    while events < args.events && args.seeds.is_none_or(|seeds| worlds < seeds) {
        match sim::run(args.seed + worlds, &limits, args.events - events, false, &mut seen) {
            Ok(handled) => events += handled,
            Err(failure) => {
                println!("commit {}", commit());
                println!(
                    "found after {} events in {} worlds\n{failure}\n",
                    events + failure.events,
                    worlds + 1
                );
                println!("made smaller:\n{}", sim::shrink(failure));
                return ExitCode::FAILURE;
            }
        }
        worlds += 1;
    }
    let took = began.elapsed();
    let on_cpu = cpu_time().zip(cpu_began).map(|(now, began)| now - began);
    report(&seen);
    let missing = seen.missing();
    println!(
        "{events} events in {worlds} worlds, seeds {} to {}, commit {}: {}{}",
        args.seed,
        args.seed + worlds - 1,
        commit(),
        speed(events, took),
        on_cpu.map_or_else(String::new, |on_cpu| format!("; of CPU time {}", speed(events, on_cpu))),
    );
    if events >= EVERYTHING_SEEN && !missing.is_empty() {
        println!("never seen, so nothing is proven about it: {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn speed(events: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    format!("{seconds:.2} s, {:.2} million events/s", events as f64 / seconds / 1e6)
}

/// How long this process was on a CPU, which on a busy machine says more than the clock. The first number of
/// `/proc/self/schedstat`, in nanoseconds (Linux, Documentation/scheduler/sched-stats.rst); `None` elsewhere.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    stat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn trace(seed: u64, limits: &Limits, events: u64) -> ExitCode {
    match sim::narrate(seed, limits, events) {
        (lines, None) => {
            lines.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        (lines, Some(failure)) => {
            lines.iter().for_each(|line| println!("{line}"));
            println!("commit {}\n{}", commit(), Failure { trace: Vec::new(), ..failure });
            ExitCode::FAILURE
        }
    }
}

fn report(seen: &Coverage) {
    for (title, table) in seen.tables() {
        println!("{title}");
        for row in table.chunks(4) {
            let cells: Vec<String> =
                row.iter().map(|(name, count)| format!("{count:>10} {name:<22}")).collect();
            println!("{}", cells.concat().trim_end());
        }
    }
    println!("{:>10} events about processes that were gone\n{:>10} worlds settled", seen.stale, seen.settled);
}

/// The commit that is being simulated, for the replay.
fn commit() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => commit,
        Some(_) | None => format!("{commit} with changes"),
    }
}
