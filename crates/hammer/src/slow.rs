//! `hammer slow`: what thousands of slow connections do to everybody else.
//!
//! Half of them send the head of a request, half a body, one byte every ten seconds; one that is
//! closed comes back at once. Meanwhile others look names up at a fixed rate. Rounds without and with
//! the slow ones alternate, and the medians of the 99th percentiles are compared.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use crate::clock;
use crate::output::Output;
use crate::process;
use crate::random::Random;
use crate::server::{self, Launch, Server};
use crate::stats::{median, ms, percentile};
use crate::tox;
use crate::traffic::{Driven, Pace, Population, Request, Source, drive};

/// Names that are looked up, and connections that do so.
const NAMES: u64 = 1000;
const OTHERS: u64 = 16;
const SEED: u64 = 1;
/// Between two bytes of a slow connection.
const BYTE_EVERY: Duration = Duration::from_secs(10);
/// Longest wait for the server to start, and for the slow ones to be connected.
const START_WAIT: Duration = Duration::from_secs(60);
const CROWD_WAIT: Duration = Duration::from_secs(60);
/// Most that the others may notice.
const RATIO_MAX: f64 = 2.0;
/// What the server gets of a slow request before the bytes that trickle.
const HEAD: &str = "POST /api HTTP/1.1\r\nhost: localhost\r\nx: ";
const BODY: &str = "POST /api HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n";

/// Measure look-ups beside thousands of slow connections.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Slow {
    /// The server to measure; `sealbook` beside this programme by default.
    #[arg(long, env = "SEALBOOK")]
    sealbook: Option<PathBuf>,
    /// Slow connections.
    #[arg(long, default_value_t = 5000)]
    connections: u64,
    /// Look-ups a second.
    #[arg(long, default_value_t = 500.0)]
    rate: f64,
    /// Length of a round in seconds.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Rounds of each kind.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Core of the server, and core of this programme.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    #[arg(long, default_value_t = 1)]
    generator_core: usize,
}

/// Runs the programme; it passes when the others notice little.
pub(crate) fn run(slow: &Slow, output: &Output) -> Result<bool> {
    process::raise_descriptors()?;
    process::stay_on(slow.generator_core)?;
    let scratch = tempfile::tempdir().context("make a folder")?;
    let program = server::find(slow.sealbook.clone())?;
    let log = scratch.path().join("log");
    let mut launch = Launch::sealbook(&program, scratch.path(), &log)?;
    launch.core = Some(slow.server_core);
    let runtime = runtime()?;
    let server = runtime.block_on(filled(&launch, output))?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let mut crowd_bytes = 0;
    for round in 0..slow.rounds {
        output.progress(&format!("round {} without", round + 1));
        alone.push(p99(&runtime.block_on(lookups(&server, slow))?)?);
        let empty_bytes = process::resident_bytes(server.pid())?;
        output.progress(&format!("round {} with {}", round + 1, slow.connections));
        let crowd = Crowd::gather(server.address(), slow.connections)?;
        crowd_bytes = process::resident_bytes(server.pid())?.saturating_sub(empty_bytes);
        beside.push(p99(&runtime.block_on(lookups(&server, slow))?)?);
        crowd.leave()?;
    }
    let ratio = median(&beside) / median(&alone);
    let passed = ratio <= RATIO_MAX;
    let text = format!(
        "p99 of look-ups at {} a second: {:.3} ms alone, {:.3} ms beside {} slow connections\n\
         ratio {ratio:.2}, at most {RATIO_MAX}: {}\n\
         rounds: {alone:.3?} and {beside:.3?} ms; memory of the slow ones {:.1} KiB each",
        slow.rate,
        median(&alone),
        median(&beside),
        slow.connections,
        if passed { "held" } else { "missed" },
        per_connection_kib(crowd_bytes, slow.connections),
    );
    let value = json!({
        "p99_alone_ms": alone, "p99_beside_ms": beside, "ratio": ratio,
        "connections": slow.connections, "passed": passed,
    });
    output.print(&text, &value)?;
    Ok(passed)
}

fn per_connection_kib(bytes: u64, connections: u64) -> f64 {
    let of = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    of(bytes / 1024) / of(connections.max(1))
}

fn runtime() -> Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.context("start the runtime")
}

/// A server with names to look up.
async fn filled(launch: &Launch, output: &Output) -> Result<Server> {
    let mut server = launch.start()?;
    server.connect(START_WAIT).await?;
    let population = Population {
        names: NAMES,
        seed: SEED,
    };
    population.fill(server.address(), OTHERS, output).await?;
    Ok(server)
}

/// Looks names up, one after the other, each connection its own.
struct Lookups(Random);

impl Source for Lookups {
    fn next(&mut self) -> Result<Request> {
        Ok(Request::post(
            tox::API,
            tox::lookup(&Population::name(self.0.below(NAMES))),
        ))
    }
}

async fn lookups(server: &Server, slow: &Slow) -> Result<Driven> {
    let pace = Pace {
        connections: OTHERS,
        duration: Duration::from_secs(slow.seconds),
        rate: Some(slow.rate),
    };
    let driven = drive(server.address(), pace, |number| {
        Ok(Lookups(Random::stream(SEED, number)))
    });
    let driven = driven.await?;
    ensure!(
        driven.unanswered == 0,
        "{} look-ups had no answer",
        driven.unanswered
    );
    let wrong = driven
        .answers
        .iter()
        .filter(|(_, _, code)| *code != Some(0));
    let wrong = wrong.count();
    ensure!(wrong == 0, "{wrong} look-ups had a wrong answer");
    Ok(driven)
}

/// In milliseconds, from when each was due.
fn p99(driven: &Driven) -> Result<f64> {
    let times: Vec<Duration> = driven.answers.iter().map(|(_, took, _)| *took).collect();
    percentile(&times, 0.99).map(ms).context("no look-ups")
}

/// The slow connections, on a thread of their own so that the others are not timed together with
/// them.
struct Crowd {
    ended: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Result<()>>,
}

impl Crowd {
    /// Connects them, and waits until all are.
    fn gather(server: SocketAddr, connections: u64) -> Result<Self> {
        let (ended, connected) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (end, count) = (Arc::clone(&ended), Arc::clone(&connected));
        let thread = std::thread::Builder::new().name("slow".to_owned());
        let thread = thread
            .spawn(move || crowd(server, connections, &end, &count))
            .context("start a thread")?;
        let crowd = Self { ended, thread };
        let began = clock::now();
        // Some are just coming back.
        while connected.load(Ordering::Relaxed) < connections - connections / 100 {
            ensure!(
                began.elapsed() < CROWD_WAIT,
                "only {} of {connections} slow connections are there",
                connected.load(Ordering::Relaxed)
            );
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Ok(crowd)
    }

    /// Closes them all.
    fn leave(self) -> Result<()> {
        self.ended.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow::anyhow!("the slow connections broke"))?
    }
}

fn crowd(
    server: SocketAddr,
    connections: u64,
    ended: &AtomicBool,
    connected: &Arc<AtomicU64>,
) -> Result<()> {
    runtime()?.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..connections {
            tasks.spawn(trickle(server, number, Arc::clone(connected)));
        }
        while !ended.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tasks.shutdown().await;
        Ok(())
    })
}

/// One slow client, for ever.
async fn trickle(server: SocketAddr, number: u64, connected: Arc<AtomicU64>) {
    let start = if number.is_multiple_of(2) { HEAD } else { BODY };
    // Not all at once: a crowd comes over some time.
    tokio::time::sleep(Duration::from_millis(number)).await;
    loop {
        if let Ok(mut stream) = TcpStream::connect(server).await {
            connected.fetch_add(1, Ordering::Relaxed);
            // However it ends, the next one comes.
            drop(dribble(&mut stream, start).await);
            connected.fetch_sub(1, Ordering::Relaxed);
        }
        // One that is refused at once must not spin.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sends a byte now and then until the server closes.
async fn dribble(stream: &mut TcpStream, start: &str) -> std::io::Result<()> {
    stream.write_all(start.as_bytes()).await?;
    let mut answer = [0; 512];
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => {
                if read? == 0 {
                    return Ok(());
                }
            }
            () = tokio::time::sleep(BYTE_EVERY) => stream.write_all(b"a").await?,
        }
    }
}
