//! The subcommands: one file each, named after what is typed.

mod avatar_file;
mod chain;
mod completion;
mod config;
mod delete;
mod import;
mod key;
mod known;
mod log;
mod lookup;
mod man;
mod places;
mod platform;
mod progress;
mod prove;
mod push;
mod remote;
mod reset_password;
mod search;
mod serve;
mod store;
mod version;
mod watched;

use std::future::Future;
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::runtime::Builder;

use crate::config::{Given, Loaded, LogFormat, load};
use crate::failure::{Exit, Failure};
use crate::logging;
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(serve::Serve),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Make a Tox profile, or show one
    #[command(subcommand)]
    Key(key::Key),
    /// Register a name for your Tox profile, or change the record
    Push(push::Push),
    /// Delete the record of your Tox profile
    Delete(delete::Delete),
    /// Give the record of your Tox profile a new edit password, for the web form
    ResetPassword(reset_password::ResetPassword),
    /// Look up the Tox ID of a name
    Lookup(lookup::Lookup),
    /// Find names by a part of them
    Search(search::Search),
    /// Show which accounts elsewhere are yours
    #[command(subcommand, after_help = prove::EXAMPLES)]
    Prove(prove::Prove),
    /// Show everything an avatar has signed
    Chain(chain::Chain),
    /// Take over what another server has
    #[command(subcommand)]
    Import(import::Import),
    /// Verify a log
    #[command(subcommand)]
    Log(log::Log),
    /// Try a service that the configuration describes
    #[command(subcommand)]
    Platform(platform::Platform),
    /// Count what a store holds, or move it to another
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Print a script that completes commands in a shell
    Completion(completion::Completion),
    /// Print the manual page, or write all of them
    Man(man::Man),
    /// Print the version
    Version,
}

impl Command {
    /// Runs the command, which logs what `log` lets through.
    ///
    /// # Errors
    /// A sentence for whoever gave the command.
    pub(crate) fn run(self, output: &Output, log: &str) -> Result<(), Failure> {
        // The server's log has the form that its configuration wants, so it comes after that.
        if !matches!(self, Self::Serve(_)) {
            let format = if output.is_json() {
                LogFormat::Json
            } else {
                LogFormat::Auto
            };
            logging::start(log, format)?;
        }
        match self {
            Self::Serve(command) => command.run(output, log),
            Self::Config(command) => command.run(output),
            Self::Key(command) => command.run(output),
            Self::Push(command) => command.run(output),
            Self::Delete(command) => command.run(output),
            Self::ResetPassword(command) => command.run(output),
            Self::Lookup(command) => command.run(output),
            Self::Search(command) => command.run(output),
            Self::Prove(command) => command.run(output),
            Self::Chain(command) => command.run(output),
            Self::Import(command) => command.run(output),
            Self::Log(command) => command.run(output),
            Self::Platform(command) => command.run(output),
            Self::Store(command) => command.run(output),
            Self::Completion(command) => command.run(output),
            Self::Man(command) => command.run(output),
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

/// Time for blocking work that nobody waits for any more.
const STRAGGLERS_TIME: Duration = Duration::from_secs(1);

/// Runs a future of the server, on all cores.
fn on_all_cores<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(no_runtime)?;
    let done = runtime.block_on(future);
    // Where a disk hangs, it would be waited for without end.
    runtime.shutdown_timeout(STRAGGLERS_TIME);
    done
}

/// Runs a future of a command, on this thread.
fn on_one_core<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(no_runtime)?.block_on(future)
}

fn no_runtime(error: std::io::Error) -> Failure {
    Failure::failed(format!("cannot start the runtime: {error}"))
}
