//! A round trip on the wire beside a raw echo on the same kind of socket, each between two processes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bilayer_ipc::{Connection, Limits, Message};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, Runtime};

use crate::table::{Row, percentile};

const METHOD: &str = "example/echo";
/// What one request of this benchmark weighs as a frame; the raw echo sends as many bytes.
const FRAME_BYTES: usize = 120;

/// Round trips in turns of a thousand.
pub(crate) fn measure(folder: &Path, round_trips: usize) -> Result<Vec<Row>> {
    let raw_server = Server::start(folder, "serve-raw")?;
    let wire_server = Server::start(folder, "serve-wire")?;
    let mut raw_samples = Vec::with_capacity(round_trips);
    let mut wire_samples = Vec::with_capacity(round_trips);
    runtime()?.block_on(async {
        let mut raw = raw_server.connect().await?;
        let (connection, peer, mut incoming) =
            Connection::new(wire_server.connect().await?, Limits::default());
        tokio::spawn(connection.run());
        tokio::spawn(async move { while incoming.next().await.is_some() {} });
        let params = json!({ "text": "x".repeat(16) });
        let mut buffer = [b'x'; FRAME_BYTES];
        while wire_samples.len() < round_trips {
            for _ in 0..1000 {
                let start = Instant::now();
                raw.write_all(&buffer).await?;
                raw.read_exact(&mut buffer).await?;
                raw_samples.push(start.elapsed().as_secs_f64() * 1e6);
            }
            for _ in 0..1000 {
                let start = Instant::now();
                let answer: Value = peer.call(METHOD, &params).await?;
                wire_samples.push(start.elapsed().as_secs_f64() * 1e6);
                anyhow::ensure!(answer == params, "the echo answered {answer}");
            }
        }
        Ok(())
    })?;
    let (wire, raw) = (percentile(&mut wire_samples, 50), percentile(&mut raw_samples, 50));
    Ok(vec![Row::ratio("round trip on the wire, median", wire, ("raw echo", raw), "µs", 1.3)])
}

/// Sends back what comes in.
pub(crate) fn serve_raw(socket: &Path) -> Result<()> {
    runtime()?.block_on(async {
        let (mut stream, _) = UnixListener::bind(socket)?.accept().await?;
        let mut buffer = [0; FRAME_BYTES];
        loop {
            let length = stream.read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            stream.write_all(&buffer[..length]).await?;
        }
    })
}

/// Answers every request with its own parameters.
pub(crate) fn serve_wire(socket: &Path) -> Result<()> {
    runtime()?.block_on(async {
        let (stream, _) = UnixListener::bind(socket)?.accept().await?;
        let (connection, _peer, mut incoming) = Connection::new(stream, Limits::default());
        tokio::spawn(connection.run());
        while let Some(message) = incoming.next().await {
            if let Message::Request { params, reply, .. } = message {
                let params: Value = params.parse()?;
                reply.answer(&params)?;
            }
        }
        Ok(())
    })
}

/// One thread on both sides, as in layer 0 and in the SDK.
fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// The other process.
struct Server {
    child: Child,
    socket: std::path::PathBuf,
}

impl Server {
    fn start(folder: &Path, part: &str) -> Result<Self> {
        let socket = folder.join(format!("{part}.socket"));
        let child =
            Command::new(std::env::current_exe()?).arg(part).arg(&socket).stdin(Stdio::null()).spawn()?;
        Ok(Self { child, socket })
    }

    async fn connect(&self) -> Result<UnixStream> {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            match UnixStream::connect(&self.socket).await {
                Ok(stream) => return Ok(stream),
                Err(error) if Instant::now() >= deadline => {
                    return Err(error).context("the other process does not listen");
                }
                Err(_) => std::thread::park_timeout(Duration::from_millis(5)),
            }
            if !self.socket.exists() && Instant::now() >= deadline {
                bail!("{} did not appear", self.socket.display());
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
