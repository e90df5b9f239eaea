//! What an agent has of the service that starts it: nothing. It is what a shell of its session is.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, Desktop, Login};
use crate::configuration::everyone_runs;
use crate::layer0::{Layer0, SOON, running};
use crate::wait::until;

/// Writes down all that a process inherits, as far as a process can see it: credentials(7), execve(2), systemd.exec(5).
const FACTS: &str = r#"
exec >"$HOME/facts.$1.new" 2>&1
grep -E '^(Umask|Uid|Gid|Groups|SigBlk|Cap|NoNew|Seccomp|Spec|Cpus_|Mems_|THP)' /proc/self/status
cat /proc/self/limits
for fact in oom_score_adj timerslack_ns personality coredump_filter loginuid attr/current; do
    echo "$fact $(cat /proc/self/$fact 2>/dev/null | tr -d '\0')"
done
for kind in /proc/self/ns/* /proc/self/root; do echo "$kind $(readlink $kind)"; done
setpriv --dump
echo "nice $(nice), $(ionice), $(chrt --pid 0 | sed 's/pid [0-9]*//' | tr '\n' ' ')"
pwd
mv "$HOME/facts.$1.new" "$HOME/facts.$1"
exec sleep infinity
"#;

/// All that a unit can set and a child inherits, unlike what any session has.
const ODD_UNIT: &str = "[Service]
UMask=0027
LimitNOFILE=333:524288
LimitSTACK=1M:infinity
LimitMEMLOCK=32K:infinity
Nice=-7
OOMScoreAdjust=300
IgnoreSIGPIPE=yes
CPUAffinity=0
CPUSchedulingPolicy=rr
CPUSchedulingPriority=5
IOSchedulingClass=best-effort
IOSchedulingPriority=1
TimerSlackNSec=1ms
CoredumpFilter=all
Personality=x86
NUMAPolicy=local
MemoryKSM=yes
AmbientCapabilities=CAP_NET_RAW CAP_CHOWN
SecureBits=keep-caps no-setuid-fixup
";

/// A session that is unlike others, so that what its agent has can come from nowhere else.
const ODD_SESSION: [&str; 10] = [
    "--property=UMask=0077",
    "--property=LimitNOFILE=555:666",
    "--property=Nice=3",
    "--property=CPUSchedulingPolicy=batch",
    "--property=CPUAffinity=0",
    "--property=OOMScoreAdjust=200",
    "--property=IOSchedulingClass=idle",
    "--property=TimerSlackNSec=2ms",
    "--property=CoredumpFilter=elf-headers",
    "--property=CapabilityBoundingSet=~CAP_NET_RAW",
];

/// Line by line the same, in a usual session and in an odd one, for a service of odd settings.
pub(super) fn of_an_odd_unit(bed: &Bed) -> Result<String> {
    bed.write("/usr/local/bin/facts", FACTS)?;
    bed.write("/run/systemd/system/acme.service.d/odd.conf", ODD_UNIT)?;
    let service = Layer0::installed(bed, &everyone_runs(&["/bin/sh", "/usr/local/bin/facts", "agent"]))?;
    let status = service.process(bed)?.status("CapAmb").unwrap_or_default();
    ensure!(!status.trim_start_matches('0').is_empty(), "the unit is odd: its ambient set is {status}");
    let shell = ["/bin/sh", "/usr/local/bin/facts", "session"];
    let alice = bed.login_to("alice", Desktop::Wayland, &[], &shell)?;
    let bob = bed.login_to("bob", Desktop::X11, &ODD_SESSION, &shell)?;
    let mut lines = 0;
    for login in [&alice, &bob] {
        let (session, agent) = (facts(bed, login, "session")?, facts(bed, login, "agent")?);
        let differ: Vec<String> = session
            .lines()
            .zip(agent.lines())
            .filter(|(shell, agent)| shell != agent)
            .map(|(shell, agent)| format!("{shell:?} is {agent:?} for the agent"))
            .collect();
        ensure!(differ.is_empty(), "what a shell of {} has: {}", login.user, differ.join("; "));
        ensure!(session.lines().count() == agent.lines().count(), "{session}---{agent}");
        lines = session.lines().count();
        // A unit's programs ignore what systemd lets them ignore; a shell resets that, and so does the launch.
        let agent = running(bed, "desk", login.user)?.1;
        let ignored = bed.process(agent).status("SigIgn");
        ensure!(ignored.as_deref() == Some("0000000000000000"), "the agent ignores signals: {ignored:?}");
        if login.user == "bob" {
            for odd in ["555", "nice 3, idle", "SCHED_BATCH", "oom_score_adj 200", "timerslack_ns 2000000"] {
                ensure!(session.contains(odd), "the session of bob is odd in {odd}: {session}");
            }
        }
    }
    ensure!(!service.said().contains("agents inherit"), "the service knows of nothing: {}", service.said());
    Ok(format!("{lines} lines of each agent are those of a shell beside it"))
}

/// What cannot be given back is said.
pub(super) fn of_a_confined_unit(bed: &Bed) -> Result<String> {
    bed.write(
        "/run/systemd/system/acme.service.d/confined.conf",
        "[Service]\nNoNewPrivileges=yes\nPrivateTmp=yes\nCapabilityBoundingSet=~CAP_NET_RAW\n",
    )?;
    let service = Layer0::installed(bed, &everyone_runs(&["/bin/sh", "/usr/local/bin/facts", "agent"]))?;
    let said = until("it says what its agents inherit", SOON, || {
        let said = service.said();
        Ok(said.lines().find(|line| line.contains("agents inherit")).map(str::to_owned))
    })?;
    for word in ["NoNewPrivileges=", "PrivateTmp=", "CapabilityBoundingSet="] {
        ensure!(said.contains(word), "it names {word}: {said}");
    }
    Ok(said)
}

/// What one of a user's two processes wrote.
fn facts(bed: &Bed, login: &Login, whose: &str) -> Result<String> {
    let file = bed.path(&format!("/home/{}/facts.{whose}", login.user));
    until(&format!("the facts of the {whose} of {}", login.user), SOON, || {
        Ok(file.exists().then(|| fs::read_to_string(&file)))
    })?
    .with_context(|| format!("cannot read {}", file.display()))
}
