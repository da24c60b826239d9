//! `hammer bench`: our figures beside yardsticks measured in the same run.
//!
//! Servers are pinned to one core, this programme to another; rounds alternate between ours and the
//! yardstick, and medians are compared. Server CPU is `utime + stime` of /proc/PID/stat. Nothing
//! here fails on a slow machine: it prints ratios.

mod cold;
mod fresh;
mod line;
mod lookup;
mod overload;
mod postgres;
mod proofs;
mod push;
mod search;
mod stock;
mod trees;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::task::yield_now;

use crate::output::Output;
use crate::process;
use crate::server::{self, Launch, Server};
use crate::traffic::{Driven, Population};
use line::Line;

/// Longest wait for a server to accept connections.
const START_WAIT: Duration = Duration::from_secs(120);
/// Connections of the generator, as in the target's definition.
const CONNECTIONS: u64 = 64;
const NAMES: u64 = 100_000;
const NAMES_QUICK: u64 = 10_000;
const NAMES_FULL: u64 = 1_000_000;
/// Names of a run that only shows that everything runs.
const NAMES_SMOKE: u64 = 500;
/// Lines about one server that holds the names.
const SERVED: &[&str] = &["B1", "B1m", "B12", "B2", "B10", "B3", "B13", "B14", "B11"];

/// Measure beside yardsticks.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Bench {
    /// The server to measure; `sealbook` beside this programme by default.
    #[arg(long, env = "SEALBOOK")]
    sealbook: Option<PathBuf>,
    /// Folder with the yardsticks, built for release.
    #[arg(long, default_value = "yardsticks/target/release")]
    yardsticks: PathBuf,
    /// Fewer names, shorter rounds.
    #[arg(long)]
    quick: bool,
    /// Some hundred names, one short round: shows that everything runs, and measures nothing.
    #[arg(long, conflicts_with_all = ["quick", "full"])]
    smoke: bool,
    /// A million names.
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Names to load, and proofs; overrides --quick, --smoke and --full.
    #[arg(long)]
    names: Option<u64>,
    /// Only these lines, such as B1,B3.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Core of the servers.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// Core of the generator and of what is measured in this process.
    #[arg(long, default_value_t = 1)]
    generator_core: usize,
}

impl Bench {
    /// Names of the lines about PostgreSQL that need some: these many, each in turn.
    fn sizes(&self) -> Vec<u64> {
        match (self.names, self.full) {
            (Some(names), _) => vec![names],
            (None, true) => vec![NAMES_QUICK, NAMES_FULL],
            (None, false) if self.smoke => vec![NAMES_SMOKE],
            (None, false) => vec![NAMES_QUICK],
        }
    }

    /// Names of the other lines.
    fn names(&self) -> u64 {
        self.names.unwrap_or(match (self.quick, self.smoke) {
            (true, _) => NAMES_QUICK,
            (_, true) => NAMES_SMOKE,
            _ if self.full => NAMES_FULL,
            _ => NAMES,
        })
    }

    /// How many rounds of each kind there are, and how long one is.
    fn rounds(&self) -> (u32, Duration) {
        match (self.quick, self.smoke) {
            (true, _) => (3, Duration::from_secs(1)),
            (_, true) => (1, Duration::from_millis(300)),
            _ => (5, Duration::from_secs(3)),
        }
    }
}

/// Everything the lines share.
struct Bed {
    yardsticks: PathBuf,
    launch: Launch,
    scratch: tempfile::TempDir,
    population: Population,
    rounds: u32,
    round: Duration,
    server_core: usize,
    is_smoke: bool,
    output: Output,
}

/// Runs the programme on a thread that stays on the generator's core.
pub(crate) fn run(bench: &Bench, output: &Output) -> Result<bool> {
    process::stay_on(bench.generator_core)?;
    process::raise_descriptors()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(lines(bench, output))?;
    Ok(true)
}

async fn lines(bench: &Bench, output: &Output) -> Result<()> {
    let wanted = |id: &str| bench.only.is_empty() || bench.only.iter().any(|it| it == id);
    let print = |lines: Vec<Line>| -> Result<()> {
        lines
            .iter()
            .filter(|line| wanted(line.id))
            .try_for_each(|line| output.print(&line.text(), &line.json()))
    };
    let bed = Bed::prepare(bench, *output)?;
    if wanted("B16") {
        print(cold::idle(&bed).await?)?;
    }
    if SERVED.iter().any(|id| wanted(id)) {
        let mut server = bed.filled().await?;
        if ["B1", "B1m", "B12"].iter().any(|id| wanted(id)) {
            print(lookup::measure(&bed, &server).await?)?;
        }
        if wanted("B2") {
            print(search::measure(&bed, &server).await?)?;
        }
        if wanted("B10") {
            print(cold::full(&bed, &server)?)?;
        }
        if wanted("B3") {
            print(push::measure(&bed, &server).await?)?;
        }
        if wanted("B13") {
            print(overload::measure(&bed, &server).await?)?;
        }
        if wanted("B14") {
            print(fresh::measure(&bed, &server).await?)?;
        }
        if wanted("B11") {
            let (lines, restarted) = cold::start(&bed, server).await?;
            server = restarted;
            print(lines)?;
        }
        server.kill()?;
    }
    if proofs::LINES.iter().any(|id| wanted(id)) {
        print(proofs::measure(&bed, wanted).await?)?;
    }
    if wanted("B6") || wanted("B7") {
        print(trees::measure(&bed)?)?;
    }
    if ["P1", "P2", "P3", "P4"].iter().any(|id| wanted(id)) {
        print(postgres::measure(&bed, &bench.sizes(), wanted).await?)?;
    }
    Ok(())
}

impl Bed {
    fn prepare(bench: &Bench, output: Output) -> Result<Self> {
        let scratch = tempfile::tempdir().context("make a scratch folder")?;
        let program = server::find(bench.sealbook.clone())?;
        let log = scratch.path().join("server.log");
        let mut launch = Launch::sealbook(&program, scratch.path(), &log)?;
        launch.core = Some(bench.server_core);
        let (rounds, round) = bench.rounds();
        Ok(Self {
            yardsticks: bench.yardsticks.clone(),
            launch,
            scratch,
            population: Population {
                names: bench.names(),
                seed: 1,
            },
            rounds,
            round,
            server_core: bench.server_core,
            is_smoke: bench.smoke,
            output,
        })
    }

    /// A server that holds the names.
    async fn filled(&self) -> Result<Server> {
        let server = started(&self.launch).await?;
        self.fill(&server, self.population).await?;
        Ok(server)
    }

    /// One more server, with a store of its own and nothing in it.
    async fn another(&self, name: &str) -> Result<Server> {
        started(&self.launch_in(name)?).await
    }

    /// How to start one more server, with a store of its own.
    fn launch_in(&self, name: &str) -> Result<Launch> {
        let folder = self.scratch.path().join(name);
        std::fs::create_dir(&folder).context("make a server's folder")?;
        let log = folder.join("server.log");
        let mut launch = Launch::sealbook(&self.launch.program, &folder, &log)?;
        launch.core = self.launch.core;
        Ok(launch)
    }

    async fn fill(&self, server: &Server, population: Population) -> Result<()> {
        let took = population
            .fill(server.address(), CONNECTIONS, &self.output)
            .await?;
        let names = population.names;
        self.output.progress(&format!(
            "{names} names pushed in {:.1} s",
            took.as_secs_f64()
        ));
        Ok(())
    }

    /// Ends a run that is to show that everything runs, if some answers were not as expected. A run
    /// that measures says so in its notes.
    fn judge(&self, line: &str, unexpected: usize) -> Result<()> {
        ensure!(
            !self.is_smoke || unexpected == 0,
            "{line}: {unexpected} unexpected answers"
        );
        Ok(())
    }

    /// The yardstick `hello` on a port of its own, pinned like our server.
    async fn hello(&self) -> Result<Server> {
        self.hello_with(&[]).await
    }

    /// The same, told what else to do for each request.
    async fn hello_with(&self, more: &[&str]) -> Result<Server> {
        let address = server::free_address()?;
        let port = address.port().to_string();
        let arguments = [port.as_str(), "1"];
        let arguments = arguments.iter().chain(more).map(OsString::from);
        let launch = Launch {
            program: self.yardstick("hello")?,
            arguments: arguments.collect(),
            folder: self.scratch.path().to_owned(),
            log: self.scratch.path().join("hello.log"),
            environment: Vec::new(),
            address,
            core: Some(self.server_core),
        };
        started(&launch).await
    }

    fn yardstick(&self, name: &str) -> Result<PathBuf> {
        let path = self.yardsticks.join(name);
        path.canonicalize().with_context(|| {
            format!(
                "no yardstick at {}: build them with `cargo build --release` in yardsticks/, or \
                 give --yardsticks FOLDER",
                path.display()
            )
        })
    }
}

/// A server that accepts connections.
async fn started(launch: &Launch) -> Result<Server> {
    let mut server = launch.start()?;
    server.connect(START_WAIT).await?;
    Ok(server)
}

/// Server CPU per request and requests per second of one round.
#[derive(Clone, Copy, Debug)]
struct Cost {
    us_per_request: f64,
    per_second: f64,
}

/// Drives a server for one round and measures its CPU over it.
async fn cost(
    server: &Server,
    drive: impl Future<Output = Result<Driven>>,
) -> Result<(Cost, Driven)> {
    let before = process::cpu(server.pid())?;
    let driven = drive.await?;
    let used = process::cpu(server.pid())?.saturating_sub(before);
    let count = f64::from(u32::try_from(driven.answers.len()).unwrap_or(u32::MAX)).max(1.0);
    let cost = Cost {
        us_per_request: used.as_secs_f64() * 1e6 / count,
        per_second: count / driven.wall.as_secs_f64(),
    };
    Ok((cost, driven))
}

/// Drives without this programme ever sleeping. A server pays for waking who waits for its answer, on
/// a virtual machine as much as for sending it, and the faster one less: its answers find the
/// generator at work.
async fn awake<T>(driving: impl Future<Output = T>) -> T {
    let stir = async {
        loop {
            yield_now().await;
        }
    };
    tokio::select! {
        driven = driving => driven,
        never = stir => never,
    }
}

fn file_bytes(path: &Path) -> Result<u64> {
    let state = std::fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
    Ok(state.len())
}
