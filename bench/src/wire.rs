//! A round trip on the wire beside a raw echo on the same kind of socket, each between two processes.
//!
//! The floor is an echo that a careful author would write with the same runtime: one thread, one task, reads into a buffer
//! with room to spare (a read that leaves room tells tokio that the socket is empty, which saves the read that would find
//! that out), and a message as long as the request's frame. A blocking echo, without any runtime, is shown beside it.
//!
//! All are measured in turns of a few hundred round trips within one run. Each turn counts as its median, and all turns as
//! the median of those. Every process runs on one and the same processor: a round trip between two of them takes two to
//! three times as long, and the scheduler would put one pair together and another apart. So there is also no time in
//! which one end works while the other wakes up, and every instruction counts.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bilayer_ipc::frame::encode_message;
use bilayer_ipc::{Connection, Limits, Message, Peer};
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::table::{Row, percentile};

const METHOD: &str = "example/echo";

/// Round trips of one turn.
const TURN: usize = 250;

/// What both kinds of echo read into.
const CHUNK_BYTES: usize = 4096;

/// Parameters and result of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Echo {
    text: String,
}

/// The wire, the raw echo and the blocking echo in turns.
pub(crate) fn measure(folder: &Path, round_trips: usize) -> Result<Vec<Row>> {
    let echo = Echo { text: "x".repeat(16) };
    let request = json!({ "jsonrpc": "2.0", "id": round_trips, "method": METHOD, "params": echo });
    let message = encode_message(&request, u32::MAX)?;
    let _pinned = Pinned::here()?;
    let servers = (
        Server::start(folder, "serve-raw")?,
        Server::start(folder, "serve-blocking")?,
        Server::start(folder, "serve-wire")?,
    );
    let (raw, blocking, wire) = (servers.0.connect()?, servers.1.connect()?, servers.2.connect()?);
    let turns = round_trips.div_ceil(TURN);
    let (raw, blocking, wire) = run(async move {
        let mut raw_client = asynchronous(raw)?;
        let mut blocking_client = blocking;
        let (connection, peer, mut incoming) = Connection::new(asynchronous(wire)?, Limits::default());
        tokio::spawn(connection.run());
        tokio::spawn(async move { while incoming.next().await.is_some() {} });
        let (mut raw, mut blocking, mut wire) =
            (Side::new(&servers.0), Side::new(&servers.1), Side::new(&servers.2));
        // The first turn warms everything up.
        for is_counted in std::iter::once(false).chain(std::iter::repeat_n(true, turns)) {
            raw.turn(is_counted, raw_turn(&mut raw_client, &message)).await?;
            wire.turn(is_counted, wire_turn(&peer, &echo)).await?;
            blocking.turn(is_counted, async { blocking_turn(&mut blocking_client, &message) }).await?;
        }
        Ok((raw.result(), blocking.result(), wire.result()))
    })?;
    Ok(vec![
        Row::ratio("round trip on the wire, median", wire.trip_us, ("raw echo", raw.trip_us), "µs", 1.3),
        Row::note(
            "processor time of it, both ends",
            format!("{:.1} µs = {:.2} ×", wire.busy_us, wire.busy_us / raw.busy_us),
            format!("raw echo {:.1} µs", raw.busy_us),
        ),
        Row::note(
            "the same against a blocking echo",
            format!("{:.1} µs = {:.2} ×", wire.trip_us, wire.trip_us / blocking.trip_us),
            format!(
                "blocking echo {:.1} µs, raw echo {:.2} ×",
                blocking.trip_us,
                raw.trip_us / blocking.trip_us
            ),
        ),
    ])
}

async fn raw_turn(stream: &mut UnixStream, message: &[u8]) -> Result<Vec<f64>> {
    let mut samples = Vec::with_capacity(TURN);
    let mut chunk = [0; CHUNK_BYTES];
    for _ in 0..TURN {
        let start = Instant::now();
        stream.write_all(message).await?;
        let mut length = 0;
        while length < message.len() {
            let read = stream.read(&mut chunk[length..]).await?;
            ensure!(read > 0, "the raw echo ended");
            length += read;
        }
        samples.push(micros(start.elapsed()));
        ensure!(chunk[..length] == *message, "the raw echo answered something else");
    }
    Ok(samples)
}

fn blocking_turn(stream: &mut std::os::unix::net::UnixStream, message: &[u8]) -> Result<Vec<f64>> {
    let mut samples = Vec::with_capacity(TURN);
    let mut answer = vec![0; message.len()];
    for _ in 0..TURN {
        let start = Instant::now();
        stream.write_all(message)?;
        stream.read_exact(&mut answer)?;
        samples.push(micros(start.elapsed()));
        ensure!(answer == message, "the blocking echo answered something else");
    }
    Ok(samples)
}

async fn wire_turn(peer: &Peer, echo: &Echo) -> Result<Vec<f64>> {
    let mut samples = Vec::with_capacity(TURN);
    for _ in 0..TURN {
        let start = Instant::now();
        let answer: Echo = peer.call(METHOD, echo).await?;
        samples.push(micros(start.elapsed()));
        ensure!(answer == *echo, "the echo answered {answer:?}");
    }
    Ok(samples)
}

/// One of the things compared.
struct Side {
    server: u32,
    medians: Vec<f64>,
    busy_us: f64,
    trips: usize,
}

/// What a round trip took, and how long processors were busy with it on both ends.
struct Measured {
    trip_us: f64,
    busy_us: f64,
}

impl Side {
    fn new(server: &Server) -> Self {
        Self { server: server.child.id(), medians: Vec::new(), busy_us: 0.0, trips: 0 }
    }

    async fn turn(&mut self, is_counted: bool, turn: impl Future<Output = Result<Vec<f64>>>) -> Result<()> {
        let before = self.busy_us_so_far()?;
        let mut samples = turn.await?;
        if is_counted {
            self.busy_us += self.busy_us_so_far()? - before;
            self.trips += samples.len();
            self.medians.push(percentile(&mut samples, 50));
        }
        Ok(())
    }

    /// Both processes have one thread.
    fn busy_us_so_far(&self) -> Result<f64> {
        Ok(busy_us(std::process::id())? + busy_us(self.server)?)
    }

    fn result(mut self) -> Measured {
        Measured { trip_us: percentile(&mut self.medians, 50), busy_us: self.busy_us / self.trips as f64 }
    }
}

/// Time that the main thread of a process has run, from the first field of `/proc/PID/schedstat` (nanoseconds).
fn busy_us(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/schedstat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let field = text.split(' ').next().unwrap_or_default();
    let nanos: u64 = field.parse().with_context(|| format!("{path} begins with {field:?}"))?;
    Ok(nanos as f64 / 1e3)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Sends back what comes in.
pub(crate) fn serve_raw(socket: &Path) -> Result<()> {
    let listener = std::os::unix::net::UnixListener::bind(socket)?;
    run(async move {
        let mut stream = accept(listener).await?;
        let mut chunk = [0; CHUNK_BYTES];
        loop {
            let length = stream.read(&mut chunk).await?;
            if length == 0 {
                return Ok(());
            }
            stream.write_all(&chunk[..length]).await?;
        }
    })
}

/// Sends back what comes in, without a runtime.
pub(crate) fn serve_blocking(socket: &Path) -> Result<()> {
    let (mut stream, _) = std::os::unix::net::UnixListener::bind(socket)?.accept()?;
    let mut chunk = [0; CHUNK_BYTES];
    loop {
        let length = stream.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&chunk[..length])?;
    }
}

/// Answers every request with its own parameters.
pub(crate) fn serve_wire(socket: &Path) -> Result<()> {
    let listener = std::os::unix::net::UnixListener::bind(socket)?;
    run(async move {
        let (connection, _peer, mut incoming) = Connection::new(accept(listener).await?, Limits::default());
        tokio::spawn(connection.run());
        while let Some(message) = incoming.next().await {
            if let Message::Request { params, reply, .. } = message {
                reply.answer(&params.parse::<Echo>()?)?;
            }
        }
        Ok(())
    })
}

async fn accept(listener: std::os::unix::net::UnixListener) -> Result<UnixStream> {
    listener.set_nonblocking(true)?;
    Ok(UnixListener::from_std(listener)?.accept().await?.0)
}

fn asynchronous(stream: std::os::unix::net::UnixStream) -> Result<UnixStream> {
    stream.set_nonblocking(true)?;
    Ok(UnixStream::from_std(stream)?)
}

/// One thread, as in layer 0 and in the SDK, and a task of its own: the future that `block_on` holds is woken in a dearer
/// way than a task.
fn run<T: Send + 'static>(part: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { tokio::spawn(part).await? })
}

/// This thread, and what it starts, on one processor until it is dropped.
struct Pinned(CpuSet);

impl Pinned {
    fn here() -> Result<Self> {
        let before = sched_getaffinity(None).context("sched_getaffinity")?;
        let mut here = CpuSet::new();
        here.set(sched_getcpu());
        sched_setaffinity(None, &here).context("cannot stay on one processor: sched_setaffinity")?;
        Ok(Self(before))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed there before.
        let _ = sched_setaffinity(None, &self.0);
    }
}

/// The other process.
struct Server {
    child: Child,
    socket: PathBuf,
}

impl Server {
    fn start(folder: &Path, part: &str) -> Result<Self> {
        let socket = folder.join(format!("{part}.socket"));
        let child =
            Command::new(std::env::current_exe()?).arg(part).arg(&socket).stdin(Stdio::null()).spawn()?;
        Ok(Self { child, socket })
    }

    fn connect(&self) -> Result<std::os::unix::net::UnixStream> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match std::os::unix::net::UnixStream::connect(&self.socket) {
                Ok(stream) => return Ok(stream),
                Err(error) if Instant::now() >= deadline => {
                    return Err(error).with_context(|| {
                        format!("the other process does not listen on {}", self.socket.display())
                    });
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
