//! Load, crash, cluster and measuring programmes for a real server. Nothing depends on this crate.

mod bench;
mod clock;
mod cluster;
mod crash;
mod faults;
mod findings;
mod history;
mod http;
mod ledger;
mod load;
mod log_view;
mod loop_disk;
mod nextid;
mod observe;
mod output;
mod process;
mod random;
mod server;
mod session;
mod slow;
mod stats;
mod subject;
mod tiles;
mod timing;
mod tools;
mod tox;
mod traffic;
mod upstream;
mod writers;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use output::Output;

#[derive(Debug, Parser)]
#[command(
    version,
    about = "Load, crash, cluster and measuring programmes for a sealbook server"
)]
struct Arguments {
    /// Print results as JSON, one value a line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    programme: Programme,
}

#[derive(Debug, clap::Subcommand)]
enum Programme {
    Bench(bench::Bench),
    Cluster(cluster::Cluster),
    Crash(crash::Crash),
    Faults(faults::Faults),
    Load(load::Load),
    Slow(slow::Slow),
    Timing(timing::Timing),
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let output = Output {
        json: arguments.json,
    };
    let passed = match &arguments.programme {
        Programme::Bench(bench) => bench::run(bench, &output)?,
        Programme::Cluster(cluster) => runtime()?.block_on(cluster::run(cluster, &output))?,
        Programme::Crash(crash) => runtime()?.block_on(crash::run(crash, &output))?,
        Programme::Faults(faults) => runtime()?.block_on(faults::run(faults, &output))?,
        Programme::Load(load) => runtime()?.block_on(load::run(load, &output))?,
        Programme::Slow(slow) => slow::run(slow, &output)?,
        Programme::Timing(timing) => timing::run(timing, &output)?,
    };
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")
}
