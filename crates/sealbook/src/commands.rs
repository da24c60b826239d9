//! The subcommands: one file each, named after what is typed.

mod config;
mod serve;
mod version;

use std::future::Future;

use clap::{Args, Subcommand};
use tokio::runtime::Builder;

use crate::config::{Given, Loaded, load};
use crate::failure::{Exit, Failure};
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(serve::Serve),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Print the version
    Version,
}

impl Command {
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Serve(command) => command.run(output),
            Self::Config(command) => command.run(output),
            Self::Version => version::run(output),
        }
    }
}

/// Where the configuration comes from; flags of every command that reads it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Configured {
    /// TOML file to read; default: sealbook.toml in the working directory, if present
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Set a key, over environment and file; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

impl Configured {
    fn load(self) -> Result<Loaded, Failure> {
        let given = Given {
            file: self.config,
            set: self.set,
        };
        load(&given, std::env::vars_os())
            .map_err(|problems| Failure::new(Exit::Usage, problems.to_string()))
    }
}

/// Runs a future of the server, on all cores.
fn on_all_cores<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.map_err(no_runtime)?.block_on(future)
}

fn no_runtime(error: std::io::Error) -> Failure {
    Failure::failed(format!("cannot start the runtime: {error}"))
}
